//! A figure and its goal, as the programs that measure report them.

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

/// A figure, and what was promised of it.
#[derive(Debug, PartialEq)]
pub(in crate::bench) struct Gate {
    pub(in crate::bench) name: String,
    pub(in crate::bench) value: f64,
    pub(in crate::bench) goal: f64,
    pub(in crate::bench) better: Better,
    pub(in crate::bench) unit: String,
    /// For who reads the table; not part of the report.
    pub(in crate::bench) note: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::bench) enum Better {
    Lower,
    Higher,
}

pub(super) fn read(report: &Value) -> Result<Vec<Gate>> {
    let gates = report.as_array().context("the report is no list")?;
    if gates.is_empty() {
        bail!("the report is empty");
    }
    let read = |gate| Gate::read(gate).with_context(|| format!("this is no gate: {gate}"));
    gates.iter().map(read).collect()
}

pub(super) fn table(gates: &[Gate]) -> String {
    let width = gates.iter().map(|gate| gate.name.chars().count()).max();
    let width = width.unwrap_or_default();
    let mut lines = String::new();
    for gate in gates {
        let verdict = if gate.is_met() { "ok" } else { "MISSED" };
        let sign = match gate.better {
            Better::Lower => "≤",
            Better::Higher => "≥",
        };
        let note = gate.note.as_ref().map(|note| format!(" ({note})"));
        lines += &format!(
            "  {:<width$} {:>9.3} {sign} {:<4} {:<12} {verdict}{}\n",
            gate.name,
            gate.value,
            gate.goal,
            gate.unit,
            note.unwrap_or_default()
        );
    }
    lines
}

// === impl Gate ===

impl Gate {
    /// As in the file that is asked for: the same form for every benchmark.
    pub(super) fn to_json(&self) -> Value {
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
            note: gate["note"].as_str().map(str::to_owned),
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
    fn a_note_is_shown_and_not_reported() {
        let mut noted = gate("a", 2.5, "lower");
        noted["note"] = json!("ring");
        let gates = read(&json!([noted])).unwrap();
        assert!(table(&gates).contains("ok (ring)"), "{}", table(&gates));
        assert_eq!(gates[0].to_json(), gate("a", 2.5, "lower"));
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
        assert_eq!(
            lines[0],
            ["low", "enough", "3.000", "≤", "3", "times", "ok"]
        );
        let verdicts = lines.iter().map(|words| *words.last().unwrap());
        let verdicts: Vec<&str> = verdicts.collect();
        assert_eq!(verdicts, ["ok", "MISSED", "ok", "MISSED"]);
        assert!(shown.contains("2.900 ≥ 3"), "{shown}");
    }
}
