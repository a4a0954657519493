//! `cargo xtask bench`: runs the benchmarks, and gathers what they measured into one file.
//!
//! Those of criterion are one matter; [`gates`], which say what was promised of each figure, are
//! another.

mod drawings;
mod gates;
mod instructions;
mod workspace;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

pub(crate) use self::workspace::{RIVALS, Workspace};
use crate::cargo;

/// Runs one bench target, or all of criterion's; with `json`, writes what this run measured to that
/// file.
///
/// `arguments` go to the targets as they are.
pub(crate) fn run(name: Option<&str>, json: Option<&Path>, arguments: &[String]) -> Result<()> {
    if let Some(report) = name.and_then(gates::find) {
        return report.run(json, arguments);
    }
    let started = now();
    let mut measured = Vec::new();
    let mut found = false;
    for workspace in Workspace::ALL {
        let targets = of_criterion(workspace, name)?;
        if targets.is_empty() {
            continue;
        }
        found = true;
        cargo::run(workspace.bench(&targets)?.args(arguments))?;
        for folder in measurements(&workspace.built()?.join("criterion"))? {
            if modified(&folder.join("estimates.json")).is_some_and(|at| at >= started) {
                measured.push(measurement(&folder)?);
            }
        }
    }
    if !found {
        bail!("there is no bench target `{}`", name.unwrap_or_default());
    }
    let Some(file) = json else { return Ok(()) };
    if measured.is_empty() {
        bail!("this run left no measurement");
    }
    measured.sort_by_key(|one| one["id"].as_str().unwrap_or_default().to_owned());
    write(file, &json!({ "unit": "ns", "benches": measured }))
}

/// The bench targets here that criterion runs: the one of this name, or all.
fn of_criterion(workspace: Workspace, name: Option<&str>) -> Result<Vec<String>> {
    let mut targets = workspace.targets()?;
    targets.retain(|target| {
        let chosen = name.is_none_or(|name| target == name);
        chosen && !gates::measures(workspace, target)
    });
    Ok(targets)
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
