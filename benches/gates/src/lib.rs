//! Figures that are promised: measured in turns, each with its goal, as one list.
//!
//! A package of its own, and a small one: the benchmarks of the workspace share it with those of
//! `benches/rivals`, which lie outside.

#![forbid(unsafe_code)]

mod gate;
mod program;
mod turns;

pub use self::gate::Gate;
pub use self::program::{Part, run};
pub use self::turns::{Spread, in_turns, many_in_turns, nanoseconds};
