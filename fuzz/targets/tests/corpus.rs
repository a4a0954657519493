//! Every input that was kept goes through its target once more: no fuzzer, no instrumentation.

// Clippy knows that this is a test only inside of `#[test]` functions.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use golive_fuzz_targets::TARGETS;

/// All corpora together, in bytes: they are seeds, not an archive.
const MOST: u64 = 200 * 1024;

#[test]
fn every_input_that_was_kept_still_keeps_the_promises() {
    let mut failed = Vec::new();
    for (name, one) in TARGETS {
        for file in corpus(name) {
            let input = fs::read(&file).unwrap();
            if catch_unwind(|| one(&input)).is_err() {
                failed.push(file);
            }
        }
    }
    assert!(failed.is_empty(), "broken by {failed:#?}");
}

#[test]
fn every_target_has_a_fuzzer_and_a_corpus_and_nothing_else_has() {
    let mut expected: Vec<&str> = TARGETS.iter().map(|(name, _)| *name).collect();
    expected.sort_unstable();
    let stems = |folder: &str| -> Vec<String> {
        let files = files(&fuzz().join(folder));
        let stem = |file: &PathBuf| file.file_stem().unwrap().to_string_lossy().into_owned();
        files.iter().map(stem).collect()
    };
    assert_eq!(stems("fuzz_targets"), expected);
    assert_eq!(stems("corpus"), expected);
    assert_eq!(stems("dictionaries"), expected);
    for name in expected {
        let fuzzer = fuzz().join(format!("fuzz_targets/{name}.rs"));
        let calls = format!("golive_fuzz_targets::{name}::one(data)");
        assert!(
            fs::read_to_string(fuzzer).unwrap().contains(&calls),
            "{calls}"
        );
    }
}

#[test]
fn the_corpora_stay_small() {
    let files = TARGETS.iter().flat_map(|(name, _)| corpus(name));
    let bytes: u64 = files.map(|file| file.metadata().unwrap().len()).sum();
    assert!(
        bytes <= MOST,
        "{bytes} bytes: merge them anew, see CONTRIBUTING.md"
    );
}

/// The inputs kept for one target: never none, or a lost folder would look like success.
fn corpus(target: &str) -> Vec<PathBuf> {
    let folder = fuzz().join("corpus").join(target);
    let found = files(&folder);
    assert!(!found.is_empty(), "{} is empty", folder.display());
    found
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| {
        panic!("{} cannot be read: {error}", folder.display());
    });
    let mut found: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    found.sort();
    found
}

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}
