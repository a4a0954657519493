#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![warn(missing_docs)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a probe that fails is a test that fails"
)]

mod clock;
mod contract;
mod face;
mod leaf;
mod middleware;
mod reqwest_face;
mod tower_face;

pub mod probes;
pub mod services;

pub use clock::ManualClock;
pub use face::{Answered, Ask, AskBody, Face, Failed};
pub use leaf::{Answer, Leaf, ProbeError, Seen};
pub use middleware::{PassOn, Thrice};
pub use reqwest_face::ReqwestFace;
pub use tower_face::TowerFace;
