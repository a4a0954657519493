use std::process::Command;

use super::tool;

/// Prometheus' own tool, which checks rules and runs their tests.
///
/// # Panics
/// If it was not fetched.
#[must_use]
pub fn promtool() -> Command {
    Command::new(tool("promtool"))
}
