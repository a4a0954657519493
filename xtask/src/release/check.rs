//! `cargo xtask release check`: whatever would embarrass a release, with its mend.
//!
//! What users would get is read out of the archives, not out of the checkout. The rules of the house
//! come first: a release that breaks one of them is none.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, bail};
use toml::Table;

use super::archive::{self, Archive};
use super::crates::{self, Crate};
use super::stage::Stage;
use super::{changelog, contents, manifest, plan};
use crate::cargo;
use crate::tidy::finding::Finding;
use crate::tidy::{self, tree};

/// Prints every finding, and fails if one is more than a warning; with `strict`, if there is any.
pub(crate) fn run(strict: bool) -> Result<()> {
    let root = cargo::root();
    let crates = crates::published(&cargo::metadata()?, &root)?;
    // Without an order there is no release, and nothing else is worth saying.
    plan::order(&crates)?;
    let tree = tree::read()?;
    let mut found = tidy::find(&tree);
    let written = manifest::written(&tree, &crates);
    let packs = !written.iter().any(Finding::is_failure);
    found.extend(written);
    if !packs {
        // Cargo would refuse what these are about, in words of its own.
        return report(found, strict, &crates);
    }
    found.extend(git_status());

    let stage = Stage::new();
    let packed = archive::pack(&crates, &stage)?;
    for warning in packed.warnings {
        let mend = "users would see it: mend what cargo warns of";
        found.push(Finding::failure("cargo package", warning, mend));
    }
    let licences = contents::LICENCES.iter().map(|name| {
        let text = fs::read_to_string(root.join(name));
        Ok((*name, text.with_context(|| format!("cannot read {name}"))?))
    });
    let licences: Vec<_> = licences.collect::<Result<_>>()?;
    let into = stage.empty("unpacked")?;
    for (one, file) in &packed.archives {
        let archive = archive::unpack(one, file, &into)?;
        println!("{}", describe(one, &archive));
        found.extend(contents::check(&archive, &licences));
        if let Some(text) = archive.texts.get("CHANGELOG.md") {
            let path = format!("{}/CHANGELOG.md", one.path);
            found.extend(changelog::check(&path, text, &one.version));
        }
        let text = archive.texts.get("Cargo.toml").map_or("", |text| text);
        let manifest: Table = text
            .parse()
            .with_context(|| format!("the packaged manifest of {} is no TOML", one.name))?;
        found.extend(manifest::packed(one, &manifest, &crates));
    }
    report(found, strict, &crates)
}

fn report(mut found: Vec<Finding>, strict: bool, crates: &[Crate]) -> Result<()> {
    found.sort();
    for finding in &found {
        println!("{finding}");
    }
    let failures = found.iter().filter(|one| one.is_failure()).count();
    let warnings = found.len() - failures;
    if failures > 0 || strict && warnings > 0 {
        bail!("not fit to be released: {failures} to mend, {warnings} to consider");
    }
    println!(
        "{} crates are fit to be released; {warnings} to consider before the day",
        crates.len()
    );
    Ok(())
}

fn describe(one: &Crate, archive: &Archive) -> String {
    let unpacked: u64 = archive.files.values().sum();
    format!(
        "{} {}: {} files, {} KiB, {} KiB to download",
        one.name,
        one.version,
        archive.files.len(),
        unpacked / 1024,
        archive.packed / 1024
    )
}

/// What is published is what is committed. Before the day that is only worth knowing.
fn git_status() -> Option<Finding> {
    let output = Command::new("git")
        .current_dir(cargo::root())
        .args(["status", "--porcelain"])
        .output();
    let Some(output) = output.ok().filter(|output| output.status.success()) else {
        return Some(Finding::warning(
            ".",
            "git does not say what is committed",
            "release from a clone",
        ));
    };
    let said = String::from_utf8_lossy(&output.stdout);
    let changed = said.lines().count();
    (changed > 0).then(|| {
        Finding::warning(
            ".",
            format!("{changed} paths are not as committed"),
            "commit or remove them: a release is built from what others can see",
        )
    })
}
