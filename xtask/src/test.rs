//! `cargo xtask test`: every test of the workspace.
//!
//! Whatever a test needs beside cargo is provisioned here before the first one starts, under
//! `target/tools` as in [`crate::tools`], where the launchers of the test kit look for it.

use anyhow::Result;

use crate::{cargo, debian, moto};

/// Runs unit, integration and doc tests with every feature, and goes on after a failing one.
pub(crate) fn run() -> Result<()> {
    debian::provision()?;
    moto::provision()?;
    cargo::run(cargo::cargo().args(["test", "--workspace", "--all-features", "--no-fail-fast"]))
}
