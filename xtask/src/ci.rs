//! `cargo xtask ci`: the whole gate.
//!
//! A failing step does not end the run: one run tells everything that is wrong. The last lines are
//! a table of the steps with their times, and what was not checked here and why.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use cargo_metadata::Package;

use crate::bench::{RIVALS, Workspace};
use crate::{cargo, no_std, release, test, tidy, tools};

type Step = (&'static str, fn() -> Result<()>);

/// In the order in which they find mistakes cheapest. The linting steps share their artefacts, and
/// the tests, which need code and not only types, come last.
const STEPS: &[Step] = &[
    ("lockfile", lockfile),
    ("format", format),
    ("tidy", tidy::run),
    ("deny", deny),
    ("clippy", clippy_all_features),
    ("clippy-bare", clippy_no_features),
    ("clippy-rivals", clippy_rivals),
    ("features", features),
    ("no-std", no_std::run),
    ("docs", docs),
    ("release-check", release_check),
    ("rehearsal", rehearsal),
    ("tests", test::run),
];

/// Workspaces of their own, which nothing with `--workspace` or `--all` reaches.
const APART: [&str; 2] = ["fuzz/Cargo.toml", RIVALS];

/// What this gate cannot see, and why. Printed at the end of each run.
const SKIPPED: &[(&str, &str)] = &[
    (
        "cargo deny check advisories",
        "needs the RustSec database from the network; `cargo xtask advisories` runs it where \
         that can be fetched",
    ),
    (
        "the oldest supported Rust",
        "only the toolchain at hand is used; clippy's incompatible_msrv watches the standard \
         library, and tidy the dependencies",
    ),
    (
        "other platforms",
        "built and tested on the host alone; no cross-compilation, no emulator",
    ),
    (
        "tests in the packaged crates",
        "the archives are compiled, not tested: publishing drops the test kit, which they use",
    ),
    (
        "docs.rs",
        "docs are built with stable; `--cfg docsrs` needs a nightly",
    ),
    (
        "benchmarks",
        "compiled and linted, not run: a shared machine measures nothing",
    ),
    (
        "fuzzing",
        "the corpora are replayed by a test; the fuzzers need a C++ compiler and time, and are \
         not even built: `cargo xtask fuzz --seconds N`",
    ),
];

/// Runs the chosen steps, every one if none is chosen, and fails if one of them did.
pub(crate) fn run(chosen: &[String]) -> Result<()> {
    let steps = select(chosen)?;
    let mut report = Vec::new();
    for (name, step) in &steps {
        println!("\n==> {name}");
        let (outcome, took) = timed(step);
        match &outcome {
            Ok(()) => println!("<== {name}: ok in {}", seconds(took)),
            Err(error) => println!("<== {name}: FAILED in {}: {error:#}", seconds(took)),
        }
        report.push((*name, outcome.is_ok(), took));
    }
    println!("\n{}", table(&report));
    println!("Skipped:");
    for (name, _) in STEPS {
        if !steps.iter().any(|(chosen, _)| chosen == name) {
            println!("  {name}: not chosen");
        }
    }
    for (what, why) in SKIPPED {
        println!("  {what}: {why}");
    }
    let failed = report.iter().filter(|(_, ok, _)| !ok).count();
    if failed > 0 {
        bail!("{failed} of {} steps failed", report.len());
    }
    Ok(())
}

fn select(chosen: &[String]) -> Result<Vec<Step>> {
    let names = || STEPS.iter().map(|(name, _)| *name);
    if let Some(unknown) = chosen.iter().find(|one| !names().any(|name| name == *one)) {
        let known: Vec<_> = names().collect();
        bail!("no step `{unknown}`; there are {}", known.join(", "));
    }
    let wanted = |name: &str| chosen.is_empty() || chosen.iter().any(|one| one == name);
    let steps = STEPS.iter().filter(|(name, _)| wanted(name));
    Ok(steps.copied().collect())
}

/// The one check that needs more of the network than a registry, and so is no step of the gate.
pub(crate) fn advisories() -> Result<()> {
    cargo_deny(&["advisories"])
}

fn lockfile() -> Result<()> {
    // Later steps may then trust that they see what is committed.
    cargo::run(cargo::cargo().args(["fetch", "--locked"]))?;
    for apart in APART {
        cargo::run(cargo::cargo().args(["fetch", "--locked", "--manifest-path", apart]))?;
    }
    Ok(())
}

fn format() -> Result<()> {
    cargo::run(cargo::cargo().args(["fmt", "--all", "--check"]))?;
    for apart in APART {
        cargo::run(cargo::cargo().args(["fmt", "--check", "--manifest-path", apart]))?;
    }
    Ok(())
}

fn clippy_all_features() -> Result<()> {
    clippy(&["--workspace", "--all-targets", "--all-features"])
}

fn clippy_no_features() -> Result<()> {
    clippy(&["--workspace", "--all-targets", "--no-default-features"])
}

fn clippy_rivals() -> Result<()> {
    let mut command = Workspace::Rivals.cargo("clippy")?;
    cargo::run(command.args(["--all-targets", "--", "-D", "warnings"]))
}

/// Each library alone, as a user meets it: with no feature, and with each feature by itself.
///
/// Building one package at a time matters: in a build of the whole workspace, features that other
/// members ask for are on as well, and hide what is missing.
fn features() -> Result<()> {
    let metadata = cargo::metadata()?;
    let mut failed = Vec::new();
    for package in metadata.workspace_packages() {
        // What is not published is met by nobody alone.
        let published = package.publish.as_deref() != Some(&[]);
        let Some(target) = target_flag(package).filter(|_| published) else {
            continue;
        };
        for feature in feature_sets(package) {
            let mut arguments = vec!["--package", package.name.as_str(), target];
            arguments.push("--no-default-features");
            if let Some(feature) = feature {
                arguments.extend(["--features", feature]);
            }
            let (outcome, took) = timed(|| clippy(&arguments));
            let shown = format!("{} [{}]", package.name, feature.unwrap_or(""));
            println!("{shown}: {}", seconds(took));
            if outcome.is_err() {
                failed.push(shown);
            }
        }
    }
    if !failed.is_empty() {
        bail!("does not stand alone: {}", failed.join(", "));
    }
    Ok(())
}

fn docs() -> Result<()> {
    cargo::run(
        cargo::cargo()
            .args(["doc", "--workspace", "--no-deps", "--all-features"])
            .env("RUSTDOCFLAGS", "-D warnings"),
    )
}

fn deny() -> Result<()> {
    cargo_deny(&["licenses", "bans", "sources"])
}

/// Its warnings are for the day of a release, when `--strict` turns them into failures.
fn release_check() -> Result<()> {
    release::check::run(false)
}

/// Packages everything that is published, and builds each from its archive alone.
fn rehearsal() -> Result<()> {
    release::rehearse::run(&[])
}

// === helpers ===

fn clippy(arguments: &[&str]) -> Result<()> {
    let mut command = cargo::cargo();
    cargo::run(
        command
            .args(["clippy", "--keep-going"])
            .args(arguments)
            .args(["--", "-D", "warnings"]),
    )
}

fn cargo_deny(checks: &[&str]) -> Result<()> {
    let mut command = Command::new(tools::cargo_deny()?);
    command.current_dir(cargo::root());
    cargo::run(command.args(["--locked", "check"]).args(checks))
}

/// What of a package others build: its library, else its programs.
fn target_flag(package: &Package) -> Option<&'static str> {
    let has = |kind: fn(&cargo_metadata::Target) -> bool| package.targets.iter().any(kind);
    if has(|target| target.is_lib() || target.is_proc_macro()) {
        Some("--lib")
    } else if has(cargo_metadata::Target::is_bin) {
        Some("--bins")
    } else {
        None
    }
}

/// No feature, then each one by itself.
fn feature_sets(package: &Package) -> Vec<Option<&str>> {
    let named = package.features.keys().map(String::as_str);
    let each = named.filter(|name| *name != "default").map(Some);
    std::iter::once(None).chain(each).collect()
}

fn table(report: &[(&str, bool, Duration)]) -> String {
    let mut lines = String::new();
    for (name, ok, took) in report {
        let verdict = if *ok { "ok" } else { "FAILED" };
        lines += &format!("  {name:<24} {verdict:<6} {:>9}\n", seconds(*took));
    }
    let total = report.iter().map(|(_, _, took)| *took).sum();
    lines += &format!("  {:<31} {:>9}\n", "total", seconds(total));
    lines
}

pub(crate) fn seconds(took: Duration) -> String {
    format!("{:.1} s", took.as_secs_f64())
}

#[allow(
    clippy::disallowed_methods,
    reason = "how long a step took is what we are asked, and no runtime is here to pause"
)]
pub(crate) fn timed<T>(step: impl FnOnce() -> T) -> (T, Duration) {
    let started = Instant::now();
    let outcome = step();
    (outcome, started.elapsed())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_choice_every_step_runs_and_an_unknown_one_is_refused() {
        assert_eq!(select(&[]).unwrap().len(), STEPS.len());
        let chosen = select(&["tests".to_owned(), "format".to_owned()]).unwrap();
        let names: Vec<&str> = chosen.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["format", "tests"]);
        assert!(select(&["test".to_owned()]).is_err());
    }

    #[test]
    fn the_table_names_the_failure_and_adds_up_the_times() {
        let second = Duration::from_secs(1);
        let shown = table(&[("format", true, second), ("docs", false, 2 * second)]);
        let lines: Vec<&str> = shown.lines().map(str::trim).collect();
        assert_eq!(
            lines[0].split_whitespace().collect::<Vec<_>>(),
            ["format", "ok", "1.0", "s"]
        );
        assert!(lines[1].starts_with("docs") && lines[1].contains("FAILED"));
        assert!(lines[2].starts_with("total") && lines[2].ends_with("3.0 s"));
    }
}
