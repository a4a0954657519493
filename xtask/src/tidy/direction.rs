//! Who may depend on whom: never sideways, never upwards.

use std::collections::BTreeSet;

use super::finding::Finding;
use super::house::{self, Kind};
use super::tree::{Member, Tree};

const TESTKIT: &str = "testkit";

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    tree.crates().flat_map(|member| of(member, tree)).collect()
}

fn of(member: &Member, tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut fail = |rule: String, mend: &str| {
        found.push(Finding::failure(member.manifest_path(), rule, mend));
    };
    let Some(place) = house::find(member.folder()) else {
        return found; // Anatomy says so already.
    };
    for dependency in member.dependencies() {
        let Some(used) = dependency.ours() else {
            if dependency.name == "tower" && !dependency.dev && is_layer(place.kind, place.folder) {
                fail(
                    "a layer depends on `tower`, which is for those who stack layers".to_owned(),
                    "depend on tower-layer and tower-service; tower itself is for the tests",
                );
            }
            continue;
        };
        if used == TESTKIT {
            if !dependency.dev && member.is_published() {
                fail(
                    "the test kit is used outside tests".to_owned(),
                    "move it to [dev-dependencies]",
                );
            }
            if dependency.has_version(tree) {
                fail(
                    "the test kit has a version, but is never published".to_owned(),
                    "name it by path alone",
                );
            }
        } else if !dependency.dev && !place.may_use(used) {
            fail(
                format!("`{}` may not depend on `{used}`", member.folder()),
                "let this crate state what it needs as a small trait; or argue for another \
                 direction in xtask/src/tidy/house.rs",
            );
        } else if dependency.dev
            && dependency.has_version(tree)
            && reaches(tree, used, member.folder())
        {
            fail(
                format!("its tests use `{used}`, which is made of this crate: a circle"),
                "name it by path alone, so that publishing has a first crate",
            );
        }
    }
    found
}

/// Crates that others put into a stack of theirs.
fn is_layer(kind: Kind, folder: &str) -> bool {
    matches!(kind, Kind::Middleware | Kind::Receiver) || folder == "core"
}

/// Whether `from` depends on `to` once published, be it over others.
fn reaches(tree: &Tree, from: &str, to: &str) -> bool {
    let mut seen = BTreeSet::new();
    let mut open = vec![from];
    while let Some(folder) = open.pop() {
        if folder == to {
            return true;
        }
        if !seen.insert(folder) {
            continue;
        }
        let below = tree.get(folder).into_iter().flat_map(Member::dependencies);
        let kept = below.filter(|dependency| dependency.has_version(tree));
        open.extend(kept.filter_map(|dependency| dependency.ours()));
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(members: &[(&str, &str)]) -> Tree {
        let root = "[workspace.dependencies]\n\
            golive-core = { path = 'crates/core', version = '1' }\n\
            golive-backoff = { path = 'crates/backoff', version = '1' }\n\
            golive-sandbox = { path = 'crates/sandbox', version = '1' }\n\
            golive-webhook-verify = { path = 'crates/webhook-verify', version = '1' }\n\
            golive-testkit = { path = 'crates/testkit' }\n";
        let mut tree = Tree {
            manifest: root.parse().unwrap(),
            ..Tree::default()
        };
        for (path, manifest) in members {
            tree.add(path, manifest);
        }
        tree
    }

    fn only(found: &[Finding]) -> String {
        assert_eq!(found.len(), 1, "{found:?}");
        found[0].to_string()
    }

    #[test]
    fn downwards_is_allowed_and_sideways_is_not() {
        let down = "[dependencies]\ngolive-core.workspace = true";
        assert_eq!(check(&tree(&[("crates/idempotency", down)])), []);
        let sideways = "[dependencies]\ngolive-backoff.workspace = true";
        let found = check(&tree(&[("crates/idempotency", sideways)]));
        assert!(only(&found).contains("`idempotency` may not depend on `backoff`"));
    }

    #[test]
    fn a_renamed_or_targeted_dependency_does_not_hide() {
        let renamed = "[target.'cfg(unix)'.dependencies]\n\
            retry = { path = '../backoff', package = 'golive-backoff' }";
        let found = check(&tree(&[("crates/core", renamed)]));
        assert!(only(&found).contains("`core` may not depend on `backoff`"));
    }

    #[test]
    fn the_test_kit_stays_in_the_tests_and_has_no_version() {
        let tests = "[dev-dependencies]\ngolive-testkit.workspace = true";
        assert_eq!(check(&tree(&[("crates/core", tests)])), []);
        let product = "[dependencies]\ngolive-testkit.workspace = true";
        assert!(only(&check(&tree(&[("crates/core", product)]))).contains("outside tests"));
        let versioned = "[dev-dependencies]\ngolive-testkit = { path = '../t', version = '1' }";
        assert!(only(&check(&tree(&[("crates/core", versioned)]))).contains("has a version"));
    }

    #[test]
    fn a_versioned_test_dependency_may_not_close_a_circle() {
        let sandbox = "[dependencies]\ngolive-webhook-verify.workspace = true";
        let circle = "[dev-dependencies]\ngolive-sandbox.workspace = true";
        let by_path = "[dev-dependencies]\ngolive-sandbox.path = '../sandbox'";
        let with = |verify| {
            check(&tree(&[
                ("crates/sandbox", sandbox),
                ("crates/webhook-verify", verify),
            ]))
        };
        assert!(only(&with(circle)).contains("a circle"));
        assert_eq!(with(by_path), []);
    }

    #[test]
    fn a_layer_never_depends_on_the_whole_of_tower() {
        let whole = "[dependencies]\ntower.workspace = true";
        assert!(only(&check(&tree(&[("crates/core", whole)]))).contains("tower-layer"));
        let tests = "[dev-dependencies]\ntower.workspace = true";
        assert_eq!(check(&tree(&[("crates/core", tests)])), []);
    }
}
