//! `cargo xtask bench floor`: the figures that this project promises.
//!
//! They are reported, not asserted: a machine that does other things besides measures those too.
//! What can be counted exactly is asserted by tests.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::{cargo, moto};

/// The bench target.
pub(super) const TARGET: &str = "floor";

/// A figure, and what was promised of it.
#[derive(Debug, PartialEq)]
struct Gate {
    name: String,
    value: f64,
    goal: f64,
    better: Better,
    unit: String,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Better {
    Lower,
    Higher,
}

/// Measures, prints a table, and writes the same to `json`.
pub(super) fn run(json: Option<&Path>, arguments: &[String]) -> Result<()> {
    // One part asks a real server for its secrets.
    moto::provision()?;
    let target = cargo::metadata()?.target_directory.into_std_path_buf();
    let left = target.join("floor.json");
    if left.exists() {
        // What an earlier run left must not be taken for this one's.
        fs::remove_file(&left).with_context(|| format!("cannot remove {}", left.display()))?;
    }
    let mut command = super::command(&[TARGET.to_owned()]);
    command.arg("--gates").arg(&left).args(arguments);
    cargo::run(&mut command)?;

    let gates = read(&super::read(&left)?)?;
    println!("\n{}", table(&gates));
    let Some(file) = json else { return Ok(()) };
    super::write(file, &gates.iter().map(Gate::to_json).collect())
}

fn read(report: &Value) -> Result<Vec<Gate>> {
    let gates = report.as_array().context("the report is no list")?;
    if gates.is_empty() {
        bail!("the report is empty");
    }
    let read = |gate| Gate::read(gate).with_context(|| format!("this is no gate: {gate}"));
    gates.iter().map(read).collect()
}

fn table(gates: &[Gate]) -> String {
    let width = gates.iter().map(|gate| gate.name.chars().count()).max();
    let width = width.unwrap_or_default();
    let mut lines = String::new();
    for gate in gates {
        let verdict = if gate.is_met() { "ok" } else { "MISSED" };
        let sign = match gate.better {
            Better::Lower => "≤",
            Better::Higher => "≥",
        };
        lines += &format!(
            "  {:<width$} {:>9.2} {sign} {} {:<11} {verdict}\n",
            gate.name, gate.value, gate.goal, gate.unit
        );
    }
    lines
}

// === impl Gate ===

impl Gate {
    fn read(gate: &Value) -> Option<Self> {
        let better = match gate["better"].as_str()? {
            "lower" => Better::Lower,
            "higher" => Better::Higher,
            _ => return None,
        };
        Some(Self {
            name: gate["gate"].as_str()?.to_owned(),
            value: gate["value"].as_f64()?,
            goal: gate["goal"].as_f64()?,
            better,
            unit: gate["unit"].as_str()?.to_owned(),
        })
    }

    fn to_json(&self) -> Value {
        let better = match self.better {
            Better::Lower => "lower",
            Better::Higher => "higher",
        };
        json!({
            "gate": self.name,
            "value": self.value,
            "goal": self.goal,
            "better": better,
            "unit": self.unit,
        })
    }

    fn is_met(&self) -> bool {
        match self.better {
            Better::Lower => self.value <= self.goal,
            Better::Higher => self.value >= self.goal,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(name: &str, value: f64, better: &str) -> Value {
        json!({ "gate": name, "value": value, "goal": 3.0, "better": better, "unit": "times" })
    }

    #[test]
    fn a_report_is_read_and_written_without_loss() {
        let report = json!([gate("a", 2.5, "lower"), gate("b", 7.0, "higher")]);
        let gates = read(&report).unwrap();
        assert_eq!(gates.iter().map(Gate::to_json).collect::<Value>(), report);
    }

    #[test]
    fn what_is_no_report_is_refused() {
        let other = gate("a", 1.0, "faster");
        for bad in [json!([]), json!({}), json!([{}]), json!([other])] {
            assert!(read(&bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_table_says_what_was_missed_in_either_direction() {
        let report = json!([
            gate("low enough", 3.0, "lower"),
            gate("too high", 3.1, "lower"),
            gate("high enough", 3.0, "higher"),
            gate("too low", 2.9, "higher"),
        ]);
        let shown = table(&read(&report).unwrap());
        let lines: Vec<Vec<&str>> = shown
            .lines()
            .map(|line| line.split_whitespace().collect())
            .collect();
        assert_eq!(lines[0], ["low", "enough", "3.00", "≤", "3", "times", "ok"]);
        let verdicts = lines.iter().map(|words| *words.last().unwrap());
        let verdicts: Vec<&str> = verdicts.collect();
        assert_eq!(verdicts, ["ok", "MISSED", "ok", "MISSED"]);
        assert!(shown.contains("2.90 ≥ 3"), "{shown}");
    }
}
