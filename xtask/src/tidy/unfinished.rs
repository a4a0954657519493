//! Nothing half-done is merged: no mark of later work, no test that does not run.

use proc_macro2::{Delimiter, TokenTree};

use super::finding::Finding;
use super::tokens;
use super::tree::{Text, Tree};

/// Macros that stand for code to come, or that were left from a hunt.
const MACROS: &[&str] = &["todo", "unimplemented", "dbg"];

/// Words of comments that say the same. Written in two halves, or this file would find itself.
const WORDS: &[&str] = &[
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X"),
];

/// A doc test behind this fence is never compiled.
const FENCES: &[&str] = &[concat!("```", "ignore"), concat!("```rust,", "ignore")];

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let mut found: Vec<Finding> = tree.sources.iter().flat_map(code).collect();
    let texts = tree.sources.iter().chain(&tree.documents);
    found.extend(texts.flat_map(prose));
    found
}

fn code(source: &Text) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut fail = |token: &TokenTree, rule: String, mend: &str| {
        let path = format!("{}:{}", source.path, tokens::line(token));
        found.push(Finding::failure(path, rule, mend));
    };
    // A file that is not Rust is the finding of another rule.
    let _ = tokens::each(&source.text, |token, next| {
        let Some(next) = next else { return };
        let named = MACROS.iter().find(|name| tokens::is_ident(token, name));
        if let (Some(name), true) = (named, tokens::is_punct(next, '!')) {
            fail(
                token,
                format!("`{name}!`"),
                "write what is missing, or leave it out whole",
            );
        }
        if tokens::is_punct(token, '#') && is_ignore(next) {
            let mend = "let it run, or delete it; provision what it lacks in `cargo xtask test`";
            fail(token, "a test that never runs".to_owned(), mend);
        }
    });
    found
}

fn is_ignore(attribute: &TokenTree) -> bool {
    let TokenTree::Group(group) = attribute else {
        return false;
    };
    let first = group.stream().into_iter().next();
    group.delimiter() == Delimiter::Bracket
        && first.is_some_and(|first| tokens::is_ident(&first, "ignore"))
}

fn prose(text: &Text) -> Vec<Finding> {
    let mut found = Vec::new();
    for (at, line) in text.text.lines().enumerate() {
        let path = || format!("{}:{}", text.path, at + 1);
        for word in WORDS.iter().filter(|word| has_word(line, word)) {
            let mend = "do it now, or open an issue for it";
            found.push(Finding::failure(path(), format!("`{word}`"), mend));
        }
        if FENCES.iter().any(|fence| line.contains(fence)) {
            let mend = "make it compile (`no_run` does not run it), or mark it `text`";
            found.push(Finding::failure(
                path(),
                "an example that is never compiled",
                mend,
            ));
        }
    }
    found
}

fn has_word(line: &str, word: &str) -> bool {
    let inside = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    line.match_indices(word).any(|(at, _)| {
        let before = at.checked_sub(1).and_then(|at| line.as_bytes().get(at));
        !inside(before) && !inside(line.as_bytes().get(at + word.len()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<Finding> {
        check(&Tree::of_source("a.rs", text))
    }

    #[test]
    fn macros_that_stand_for_later_work_are_found() {
        for name in MACROS {
            assert_eq!(found(&format!("fn a() {{ {name}!() }}")).len(), 1, "{name}");
        }
        assert_eq!(found("fn todo() { let dbg = 1; }"), []);
    }

    #[test]
    fn words_that_promise_later_work_are_found_whole_only() {
        for word in WORDS {
            assert_eq!(found(&format!("// {word}: later")).len(), 1, "{word}");
            assert_eq!(found(&format!("// {word}{word}")), [], "{word}");
        }
    }

    #[test]
    fn a_test_that_does_not_run_is_found() {
        assert_eq!(found("#[ignore]\nfn a() {}").len(), 1);
        assert_eq!(found("#[ignore = \"slow\"]\nfn a() {}").len(), 1);
        assert_eq!(found("#[allow(ignore)]\nfn a() {}"), []);
        assert_eq!(
            found(&format!("/// {}\n/// ```\nfn a() {{}}", FENCES[0])).len(),
            1
        );
    }
}
