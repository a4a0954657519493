//! Who picks one crate gets that one, and of ours only what the house lets it stand on.

use std::collections::BTreeSet;

use crate::tidy::house;
use crate::tidy::tree::{Member, Tree};

/// The packages of ours that may come along with `package`, itself included.
pub(crate) fn allowed(package: &str, tree: &Tree) -> BTreeSet<String> {
    let members: Vec<&Member> = tree.crates().collect();
    let mut found = BTreeSet::new();
    let mut open: Vec<&Member> = members
        .iter()
        .copied()
        .filter(|one| one.name() == package)
        .collect();
    while let Some(member) = open.pop() {
        if !found.insert(member.name().to_owned()) {
            continue;
        }
        let Some(place) = house::find(member.folder()) else {
            continue; // Tidy says so already.
        };
        let used = members.iter().copied();
        open.extend(used.filter(|other| place.may_use(other.folder())));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree() -> Tree {
        let mut tree = Tree::default();
        for folder in [
            "core",
            "problem",
            "backoff",
            "idempotency",
            "webhook-inbox",
            "store-sqlite",
        ] {
            let manifest = format!("[package]\nname = 'golive-{folder}'");
            tree.add(&format!("crates/{folder}"), &manifest);
        }
        tree
    }

    #[test]
    fn a_box_brings_no_other_box() {
        let found = allowed("golive-backoff", &tree());
        let found: Vec<&str> = found.iter().map(String::as_str).collect();
        assert_eq!(found, ["golive-backoff", "golive-core", "golive-problem"]);
    }

    #[test]
    fn a_store_brings_what_it_stores_and_what_that_stands_on() {
        let found = allowed("golive-store-sqlite", &tree());
        assert!(found.contains("golive-webhook-inbox") && found.contains("golive-problem"));
        assert!(!found.contains("golive-backoff"));
    }

    #[test]
    fn the_core_stands_alone() {
        assert_eq!(allowed("golive-core", &tree()).len(), 1);
    }
}
