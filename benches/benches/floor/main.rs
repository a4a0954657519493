//! The figures that this project promises, each beside what it is compared with, in one run.
//! `cargo xtask bench floor --json FILE`
//!
//! What is counted is exact. What is measured is measured in turns, so that whatever else the
//! machine does hits both sides alike, and is told with its quartiles.
//!
//! `floor [--gates FILE] [PART..]`; the parts are `secrets`, `inbox`, `telemetry` and `client`.

#![allow(
    clippy::print_stdout,
    clippy::expect_used,
    reason = "this is a program, and a benchmark that fails should say so"
)]

mod client;
mod gate;
mod inbox;
mod secrets;
mod telemetry;

use std::{fs, path::PathBuf};

use gate::Gate;

type Part = (&'static str, fn() -> Vec<Gate>);

const PARTS: &[Part] = &[
    ("secrets", secrets::gates),
    ("inbox", inbox::gates),
    ("telemetry", telemetry::gates),
    ("client", client::gates),
];

fn main() {
    let mut file = None;
    let mut chosen = Vec::new();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match &*argument {
            "--gates" => file = arguments.next().map(PathBuf::from),
            // So says cargo to every benchmark.
            "--bench" => {}
            _ => chosen.push(argument),
        }
    }
    let known = |name: &String| PARTS.iter().any(|(part, _)| part == name);
    assert!(chosen.iter().all(known), "no such part in {chosen:?}");

    let mut gates = Vec::new();
    for (name, part) in PARTS {
        if chosen.is_empty() || chosen.iter().any(|one| one == name) {
            println!("{name}");
            gates.extend(part());
        }
    }
    if let Some(file) = file {
        let text = serde_json::to_string_pretty(&gates).expect("gates are plain");
        fs::write(&file, text + "\n").expect("the file can be written");
    }
}
