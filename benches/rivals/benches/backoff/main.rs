//! What is promised of `golive-backoff`, beside its rivals, in one run.
//! `cargo xtask bench backoff --json FILE`
//!
//! Two parts are simulations on virtual time, against the very clients that users build. They print
//! a table of all contestants, and draw what reached the server.
//!
//! `backoff [--gates FILE] [PART..]`; the parts are `tower`, `reqwest`, `limits`, `throttled` and
//! `outage`.

#![allow(
    clippy::print_stdout,
    clippy::expect_used,
    reason = "this is a program, and a benchmark that fails should say so"
)]

mod curves;
mod faces;
mod limits;
mod outage;
mod runs;
mod throttled;
mod turns;

fn main() {
    golive_gates::run(&[
        ("tower", faces::tower),
        ("reqwest", faces::reqwest),
        ("limits", limits::gates),
        ("throttled", throttled::gates),
        ("outage", outage::gates),
    ]);
}
