//! What a user sees of a crate before its code: a name, a sentence, where to find it, its docs.

use toml::Value;

use super::finding::Finding;
use super::tree::{Member, Tree};
use crate::BRAND;

/// Slugs of crates.io that fit crates like ours. The registry drops one that it does not know.
const CATEGORIES: &[&str] = &[
    "api-bindings",
    "asynchronous",
    "authentication",
    "caching",
    "command-line-utilities",
    "concurrency",
    "config",
    "cryptography",
    "data-structures",
    "database",
    "database-implementations",
    "development-tools",
    "development-tools::debugging",
    "development-tools::testing",
    "encoding",
    "finance",
    "network-programming",
    "no-std",
    "parser-implementations",
    "rust-patterns",
    "web-programming",
    "web-programming::http-client",
    "web-programming::http-server",
];

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    tree.crates().flat_map(of).collect()
}

fn of(member: &Member) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut fail = |rule: String, mend: String| {
        found.push(Finding::failure(member.manifest_path(), rule, mend));
    };
    let text = |field: &str| {
        member
            .package(field)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };

    let name = match member.folder() {
        facade if Some(facade) == BRAND.strip_suffix('-') => facade.to_owned(),
        folder => format!("{BRAND}{folder}"),
    };
    if text("name") != name {
        fail(
            format!("the package is named `{}`", text("name")),
            format!("name it `{name}`"),
        );
    }
    if !member.is_published() {
        return found;
    }
    if text("description").is_empty() {
        fail(
            "no description".to_owned(),
            "say in one sentence what it does".to_owned(),
        );
    }
    if text("readme") != "README.md" {
        fail(
            "no readme".to_owned(),
            "write `readme = \"README.md\"`".to_owned(),
        );
    }
    let keywords = list(member, "keywords");
    if !(1..=5).contains(&keywords.len()) {
        fail(
            format!("{} keywords", keywords.len()),
            "choose one to five".to_owned(),
        );
    }
    for keyword in keywords.iter().filter(|keyword| !is_keyword(keyword)) {
        fail(
            format!("`{keyword}` is no keyword"),
            "at most 20 letters, digits, `-`, `_` or `+`, a letter first".to_owned(),
        );
    }
    let categories = list(member, "categories");
    if !(1..=5).contains(&categories.len()) {
        fail(
            format!("{} categories", categories.len()),
            "choose one to five".to_owned(),
        );
    }
    for category in categories.iter().filter(|slug| !CATEGORIES.contains(slug)) {
        fail(
            format!("`{category}` is no category that fits"),
            "take one of CATEGORIES in xtask/src/tidy/metadata.rs, or add a slug of crates.io"
                .to_owned(),
        );
    }
    let docs = member
        .package("metadata")
        .and_then(|metadata| metadata.get("docs")?.get("rs"));
    let all = docs.and_then(|docs| docs.get("all-features")?.as_bool());
    if all != Some(true) {
        fail(
            "docs.rs would show no feature".to_owned(),
            "write `all-features = true` in [package.metadata.docs.rs]".to_owned(),
        );
    }
    found
}

fn list<'a>(member: &'a Member, field: &str) -> Vec<&'a str> {
    let values = member.package(field).and_then(Value::as_array);
    values
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect()
}

fn is_keyword(word: &str) -> bool {
    let inside = |byte: u8| byte.is_ascii_alphanumeric() || b"-_+".contains(&byte);
    word.len() <= 20
        && word.starts_with(|first: char| first.is_ascii_alphabetic())
        && word.bytes().all(inside)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = "[package]\nname = 'golive-core'\ndescription = 'The core.'\n\
        readme = 'README.md'\nkeywords = ['http']\ncategories = ['asynchronous']\n\
        [package.metadata.docs.rs]\nall-features = true\n";

    fn found(manifest: &str) -> Vec<Finding> {
        let mut tree = Tree::default();
        tree.add("crates/core", manifest);
        check(&tree)
    }

    #[test]
    fn each_missing_fact_is_found() {
        assert_eq!(found(WHOLE), []);
        for line in WHOLE.lines().filter(|line| line.contains(" = ")) {
            let rest = WHOLE.replace(line, "");
            assert_eq!(found(&rest).len(), 1, "without {line}");
        }
    }

    #[test]
    fn what_the_registry_would_refuse_is_found() {
        let many = WHOLE.replace("['http']", "['a', 'b', 'c', 'd', 'e', 'f']");
        assert!(found(&many)[0].to_string().contains("6 keywords"));
        let spaced = WHOLE.replace("['http']", "['go live']");
        assert!(found(&spaced)[0].to_string().contains("`go live`"));
        let unknown = WHOLE.replace("'asynchronous'", "'web'");
        assert!(found(&unknown)[0].to_string().contains("`web`"));
    }

    #[test]
    fn a_name_is_the_brand_and_the_folder() {
        let other = WHOLE.replace("golive-core", "golive-heart");
        assert!(
            found(&other)[0]
                .to_string()
                .contains("name it `golive-core`")
        );
    }

    #[test]
    fn an_unpublished_crate_needs_its_name_alone() {
        assert_eq!(
            found("[package]\nname = 'golive-core'\npublish = false"),
            []
        );
    }
}
