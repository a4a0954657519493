//! Dependencies come from crates.io and from nowhere else.

use toml::Value;

use super::finding::Finding;
use super::tree::Tree;

const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let packages = tree.lock.get("package").and_then(Value::as_array);
    let mut found = Vec::new();
    for package in packages.into_iter().flatten() {
        let source = package.get("source").and_then(Value::as_str);
        let name = package.get("name").and_then(Value::as_str).unwrap_or("?");
        if let Some(source) = source.filter(|source| *source != CRATES_IO) {
            found.push(Finding::failure(
                "Cargo.lock",
                format!("`{name}` comes from {source}"),
                "depend on what is released on crates.io, and lock without a mirror",
            ));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(source: &str) -> Vec<Finding> {
        let lock = format!("[[package]]\nname = 'a'\nsource = '{source}'");
        check(&Tree {
            lock: lock.parse().unwrap(),
            ..Tree::default()
        })
    }

    #[test]
    fn a_package_from_elsewhere_is_found() {
        assert_eq!(found(CRATES_IO), []);
        assert_eq!(found("git+https://example.com/a").len(), 1);
        assert_eq!(found("registry+https://mirror.example.com/index").len(), 1);
    }

    #[test]
    fn our_own_packages_have_no_source() {
        let lock = "[[package]]\nname = 'golive-core'".parse().unwrap();
        assert_eq!(
            check(&Tree {
                lock,
                ..Tree::default()
            }),
            []
        );
    }
}
