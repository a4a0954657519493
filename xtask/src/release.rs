//! `cargo xtask release`: everything about a release but the release itself.
//!
//! Nothing here speaks to a registry or writes outside `target/`. `RELEASING.md` says in which order
//! a maintainer uses these chores.

mod archive;
mod build;
mod changelog;
pub(crate) mod check;
mod consumer;
mod contents;
mod crates;
mod independence;
mod manifest;
mod plan;
pub(crate) mod rehearse;
mod stage;

use anyhow::Result;
use clap::Subcommand;

#[derive(Subcommand)]
pub(crate) enum Chore {
    /// The order in which the crates would be published, and what each of them waits for.
    Plan,
    /// What would embarrass a release: changelogs, versions, manifests, archives.
    Check {
        /// Warnings fail too: for the day itself.
        #[arg(long)]
        strict: bool,
    },
    /// Every crate from its archive alone: built offline by a consumer of its own, with no feature
    /// and with each feature by itself.
    Rehearse {
        /// Only these packages; all of them when left out.
        #[arg(value_name = "PACKAGE")]
        packages: Vec<String>,
    },
}

pub(crate) fn run(chore: &Chore) -> Result<()> {
    match chore {
        Chore::Plan => plan::run(),
        Chore::Check { strict } => check::run(*strict),
        Chore::Rehearse { packages } => rehearse::run(packages),
    }
}
