//! What callgrind counts the instructions of: `count JOB TIMES` does one job so many times, at
//! 1 KiB, in the function `measured`.
//!
//! Without arguments it says which jobs there are and which back end ours has here: valgrind knows
//! no SHA extensions, so that under it everybody computes without them.

#![allow(
    clippy::print_stdout,
    clippy::expect_used,
    reason = "this is a program, and one that fails should say so"
)]

use std::env;

use golive_rivals::{Contestant, Delivery, SECRETS, contestants, ours};
use golive_sha256_lanes::Kernel;
use serde_json::json;

const BYTES: usize = 1024;
/// Where the signature is wrong: in the first, the middle and the last character that says
/// something.
const MISMATCHES: [(&str, usize); 3] = [
    ("mismatch in the first character", 0),
    ("mismatch in the middle", 21),
    ("mismatch in the last character", 42),
];
/// Any: what is rejected does not depend on the clock, and so is the same in every run.
const SOME_DAY: u64 = 1_800_000_000;

fn main() {
    // The flag is what cargo says to every benchmark.
    let mut arguments = env::args().skip(1).filter(|one| one != "--bench");
    let Some(job) = arguments.next() else {
        return list();
    };
    let times = arguments.next().and_then(|times| times.parse().ok());
    let times = times.expect("how many times");
    let mismatch = MISMATCHES.iter().find(|(name, _)| *name == job);
    let (delivery, contestant, expected) = match mismatch {
        Some((name, place)) => {
            let delivery = Delivery::signed(BYTES, 0, SOME_DAY).mismatching_at(*place);
            let ours = Contestant::ours(*name, ours::verifier(&SECRETS[..1]));
            (delivery, Some(ours), 0)
        }
        None => {
            let delivery = Delivery::genuine(BYTES);
            let mut all = contestants(&delivery).into_iter();
            (delivery, all.find(|one| one.name() == job), times)
        }
    };
    let mut contestant = contestant.expect("a job of that name");
    // What is set up once, for all deliveries to come, is no cost of one.
    contestant.run(&delivery, 1);
    let accepted = measured(&mut contestant, &delivery, times);
    assert_eq!(accepted, expected, "{job}");
}

/// Counted is what happens in here.
#[inline(never)]
fn measured(contestant: &mut Contestant, delivery: &Delivery, times: u32) -> u32 {
    contestant.run(delivery, times)
}

fn list() {
    let all = contestants(&Delivery::genuine(BYTES));
    let names: Vec<&str> = all.iter().map(Contestant::name).collect();
    let jobs = json!({
        "backend": Kernel::detect().name(),
        "contestants": names,
        "mismatches": MISMATCHES.map(|(name, _)| name),
    });
    println!("{jobs}");
}
