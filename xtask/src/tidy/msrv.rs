//! `rust-version` is what our dependencies take: no more, and no less.
//!
//! The workspace states one for all. A crate whose dependencies take a newer Rust states its own, so
//! that those who use the others need not upgrade for its sake.

use toml::Value;

use super::finding::Finding;
use super::tree::{Member, Tree};

/// What our own sources take of the language, which no dependency tells: let chains.
const LANGUAGE: Rust = (1, 88, 0);

type Rust = (u64, u64, u64);

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let own: Vec<(&Member, &str)> = tree
        .members
        .iter()
        .filter_map(|member| Some((member, stated(member)?)))
        .collect();
    let shares = |name: &str| own.iter().all(|(member, _)| member.name() != name);

    let package = tree.workspace("package");
    let all = package.and_then(|package| package.get("rust-version")?.as_str());
    let mut found = Vec::new();
    found.extend(compare(
        "Cargo.toml",
        all.unwrap_or("missing"),
        needed(tree, shares),
    ));
    for (member, rust) in &own {
        let need = needed(tree, |name| name == member.name());
        found.extend(compare(&member.manifest_path(), rust, need));
    }
    found
}

/// The `rust-version` of a crate's own.
pub(super) fn stated(member: &Member) -> Option<&str> {
    member.package("rust-version").and_then(Value::as_str)
}

/// What the members with these names take, and why.
fn needed(tree: &Tree, of: impl Fn(&str) -> bool) -> (Rust, String) {
    let needs = tree.needs.iter().filter(|need| of(&need.member));
    match needs.max_by_key(|need| need.rust) {
        Some(need) if need.rust > LANGUAGE => (need.rust, need.package.clone()),
        _ => (
            LANGUAGE,
            "the language that our sources are written in".to_owned(),
        ),
    }
}

fn compare(path: &str, stated: &str, (need, why): (Rust, String)) -> Option<Finding> {
    if parse(stated) == Some(need) {
        return None;
    }
    let need = shown(need);
    Some(Finding::failure(
        path,
        format!("rust-version is {stated}, but {why} takes {need}"),
        format!("write `rust-version = \"{need}\"`"),
    ))
}

fn parse(text: &str) -> Option<Rust> {
    let mut parts = text.split('.').map(|part| part.parse().ok());
    let major = parts.next()??;
    let minor = parts.next().unwrap_or(Some(0))?;
    let patch = parts.next().unwrap_or(Some(0))?;
    Some((major, minor, patch))
}

fn shown((major, minor, patch): Rust) -> String {
    if patch == 0 {
        format!("{major}.{minor}")
    } else {
        format!("{major}.{minor}.{patch}")
    }
}

#[cfg(test)]
mod tests {
    use super::super::tree::Need;
    use super::*;

    fn found(stated: &str, needs: &[Rust]) -> Vec<Finding> {
        let manifest = format!("[workspace.package]\nrust-version = '{stated}'");
        let need = |rust: &Rust| Need {
            member: "golive-core".to_owned(),
            package: format!("a {}", rust.1),
            rust: *rust,
        };
        check(&Tree {
            manifest: manifest.parse().unwrap(),
            needs: needs.iter().map(need).collect(),
            ..Tree::default()
        })
    }

    #[test]
    fn the_newest_need_decides() {
        assert_eq!(found("1.91", &[(1, 71, 0), (1, 91, 0)]), []);
        assert_eq!(found("1.91.1", &[(1, 91, 1)]), []);
        let low = found("1.90", &[(1, 91, 0)]);
        assert!(low[0].to_string().contains("a 91 takes 1.91"));
        assert_eq!(found("1.92", &[(1, 91, 0)]).len(), 1);
    }

    #[test]
    fn the_language_is_a_need_too() {
        assert_eq!(found("1.88", &[(1, 71, 0)]), []);
        assert_eq!(found("1.71", &[(1, 71, 0)]).len(), 1);
    }

    #[test]
    fn a_crate_that_takes_a_newer_rust_states_its_own_and_spares_the_others() {
        let need = |member: &str, rust| Need {
            member: member.to_owned(),
            package: "a foreign one".to_owned(),
            rust,
        };
        let with = |own: &str| {
            let mut tree = Tree {
                manifest: "[workspace.package]\nrust-version = '1.88'"
                    .parse()
                    .unwrap(),
                needs: vec![
                    need("golive-core", (1, 71, 0)),
                    need("golive-aws", (1, 94, 1)),
                ],
                ..Tree::default()
            };
            tree.add(
                "crates/core",
                "[package]\nname = 'golive-core'\nrust-version.workspace = true",
            );
            tree.add(
                "crates/aws",
                &format!("[package]\nname = 'golive-aws'\n{own}"),
            );
            check(&tree)
        };
        assert_eq!(with("rust-version = '1.94.1'"), []);
        assert_eq!(
            with("rust-version = '1.95'")[0]
                .to_string()
                .matches("crates/aws")
                .count(),
            1
        );
        assert_eq!(with("rust-version.workspace = true").len(), 1);
    }
}
