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
mod inbox;
mod secrets;
mod telemetry;

fn main() {
    golive_gates::run(&[
        ("secrets", secrets::gates),
        ("inbox", inbox::gates),
        ("telemetry", telemetry::gates),
        ("client", client::gates),
    ]);
}
