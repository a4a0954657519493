//! 500 operations a second, each of which takes a second, so that 500 are under way; then an outage
//! of 30 seconds, and the recovery from it.
//!
//! The operations come one by one whatever becomes of the others, as those of independent users do:
//! callers who wait for each other would hide from the server what a retry adds.

use std::{ops::Range, time::Duration};

use golive_gates::Gate;
use golive_rivals::retries::Contestant;
use golive_sim::{Arrivals, Failing, FarEnd, Fate, Outage, Storm, open, virtually};

use crate::{
    curves::{Band, Chart},
    runs::{self, Runs},
};

const PER_SECOND: f64 = 500.0;
/// From when on as many operations are under way as ever.
const STEADY: Duration = Duration::from_secs(5);
const DOWN: Range<Duration> = Duration::from_secs(20)..Duration::from_secs(50);
const END: Duration = Duration::from_secs(80);

const KINDS: [(Outage, &str); 2] = [
    (Outage::Unavailable, "503 at once, without a hint"),
    (Outage::Refused, "connections refused"),
];

pub(crate) fn gates() -> Vec<Gate> {
    let mut gates = Vec::new();
    for (outage, said) in KINDS {
        println!("  {said}:");
        let all = runs::all(|contestant, seed| run(contestant, outage, seed));
        runs::print(
            &all,
            &[
                ("amplification", |run: &Storm| run.amplification),
                ("whole run", |run| run.amplification_of_all),
                ("first second", |run| run.peak),
                ("worst tenth", |run| run.peak_of_tenth),
                ("failed", |run| run.failed),
            ],
        );
        let ours = all.iter().filter(|one| one.is_ours());
        gates.extend(ours.flat_map(|ours| promised(ours, said)));
        draw(&all, outage, said);
    }
    gates
}

/// During the outage alone: over the whole run it is less.
fn promised(ours: &Runs<Storm>, said: &str) -> [Gate; 2] {
    let name = ours.contestant.name;
    let amplification = format!("{name}: amplification, {said}");
    let whole = ours.middle(|run| run.amplification_of_all);
    let after = format!("{name}: first second after, {said}");
    [
        Gate::at_most(
            1.2,
            "times",
            amplification,
            ours.spread(|run| run.amplification),
        )
        .noted(format!("over the whole run {whole:.3}")),
        Gate::at_most(1.5, "times", after, ours.spread(|run| run.peak)),
    ]
}

fn draw(all: &[Runs<Storm>], outage: Outage, said: &str) {
    let chart = Chart {
        file: &format!("outage-{}", format!("{outage:?}").to_lowercase()),
        title: &format!("{PER_SECOND} operations a second and an outage of 30 s: {said}"),
        bucket: Duration::from_millis(500),
        end: END,
        top: None,
        down: Some(DOWN),
        bands: &[
            Band::of("answered", &[Fate::Served]),
            Band::of("in vain", &[Fate::Down]),
        ],
    };
    runs::draw(all, &chart, |run| {
        format!(
            "{:.2} requests for each operation during the outage, {:.2} times the rate after it",
            run.amplification, run.peak
        )
    });
}

fn run(contestant: &Contestant, outage: Outage, seed: u64) -> (Storm, Arrivals) {
    virtually(async {
        let far_end = FarEnd::Failing(Failing::new(outage, DOWN, seed).into());
        let call = contestant.connect(&far_end, seed);
        let operations = open(PER_SECOND, END, seed, call).await.list();
        let arrivals = far_end.arrivals();
        (Storm::of(&arrivals, &operations, DOWN, STEADY), arrivals)
    })
}
