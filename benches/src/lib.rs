//! What the benchmarks and the allocation tests of golive run: the same stacks over the same
//! no-op far ends, side by side with rivals.

#![forbid(unsafe_code)]

pub mod loopback;
pub mod reqwest_face;
pub mod telemetry;
pub mod tower_face;

/// The examples of the README compile: this is the one package that has all of the crates at hand
/// and is not published.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;
