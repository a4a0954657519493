//! A crate includes its own files alone: what lies outside its folder is not in its archive.

use proc_macro2::TokenTree;

use super::finding::Finding;
use super::tokens;
use super::tree::Tree;

const MACROS: &[&str] = &["include", "include_str", "include_bytes"];

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for member in tree.crates().filter(|member| member.is_published()) {
        let within = format!("{}/", member.path);
        for source in &tree.sources {
            let Some(file) = source.path.strip_prefix(&within) else {
                continue;
            };
            // A file that is not Rust is the finding of another rule.
            for (line, included) in included(&source.text).unwrap_or_default() {
                if leaves(file, &included) {
                    found.push(Finding::failure(
                        format!("{}:{line}", source.path),
                        format!("includes `{included}`, which its archive lacks"),
                        "move the file into the crate",
                    ));
                }
            }
        }
    }
    found
}

/// Every file named by an including macro, and the line that does.
fn included(text: &str) -> Result<Vec<(usize, String)>, proc_macro2::LexError> {
    let mut found = Vec::new();
    // Two tokens back is the name of the macro, one back its `!`.
    let mut named = false;
    let mut called = false;
    tokens::each(text, |token, _| {
        if called
            && let TokenTree::Group(arguments) = token
            && let Some(TokenTree::Literal(path)) = arguments.stream().into_iter().next()
        {
            let path = path.to_string();
            found.push((tokens::line(token), path.trim_matches('"').to_owned()));
        }
        called = named && tokens::is_punct(token, '!');
        named = MACROS.iter().any(|name| tokens::is_ident(token, name));
    })?;
    Ok(found)
}

/// Whether a path, seen from `file`, climbs out of the folder that `file` is named from.
fn leaves(file: &str, path: &str) -> bool {
    let mut depth = file.split('/').count() - 1;
    for part in path.split('/') {
        match part {
            ".." if depth == 0 => return true,
            ".." => depth -= 1,
            "." | "" => {}
            _ => depth += 1,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<Finding> {
        let mut tree = Tree::of_source("crates/core/src/a/b.rs", text);
        tree.add("crates/core", "");
        check(&tree)
    }

    #[test]
    fn a_file_outside_the_crate_is_found() {
        let doc = "#![doc = include_str!(\"../../README.md\")]";
        assert_eq!(found(doc), []);
        assert_eq!(found("const A: &[u8] = include_bytes!(\"c/../d\");"), []);
        let outside = "\nconst A: &str = include_str!(\"../../../other/a.json\");";
        let found = found(outside);
        assert_eq!(found.len(), 1);
        assert!(
            found[0]
                .to_string()
                .starts_with("crates/core/src/a/b.rs:2: ")
        );
    }
}
