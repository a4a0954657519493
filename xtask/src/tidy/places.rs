//! Source knows no machine: no path of somebody's disk, no host of a package registry.

use super::finding::Finding;
use super::tree::Tree;

/// Where people keep their files. In two halves each, or this file would find itself.
const FOLDERS: &[&str] = &[
    concat!("/ho", "me/"),
    concat!("/ro", "ot/"),
    concat!("/Us", "ers/"),
    concat!("/wo", "rk/"),
    concat!("/t", "mp/"),
    concat!("C:", "\\"),
];

const HOSTS: &[&str] = &[
    concat!("index.", "crates.io"),
    concat!("static.", "crates.io"),
    concat!("pypi.", "org"),
    concat!("files.", "pythonhosted.org"),
    concat!("registry.", "npmjs.org"),
];

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for source in &tree.sources {
        for (at, line) in source.text.lines().enumerate() {
            let path = || format!("{}:{}", source.path, at + 1);
            for folder in FOLDERS.iter().filter(|folder| starts_a_path(line, folder)) {
                found.push(Finding::failure(
                    path(),
                    format!("`{folder}…` is a place on one machine"),
                    "take the path as an argument, or from the environment of the build",
                ));
            }
            for host in HOSTS.iter().filter(|host| line.contains(**host)) {
                found.push(Finding::failure(
                    path(),
                    format!("`{host}` is the host of a registry"),
                    "let the registry's own client find it, mirrors included",
                ));
            }
        }
    }
    found
}

/// Whether the folder stands at the start of a path, and not in the middle of a route or URL.
fn starts_a_path(line: &str, folder: &str) -> bool {
    line.match_indices(folder).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        before.is_none_or(|before| !before.is_alphanumeric() && !"._-/}~".contains(before))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<Finding> {
        check(&Tree::of_source("a.rs", text))
    }

    #[test]
    fn a_path_of_one_machine_is_found_and_a_route_is_not() {
        for folder in FOLDERS {
            assert_eq!(
                found(&format!("let a = \"{folder}me\";")).len(),
                1,
                "{folder}"
            );
        }
        assert_eq!(found(&format!("let a = \"/v3{}1\";", FOLDERS[0])), []);
    }

    #[test]
    fn a_registry_host_is_found() {
        for host in HOSTS {
            assert_eq!(found(&format!("// see {host}")).len(), 1, "{host}");
        }
    }
}
