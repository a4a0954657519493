//! The instructions of one verification, counted by callgrind: the same in every run, whatever else
//! the machine does.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::gates::{Better, Gate};
use super::workspace::Workspace;
use crate::cargo;

/// The program that does the jobs, and the function in it that is counted: what lies around that is
/// not the same in every run.
pub(super) const PROGRAM: &str = "count";
const COUNTED: &str = "--toggle-collect=*count*measured*";
/// How often it does one.
const TIMES: u64 = 64;

/// What the program under valgrind says of itself.
struct Jobs {
    backend: String,
    contestants: Vec<String>,
    mismatches: Vec<String>,
}

/// Prints the counts beside the times that were measured at 1 KiB, and gives what is promised of
/// them. Without valgrind there is nothing to count with.
pub(super) fn count() -> Result<Vec<Gate>> {
    if !is_there() {
        println!("\nSkipped: instruction counts, which need valgrind (apt-get install valgrind)");
        return Ok(Vec::new());
    }
    let program = Workspace::Rivals.program(PROGRAM)?;
    let said = valgrind(&["--tool=none"], &program, &[])?;
    let jobs = Jobs::read(&said.stdout)?;

    let built = Workspace::Rivals.built()?;
    let times = times(&super::read(&built.join("tmp/times.json"))?);
    println!("\nInstructions of a verify, 1 KiB, beside its time:");
    for name in &jobs.contestants {
        let instructions = each(&program, name)?;
        let time = times.get(name).map(|ns| format!("{ns:.0} ns"));
        println!(
            "  {name:<24} {instructions:>10.0}  {:>10}",
            time.unwrap_or_default()
        );
    }
    println!(
        "  The time is that of the processor; the instructions are those under valgrind, which \
         knows no SHA\n  extensions, so that nobody uses them there (ours: {}).",
        jobs.backend
    );
    Ok(vec![jobs.spread_of_mismatches(&program)?])
}

// === impl Jobs ===

impl Jobs {
    fn read(said: &[u8]) -> Result<Self> {
        let said: Value = serde_json::from_slice(said).context("cannot understand `count`")?;
        let list = |name: &str| -> Option<Vec<String>> {
            let names = said[name].as_array()?.iter();
            names.map(|one| Some(one.as_str()?.to_owned())).collect()
        };
        let read = || {
            Some(Self {
                backend: said["backend"].as_str()?.to_owned(),
                contestants: list("contestants")?,
                mismatches: list("mismatches")?,
            })
        };
        read().with_context(|| format!("`count` has no such jobs: {said}"))
    }

    /// A comparison that ends at the first difference tells a forger how much was right.
    fn spread_of_mismatches(&self, program: &Path) -> Result<Gate> {
        let mut counts = Vec::new();
        for name in &self.mismatches {
            counts.push(each(program, name)?);
        }
        let bounds = |pick: fn(f64, f64) -> f64| counts.iter().copied().reduce(pick);
        let (Some(most), Some(least)) = (bounds(f64::max), bounds(f64::min)) else {
            bail!("`count` has no mismatches");
        };
        Ok(Gate {
            name: "what the place of a mismatch changes".to_owned(),
            value: most - least,
            goal: 0.0,
            better: Better::Lower,
            unit: "instructions".to_owned(),
            note: Some(format!("of {most}, {}", self.backend)),
        })
    }
}

/// The instructions of doing a job once.
fn each(program: &Path, job: &str) -> Result<f64> {
    let callgrind = [
        "--tool=callgrind",
        "--callgrind-out-file=/dev/null",
        COUNTED,
    ];
    let output = valgrind(&callgrind, program, &[job, &TIMES.to_string()])?;
    let said = String::from_utf8_lossy(&output.stderr);
    match sum(&said) {
        Some(sum) if sum > 0 => Ok(sum as f64 / TIMES as f64),
        _ => bail!("callgrind counted nothing of `{job}`: {said}"),
    }
}

/// Callgrind ends with `==1234== Collected : 5678`.
fn sum(said: &str) -> Option<u64> {
    let mut lines = said.lines();
    let line = lines.find_map(|line| line.split_once("Collected :"))?;
    line.1.trim().parse().ok()
}

fn valgrind(options: &[&str], program: &Path, arguments: &[&str]) -> Result<Output> {
    let mut command = Command::new("valgrind");
    command.args(options).arg(program).args(arguments);
    let output = command.output().context("cannot start valgrind")?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("`{}` failed: {said}", cargo::show(&command));
    }
    Ok(output)
}

fn is_there() -> bool {
    let mut command = Command::new("valgrind");
    command.arg("--version").stdout(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Nanoseconds by contestant.
fn times(kept: &Value) -> BTreeMap<String, f64> {
    let list = kept.as_array().into_iter().flatten();
    list.filter_map(|one| Some((one["name"].as_str()?.to_owned(), one["ns"].as_f64()?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_of_callgrind_is_read() {
        let said = "==7== Callgrind, a call-graph\n==7== \n==7== Events    : Ir\n\
            ==7== Collected : 1234567\n==7== \n";
        assert_eq!(sum(said), Some(1_234_567));
        assert_eq!(sum("==7== Callgrind"), None);
    }

    #[test]
    fn the_jobs_are_read_and_others_refused() {
        let said = r#"{"backend":"portable","contestants":["a"],"mismatches":["b","c"]}"#;
        let jobs = Jobs::read(said.as_bytes()).unwrap();
        assert_eq!(jobs.backend, "portable");
        assert_eq!((jobs.contestants.len(), jobs.mismatches.len()), (1, 2));
        assert!(Jobs::read(b"{}").is_err());
        assert!(Jobs::read(b"hello").is_err());
    }
}
