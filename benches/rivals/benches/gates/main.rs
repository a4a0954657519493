//! What is promised of `golive-webhook-verify`, beside its rivals, in one run.
//! `cargo xtask bench webhook-verify --json FILE`
//!
//! All is measured in short turns, so that whatever else the machine does hits everybody alike; a
//! figure compares what each takes when nobody disturbs it ([`golive_gates::Spread::of_ratio`]).
//!
//! `gates [--gates FILE] [PART..]`; the parts are `sizes`, `keys`, `hostile` and `axum`.

#![allow(
    clippy::print_stdout,
    clippy::expect_used,
    reason = "this is a program, and a benchmark that fails should say so"
)]

mod axum;
mod hostile;
mod keys;
mod rounds;
mod sizes;

fn main() {
    golive_gates::run(&[
        ("sizes", sizes::gates),
        ("keys", keys::gates),
        ("hostile", hostile::gates),
        ("axum", axum::gates),
    ]);
}
