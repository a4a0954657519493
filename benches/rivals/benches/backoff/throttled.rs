//! 200 callers, and a server that allows 50 requests a second.
//!
//! The callers share one client and do one operation after the other, as the workers of a queue do.
//! Varied is what the server says about its limit; once, how it counts, and once, among how many
//! processes the callers are divided. Promised is something for one process and a server that says
//! on every response what is left of its window and when that ends, to the millisecond.

use std::time::Duration;

use golive_gates::{Gate, Spread};
use golive_rivals::retries::Contestant;
use golive_sim::{
    Arrivals, Counting, FarEnd, Fate, Quota, Spelling, Throttled, Throttling, closed, virtually,
};

use crate::{
    curves::{Band, Chart},
    runs::{self, Runs},
};

const CALLERS: usize = 200;
/// What a caller does between two operations takes time too.
const BETWEEN: Duration = Duration::from_millis(10);
const LIMIT: u32 = 50;
const END: Duration = Duration::from_secs(60);

const CASES: [Case; 6] = [
    Case {
        spelling: Spelling::OpenAi,
        counting: Counting::Windows,
        processes: 1,
        name: "ms",
        said: "quota on every response, reset in ms",
    },
    Case {
        spelling: Spelling::XRateLimit,
        counting: Counting::Windows,
        processes: 1,
        name: "seconds",
        said: "X-RateLimit-* on every response, reset in whole seconds",
    },
    Case {
        spelling: Spelling::Ietf,
        counting: Counting::Windows,
        processes: 1,
        name: "ietf",
        said: "RateLimit and RateLimit-Policy on every response, in whole seconds",
    },
    Case {
        spelling: Spelling::RetryAfter,
        counting: Counting::Windows,
        processes: 1,
        name: "retry-after",
        said: "nothing but Retry-After: 1 on a 429",
    },
    Case {
        spelling: Spelling::OpenAi,
        counting: Counting::Windows,
        processes: 4,
        name: "processes",
        said: "as the first, by four processes that do not know of each other",
    },
    Case {
        spelling: Spelling::OpenAi,
        counting: Counting::Bucket,
        processes: 1,
        name: "bucket",
        said: "as the first, counted in a bucket: the reset is when it is full again",
    },
];

/// What is varied.
struct Case {
    /// How the server says what it allows.
    spelling: Spelling,
    counting: Counting,
    /// Among how many clients the callers are divided.
    processes: u64,
    /// For the drawing.
    name: &'static str,
    said: &'static str,
}

pub(crate) fn gates() -> Vec<Gate> {
    let mut gates = Vec::new();
    for (at, case) in CASES.iter().enumerate() {
        println!("  {}:", case.said);
        let all = runs::all(|contestant, seed| run(contestant, case, seed));
        runs::print(
            &all,
            &[
                ("requests", |run: &Throttling| run.requests as f64),
                ("share of 429", |run| run.refused),
                ("throughput", |run| run.throughput),
                ("failed", |run| run.failed),
                ("p99 in s", |run| run.p99.as_secs_f64()),
            ],
        );
        if at == 0 {
            gates = promised(&all);
        }
        draw(&all, case);
    }
    gates
}

// === impl Case ===

impl Case {
    fn quota(&self) -> Quota {
        Quota {
            limit: LIMIT,
            window: Duration::from_secs(1),
            counting: self.counting,
        }
    }
}

fn promised(all: &[Runs<Throttling>]) -> Vec<Gate> {
    let refused = |one: &Runs<Throttling>| one.middle(|run| run.refused);
    let rivals = all.iter().filter(|one| one.is_rival());
    let best = rivals.min_by(|one, other| refused(one).total_cmp(&refused(other)));
    let best = best.expect("there are rivals");
    let ours = all.iter().filter(|one| one.is_ours());
    ours.flat_map(|ours| {
        let name = ours.contestant.name;
        let pairs = ours.figures.iter().zip(&best.figures);
        let ratios = Spread::of(pairs.map(|(ours, best)| ours.refused / best.refused));
        let shares = format!(
            "{:.4} to {:.4}, {}",
            refused(ours),
            refused(best),
            best.contestant.name
        );
        let share = format!("{name}: share of 429, to the best rival's");
        let used = ours.spread(|run| run.throughput);
        [
            Gate::at_most(0.1, "times", share, ratios).noted(shares),
            Gate::at_least(0.95, "of quota", format!("{name}: throughput"), used),
        ]
    })
    .collect()
}

fn draw(all: &[Runs<Throttling>], case: &Case) {
    let said = case.said;
    let chart = Chart {
        file: &format!("throttled-{}", case.name),
        title: &format!(
            "{CALLERS} callers, a server that allows {LIMIT} requests a second; {said}"
        ),
        bucket: Duration::from_secs(1),
        end: END,
        // Rivals reach thousands; what is promised lies at the limit.
        top: Some(8.0 * f64::from(LIMIT)),
        down: None,
        bands: &[
            Band::of("answered 200", &[Fate::Served]),
            Band::of("answered 429", &[Fate::Throttled]),
        ],
    };
    runs::draw(all, &chart, |run| {
        let share = 100.0 * run.refused;
        format!("{share:.1} % of {} requests answered 429", run.requests)
    });
}

fn run(contestant: &Contestant, case: &Case, seed: u64) -> (Throttling, Arrivals) {
    virtually(async {
        let far_end = FarEnd::Throttled(Throttled::new(case.quota(), case.spelling, seed).into());
        // Each draws its own numbers.
        let seeds = (0..case.processes).map(|process| 1000 * process + seed);
        let clients: Vec<_> = seeds
            .map(|seed| contestant.connect(&far_end, seed))
            .collect();
        let operations = closed(CALLERS, BETWEEN, END, &clients).await.list();
        let arrivals = far_end.arrivals();
        (
            Throttling::of(&arrivals, &operations, case.quota(), END),
            arrivals,
        )
    })
}
