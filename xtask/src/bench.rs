//! `cargo xtask bench`: runs the benchmarks, and gathers what they measured into one file.
//!
//! Those of criterion are one matter; [`floor`], which says what was promised of each figure, is
//! another.

mod floor;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use anyhow::{Context, Result, bail};
use cargo_metadata::Metadata;
use serde_json::{Value, json};

use crate::{BRAND, cargo};

/// Runs one bench target, or all of criterion's; with `json`, writes what this run measured to that
/// file.
///
/// `arguments` go to the targets as they are.
pub(crate) fn run(name: Option<&str>, json: Option<&Path>, arguments: &[String]) -> Result<()> {
    if name == Some(floor::TARGET) {
        return floor::run(json, arguments);
    }
    let started = now();
    let metadata = cargo::metadata()?;
    let targets = match name {
        Some(name) => vec![name.to_owned()],
        None => of_criterion(&metadata),
    };
    cargo::run(command(&targets).args(arguments))?;
    let Some(file) = json else { return Ok(()) };

    let criterion = metadata.target_directory.into_std_path_buf();
    let criterion = criterion.join("criterion");
    let mut measured = Vec::new();
    for folder in measurements(&criterion)? {
        if modified(&folder.join("estimates.json")).is_some_and(|at| at >= started) {
            measured.push(measurement(&folder)?);
        }
    }
    if measured.is_empty() {
        bail!("this run left no measurement under {}", criterion.display());
    }
    measured.sort_by_key(|one| one["id"].as_str().unwrap_or_default().to_owned());
    write(file, &json!({ "unit": "ns", "benches": measured }))
}

/// A `cargo bench` of these targets, up to where their own arguments begin.
fn command(targets: &[String]) -> Command {
    let mut command = cargo::cargo();
    command.args(["bench", "--package", &format!("{BRAND}benches")]);
    // Bench targets alone: the harness of a library does not understand criterion's arguments.
    for target in targets {
        command.args(["--bench", target]);
    }
    command.arg("--");
    command
}

/// The bench targets that criterion runs.
fn of_criterion(metadata: &Metadata) -> Vec<String> {
    let targets = metadata.workspace_packages().into_iter();
    targets
        .filter(|package| package.name.as_str() == format!("{BRAND}benches"))
        .flat_map(|package| &package.targets)
        .filter(|target| target.is_bench() && target.name != floor::TARGET)
        .map(|target| target.name.clone())
        .collect()
}

fn write(file: &Path, value: &Value) -> Result<()> {
    let text = serde_json::to_string_pretty(value)?;
    fs::write(file, text + "\n").with_context(|| format!("cannot write {}", file.display()))
}

/// Every folder in which criterion left its newest measurement of one benchmark.
fn measurements(under: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut open = vec![under.to_path_buf()];
    while let Some(folder) = open.pop() {
        let Ok(entries) = fs::read_dir(&folder) else {
            continue;
        };
        for entry in entries {
            let path = entry?.path();
            if path.is_dir() && path.join("benchmark.json").is_file() && path.ends_with("new") {
                found.push(path);
            } else if path.is_dir() {
                open.push(path);
            }
        }
    }
    Ok(found)
}

fn measurement(folder: &Path) -> Result<Value> {
    let benchmark = read(&folder.join("benchmark.json"))?;
    let estimates = read(&folder.join("estimates.json"))?;
    summary(&benchmark, &estimates).with_context(|| {
        format!(
            "cannot understand what criterion wrote in {}",
            folder.display()
        )
    })
}

/// The one line of a report that a benchmark earns.
fn summary(benchmark: &Value, estimates: &Value) -> Option<Value> {
    let median = &estimates["median"];
    Some(json!({
        "id": benchmark["full_id"].as_str()?,
        "median": median["point_estimate"].as_f64()?,
        "low": median["confidence_interval"]["lower_bound"].as_f64()?,
        "high": median["confidence_interval"]["upper_bound"].as_f64()?,
        "mean": estimates["mean"]["point_estimate"].as_f64()?,
    }))
}

fn read(file: &Path) -> Result<Value> {
    let text =
        fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    serde_json::from_str(&text).with_context(|| format!("cannot parse {}", file.display()))
}

fn modified(file: &Path) -> Option<SystemTime> {
    fs::metadata(file).ok()?.modified().ok()
}

#[allow(
    clippy::disallowed_methods,
    reason = "compared with the times of files, which a test cannot choose either"
)]
fn now() -> SystemTime {
    SystemTime::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_measurement_becomes_one_line_with_its_interval() {
        let benchmark = json!({ "full_id": "stack/five" });
        let estimates = json!({
            "mean": { "point_estimate": 12.5 },
            "median": {
                "point_estimate": 12.0,
                "confidence_interval": { "lower_bound": 11.0, "upper_bound": 13.0 }
            }
        });
        let line = summary(&benchmark, &estimates).unwrap();
        assert_eq!(
            line,
            json!({ "id": "stack/five", "median": 12.0, "low": 11.0, "high": 13.0, "mean": 12.5 })
        );
    }

    #[test]
    fn a_measurement_without_its_median_is_no_measurement() {
        assert_eq!(summary(&json!({ "full_id": "x" }), &json!({})), None);
    }
}
