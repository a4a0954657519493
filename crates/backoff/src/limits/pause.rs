//! The pause that one refusal means for every call to the same scope.

use std::time::Duration;

use http::StatusCode;
use tokio::time::Instant;

use super::{Rules, later};

/// Until when nothing is sent.
#[derive(Clone, Debug, Default)]
pub(super) struct Pause {
    until: Option<Instant>,
    /// How long the last one was when it began, as asked.
    length: Duration,
    /// Whether a random part was added already.
    jittered: bool,
    /// Refusals in a row, each to a call that was sent after the one before.
    strikes: u32,
    struck: Option<Instant>,
}

// === impl Pause ===

impl Pause {
    /// When it ends; `None` if it has.
    pub(super) fn until(&self, now: Instant) -> Option<Instant> {
        self.until.filter(|until| now < *until)
    }

    /// How long it was.
    pub(super) fn length(&self) -> Duration {
        self.length
    }

    /// Adds a random part once, an eighth of it at most, or all clients that were refused together
    /// would come back together. Who would otherwise come too late gets less of it.
    pub(super) fn jitter(&mut self, now: Instant, longest: Duration, latest: Instant, random: u64) {
        if let Some(until) = self.until(now).filter(|_| !self.jittered) {
            self.jittered = true;
            let most = latest.saturating_duration_since(until);
            let part = part(self.length.min(longest) / 8, random);
            self.until = Some(later(until, part.min(most)));
        }
    }

    /// Takes note of a refusal of a call that was sent at `sent`. Gives whether it is a new one:
    /// those that were under way together are one and the same.
    pub(super) fn strike(
        &mut self,
        rules: &Rules,
        now: Instant,
        sent: Instant,
        asked: Option<Duration>,
    ) -> bool {
        let new = self.struck.is_none_or(|struck| sent >= struck);
        if new {
            self.strikes = self.strikes.saturating_add(1);
            self.struck = Some(now);
        }
        let length = match (asked, self.strikes) {
            (None, strikes) => ceiling(rules, strikes),
            (Some(asked), 0 | 1) => asked,
            // A server that says "now" again and again, or rounds down, is not taken at its word.
            (Some(asked), strikes) => asked.max(ceiling(rules, strikes - 1)),
        };
        self.extend(now, length.min(rules.hint_cap));
        new
    }

    /// Takes note that a call that was sent at `sent` was let through.
    pub(super) fn passed(&mut self, sent: Instant) {
        if self.struck.is_some_and(|struck| sent >= struck) {
            self.strikes = 0;
            self.struck = None;
        }
    }

    /// Never shortens.
    fn extend(&mut self, now: Instant, length: Duration) {
        let until = later(now, length);
        if self.until.is_none_or(|old| old < until) {
            self.until = Some(until);
            self.length = length;
            self.jittered = false;
        }
    }
}

/// Whether the server refused to do anything because there was too much: a 429 always, a 503 if it
/// says when to come again.
pub(super) fn is_refusal(status: StatusCode, asked: Option<Duration>) -> bool {
    //= RFC 6585 §4: The 429 status code indicates that the user has sent too many requests in a
    //= given amount of time ("rate limiting").
    status == StatusCode::TOO_MANY_REQUESTS
        //= RFC 9110 §15.6.4: […] the server is currently unable to handle the request […]. The
        //= server MAY send a Retry-After header field (Section 10.2.3) to suggest an appropriate
        //= amount of time for the client to wait before retrying the request.
        || (status == StatusCode::SERVICE_UNAVAILABLE && asked.is_some())
}

/// The part of `whole` that `random` is of `u64::MAX + 1`.
fn part(whole: Duration, random: u64) -> Duration {
    let nanos = u64::try_from(whole.as_nanos()).unwrap_or(u64::MAX);
    // Less than `nanos`, so it fits.
    Duration::from_nanos(((u128::from(nanos) * u128::from(random)) >> 64) as u64)
}

/// What is waited after so many refusals in a row that say nothing of a wait.
fn ceiling(rules: &Rules, strikes: u32) -> Duration {
    let doublings = strikes.saturating_sub(1).min(31);
    let grown = rules.pause_base.saturating_mul(1 << doublings);
    grown.min(rules.pause_cap)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::limits::tests::rules;

    const SECOND: Duration = Duration::from_secs(1);

    fn strike(pause: &mut Pause, now: Instant, asked: Option<Duration>) -> Duration {
        pause.strike(&rules(), now, now, asked);
        pause.until(now).map_or(Duration::ZERO, |until| until - now)
    }

    #[test]
    fn without_a_hint_it_doubles_up_to_its_cap() {
        let (mut pause, mut now) = (Pause::default(), Instant::now());
        let mut lengths = Vec::new();
        for _ in 0..8 {
            lengths.push(strike(&mut pause, now, None).as_millis());
            now += 20 * SECOND;
        }
        assert_eq!(lengths, [250, 500, 1000, 2000, 4000, 8000, 8000, 8000]);
        pause.passed(now);
        assert_eq!(strike(&mut pause, now, None).as_millis(), 250);
    }

    #[test]
    fn those_that_were_under_way_together_are_one_refusal() {
        let (mut pause, sent) = (Pause::default(), Instant::now());
        for millis in 1..=50 {
            let now = sent + Duration::from_millis(millis);
            let new = pause.strike(&rules(), now, sent, None);
            assert_eq!(new, millis == 1);
        }
        let now = sent + Duration::from_millis(50);
        assert_eq!(pause.until(now), Some(now + Duration::from_millis(250)));
    }

    #[test]
    fn an_answer_to_what_was_sent_before_it_says_nothing() {
        let (mut pause, sent) = (Pause::default(), Instant::now());
        let now = sent + SECOND;
        strike(&mut pause, now, None);
        pause.passed(sent);
        assert_eq!(strike(&mut pause, now, None).as_millis(), 500);
    }

    #[test]
    fn a_hint_is_obeyed_up_to_the_cap() {
        let now = Instant::now();
        let one = |asked| strike(&mut Pause::default(), now, Some(asked));
        assert_eq!(one(SECOND), SECOND);
        assert_eq!(one(Duration::ZERO), Duration::ZERO);
        assert_eq!(one(60 * SECOND), 60 * SECOND);
        assert_eq!(one(61 * SECOND), 60 * SECOND);
        assert_eq!(one(Duration::MAX), 60 * SECOND);
    }

    #[test]
    fn a_server_that_says_now_again_and_again_is_not_taken_at_its_word() {
        let (mut pause, mut now) = (Pause::default(), Instant::now());
        let mut lengths = Vec::new();
        for _ in 0..4 {
            lengths.push(strike(&mut pause, now, Some(Duration::ZERO)).as_millis());
            now += 20 * SECOND;
        }
        assert_eq!(lengths, [0, 250, 500, 1000]);
    }

    #[test]
    fn the_random_part_is_added_once_and_is_an_eighth_at_most() {
        let (mut pause, now) = (Pause::default(), Instant::now());
        strike(&mut pause, now, Some(4 * SECOND));
        for _ in 0..3 {
            pause.jitter(now, SECOND * 5, now + SECOND * 3600, u64::MAX);
        }
        let length = pause.until(now).unwrap() - now;
        assert!(length > 4 * SECOND && length <= 4 * SECOND + SECOND / 2);
    }

    proptest! {
        #[test]
        fn it_is_never_shortened(
            strikes in prop::collection::vec(
                (0u64..5_000, 0u64..5_000, prop::option::of(0u64..100_000), any::<u64>()),
                1..50,
            ),
        ) {
            let (mut pause, mut now) = (Pause::default(), Instant::now());
            let mut latest = now;
            for (later, age, asked, random) in strikes {
                now += Duration::from_millis(later);
                let sent = now.checked_sub(Duration::from_millis(age)).unwrap_or(now);
                let asked = asked.map(Duration::from_millis);
                pause.strike(&rules(), now, sent, asked);
                pause.jitter(now, rules().spread, now + SECOND * 3600, random);
                let until = pause.until(now).unwrap_or(now);
                prop_assert!(until >= latest || latest <= now);
                let asked = asked.unwrap_or_default().min(rules().hint_cap);
                prop_assert!(until >= now + asked);
                prop_assert!(until <= now + rules().hint_cap + rules().spread / 8);
                latest = until;
            }
        }
    }
}
