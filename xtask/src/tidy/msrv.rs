//! `rust-version` is what our dependencies take: no more, and no less.

use super::finding::Finding;
use super::tree::Tree;

/// What our own sources take of the language, which no dependency tells: let chains.
const LANGUAGE: (u64, u64, u64) = (1, 88, 0);

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let most = tree.needs.iter().max_by_key(|need| need.rust);
    let (need, why) = match most {
        Some(need) if need.rust > LANGUAGE => (need.rust, need.package.clone()),
        _ => (
            LANGUAGE,
            "the language that our sources are written in".to_owned(),
        ),
    };
    let package = tree.workspace("package");
    let stated = package.and_then(|package| package.get("rust-version")?.as_str());
    if stated.and_then(parse) == Some(need) {
        return Vec::new();
    }
    let need = shown(need);
    vec![Finding::failure(
        "Cargo.toml",
        format!(
            "rust-version is {}, but {why} takes {need}",
            stated.unwrap_or("missing")
        ),
        format!("write `rust-version = \"{need}\"` in [workspace.package]"),
    )]
}

fn parse(text: &str) -> Option<(u64, u64, u64)> {
    let mut parts = text.split('.').map(|part| part.parse().ok());
    let major = parts.next()??;
    let minor = parts.next().unwrap_or(Some(0))?;
    let patch = parts.next().unwrap_or(Some(0))?;
    Some((major, minor, patch))
}

fn shown((major, minor, patch): (u64, u64, u64)) -> String {
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

    fn found(stated: &str, needs: &[(u64, u64, u64)]) -> Vec<Finding> {
        let manifest = format!("[workspace.package]\nrust-version = '{stated}'");
        let need = |rust: &(u64, u64, u64)| Need {
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
}
