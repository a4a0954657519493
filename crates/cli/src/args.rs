//! The command line.

use std::path::PathBuf;

use anstream::ColorChoice;
use clap::{Parser, Subcommand, ValueEnum};
use golive_check::exit::Exit;

/// Proves from outside which go-live boxes an API integration ticks.
#[derive(Debug, Parser)]
#[command(name = "golive", version, about, max_term_width = 100)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
    /// When to use colour.
    #[arg(long, global = true, value_enum, default_value = "auto")]
    color: Color,
    /// No colour; the same as --color never.
    #[arg(long, global = true, conflicts_with = "color")]
    no_color: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Check an integration; without options, the built-in one.
    Check(Check),
    /// List the boxes and their cases, or the built-in integrations.
    List(List),
    /// Explain a case or a box: what is done, what is expected, and why.
    Explain(Explain),
    /// Run only the hostile provider, until interrupted.
    Sandbox(Sandbox),
    /// Print the version.
    Version,
}

#[derive(Debug, clap::Args)]
#[command(after_help = check_help())]
pub(crate) struct Check {
    /// Cases (IDEM-02), boxes (R1) or groups (idempotency, WH-SIG); all without one.
    #[arg(value_name = "GROUP|BOX|CASE")]
    pub(crate) names: Vec<String>,
    /// A built-in integration: `builtin`, or `flawed:NAME` (see `golive list --subjects`).
    #[arg(long, value_name = "NAME", conflicts_with_all = ["webhook", "drive", "port", "wait"])]
    pub(crate) subject: Option<String>,
    /// Where your integration takes webhooks.
    #[arg(long, value_name = "URL")]
    pub(crate) webhook: Option<String>,
    /// How your integration is driven: the URL of its hooks, or a command that takes a hook.
    /// Hooks: create, create-many, read, list, effects, logs, rotate-credential, kill, restart,
    /// metrics, stuck; each is optional.
    #[arg(long, value_name = "CMD|URL")]
    pub(crate) drive: Option<String>,
    /// The port of the provider, so that your integration's base URL stays the same; alerts are
    /// taken on the next one.
    #[arg(long, default_value_t = 0)]
    pub(crate) port: u16,
    /// How long to wait for your integration to come up, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub(crate) wait: u64,
    /// Write the report as JSON to this file; `-` is standard output, without the checklist.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Exit 4 if a box of the selection stays unproven.
    #[arg(long)]
    pub(crate) require_proof: bool,
    /// No progress.
    #[arg(long, short)]
    pub(crate) quiet: bool,
    #[command(flatten)]
    pub(crate) provider: Provider,
}

#[derive(Debug, clap::Args)]
pub(crate) struct List {
    /// The built-in integrations instead, and what each flawed one fails.
    #[arg(long)]
    pub(crate) subjects: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Explain {
    /// A case (IDEM-02) or a box (R1).
    pub(crate) id: String,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Sandbox {
    /// The port; any free one if 0.
    #[arg(long, default_value_t = 0)]
    pub(crate) port: u16,
    /// Also serve the admin API (faults, record, state) on this port; any free one if 0.
    #[arg(long)]
    pub(crate) admin_port: Option<u16>,
    /// A fault to arm, as JSON: '{"method": "POST", "path": "/customers", "status": 500}'.
    #[arg(long, value_name = "JSON")]
    pub(crate) fault: Vec<String>,
    #[command(flatten)]
    pub(crate) provider: Provider,
}

#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct Provider {
    /// Everything random follows from it, the credentials included.
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
    /// What the provider speaks.
    #[arg(long, value_enum, default_value = "any")]
    pub(crate) dialect: Dialect,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Dialect {
    /// As the documentation writes.
    Docs,
    /// As the SDKs read.
    Sdk,
    /// As the request asks.
    Any,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Color {
    Auto,
    Always,
    Never,
}

const WHOM: &str = "\
Without --subject, --webhook and --drive the built-in integration is checked. With --webhook or
--drive it is yours: golive prints the environment to start it with, waits until it listens, and
sees it through the wire and its hooks alone.";

/// Whom it checks, and the exit codes, which the library keeps.
fn check_help() -> String {
    let mut help = format!("{WHOM}\n\nExit codes:\n");
    for (exit, meaning) in Exit::ALL {
        help.push_str(&format!("  {:<4} {meaning}\n", exit.code()));
    }
    help
}

impl Args {
    pub(crate) fn color_choice(&self) -> ColorChoice {
        match self.color {
            _ if self.no_color => ColorChoice::Never,
            Color::Auto => ColorChoice::Auto,
            Color::Always => ColorChoice::Always,
            Color::Never => ColorChoice::Never,
        }
    }
}

impl From<Dialect> for golive_sandbox::Dialect {
    fn from(dialect: Dialect) -> Self {
        match dialect {
            Dialect::Docs => Self::Docs,
            Dialect::Sdk => Self::Sdk,
            Dialect::Any => Self::Any,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        super::Args::command().debug_assert();
    }
}
