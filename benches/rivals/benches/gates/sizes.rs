//! One key at every size: over the floor, and beside the rivals.

use std::{fs, path::Path};

use golive_gates::{Gate, Spread};
use golive_rivals::{Delivery, contestants};
use serde_json::json;

use crate::rounds::{Entry, measure};

/// The sizes of bodies, and what of the floor is promised.
const SIZES: [(usize, &str, f64); 6] = [
    (64, "64 B", 1.5),
    (256, "256 B", 1.25),
    (1024, "1 KiB", 1.08),
    (4 * 1024, "4 KiB", 1.03),
    (16 * 1024, "16 KiB", 1.01),
    (1024 * 1024, "1 MiB", 1.01),
];
const OURS: &str = "ours";
const OURS_BY_THE_CLOCK: &str = "ours, reading the clock";
const STANDARD: &str = "standardwebhooks";
const WEBHOOK_CRATES: &[&str] = &[STANDARD, "svix", "webhook-verify"];
const RIVALS: &[&str] = &[
    STANDARD,
    "svix",
    "webhook-verify",
    "ring",
    "aws-lc-rs",
    "hmac + sha2",
];

/// What one size gave.
struct Size {
    name: &'static str,
    /// Name and nanoseconds by round.
    contestants: Vec<(String, Vec<f64>)>,
}

pub(crate) fn gates() -> Vec<Gate> {
    let sizes = SIZES.map(|(bytes, name, _)| Size::measure(bytes, name));
    for size in &sizes {
        size.print();
    }
    sizes[2].keep();

    let mut gates = Vec::new();
    for (size, (_, name, goal)) in sizes.iter().zip(SIZES) {
        let (floor, floor_times) = size.best(is_floor);
        let ratio = Spread::of_ratio(size.of(OURS), floor_times);
        let gate = format!("verify over the floor, {name}");
        gates.push(Gate::at_most(goal, "times", gate, ratio).noted(floor));
    }
    for (at, goal) in [(0, 9.0), (2, 6.5)] {
        let size = &sizes[at];
        let gate = format!("faster than {STANDARD}, {}", size.name);
        let ratio = Spread::of_ratio(size.of(STANDARD), size.of(OURS));
        gates.push(Gate::at_least(goal, "times", gate, ratio));
        let gate = format!("faster than {STANDARD}, {}, both by the clock", size.name);
        let ratio = Spread::of_ratio(size.of(STANDARD), size.of(OURS_BY_THE_CLOCK));
        gates.push(Gate::at_least(goal, "times", gate, ratio));
    }
    for (at, goal) in [(1, 2.0), (2, 1.5)] {
        let size = &sizes[at];
        // Those that one would take off the shelf, and then also what one can build out of the best
        // implementations of HMAC: these may be so near to the floor that nothing is so much faster.
        let among = [
            ("faster than the best webhook crate", WEBHOOK_CRATES),
            ("faster than the best of all rivals", RIVALS),
        ];
        for (what, rivals) in among {
            let (rival, times) = size.best(|name| rivals.contains(&name));
            let gate = format!("{what}, {}", size.name);
            let ratio = Spread::of_ratio(times, size.of(OURS));
            let (_, floor) = size.best(is_floor);
            let most = Spread::of_ratio(times, floor).median;
            let note = format!("{rival}; the floor itself would be {most:.2} times faster");
            gates.push(Gate::at_least(goal, "times", gate, ratio).noted(note));
        }
    }
    gates
}

fn is_floor(name: &str) -> bool {
    name.starts_with("floor")
}

// === impl Size ===

impl Size {
    fn measure(bytes: usize, name: &'static str) -> Self {
        let delivery = Delivery::genuine(bytes);
        let entries = contestants(&delivery).into_iter();
        let mut entries: Vec<Entry> = entries.map(|one| Entry::genuine(one, &delivery)).collect();
        let times = measure(&mut entries);
        let names = entries.iter().map(|one| one.contestant.name().to_owned());
        Self {
            name,
            contestants: names.zip(times).collect(),
        }
    }

    fn of(&self, name: &str) -> &[f64] {
        let found = self.contestants.iter().find(|(one, _)| one == name);
        &found.expect("it took part").1
    }

    /// The fastest of those that count.
    fn best(&self, counts: impl Fn(&str) -> bool) -> (&str, &[f64]) {
        let all = self.contestants.iter();
        let best = all
            .filter(|(name, _)| counts(name))
            .min_by(|(_, a), (_, b)| {
                let [a, b] = [a, b].map(|times| Spread::undisturbed(times).median);
                a.total_cmp(&b)
            });
        let (name, times) = best.expect("some took part");
        (name, times)
    }

    fn print(&self) {
        let (_, floor) = self.best(is_floor);
        println!("  {}, in ns, and over the floor:", self.name);
        for (name, times) in &self.contestants {
            let median = Spread::undisturbed(times).median;
            let ratio = Spread::of_ratio(times, floor);
            println!("    {name:<24} {median:>12.1}   {ratio}");
        }
    }

    /// For who puts something else beside these times.
    fn keep(&self) {
        let medians = self.contestants.iter().map(|(name, times)| {
            let median = Spread::undisturbed(times).median;
            json!({ "name": name, "ns": median })
        });
        let text = medians.collect::<serde_json::Value>().to_string();
        let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("times.json");
        fs::write(file, text).expect("the file can be written");
    }
}
