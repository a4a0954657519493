//! Nothing is on by default, and an optional dependency is not a feature by accident.

use toml::{Table, Value};

use super::finding::Finding;
use super::tree::{Member, Tree};

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    tree.crates().flat_map(of).collect()
}

fn of(member: &Member) -> Vec<Finding> {
    let mut found = Vec::new();
    let none = Table::new();
    let features = member.manifest.get("features").and_then(Value::as_table);
    let features = features.unwrap_or(&none);
    let is_empty = |value: &Value| value.as_array().is_some_and(Vec::is_empty);
    // What is not published is chosen by nobody but us: the test kit always has both faces.
    if member.is_published()
        && !features.is_empty()
        && !features.get("default").is_some_and(is_empty)
    {
        found.push(Finding::failure(
            member.manifest_path(),
            "features are chosen by the user",
            "write `default = []`",
        ));
    }
    let parts = features.values().filter_map(Value::as_array).flatten();
    let parts: Vec<&str> = parts.filter_map(Value::as_str).collect();
    for dependency in member.dependencies() {
        let optional = dependency.spec.get("optional").and_then(Value::as_bool) == Some(true);
        let named = format!("dep:{}", dependency.name);
        if optional && !parts.contains(&named.as_str()) {
            found.push(Finding::failure(
                member.manifest_path(),
                format!(
                    "the optional `{}` is a feature by accident",
                    dependency.name
                ),
                format!("name it as \"{named}\" in the feature that needs it"),
            ));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(manifest: &str) -> Vec<Finding> {
        let mut tree = Tree::default();
        tree.add("crates/core", manifest);
        check(&tree)
    }

    #[test]
    fn a_feature_that_is_on_by_default_is_found() {
        assert_eq!(found("[features]\ndefault = []\ntower = []"), []);
        assert_eq!(
            found("[features]\ndefault = ['tower']\ntower = []").len(),
            1
        );
        assert_eq!(found("[features]\ntower = []").len(), 1);
    }

    #[test]
    fn an_optional_dependency_is_named_by_a_feature() {
        let dependency = "[dependencies]\nhttp = { workspace = true, optional = true }\n";
        assert_eq!(found(dependency).len(), 1);
        let features = "[features]\ndefault = []\nhttp = ['dep:http']";
        assert_eq!(found(&format!("{dependency}{features}")), []);
    }
}
