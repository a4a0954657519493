//! `cargo xtask test`: every test of the workspace.
//!
//! Whatever a test needs beside cargo is provisioned here before the first one starts, under
//! `target/tools` as in [`crate::tools`], and handed to the tests through their environment. The
//! tests of today need a Rust toolchain and a loopback interface, nothing else.

use anyhow::Result;

use crate::cargo;

/// Runs unit, integration and doc tests with every feature, and goes on after a failing one.
pub(crate) fn run() -> Result<()> {
    cargo::run(cargo::cargo().args(["test", "--workspace", "--all-features", "--no-fail-fast"]))
}
