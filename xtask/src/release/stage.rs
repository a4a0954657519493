//! Where a release is rehearsed: `target/rehearsal`.
//!
//! ```text
//! .cargo/config.toml   crates.io is the folder `registry`, and there is no network
//! registry/            every dependency as `cargo vendor` puts it there, and our archives unpacked
//! consumers/           one package per library, made anew each time
//! programs/            the archives of programs, which nobody can depend on
//! build/               one target directory for all, so that each foreign crate is built once
//! ```
//!
//! Only foreign crates outlive a run: cargo holds them against their checksums. Ours are unpacked
//! anew, and what was built of them is forgotten, because cargo takes a package of a registry for
//! unchanged as long as its version is.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::archive;
use super::crates::Crate;
use crate::cargo;

const CONFIG: &str = "\
[source.crates-io]
replace-with = \"rehearsal\"

[source.rehearsal]
directory = \"registry\"

[net]
offline = true
";

/// The archive has no list of its files, and needs none: it was written a moment ago.
const CHECKSUMS: &str = "{\"files\":{}}\n";

pub(crate) struct Stage {
    home: PathBuf,
}

impl Stage {
    pub(crate) fn new() -> Self {
        let home = cargo::root().join("target/rehearsal");
        Self { home }
    }

    /// The target directory of everything that is built here.
    pub(crate) fn build(&self) -> PathBuf {
        self.home.join("build")
    }

    /// An empty folder of this name.
    pub(crate) fn empty(&self, name: &str) -> Result<PathBuf> {
        let folder = self.home.join(name);
        remove(&folder)?;
        fs::create_dir_all(&folder)
            .with_context(|| format!("cannot create {}", folder.display()))?;
        Ok(folder)
    }

    /// Fills the registry: what is locked, and `archives`.
    pub(crate) fn set(&self, archives: &[(&Crate, PathBuf)]) -> Result<()> {
        let registry = self.home.join("registry");
        // Takes away whatever is not locked, and with that what an earlier run unpacked of ours.
        cargo::run(
            cargo::cargo()
                .args(["vendor", "--quiet", "--locked", "--versioned-dirs"])
                .arg("--respect-source-config")
                .arg(&registry),
        )?;
        fs::write(self.empty(".cargo")?.join("config.toml"), CONFIG)?;
        for (one, file) in archives {
            let top = registry.join(one.stem());
            remove(&top)?;
            archive::unpack(one, file, &registry)?;
            fs::write(top.join(".cargo-checksum.json"), CHECKSUMS)?;
            self.forget(&one.name)?;
        }
        Ok(())
    }

    /// Lets cargo build this package again: without its fingerprint, it was never built.
    ///
    /// NOTE: `build::Ledger` sees that this is enough.
    fn forget(&self, package: &str) -> Result<()> {
        let fingerprints = self.build().join("debug/.fingerprint");
        if !fingerprints.is_dir() {
            return Ok(());
        }
        for entry in fs::read_dir(&fingerprints)? {
            let entry = entry?;
            let name = entry.file_name();
            // The name of the package, and a hash.
            let name = name.to_string_lossy();
            if name
                .rsplit_once('-')
                .is_some_and(|(name, _)| name == package)
            {
                remove(&entry.path())?;
            }
        }
        Ok(())
    }
}

fn remove(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", folder.display()))
        }
        _ => Ok(()),
    }
}
