//! A figure with what was promised of it.

use serde::Serialize;

use crate::Spread;

/// One line of the report. Whether the goal was met is for the reader to say.
#[derive(Debug, Serialize)]
pub struct Gate {
    gate: String,
    value: f64,
    goal: f64,
    better: Better,
    unit: &'static str,
    /// For who reads the table: what the name of the gate cannot know before the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
enum Better {
    Lower,
    Higher,
}

// === impl Gate ===

impl Gate {
    /// Promised is at most `goal`.
    pub fn at_most(goal: f64, unit: &'static str, gate: impl Into<String>, seen: Spread) -> Self {
        Self::new(gate.into(), seen, goal, Better::Lower, unit)
    }

    /// Promised is at least `goal`.
    pub fn at_least(goal: f64, unit: &'static str, gate: impl Into<String>, seen: Spread) -> Self {
        Self::new(gate.into(), seen, goal, Better::Higher, unit)
    }

    /// Says more about this run's figure.
    #[must_use]
    pub fn noted(mut self, note: impl Into<String>) -> Self {
        self.note = Some(note.into());
        self
    }

    #[allow(
        clippy::print_stdout,
        reason = "whoever waits sees how far it has come"
    )]
    fn new(gate: String, seen: Spread, goal: f64, better: Better, unit: &'static str) -> Self {
        println!("  {gate}: {seen} {unit}");
        Self {
            gate,
            // More digits than anybody can measure are noise.
            value: (seen.median * 1000.0).round() / 1000.0,
            goal,
            better,
            unit,
            note: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gate_is_written_as_the_report_has_it() {
        let gate = Gate::at_least(3.0, "times", "faster", Spread::of([4.00049]));
        let text = serde_json::to_string(&gate).unwrap();
        let expected =
            r#"{"gate":"faster","value":4.0,"goal":3.0,"better":"higher","unit":"times"}"#;
        assert_eq!(text, expected);
        let noted = Gate::at_most(1.0, "", "slower", Spread::exactly(1)).noted("ring");
        let text = serde_json::to_string(&noted).unwrap();
        assert!(text.contains(r#""better":"lower""#), "{text}");
        assert!(text.contains(r#""note":"ring""#), "{text}");
    }
}
