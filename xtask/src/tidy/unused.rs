//! Every line of `[workspace.dependencies]` has a reader.

use std::collections::BTreeSet;

use super::finding::Finding;
use super::tree::{Dependency, Member, Tree};

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let all = tree.members.iter().flat_map(Member::dependencies);
    let used: BTreeSet<&str> = all
        .filter(Dependency::is_inherited)
        .map(|dependency| dependency.name)
        .collect();
    let offered = tree.workspace("dependencies").into_iter().flatten();
    let unused = offered.filter(|(name, _)| !used.contains(name.as_str()));
    unused
        .map(|(name, _)| {
            let rule = format!("nobody uses `{name}` of [workspace.dependencies]");
            Finding::failure("Cargo.toml", rule, "remove the line")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dependency_that_nobody_uses_is_found() {
        let mut tree = Tree {
            manifest: "[workspace.dependencies]\nhttp = '1'\nurl = '2'"
                .parse()
                .unwrap(),
            ..Tree::default()
        };
        tree.add("crates/core", "[dev-dependencies]\nhttp.workspace = true");
        let found = check(&tree);
        assert_eq!(found.len(), 1);
        assert!(found[0].to_string().contains("`url`"));
    }
}
