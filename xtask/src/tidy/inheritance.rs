//! What is decided once for all is inherited, never repeated: lints, and versions of dependencies.

use toml::Value;

use super::finding::Finding;
use super::msrv::stated;
use super::tree::{Member, Tree};

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    tree.members.iter().flat_map(of).collect()
}

fn of(member: &Member) -> Vec<Finding> {
    let mut found = Vec::new();
    let lints = member.manifest.get("lints");
    let inherits = lints.and_then(|lints| lints.get("workspace")?.as_bool());
    if inherits != Some(true) {
        found.push(Finding::failure(
            member.manifest_path(),
            "its lints are not those of the workspace",
            "write `[lints]` and `workspace = true`",
        ));
    }
    for dependency in member.dependencies() {
        let by_path = dependency.spec.get("path").is_some();
        let versioned = dependency.spec.get("version").is_some();
        // A test dependency on one of ours may be by path alone: publishing drops it.
        let ours_in_tests = dependency.ours().is_some() && dependency.dev && by_path && !versioned;
        if !dependency.is_inherited() && !ours_in_tests {
            found.push(Finding::failure(
                member.manifest_path(),
                format!("`{}` has a version of its own here", dependency.name),
                "put it in [workspace.dependencies] and write `workspace = true`",
            ));
        }
    }
    for field in [
        "version",
        "edition",
        "rust-version",
        "license",
        "repository",
    ] {
        let inherited = member
            .package(field)
            .is_some_and(|value| value.get("workspace").and_then(Value::as_bool) == Some(true));
        // NOTE: `msrv` sees that a Rust of a crate's own is what its dependencies take.
        let inherited = inherited || field == "rust-version" && stated(member).is_some();
        if member.is_published() && !inherited {
            found.push(Finding::failure(
                member.manifest_path(),
                format!("`{field}` is not that of the workspace"),
                format!("write `{field}.workspace = true`"),
            ));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOOL: &str = "[package]\npublish = false\n[lints]\nworkspace = true\n";

    fn found(manifest: &str) -> Vec<Finding> {
        let mut tree = Tree::default();
        tree.add("crates/core", manifest);
        check(&tree)
    }

    #[test]
    fn a_package_with_lints_of_its_own_is_found() {
        assert_eq!(found(TOOL), []);
        assert_eq!(found("[package]\npublish = false").len(), 1);
        assert_eq!(found("[package]\npublish = false\n[lints.rust]").len(), 1);
    }

    #[test]
    fn a_version_in_a_crate_is_found() {
        let inherited = "[dependencies]\nhttp = { workspace = true, features = ['x'] }";
        assert_eq!(found(&format!("{TOOL}{inherited}")), []);
        for own in [
            "http = '1'",
            "http = { version = '1' }",
            "http = { git = 'x' }",
        ] {
            assert_eq!(
                found(&format!("{TOOL}[dependencies]\n{own}")).len(),
                1,
                "{own}"
            );
        }
    }

    #[test]
    fn one_of_ours_may_be_a_path_in_tests_only() {
        let own = "golive-sandbox = { path = '../sandbox' }";
        assert_eq!(found(&format!("{TOOL}[dev-dependencies]\n{own}")), []);
        assert_eq!(found(&format!("{TOOL}[dependencies]\n{own}")).len(), 1);
    }

    #[test]
    fn a_published_crate_takes_its_facts_from_the_workspace() {
        let found = found("[package]\nlicense = 'MIT'\n[lints]\nworkspace = true");
        assert!(
            found
                .iter()
                .any(|one| one.to_string().contains("`license`"))
        );
    }
}
