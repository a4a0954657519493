//! The chores of this workspace, one file each. `cargo xtask help` lists them.

#![forbid(unsafe_code)]
// A command line speaks through its standard output, and a chore has nobody else to tell.
#![allow(clippy::print_stdout, reason = "this is a command line")]

mod bench;
mod cargo;
mod ci;
mod debian;
mod fuzz;
mod moto;
mod no_std;
mod release;
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
    /// A release, planned, checked and rehearsed; nothing here publishes.
    #[command(subcommand)]
    Release(release::Chore),
    /// The fuzzers: all of them, or one. Needs a C++ compiler.
    #[command(group = clap::ArgGroup::new("work").required(true))]
    Fuzz {
        /// One target; all of them when left out.
        target: Option<String>,
        /// Search for this long, each.
        #[arg(long, group = "work", value_name = "N")]
        seconds: Option<u64>,
        /// Keep in `fuzz/corpus` what the searches so far have reached anew.
        #[arg(long, group = "work")]
        keep: bool,
    },
    /// The benchmarks: those of criterion, or one. `floor`, `webhook-verify` and `backoff` are the
    /// figures that are promised.
    Bench {
        /// One bench target; all of criterion's when left out.
        name: Option<String>,
        /// Write what was measured to this file.
        #[arg(long, value_name = "FILE")]
        json: Option<PathBuf>,
        /// For the bench target, as in `-- --quick`.
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
        Chore::Release(chore) => release::run(&chore),
        Chore::Fuzz {
            target, seconds, ..
        } => {
            let work = seconds.map_or(fuzz::Work::Keep, |seconds| fuzz::Work::Search { seconds });
            fuzz::run(target.as_deref(), &work)
        }
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
