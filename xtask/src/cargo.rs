//! How the chores call cargo, and what they learn from it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use cargo_metadata::{CargoOpt, Metadata, MetadataCommand};

/// A cargo that runs at the root of the workspace.
///
/// What the outer `cargo run` told *this* process about the package `xtask` is taken away again:
/// build scripts that watch those variables would otherwise run anew on every chore.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(program());
    command.current_dir(root());
    for (name, _) in environment() {
        if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
            command.env_remove(name);
        }
    }
    command
}

/// Runs to the end with our own output as its output.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let shown = show(command);
    println!("$ {shown}");
    let status = command
        .status()
        .with_context(|| format!("cannot start `{shown}`"))?;
    if !status.success() {
        bail!("`{shown}` failed: {status}");
    }
    Ok(())
}

/// The command as one would type it.
pub(crate) fn show(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let name = program.file_name().unwrap_or(program.as_os_str());
    let words = std::iter::once(name).chain(command.get_args());
    words
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}

/// The root of the workspace: the folder above xtask's own.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// The workspace with every feature on, and all that it depends on.
pub(crate) fn metadata() -> Result<Metadata> {
    MetadataCommand::new()
        .cargo_path(program())
        .current_dir(root())
        .features(CargoOpt::AllFeatures)
        .exec()
        .context("cannot read `cargo metadata`")
}

/// The cargo that started us, so that a toolchain chosen outside stays chosen.
fn program() -> String {
    environment()
        .into_iter()
        .find(|(name, _)| name == "CARGO")
        .map_or_else(|| "cargo".to_owned(), |(_, path)| path)
}

#[allow(
    clippy::disallowed_methods,
    reason = "cargo talks to its subcommands through the environment"
)]
fn environment() -> Vec<(String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}
