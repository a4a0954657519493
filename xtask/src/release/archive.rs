//! The archives that a registry would get, made by cargo, and what is in them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::crates::Crate;
use super::stage::Stage;
use crate::cargo;

/// What cargo made of the crates.
pub(crate) struct Packed<'a> {
    pub(crate) archives: Vec<(&'a Crate, PathBuf)>,
    /// What cargo warned of, and users would see.
    pub(crate) warnings: Vec<String>,
}

/// One archive, read.
#[derive(Debug, Default)]
pub(crate) struct Archive {
    /// Where the crate lies, from the root, as in `crates/core`.
    pub(crate) path: String,
    /// What a download takes, in bytes.
    pub(crate) packed: u64,
    /// Every file with its size in bytes, named from the top of the archive.
    pub(crate) files: BTreeMap<String, u64>,
    /// The files at its top, read.
    pub(crate) texts: BTreeMap<String, String>,
}

impl Archive {
    pub(crate) fn has(&self, file: &str) -> bool {
        self.files.contains_key(file)
    }
}

/// Packages every crate against the others as they stand here, not as a registry may have them.
pub(crate) fn pack<'a>(crates: &'a [Crate], stage: &Stage) -> Result<Packed<'a>> {
    let into = stage.empty("build/package")?;
    let mut command = cargo::cargo();
    command.args(["package", "--no-verify", "--allow-dirty"]);
    command.arg("--target-dir").arg(stage.build());
    for one in crates {
        command.args(["--package", &one.name]);
    }
    println!("$ {}", cargo::show(&command));
    let output = command.output().context("cannot start cargo")?;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        bail!("cargo package failed: {}\n{said}", output.status);
    }
    let mut archives = Vec::new();
    for one in crates {
        let file = into.join(format!("{}.crate", one.stem()));
        if !file.is_file() {
            bail!("cargo package brought no {}", file.display());
        }
        archives.push((one, file));
    }
    let warnings = said.lines().filter(|line| line.starts_with("warning:"));
    let warnings = warnings.map(str::to_owned).collect();
    Ok(Packed { archives, warnings })
}

/// Unpacks the archive of `one` into a folder below `into` and reads it.
///
/// With `tar`, which Linux, macOS and Windows come with.
pub(crate) fn unpack(one: &Crate, file: &Path, into: &Path) -> Result<Archive> {
    let output = Command::new("tar")
        .arg("-xzf")
        .arg(file)
        .arg("-C")
        .arg(into)
        .output()
        .context("cannot start `tar`, which unpacks the archives")?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("cannot unpack {}: {said}", file.display());
    }
    let mut archive = Archive {
        path: one.path.clone(),
        packed: fs::metadata(file)?.len(),
        ..Archive::default()
    };
    let top = into.join(one.stem());
    walk(&top, "", &mut archive.files)?;
    for name in archive.files.keys().filter(|name| !name.contains('/')) {
        // A file that is no text cannot be one of those that are looked at.
        if let Ok(text) = fs::read_to_string(top.join(name)) {
            archive.texts.insert(name.clone(), text);
        }
    }
    Ok(archive)
}

fn walk(top: &Path, under: &str, files: &mut BTreeMap<String, u64>) -> Result<()> {
    for entry in fs::read_dir(top.join(under))? {
        let entry = entry?;
        let path = format!("{under}{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            walk(top, &format!("{path}/"), files)?;
        } else {
            files.insert(path, entry.metadata()?.len());
        }
    }
    Ok(())
}
