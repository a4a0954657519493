//! When secrets are due, where the alarm looks.

use golive_secrets_provider::{Version, rotation::RotationPolicy};
use golive_telemetry::SecretDates;

/// Reports when a version of a secret was made, and when it is due by this policy.
///
/// `false` if its source does not know when it was made, or there are too many names: then no alarm
/// will ever be raised for it. Call it at the start, and after each change.
#[must_use = "a secret that was not noted raises no alarm"]
pub fn note_dates(
    dates: &SecretDates,
    name: &str,
    version: &Version,
    policy: &RotationPolicy,
) -> bool {
    let rotated = version.created_at();
    let due = rotated.and_then(|at| policy.due_at(at));
    match (rotated, due) {
        (Some(rotated), Some(due)) => dates.set(name, rotated, due),
        _ => false,
    }
}
