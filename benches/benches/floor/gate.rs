//! A figure with what was promised of it.

use golive_benches::turns::Spread;
use serde::Serialize;

/// One line of the report. Whether the goal was met is for the reader to say.
#[derive(Debug, Serialize)]
pub(crate) struct Gate {
    gate: &'static str,
    value: f64,
    goal: f64,
    better: Better,
    unit: &'static str,
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
    pub(crate) fn at_most(goal: f64, unit: &'static str, gate: &'static str, seen: Spread) -> Self {
        Self::new(gate, seen, goal, Better::Lower, unit)
    }

    /// Promised is at least `goal`.
    pub(crate) fn at_least(
        goal: f64,
        unit: &'static str,
        gate: &'static str,
        seen: Spread,
    ) -> Self {
        Self::new(gate, seen, goal, Better::Higher, unit)
    }

    fn new(
        gate: &'static str,
        seen: Spread,
        goal: f64,
        better: Better,
        unit: &'static str,
    ) -> Self {
        println!("  {gate}: {seen} {unit}");
        // More digits than anybody can measure are noise.
        let value = (seen.median * 1000.0).round() / 1000.0;
        Self {
            gate,
            value,
            goal,
            better,
            unit,
        }
    }
}
