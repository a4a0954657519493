//! `cargo xtask tidy`: the rules of the house, one file each.
//!
//! A rule is a pure function over a [`Tree`], which was read before. What it finds is one line:
//! the path, the rule, and the mend. Each rule is seen to fail in its own tests.

mod anatomy;
mod direction;
mod features;
pub(crate) mod finding;
pub(crate) mod house;
mod includes;
mod inheritance;
mod lockfile;
mod map;
mod metadata;
mod msrv;
mod places;
mod prologue;
mod sizes;
mod tokens;
pub(crate) mod tree;
mod unfinished;
mod unsafety;
mod unused;

use anyhow::{Result, bail};

use finding::Finding;
use tree::Tree;

const RULES: &[fn(&Tree) -> Vec<Finding>] = &[
    anatomy::check,
    direction::check,
    features::check,
    includes::check,
    inheritance::check,
    lockfile::check,
    map::check,
    metadata::check,
    msrv::check,
    places::check,
    prologue::check,
    sizes::check,
    unfinished::check,
    unsafety::check,
    unused::check,
];

/// Reads the tree, asks every rule, and fails if one of them found more than a warning.
pub(crate) fn run() -> Result<()> {
    let tree = tree::read()?;
    let mut found = find(&tree);
    found.sort();
    for finding in &found {
        println!("{finding}");
    }
    let broken = found.iter().filter(|finding| finding.is_failure()).count();
    if broken > 0 {
        bail!(
            "tidy: {broken} to mend, {} to consider",
            found.len() - broken
        );
    }
    let (crates, sources) = (tree.members.len(), tree.sources.len());
    println!("tidy: {crates} packages, {sources} source files: in order");
    Ok(())
}

/// What the rules find, in no order.
pub(crate) fn find(tree: &Tree) -> Vec<Finding> {
    RULES.iter().flat_map(|rule| rule(tree)).collect()
}
