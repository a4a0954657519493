//! WH: what a receiver does with valid, forged, late, repeated and many
//! deliveries.

pub(super) mod acknowledgement;
pub(super) mod duplicates;
mod durability;
pub(super) mod order;
mod redelivery;
pub(super) mod replay;
pub(super) mod signature;

use crate::trace::{Entry, Trace};
use crate::verdict::{Judgement, counted};

/// The checklist's quote of Standard Webhooks.
const STANDARD: &str = "Standard Webhooks 1.0";

/// The label of the valid delivery that each case of rejections holds.
const CONTROL: &str = "ok";

/// Judges a delivery that must be accepted.
fn accepted(trace: &Trace, label: &str, name: &str) -> Judgement {
    let Some(entry) = only(trace, label) else {
        return not_sent(name);
    };
    let observed = format!("{name}: {}", entry.answer_words());
    match entry.status() {
        Some(s) if (200..300).contains(&s) => Judgement::pass(observed),
        Some(s) if (400..500).contains(&s) && !is_other_4xx(s) => Judgement::fail(
            observed,
            format!("a valid delivery ({name}) was answered {s}"),
        ),
        _ => Judgement::inconclusive(observed, format!("an answer to {name}")),
    }
    .because_of([entry])
}

/// Judges a delivery that must be rejected before anything happens.
///
/// Any 4xx is a rejection; 404, 405 and 429 too, because the callers require
/// that a valid delivery passed in the same case.
fn rejected(trace: &Trace, label: &str, name: &str) -> Judgement {
    let Some(entry) = only(trace, label) else {
        return not_sent(name);
    };
    let effects = trace.effects_of(label);
    let control_counts = trace.effects_of(CONTROL).is_some_and(|n| n > 0);
    let observed = match effects {
        Some(n) => format!("{name}: {}, {}", entry.answer_words(), counted(n, "effect")),
        None => format!("{name}: {}", entry.answer_words()),
    };
    if effects.is_some_and(|n| n > 0) {
        return Judgement::fail(
            observed,
            format!("a delivery to be rejected ({name}) took effect"),
        )
        .because_of([entry])
        .because_of(trace.call_backs(label));
    }
    match entry.status() {
        Some(s) if (400..500).contains(&s) => Judgement::pass(observed),
        // A receiver that answers 2xx to a forgery and drops it is safe, but
        // only a count can show that it was dropped, and only one that counts.
        Some(s) if (200..300).contains(&s) && effects == Some(0) && !control_counts => {
            Judgement::inconclusive(
                observed,
                format!("an effect of the control: {s} to {name}, and a count of 0 proves nothing where the control's is 0, too"),
            )
        }
        Some(s) if (200..300).contains(&s) && effects == Some(0) => Judgement::warn(
            observed,
            format!("a delivery to be rejected ({name}) was answered {s}, though it had no effect"),
        ),
        Some(s) if (200..300).contains(&s) => Judgement::fail(
            observed,
            format!("{s} to a delivery to be rejected ({name}); give an effects hook to prove that it was ignored"),
        ),
        _ => Judgement::inconclusive(observed, format!("a 4xx to a delivery to be rejected ({name})")),
    }
    .because_of([entry])
}

/// A control that must pass before silence or rejection can count.
fn control(trace: &Trace, name: &str) -> Option<Judgement> {
    let Some(entry) = only(trace, CONTROL) else {
        return Some(not_sent(name));
    };
    if entry.succeeded() {
        return None;
    }
    let observed = format!("{name}: {}", entry.answer_words());
    let missing = format!("the control ({name}) to be accepted: what was rejected proves nothing");
    Some(Judgement::inconclusive(observed, missing).because_of([entry]))
}

fn only<'t>(trace: &'t Trace, label: &str) -> Option<&'t Entry> {
    trace.sent(label).into_iter().next()
}

fn not_sent(name: &str) -> Judgement {
    Judgement::inconclusive(format!("{name}: not sent"), format!("a delivery ({name})"))
}

/// Answers that may mean another thing than "this delivery is not valid".
const fn is_other_4xx(status: u16) -> bool {
    matches!(status, 404 | 405 | 408 | 425 | 429)
}
