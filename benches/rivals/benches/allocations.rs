//! Allocations of a verification, counted exactly. In a program of its own, because counting them
//! makes each one slower, and those are the rivals'.

#![allow(clippy::print_stdout, reason = "this is a program")]

use std::hint::black_box;

use allocation_counter::measure;
use golive_gates::{Gate, Spread};
use golive_rivals::{Contestant, Delivery, SECRETS, ours, rivals};

const BYTES: usize = 1024;

fn main() {
    golive_gates::run(&[("allocations", gates)]);
}

fn gates() -> Vec<Gate> {
    let genuine = Delivery::genuine(BYTES);
    for mut rival in rivals() {
        let count = allocations(&mut rival, &genuine, 1);
        println!("  {}: {count}", rival.name());
    }
    let gate = |name: &str, most: u64| {
        let most = u32::try_from(most).unwrap_or(u32::MAX);
        Gate::at_most(0.0, "allocations", name, Spread::exactly(most))
    };
    vec![
        gate("allocations of a verify, accepted", accepted(&genuine)),
        gate("allocations of a verify, rejected", rejected(&genuine)),
    ]
}

/// The most that any kind of genuine delivery costs.
fn accepted(genuine: &Delivery) -> u64 {
    let many = genuine.clone().among_bogus(170);
    let mut ring = Contestant::ours("a ring", ours::verifier(&SECRETS));
    let deliveries = [genuine.clone(), Delivery::genuine(1024 * 1024), many];
    let counts = deliveries.iter().map(|one| allocations(&mut ring, one, 1));
    counts.max().unwrap_or_default()
}

/// The most that any kind of refusal costs.
fn rejected(genuine: &Delivery) -> u64 {
    let mut ours = Contestant::ours("ours", ours::verifier(&SECRETS[..1]));
    let without = |name: &str| {
        let mut delivery = genuine.clone();
        delivery.headers.remove(name);
        delivery
    };
    let now = genuine.now;
    let deliveries = [
        without("webhook-id"),
        without("webhook-timestamp"),
        without("webhook-signature"),
        genuine.clone().with_signature("v1"),
        genuine.clone().with_signature("v2,AAAA"),
        genuine.clone().with_signature("v1,not base64 at all"),
        genuine.clone().mismatching_at(0),
        genuine.clone().received_too_late(),
        Delivery::genuine(1024 * 1024 + 1),
        Delivery::signed(BYTES, 3, now),
    ];
    let counts = deliveries.iter().map(|one| allocations(&mut ours, one, 0));
    counts.max().unwrap_or_default()
}

fn allocations(contestant: &mut Contestant, delivery: &Delivery, accepted: u32) -> u64 {
    // What is set up once, for all deliveries to come, is no cost of one.
    assert_eq!(contestant.run(delivery, 1), accepted, "{contestant:?}");
    let counted = measure(|| {
        black_box(contestant.run(delivery, 1));
    });
    counted.count_total
}
