//! A file holds one idea. Long ones are split, or say why not.

use super::finding::Finding;
use super::tree::Tree;

const SMELL: usize = 400;
const LIMIT: usize = 600;
/// The module doc of a file over the limit has a line that starts so, and goes on with a reason.
const REASON: &str = "//! This file is long because";

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for source in &tree.sources {
        if is_test(&source.path) {
            continue;
        }
        let lines = lines_of_code(&source.text);
        let rule = format!("{lines} lines before its tests");
        if lines > LIMIT && !source.text.lines().any(|line| line.starts_with(REASON)) {
            let mend = format!("split it by noun, or say `{REASON} …` in the module doc");
            found.push(Finding::failure(&source.path, rule, mend));
        } else if lines > SMELL {
            found.push(Finding::warning(
                &source.path,
                rule,
                "look for a second idea in it",
            ));
        }
    }
    found
}

fn is_test(path: &str) -> bool {
    path.split('/').any(|part| part == "tests") || path.ends_with("/tests.rs")
}

/// Lines up to the module of unit tests, which stands at the end of a file.
fn lines_of_code(text: &str) -> usize {
    let lines: Vec<&str> = text.lines().collect();
    let tests = lines.windows(2).position(|pair| {
        pair[0] == "#[cfg(test)]" && pair[1].starts_with("mod ") && pair[1].ends_with('{')
    });
    tests.unwrap_or(lines.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> Vec<Finding> {
        check(&Tree::of_source(path, text))
    }

    #[test]
    fn a_smell_is_a_warning_and_the_limit_a_failure() {
        assert_eq!(found("a.rs", &"//\n".repeat(400)), []);
        assert!(!found("a.rs", &"//\n".repeat(401))[0].is_failure());
        assert!(!found("a.rs", &"//\n".repeat(600))[0].is_failure());
        assert!(found("a.rs", &"//\n".repeat(601))[0].is_failure());
    }

    #[test]
    fn a_reason_in_the_module_doc_turns_the_failure_into_a_warning() {
        let text = format!("{REASON} it is a table.\n{}", "//\n".repeat(700));
        assert!(!found("a.rs", &text)[0].is_failure());
    }

    #[test]
    fn tests_may_be_as_long_as_they_need() {
        assert_eq!(found("crates/a/tests/b.rs", &"//\n".repeat(2000)), []);
        let inline = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", "//\n".repeat(2000));
        assert_eq!(found("a.rs", &inline), []);
    }
}
