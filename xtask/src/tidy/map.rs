//! A newcomer finds every crate from the front page and from the code map.

use super::finding::Finding;
use super::tree::Tree;
use crate::BRAND;

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    let readme = tree.document("README.md").unwrap_or_default();
    let map = tree.document("ARCHITECTURE.md").unwrap_or_default();
    for member in tree.crates() {
        let folder = member.folder();
        let name = member.package("name").and_then(|name| name.as_str());
        let name = name.unwrap_or_default();
        if member.is_published() && !names(readme, name) {
            let rule = format!("does not name `{name}`");
            let mend = "say in one line which box it ticks";
            found.push(Finding::failure("README.md", rule, mend));
        }
        let places = [format!("crates/{folder}"), format!("{BRAND}{folder}")];
        let own_line = |line: &str| line.trim_start().starts_with(&format!("{folder}/"));
        if !places.iter().any(|place| names(map, place)) && !map.lines().any(own_line) {
            let rule = format!("its code map leaves out `crates/{folder}`");
            found.push(Finding::failure("ARCHITECTURE.md", rule, "add a line"));
        }
    }
    found
}

/// Whether `name` stands in `text` by itself, and not as the beginning of a longer name.
fn names(text: &str, name: &str) -> bool {
    text.match_indices(name).any(|(at, _)| {
        let after = text[at + name.len()..].chars().next();
        after.is_none_or(|after| !after.is_alphanumeric() && after != '-')
    })
}

#[cfg(test)]
mod tests {
    use super::super::tree::Text;
    use super::*;

    fn found(readme: &str, map: &str) -> Vec<Finding> {
        let document = |path: &str, text: &str| Text {
            path: path.to_owned(),
            text: text.to_owned(),
        };
        let mut tree = Tree {
            documents: vec![
                document("README.md", readme),
                document("ARCHITECTURE.md", map),
            ],
            ..Tree::default()
        };
        tree.add("crates/core", "[package]\nname = 'golive-core'");
        check(&tree)
    }

    #[test]
    fn a_crate_that_no_page_names_is_found() {
        assert_eq!(found("`golive-core`", "crates/core"), []);
        assert_eq!(found("`golive-core`", "```\n  core/   the core\n```"), []);
        assert_eq!(found("", "crates/core").len(), 1);
        assert_eq!(found("golive-core", "").len(), 1);
    }

    #[test]
    fn a_longer_name_is_another_name() {
        assert_eq!(found("golive-core-extra", "crates/core").len(), 1);
    }
}
