//! The benchmarks that report figures with what was promised of them.
//!
//! They are reported, not asserted: a machine that does other things besides measures those too.
//! What can be counted exactly is asserted by tests.

mod gate;

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

pub(super) use self::gate::{Better, Gate};
use super::workspace::Workspace;
use super::{drawings, instructions};
use crate::{cargo, moto};

/// Figures that are promised together.
pub(super) struct Report {
    name: &'static str,
    workspace: Workspace,
    /// The bench targets that measure them, each with a list of gates of its own.
    targets: &'static [&'static str],
    /// Sees to what they need.
    provision: fn() -> Result<()>,
    /// Measures from outside what a program cannot measure of itself.
    outside: fn() -> Result<Vec<Gate>>,
}

const REPORTS: &[Report] = &[
    Report {
        name: "floor",
        workspace: Workspace::Main,
        targets: &["floor"],
        // One part asks a real server for its secrets.
        provision: moto::provision,
        outside: || Ok(Vec::new()),
    },
    Report {
        name: "webhook-verify",
        workspace: Workspace::Rivals,
        targets: &["gates", "allocations"],
        provision: || Ok(()),
        outside: instructions::count,
    },
    Report {
        name: "backoff",
        workspace: Workspace::Rivals,
        targets: &["backoff", "backoff-allocations"],
        provision: || Ok(()),
        outside: || Ok(Vec::new()),
    },
];

/// The report of this name.
pub(super) fn find(name: &str) -> Option<&'static Report> {
    REPORTS.iter().find(|report| report.name == name)
}

/// Whether this bench target belongs to a report, and not to criterion.
pub(super) fn measures(workspace: Workspace, target: &str) -> bool {
    let mut reports = REPORTS
        .iter()
        .filter(|report| report.workspace == workspace);
    target == instructions::PROGRAM || reports.any(|report| report.targets.contains(&target))
}

// === impl Report ===

impl Report {
    /// Measures, prints a table, and writes the same to `json`, and what was drawn beside it.
    /// `arguments` choose parts of the first target, and then nothing else is measured.
    pub(super) fn run(&self, json: Option<&Path>, arguments: &[String]) -> Result<()> {
        (self.provision)()?;
        drawings::clear(self.workspace, self.name)?;
        let mut gates = Vec::new();
        let targets = if arguments.is_empty() {
            self.targets
        } else {
            &self.targets[..1]
        };
        for target in targets {
            gates.extend(self.measure(target, arguments)?);
        }
        if arguments.is_empty() {
            gates.extend((self.outside)()?);
        }
        println!("\n{}", gate::table(&gates));
        let Some(file) = json else { return Ok(()) };
        super::write(file, &gates.iter().map(Gate::to_json).collect())?;
        drawings::keep(self.workspace, self.name, file)
    }

    fn measure(&self, target: &str, arguments: &[String]) -> Result<Vec<Gate>> {
        let left = self.workspace.built()?.join(format!("{target}.json"));
        if left.exists() {
            // What an earlier run left must not be taken for this one's.
            fs::remove_file(&left).with_context(|| format!("cannot remove {}", left.display()))?;
        }
        let mut command = self.workspace.bench(&[target.to_owned()])?;
        command.arg("--gates").arg(&left).args(arguments);
        cargo::run(&mut command)?;
        gate::read(&super::read(&left)?)
    }
}
