//! The chores of this workspace, one file each. `cargo xtask help` lists them.

#![forbid(unsafe_code)]
// A command line speaks through its standard output, and a chore has nobody else to tell.
#![allow(clippy::print_stdout, reason = "this is a command line")]

mod bench;
mod cargo;
mod ci;
mod debian;
mod moto;
mod test;
mod tidy;
mod tools;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The prefix of every package name. Renaming the family starts here.
pub(crate) const BRAND: &str = "golive-";

/// The chores of this workspace.
#[derive(Parser)]
#[command(bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// The whole gate, as it runs before a change is merged.
    Ci {
        /// Only these steps; all of them when left out.
        #[arg(value_name = "STEP")]
        steps: Vec<String>,
    },
    /// Known vulnerabilities in our dependencies. Fetches the RustSec database.
    Advisories,
    /// Every test of the workspace, doc tests included.
    Test,
    /// The rules of the house: anatomy, dependency direction, sizes, manifests.
    Tidy,
    /// The benchmarks: all of them, or one.
    Bench {
        /// One bench target; all of them when left out.
        name: Option<String>,
        /// Write what criterion measured to this file.
        #[arg(long, value_name = "FILE")]
        json: Option<PathBuf>,
        /// For criterion, as in `-- --quick`.
        #[arg(last = true)]
        arguments: Vec<String>,
    },
}

fn main() -> ExitCode {
    let done = match Cli::parse().chore {
        Chore::Ci { steps } => ci::run(&steps),
        Chore::Advisories => ci::advisories(),
        Chore::Test => test::run(),
        Chore::Tidy => tidy::run(),
        Chore::Bench {
            name,
            json,
            arguments,
        } => bench::run(name.as_deref(), json.as_deref(), &arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
