//! Who takes part.

use std::{fmt, hint::black_box};

use golive_webhook_verify::Verifier;

use crate::{Delivery, SECRETS, floor::floors, hmacs, ours, webhooks};

/// Something that tells genuine deliveries from others, or, to compare with, a part of that work.
pub struct Contestant {
    name: String,
    run: Box<Run>,
}

/// Verifies so many times, and says how often the answer was yes.
type Run = dyn FnMut(&Delivery, u32) -> u32;

/// The floor of this delivery, ours, and the rivals.
#[must_use]
pub fn contestants(delivery: &Delivery) -> Vec<Contestant> {
    let mut all = floors(delivery);
    all.push(Contestant::ours("ours", ours::verifier(&SECRETS[..1])));
    let verifier = ours::verifier(&SECRETS[..1]);
    all.push(Contestant::new(
        "ours, reading the clock",
        move |delivery| ours::verify_by_the_clock(&verifier, delivery),
    ));
    all.extend(rivals());
    all
}

/// Everything that one would use instead, with the key prepared as far as it can be.
#[must_use]
pub fn rivals() -> Vec<Contestant> {
    let [first, second, third] = webhooks::all();
    let [ring, aws_lc, plain] = hmacs::all();
    vec![first, second, third, ring, aws_lc, plain]
}

// === impl Contestant ===

impl Contestant {
    /// One that verifies.
    pub fn new(name: impl Into<String>, verify: impl Fn(&Delivery) -> bool + 'static) -> Self {
        // The loop lies in here, so that a call through a pointer is paid once and not each time.
        Self::looping(name, move |delivery, times| {
            (0..times).fold(0, |accepted, _| {
                accepted + u32::from(verify(black_box(delivery)))
            })
        })
    }

    /// One that does its work `times` times by itself, and says how often it accepted.
    pub(crate) fn looping(
        name: impl Into<String>,
        run: impl FnMut(&Delivery, u32) -> u32 + 'static,
    ) -> Self {
        Self {
            name: name.into(),
            run: Box::new(run),
        }
    }

    /// One of ours.
    pub fn ours(name: impl Into<String>, verifier: Verifier) -> Self {
        Self::new(name, move |delivery| ours::verify(&verifier, delivery))
    }

    /// Its name in tables.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Verifies so many times, and says how often the answer was yes.
    pub fn run(&mut self, delivery: &Delivery, times: u32) -> u32 {
        (self.run)(delivery, times)
    }
}

impl fmt::Debug for Contestant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Contestant").field(&self.name).finish()
    }
}
