//! Every `lib.rs` opens alike, and is a table of contents, not a place for code.

use super::finding::Finding;
use super::house::{self, Kind};
use super::tree::Tree;

const MOST_LINES: usize = 80;
const README: &str = "#![doc = include_str!(\"../README.md\")]";
const NO_UNSAFE: &str = "#![forbid(unsafe_code)]";
const DOCS: &str = "#![warn(missing_docs)]";

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for member in tree.crates() {
        let kind = house::find(member.folder()).map(|place| place.kind);
        let (file, required): (_, &[&str]) = match kind {
            Some(Kind::Unsafe) => ("src/lib.rs", &[README, DOCS]),
            Some(Kind::Program) => ("src/main.rs", &[NO_UNSAFE]),
            _ => ("src/lib.rs", &[README, NO_UNSAFE, DOCS]),
        };
        let path = format!("{}/{file}", member.path);
        let Some(text) = tree.source(&path) else {
            continue; // Anatomy says so already.
        };
        for line in required {
            if !text.lines().any(|one| one.trim() == *line) {
                let mend = format!("add `{line}`");
                found.push(Finding::failure(
                    path.clone(),
                    "the prologue is incomplete",
                    mend,
                ));
            }
        }
        let lines = text.lines().count();
        if lines >= MOST_LINES {
            let rule = format!("{lines} lines, a table of contents has under {MOST_LINES}");
            found.push(Finding::failure(
                path,
                rule,
                "move code to a module named by its noun",
            ));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(path: &str, text: &str) -> Tree {
        let mut tree = Tree::of_source(&format!("{path}/src/lib.rs"), text);
        tree.add(path, "");
        tree
    }

    #[test]
    fn each_line_of_the_prologue_is_missed() {
        let whole = [README, NO_UNSAFE, DOCS];
        assert_eq!(check(&tree("crates/core", &whole.join("\n"))), []);
        for left_out in whole {
            let rest: Vec<&str> = whole.into_iter().filter(|line| *line != left_out).collect();
            let found = check(&tree("crates/core", &rest.join("\n")));
            assert_eq!(found.len(), 1);
            assert!(found[0].to_string().contains(left_out));
        }
    }

    #[test]
    fn the_one_unsafe_crate_is_not_told_to_forbid_it() {
        assert_eq!(
            check(&tree("crates/sha256-lanes", &[README, DOCS].join("\n"))),
            []
        );
    }

    #[test]
    fn a_library_root_of_eighty_lines_is_too_long() {
        let head = [README, NO_UNSAFE, DOCS].join("\n");
        assert_eq!(
            check(&tree(
                "crates/core",
                &format!("{head}{}", "\n//".repeat(76))
            )),
            []
        );
        assert_eq!(
            check(&tree(
                "crates/core",
                &format!("{head}{}", "\n//".repeat(77))
            ))
            .len(),
            1
        );
    }
}
