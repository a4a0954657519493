//! `golive-webhook-verify`, as everything here uses it.

use std::{hint::black_box, time::SystemTime};

use golive_webhook_verify::{Key, Verifier, tower::VerifyLayer};

use crate::Delivery;

/// One with these keys, in their order, that takes the longest list of the benchmarks.
///
/// # Panics
/// If a secret is none.
#[must_use]
pub fn verifier(secrets: &[&str]) -> Verifier {
    let keys = secrets.iter().map(|secret| Key::from_whsec(secret));
    let keys = keys.map(|key| key.expect("a secret"));
    let builder = Verifier::builder().keys(keys);
    let builder = builder.max_signatures(200).max_signature_bytes(16 * 1024);
    builder.build().expect("keys and limits")
}

/// Whether it accepts this delivery at the time that the delivery says.
#[inline]
#[must_use]
pub fn verify(verifier: &Verifier, delivery: &Delivery) -> bool {
    let outcome = verifier.verify(&delivery.headers, &delivery.body, delivery.now);
    black_box(&outcome).is_ok()
}

/// The same at the time of the system's clock.
#[allow(
    clippy::disallowed_methods,
    reason = "what a caller does who has no clock of their own"
)]
#[inline]
#[must_use]
pub fn verify_by_the_clock(verifier: &Verifier, delivery: &Delivery) -> bool {
    let outcome = verifier.verify(&delivery.headers, &delivery.body, SystemTime::now());
    black_box(&outcome).is_ok()
}

/// The face for a server.
#[must_use]
pub fn layer(secrets: &[&str]) -> VerifyLayer {
    VerifyLayer::new(verifier(secrets))
}
