//! The step `no-std` of the gate: what says that it needs no standard library gets none.
//!
//! `#![no_std]` in a library proves little on a host that has std: something below may bring it
//! along, and nobody notices before the first user without it. So each such crate goes into a static
//! library that has a panic handler of its own. Where std comes along there are two, and rustc
//! refuses: E0152, duplicate lang item `panic_impl`.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::tidy::tree::{self, Tree};
use crate::{BRAND, cargo, ci};

/// The folders of the crates that do without std, and the features with which they still do.
const CRATES: &[(&str, &[&str])] = &[
    ("sha256-lanes", &["zeroize"]),
    ("webhook-verify", &["ed25519"]),
];

/// All that a program without std has to bring itself. It links, and is never run.
const SOURCE: &str = "\
#![no_std]

use core::alloc::{GlobalAlloc, Layout};

use LIBRARY as _;

struct Nowhere;

unsafe impl GlobalAlloc for Nowhere {
    unsafe fn alloc(&self, _: Layout) -> *mut u8 {
        core::ptr::null_mut()
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

#[global_allocator]
static ALLOCATOR: Nowhere = Nowhere;

#[panic_handler]
fn halt(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
";

/// Builds each crate without std, with no feature and with each of the named ones.
pub(crate) fn run() -> Result<()> {
    let mut failed = Vec::new();
    for stray in strays(&tree::read()?, CRATES) {
        println!("{stray}: its lib.rs and the list in xtask/src/no_std.rs disagree on `no_std`");
        failed.push(format!("{BRAND}{stray}"));
    }
    let home = cargo::root().join("target/no-std");
    for (folder, features) in CRATES {
        let consumer = prepare(&home, folder, features)?;
        let each = features.iter().copied().map(Some);
        for feature in std::iter::once(None).chain(each) {
            let (outcome, took) = ci::timed(|| build(&home, &consumer, feature));
            let shown = format!("{BRAND}{folder} [{}]", feature.unwrap_or(""));
            println!("{shown}: {}", ci::seconds(took));
            if outcome.is_err() {
                failed.push(shown);
            }
        }
    }
    if !failed.is_empty() {
        bail!("not without std: {}", failed.join(", "));
    }
    Ok(())
}

/// The crates of which the list and their own source say different things.
fn strays<'a>(tree: &'a Tree, listed: &[(&'a str, &[&str])]) -> Vec<&'a str> {
    let folders = tree.crates().filter_map(|member| {
        let folder = member.path.strip_prefix("crates/")?;
        let source = tree.source(&format!("{}/src/lib.rs", member.path))?;
        let says = source
            .lines()
            .any(|line| line.starts_with("#![") && line.contains("no_std"));
        let is_listed = listed.iter().any(|(name, _)| *name == folder);
        (says != is_listed).then_some(folder)
    });
    let gone = listed.iter().map(|(folder, _)| *folder);
    folders
        .chain(gone.filter(|folder| tree.get(folder).is_none()))
        .collect()
}

/// Writes the static library that takes the crate in `folder`, and returns where.
fn prepare(home: &Path, folder: &str, features: &[&str]) -> Result<PathBuf> {
    let root = cargo::root();
    let consumer = home.join(folder);
    fs::create_dir_all(consumer.join("src"))
        .with_context(|| format!("cannot create {}", consumer.display()))?;
    let path = root.join("crates").join(folder);
    let manifest = manifest(folder, &path, features);
    fs::write(consumer.join("Cargo.toml"), manifest)?;
    let library = format!("{BRAND}{folder}").replace('-', "_");
    let source = SOURCE.replace("LIBRARY", &library);
    fs::write(consumer.join("src/lib.rs"), source)?;
    // The versions that are locked here, which are also those that have been fetched.
    fs::copy(root.join("Cargo.lock"), consumer.join("Cargo.lock"))?;
    Ok(consumer)
}

fn manifest(folder: &str, path: &Path, features: &[&str]) -> String {
    let package = format!("{BRAND}{folder}");
    let features: String = features
        .iter()
        .map(|feature| format!("{feature} = [\"{package}/{feature}\"]\n"))
        .collect();
    // A literal string of TOML: nothing in a path is an escape.
    let path = path.display();
    format!(
        "[package]\n\
         name = \"without-std-{folder}\"\n\
         version = \"0.0.0\"\n\
         edition = \"2024\"\n\
         publish = false\n\
         \n\
         # A root of its own, though it lies within our checkout.\n\
         [workspace]\n\
         \n\
         [lib]\n\
         crate-type = [\"staticlib\"]\n\
         \n\
         [features]\n\
         {features}\
         \n\
         [dependencies]\n\
         {package} = {{ path = '{path}', default-features = false }}\n\
         \n\
         # Unwinding takes a personality, which only std has.\n\
         [profile.dev]\n\
         panic = \"abort\"\n\
         debug = false\n"
    )
}

fn build(home: &Path, consumer: &Path, feature: Option<&str>) -> Result<()> {
    let mut command = cargo::cargo();
    command.current_dir(consumer);
    command.args(["build", "--quiet", "--offline"]);
    command.arg("--target-dir").arg(home.join("build"));
    if let Some(feature) = feature {
        command.args(["--features", feature]);
    }
    cargo::run(&mut command)
}

#[cfg(test)]
mod tests {
    use toml::{Table, Value};

    use super::*;

    fn tree(crates: &[(&str, &str)]) -> Tree {
        let mut tree = Tree::default();
        for (folder, source) in crates {
            let path = format!("crates/{folder}");
            tree.add(&path, &format!("[package]\nname = 'golive-{folder}'"));
            tree.sources.push(tree::Text {
                path: format!("{path}/src/lib.rs"),
                text: (*source).to_owned(),
            });
        }
        tree
    }

    #[test]
    fn the_list_and_the_sources_say_the_same() {
        let tree = tree(&[
            ("core", "//! no_std is not for this one.\n"),
            ("a", "//! A.\n#![no_std]\n"),
            ("b", "#![cfg_attr(not(feature = \"std\"), no_std)]\n"),
        ]);
        assert_eq!(strays(&tree, &[("a", &[]), ("b", &[])]), [""; 0]);
        assert_eq!(strays(&tree, &[("a", &[])]), ["b"]);
        let more: &[(&str, &[&str])] = &[("a", &[]), ("b", &[]), ("core", &[]), ("gone", &[])];
        assert_eq!(strays(&tree, more), ["core", "gone"]);
    }

    #[test]
    fn a_consumer_without_std_takes_no_feature_unasked() {
        let manifest = manifest("webhook-verify", Path::new("/a b/c"), &["ed25519"]);
        let manifest: Table = manifest.parse().unwrap();
        let asked = &manifest["dependencies"]["golive-webhook-verify"];
        assert_eq!(asked["path"].as_str(), Some("/a b/c"));
        assert_eq!(asked["default-features"].as_bool(), Some(false));
        assert!(asked.get("features").is_none());
        let handed_on = Value::Array(vec!["golive-webhook-verify/ed25519".into()]);
        assert_eq!(manifest["features"]["ed25519"], handed_on);
        assert_eq!(manifest["profile"]["dev"]["panic"].as_str(), Some("abort"));
    }
}
