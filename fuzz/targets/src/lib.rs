//! What the fuzzers run: one function a target, which takes any bytes and panics if a promise is
//! broken.
//!
//! The fuzzers of `fuzz/fuzz_targets` call these functions with bytes that they make up, and
//! `tests/corpus.rs` calls them with the bytes that were kept. An input is a [`message`], so that a
//! seed can be written by hand and a finding can be read.

#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a panic is how a fuzz target reports what it found"
)]

mod kinds;
pub mod message;
mod naive;
pub mod problem_body;
pub mod quota_headers;
mod receiver;
pub mod secret_text;
pub mod sha256_lanes;
pub mod signature_header;
pub mod signature_text;
mod stage;
pub mod token_response;
pub mod verify_layer;
pub mod webhook_headers;
pub mod webhook_verifier;

/// What a target does with one input.
pub type Target = fn(&[u8]);

/// Every target, under the name that is also that of its corpus.
pub const TARGETS: &[(&str, Target)] = &[
    ("problem_body", problem_body::one),
    ("quota_headers", quota_headers::one),
    ("secret_text", secret_text::one),
    ("sha256_lanes", sha256_lanes::one),
    ("signature_header", signature_header::one),
    ("signature_text", signature_text::one),
    ("token_response", token_response::one),
    ("verify_layer", verify_layer::one),
    ("webhook_headers", webhook_headers::one),
    ("webhook_verifier", webhook_verifier::one),
];
