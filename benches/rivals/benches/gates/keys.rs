//! What a ring of keys costs over one.

use golive_gates::{Gate, Spread};
use golive_rivals::{Contestant, Delivery, SECRETS, now, ours};

use crate::rounds::{Entry, measure};

pub(crate) fn gates() -> Vec<Gate> {
    vec![
        gate(2, 64, "two keys, the second matches, over one, 64 B", 1.12),
        gate(
            2,
            1024,
            "two keys, the second matches, over one, 1 KiB",
            1.03,
        ),
        gate(
            4,
            1024,
            "four keys, the last matches, over one, 1 KiB",
            1.25,
        ),
        gate(
            4,
            64 * 1024,
            "four keys, the last matches, over one, 64 KiB",
            1.17,
        ),
    ]
}

fn gate(keys: usize, bytes: usize, name: &str, goal: f64) -> Gate {
    let last = Delivery::signed(bytes, keys - 1, now());
    let ring = Contestant::ours("a ring", ours::verifier(&SECRETS[..keys]));
    let one = Contestant::ours("one key", ours::verifier(&SECRETS[keys - 1..keys]));
    let mut entries = [one, ring].map(|contestant| Entry::genuine(contestant, &last));
    let times = measure(&mut entries);
    Gate::at_most(goal, "times", name, Spread::of_ratio(&times[1], &times[0]))
}
