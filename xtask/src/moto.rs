//! moto, which speaks for AWS in the tests: a Python program, with all that it is made of pinned.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::cargo;

// NOTE: testkit's services/moto.rs looks for this folder.
const FOLDER: &str = "moto-5.2.5";
const PACKAGES: &str = include_str!("moto.txt");

/// Installs it into an environment of its own, unless an earlier run did.
pub(crate) fn provision() -> Result<()> {
    let tools = cargo::root().join("target/tools");
    let home = tools.join(FOLDER);
    // Written last: an installation that was broken off is made anew.
    let done = home.join("installed.txt");
    if fs::read_to_string(&done).is_ok_and(|packages| packages == PACKAGES) {
        return Ok(());
    }
    fs::create_dir_all(&tools).with_context(|| format!("cannot create {}", tools.display()))?;
    if home.exists() {
        fs::remove_dir_all(&home).with_context(|| format!("cannot remove {}", home.display()))?;
    }
    println!("installing {FOLDER} into target/tools, once");
    let python = if cfg!(windows) { "python" } else { "python3" };
    cargo::run(Command::new(python).args(["-m", "venv"]).arg(&home))
        .context("a Python 3 with its venv module is needed to test against AWS")?;
    install(&home)?;
    fs::write(&done, PACKAGES).with_context(|| format!("cannot write {}", done.display()))
}

fn install(home: &Path) -> Result<()> {
    let bin = home.join(if cfg!(windows) { "Scripts" } else { "bin" });
    let program = |name: &str| bin.join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    let list = home.join("requirements.txt");
    fs::write(&list, PACKAGES).with_context(|| format!("cannot write {}", list.display()))?;
    // No resolution: the list is whole. No cache: nothing is left behind outside this checkout.
    cargo::run(
        Command::new(program("python"))
            .args(["-m", "pip", "install", "--quiet", "--no-cache-dir"])
            .args([
                "--disable-pip-version-check",
                "--no-deps",
                "--only-binary=:all:",
            ])
            .arg("--requirement")
            .arg(&list),
    )?;
    let server = program("moto_server");
    if !server.is_file() {
        bail!("moto brought no {}", server.display());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_package_is_pinned_and_the_folder_tells_the_version() {
        let packages = PACKAGES.lines().filter(|line| !line.starts_with('#'));
        for package in packages {
            let (name, version) = package.split_once("==").unwrap();
            assert!(!name.is_empty() && version.starts_with(|c: char| c.is_ascii_digit()));
        }
        let moto = FOLDER.replace('-', "==");
        assert!(PACKAGES.lines().any(|line| line == moto), "{moto}");
    }
}
