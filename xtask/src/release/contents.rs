//! What is in an archive: all that a user needs, and nothing that lay about.

use super::archive::Archive;
use crate::tidy::finding::Finding;

/// Twice the largest archive of the first version. The registry takes 10 MiB, but who
/// vendors our crates keeps every byte.
const MAX_PACKED: u64 = 256 * 1024;
/// A source file is far smaller; what is larger is data that belongs elsewhere.
const MAX_FILE: u64 = 256 * 1024;

pub(crate) const LICENCES: &[&str] = &["LICENSE-APACHE", "LICENSE-MIT"];
const NEEDED: &[&str] = &["CHANGELOG.md", "Cargo.toml", "README.md"];
/// Written by cargo when it packages, or read by it.
const BY_CARGO: &[&str] = &[
    ".cargo_vcs_info.json",
    "Cargo.lock",
    "Cargo.toml.orig",
    "build.rs",
];
/// What a file below one of these folders ends in. The tests are in the archive, as is the custom,
/// with the vectors and regressions that they replay.
const FOLDERS: &[(&str, &[&str])] = &[
    ("src", &["rs", "json", "md", "sql", "txt"]),
    ("tests", &["rs", "json", "md", "py", "sql", "txt"]),
    ("examples", &["rs"]),
    ("benches", &["rs"]),
    ("proptest-regressions", &["txt"]),
];

/// `licences` are the texts at the root of the workspace, by name.
pub(crate) fn check(archive: &Archive, licences: &[(&str, String)]) -> Vec<Finding> {
    let path = |file: &str| format!("{}/{file}", archive.path);
    let mut found = Vec::new();
    for file in NEEDED.iter().filter(|file| !archive.has(file)) {
        found.push(Finding::failure(
            path(file),
            "is not in the archive",
            "write it, and see that no `exclude` or `include` keeps it out",
        ));
    }
    for (name, text) in licences {
        let packed = archive.texts.get(*name);
        if packed.is_none() {
            found.push(Finding::failure(
                path(name),
                "the archive has no licence text",
                format!("in the crate's folder, `ln -s ../../{name} {name}`"),
            ));
        } else if packed != Some(text) {
            found.push(Finding::failure(
                path(name),
                "is not the licence at the root",
                "make it a symbolic link again; a checkout without them (Windows: \
                 `git config core.symlinks true`) cannot package a release",
            ));
        }
    }
    for (file, size) in &archive.files {
        if !belongs(file) {
            found.push(Finding::failure(
                path(file),
                "has no business in an archive",
                "delete it, name it in `exclude`, or give its kind a place in \
                 xtask/src/release/contents.rs",
            ));
        }
        if *size > MAX_FILE {
            found.push(Finding::failure(
                path(file),
                format!("{} KiB in one file", size / 1024),
                format!(
                    "at most {} KiB: let it be made by a test, or split it",
                    MAX_FILE / 1024
                ),
            ));
        }
    }
    if archive.packed > MAX_PACKED {
        found.push(Finding::failure(
            archive.path.clone(),
            format!("the archive takes {} KiB", archive.packed / 1024),
            format!("at most {} KiB: see what is in it", MAX_PACKED / 1024),
        ));
    }
    found
}

/// Whether a file, named from the top of the archive, is of a kind that is published.
fn belongs(file: &str) -> bool {
    let Some((folder, below)) = file.split_once('/') else {
        let lists = [NEEDED, LICENCES, BY_CARGO];
        return lists.iter().any(|list| list.contains(&file));
    };
    let hidden = below.split('/').any(|part| part.starts_with('.'));
    let ending = below.rsplit_once('.').map(|(_, ending)| ending);
    let known = FOLDERS.iter().find(|(name, _)| *name == folder);
    !hidden
        && known.is_some_and(|(_, endings)| ending.is_some_and(|ending| endings.contains(&ending)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn licences() -> Vec<(&'static str, String)> {
        LICENCES
            .iter()
            .map(|name| (*name, format!("{name}!")))
            .collect()
    }

    fn whole() -> Archive {
        let mut archive = Archive {
            path: "crates/core".to_owned(),
            packed: 1000,
            ..Archive::default()
        };
        for file in NEEDED.iter().chain(BY_CARGO).chain(LICENCES) {
            archive.files.insert((*file).to_owned(), 10);
        }
        for (name, text) in licences() {
            archive.texts.insert(name.to_owned(), text);
        }
        archive
    }

    fn only(archive: &Archive) -> String {
        let found = check(archive, &licences());
        assert_eq!(found.len(), 1, "{found:?}");
        found[0].to_string()
    }

    #[test]
    fn what_a_crate_is_made_of_belongs() {
        assert_eq!(check(&whole(), &licences()), []);
        for file in [
            "src/lib.rs",
            "src/a/schema.sql",
            "tests/vectors/v1.json",
            "examples/tower.rs",
            "proptest-regressions/policy.txt",
        ] {
            assert!(belongs(file), "{file}");
        }
    }

    #[test]
    fn what_lay_about_does_not() {
        for file in [
            "notes.md",
            "rust-toolchain.toml",
            "src/lib.rs.orig",
            "src/.lib.rs.swp",
            "tests/inbox.db-wal",
            "tests/.cache/a.json",
            "tests/corpus/00ff",
            "tests/snapshots/a.snap.new",
            "examples/key.pem",
            "fuzz/corpus/a.txt",
            "target/debug/a.rs",
        ] {
            assert!(!belongs(file), "{file}");
        }
        let mut archive = whole();
        archive.files.insert("src/lib.rs.rej".to_owned(), 10);
        assert!(only(&archive).starts_with("crates/core/src/lib.rs.rej: has no business"));
    }

    #[test]
    fn each_needed_file_is_missed() {
        for file in NEEDED {
            let mut archive = whole();
            archive.files.remove(*file);
            assert!(only(&archive).contains("is not in the archive"), "{file}");
        }
    }

    #[test]
    fn a_licence_is_there_with_the_words_of_the_root() {
        let mut archive = whole();
        archive.texts.remove("LICENSE-MIT");
        assert!(only(&archive).contains("ln -s ../../LICENSE-MIT LICENSE-MIT"));
        // What a checkout without symbolic links would package.
        let link = "../../LICENSE-MIT".to_owned();
        archive.texts.insert("LICENSE-MIT".to_owned(), link);
        assert!(only(&archive).contains("is not the licence"));
    }

    #[test]
    fn a_file_and_an_archive_have_a_size() {
        let mut archive = whole();
        archive.files.insert("src/lib.rs".to_owned(), MAX_FILE + 1);
        assert!(only(&archive).contains("in one file"));
        let mut archive = whole();
        archive.packed = MAX_PACKED + 1;
        assert!(only(&archive).contains("the archive takes"));
    }
}
