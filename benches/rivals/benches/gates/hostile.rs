//! What somebody can make a receiver do who has no key.

use std::{hint::black_box, time::SystemTime};

use golive_gates::{Gate, Spread};
use golive_rivals::{Contestant, Delivery, SECRETS, ours, rivals};

use crate::rounds::{Entry, measure};

const SIGNATURES: usize = 170;

pub(crate) fn gates() -> Vec<Gate> {
    vec![bogus_signatures(), stale_timestamp()]
}

fn bogus_signatures() -> Gate {
    let one = Delivery::genuine(64 * 1024);
    let many = one.clone().among_bogus(SIGNATURES);
    let ours = || Contestant::ours("ours", ours::verifier(&SECRETS[..1]));
    let mut entries = vec![Entry::genuine(ours(), &one), Entry::genuine(ours(), &many)];
    entries.extend(
        rivals()
            .into_iter()
            .map(|rival| Entry::genuine(rival, &many)),
    );
    let times = measure(&mut entries);
    for (entry, times) in entries.iter().zip(&times).skip(1) {
        let name = entry.contestant.name();
        let median = Spread::undisturbed(times).median / 1000.0;
        println!("  {SIGNATURES} signatures over 64 KiB, {name}: {median:.1} µs");
    }
    let gate = "170 bogus signatures over one, 64 KiB";
    Gate::at_most(1.15, "times", gate, Spread::of_ratio(&times[1], &times[0]))
}

fn stale_timestamp() -> Gate {
    let stale = Delivery::genuine(1024 * 1024).received_too_late();
    let ours = Contestant::ours("ours", ours::verifier(&SECRETS[..1]));
    let mut entries = [ours, clock()].map(|contestant| Entry {
        contestant,
        delivery: stale.clone(),
        accepts: false,
    });
    let times = measure(&mut entries);
    let [ours, clock] = [0, 1].map(|at| Spread::undisturbed(&times[at]));
    println!("  a stale timestamp: {ours} ns; SystemTime::now(): {clock} ns");
    let gate = "stale timestamp, 1 MiB, over one SystemTime::now()";
    Gate::at_most(2.0, "times", gate, Spread::of_ratio(&times[0], &times[1]))
}

/// Says no after a look at the clock.
#[allow(
    clippy::disallowed_methods,
    reason = "what it costs is what others are compared with"
)]
fn clock() -> Contestant {
    Contestant::new("SystemTime::now()", |_| {
        black_box(SystemTime::now());
        false
    })
}
