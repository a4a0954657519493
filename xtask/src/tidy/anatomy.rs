//! Every crate consists of the same files, so that who knows one knows all.

use super::finding::Finding;
use super::house::{self, Kind};
use super::tree::{Member, Tree};

/// What a crate of this kind has besides its README. `a|b` is one of the two.
fn own(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Middleware => &[
            "src/lib.rs",
            "src/config.rs",
            "src/error.rs",
            "src/middleware.rs",
            "tests/contract.rs",
        ],
        Kind::Receiver => &["src/lib.rs", "src/config.rs", "src/error.rs|src/reject.rs"],
        Kind::Library | Kind::Unsafe => &["src/lib.rs"],
        Kind::Program => &["src/main.rs"],
    }
}

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    tree.crates().flat_map(of).collect()
}

fn of(member: &Member) -> Vec<Finding> {
    let Some(place) = house::find(member.folder()) else {
        return vec![Finding::failure(
            member.path.clone(),
            "a crate without a place",
            "give it a line in HOUSE of xtask/src/tidy/house.rs: its kind, and what it may use",
        )];
    };
    let mut required = vec!["README.md"];
    if member.is_published() {
        required.push("CHANGELOG.md");
    }
    required.extend(own(place.kind));
    let missing = required.into_iter().filter(|files| {
        let mut either = files.split('|');
        !either.any(|file| member.files.contains(file))
    });
    missing
        .map(|file| {
            Finding::failure(
                format!("{}/{file}", member.path),
                "every crate of its kind has this file",
                "write it; CONTRIBUTING.md says what belongs in it",
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A crate with every file that has one name alone.
    fn whole(path: &str, kind: Kind) -> Tree {
        let mut tree = Tree::default();
        let member = tree.add(path, "");
        let files = ["README.md", "CHANGELOG.md"].iter().chain(own(kind));
        let files = files.filter(|file| !file.contains('|'));
        member.files.extend(files.map(|file| (*file).to_owned()));
        tree
    }

    #[test]
    fn a_middleware_without_its_contract_test_is_found() {
        let mut tree = whole("crates/backoff", Kind::Middleware);
        assert_eq!(check(&tree), []);
        tree.members[0].files.remove("tests/contract.rs");
        let found = check(&tree);
        assert_eq!(found.len(), 1);
        assert!(
            found[0]
                .to_string()
                .starts_with("crates/backoff/tests/contract.rs: ")
        );
    }

    #[test]
    fn a_receiver_may_call_its_error_a_reject() {
        let mut tree = whole("crates/webhook-verify", Kind::Receiver);
        assert_eq!(check(&tree).len(), 1);
        tree.members[0].files.insert("src/reject.rs".to_owned());
        assert_eq!(check(&tree), []);
    }

    #[test]
    fn what_is_never_published_needs_no_changelog() {
        let mut tree = whole("crates/testkit", Kind::Library);
        tree.members[0].files.remove("CHANGELOG.md");
        assert_eq!(check(&tree).len(), 1);
        tree.members[0].manifest = "[package]\npublish = false".parse().unwrap();
        assert_eq!(check(&tree), []);
    }

    #[test]
    fn a_crate_that_the_table_does_not_know_is_found() {
        let mut tree = Tree::default();
        tree.add("crates/misc", "");
        assert!(check(&tree)[0].to_string().contains("without a place"));
    }

    #[test]
    fn tools_outside_crates_have_an_anatomy_of_their_own() {
        let mut tree = Tree::default();
        tree.add("xtask", "");
        assert_eq!(check(&tree), []);
    }
}
