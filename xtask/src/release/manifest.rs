//! Versions and facts, in the manifests as they are written and as they would be published.

use toml::{Table, Value};

use super::crates::Crate;
use crate::tidy::finding::Finding;
use crate::tidy::tree::Tree;

/// What the page of a crate shows. Of what form they are is the business of tidy.
const SHOWN: &[&str] = &[
    "categories",
    "description",
    "keywords",
    "license",
    "readme",
    "repository",
    "rust-version",
];

/// Looks at what cargo is told.
pub(crate) fn written(tree: &Tree, crates: &[Crate]) -> Vec<Finding> {
    let mut found = Vec::new();
    let shared = tree.workspace("dependencies");
    for one in crates {
        let stated = shared.and_then(|shared| shared.get(&one.name)?.get("version")?.as_str());
        if let Some(stated) = stated.filter(|stated| *stated != one.version) {
            found.push(Finding::failure(
                "Cargo.toml",
                format!(
                    "`{}` is asked for as {stated} and is {}",
                    one.name, one.version
                ),
                "write one version in [workspace.package] and [workspace.dependencies]",
            ));
        }
        for link in one.links.iter().filter(|link| !link.dev && !link.versioned) {
            found.push(Finding::failure(
                format!("{}/Cargo.toml", one.path),
                format!("`{}` is asked for by path alone", link.on),
                "give it a version in [workspace.dependencies]: a registry knows no paths",
            ));
        }
    }
    found
}

/// Looks at the manifest in the archive of `one`, where all is spelled out.
pub(crate) fn packed(one: &Crate, manifest: &Table, crates: &[Crate]) -> Vec<Finding> {
    let path = format!("{}/Cargo.toml", one.path);
    let mut found = Vec::new();
    for field in SHOWN.iter().filter(|field| !is_given(manifest, field)) {
        found.push(Finding::failure(
            path.clone(),
            format!("the archive states no `{field}`"),
            "write it, or inherit it from [workspace.package]",
        ));
    }
    for (name, spec) in dependencies(manifest) {
        let name = spec.get("package").and_then(Value::as_str).unwrap_or(name);
        let Some(other) = crates.iter().find(|other| other.name == name) else {
            continue;
        };
        let asked = spec.as_str().or_else(|| spec.get("version")?.as_str());
        if asked != Some(&other.version) {
            found.push(Finding::failure(
                path.clone(),
                format!(
                    "asks for `{name}` {}, and {} would be published with it",
                    asked.unwrap_or("of no version"),
                    other.version
                ),
                "write `workspace = true`, so that they are raised together",
            ));
        }
    }
    found
}

fn is_given(manifest: &Table, field: &str) -> bool {
    match manifest
        .get("package")
        .and_then(|package| package.get(field))
    {
        Some(Value::String(text)) => !text.trim().is_empty(),
        Some(Value::Array(list)) => !list.is_empty(),
        _ => false,
    }
}

/// Every line of every dependency table, those of single targets included.
fn dependencies(manifest: &Table) -> Vec<(&str, &Value)> {
    let targets = manifest.get("target").and_then(Value::as_table);
    let targets = targets.into_iter().flat_map(Table::values);
    let tables = std::iter::once(manifest).chain(targets.filter_map(Value::as_table));
    let kinds = ["dependencies", "dev-dependencies", "build-dependencies"];
    let listed = tables.flat_map(|table| {
        let found = kinds.iter().filter_map(|kind| table.get(*kind)?.as_table());
        found.flatten()
    });
    listed.map(|(name, spec)| (name.as_str(), spec)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = "[package]\nname = 'a'\nversion = '0.1.0'\ndescription = 'A.'\n\
        license = 'MIT OR Apache-2.0'\nrepository = 'https://a.test'\nreadme = 'README.md'\n\
        keywords = ['a']\ncategories = ['caching']\nrust-version = '1.89'\n";

    fn of_archive(manifest: &str) -> Vec<Finding> {
        let crates = [Crate::of("a", &["core"]), Crate::of("core", &[])];
        packed(&crates[0], &manifest.parse().unwrap(), &crates)
    }

    #[test]
    fn each_fact_that_a_page_shows_is_missed() {
        assert_eq!(of_archive(WHOLE), []);
        for field in SHOWN {
            let line = WHOLE.lines().find(|line| line.starts_with(field)).unwrap();
            let found = of_archive(&WHOLE.replace(line, ""));
            assert_eq!(found.len(), 1, "without {field}");
            assert!(found[0].to_string().contains(field));
        }
        let blank = WHOLE.replace("'A.'", "' '");
        assert_eq!(of_archive(&blank).len(), 1);
    }

    #[test]
    fn one_of_ours_is_asked_for_as_it_would_be_published() {
        let asks = |line: &str| of_archive(&format!("{WHOLE}{line}"));
        assert_eq!(asks("[dependencies]\ncore = '0.1.0'\nhttp = '1'"), []);
        for old in [
            "[dependencies]\ncore = '0.0.9'",
            "[dev-dependencies.core]\nversion = '0.0.9'",
            "[target.'cfg(unix)'.dependencies.heart]\nversion = '0.0.9'\npackage = 'core'",
        ] {
            let found = asks(old);
            assert_eq!(found.len(), 1, "{old}");
            assert!(found[0].to_string().contains("`core` 0.0.9, and 0.1.0"));
        }
    }

    #[test]
    fn the_workspace_asks_for_the_versions_that_there_are() {
        let tree = |version: &str| Tree {
            manifest: format!(
                "[workspace.dependencies]\ncore = {{ path = 'c', version = '{version}' }}"
            )
            .parse()
            .unwrap(),
            ..Tree::default()
        };
        let crates = [Crate::of("core", &[])];
        assert_eq!(written(&tree("0.1.0"), &crates), []);
        let found = written(&tree("0.2.0"), &crates);
        assert_eq!(found.len(), 1);
        assert!(
            found[0]
                .to_string()
                .contains("asked for as 0.2.0 and is 0.1.0")
        );
    }

    #[test]
    fn only_tests_ask_by_path_alone() {
        let crates = [Crate::of("a", &["dev:path:kit", "core"])];
        assert_eq!(written(&Tree::default(), &crates), []);
        let crates = [Crate::of("a", &["path:core"])];
        let found = written(&Tree::default(), &crates);
        assert_eq!(found.len(), 1);
        assert!(found[0].to_string().contains("by path alone"));
    }
}
