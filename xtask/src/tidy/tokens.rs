//! Rust as a lexer sees it: no comment and no string is mistaken for code.

use proc_macro2::{LexError, TokenStream, TokenTree};

/// Calls `see` with every token, in groups and macros too, and with the token that follows it.
///
/// # Errors
/// If `text` is not Rust.
pub(crate) fn each(
    text: &str,
    mut see: impl FnMut(&TokenTree, Option<&TokenTree>),
) -> Result<(), LexError> {
    visit(text.parse()?, &mut see);
    Ok(())
}

/// The line on which a token starts, counted from 1.
pub(crate) fn line(token: &TokenTree) -> usize {
    token.span().start().line
}

pub(crate) fn is_ident(token: &TokenTree, name: &str) -> bool {
    matches!(token, TokenTree::Ident(ident) if ident == name)
}

pub(crate) fn is_punct(token: &TokenTree, mark: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == mark)
}

fn visit(stream: TokenStream, see: &mut impl FnMut(&TokenTree, Option<&TokenTree>)) {
    let mut tokens = stream.into_iter().peekable();
    while let Some(token) = tokens.next() {
        see(&token, tokens.peek());
        if let TokenTree::Group(group) = token {
            visit(group.stream(), see);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_in_comments_and_strings_are_not_tokens() {
        let text = "/// unsafe\nfn a() { // unsafe\n let b = \"unsafe\"; unsafe {} }";
        let mut lines = Vec::new();
        each(text, |token, _| {
            if is_ident(token, "unsafe") {
                lines.push(line(token));
            }
        })
        .unwrap();
        assert_eq!(lines, [3]);
    }
}
