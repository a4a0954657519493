//! One quota window, as the server tells of it and as we count on.

use std::time::Duration;

use tokio::time::Instant;

use super::{Quota, Rules, later, pacer::Flight};

/// What we know of one window of the server's.
#[derive(Clone, Debug)]
pub(super) struct Window {
    pub(super) policy: u64,
    /// What a whole window allows: as said, or the most that was ever left.
    pub(super) limit: u64,
    /// The limit that the server told last, if it did.
    told: Option<u64>,
    /// What may still be sent in it; negative if more is under way than it seems to allow.
    pub(super) left: i64,
    /// What the server said last.
    said: u64,
    /// What it said last of the window before.
    before: Option<u64>,
    /// When we began to count in it.
    began: Instant,
    /// When the answer came by which we knew where a window of a server begins that tells of its end
    /// in whole seconds: there was suddenly more left. Then we keep to that, and to its length.
    jumped: Option<Instant>,
    /// Whether the server rounds down: we came when it had said, and it was too early.
    rounds_down: bool,
    /// It ends between these two: the answer was written after the request was sent, and before it
    /// came.
    ends_after: Instant,
    ends_by: Instant,
    /// Whether the end is ours alone: since the last one ended, nothing was said.
    guessed: bool,
    length: Duration,
    /// What we have sent in it; `None` if we came in the midst of it.
    ours: Option<u64>,
    /// Our part of what the last one was used for, others use the same quota; in parts of
    /// [`WHOLE`].
    share: u32,
    /// Ends that have passed since the server last spoke of it.
    silent: u32,
}

/// All of it.
const WHOLE: u32 = 256;

/// What a time may be rounded to that has no part of a second.
const GRAIN: Duration = Duration::from_secs(1);

/// Less than this is never ours: who is once crowded out would never come back.
const LEAST_SHARE: u32 = WHOLE / 8;

// === impl Window ===

impl Window {
    /// A window of which the server tells for the first time; `None` if it does not say enough to
    /// count in it: what is left, and until when.
    pub(super) fn new(quota: &Quota, now: Instant, flight: &Flight) -> Option<Self> {
        let said = quota.remaining?;
        let End {
            after, by, lasts, ..
        } = End::of(quota, now, flight, false)?;
        Some(Self {
            policy: quota.policy,
            limit: quota.limit.unwrap_or(0).max(said),
            told: quota.limit,
            left: signed(said) - signed(flight.uncounted),
            said,
            before: None,
            began: flight.sent,
            jumped: None,
            rounds_down: false,
            ends_after: after,
            ends_by: by,
            guessed: false,
            length: quota.window.unwrap_or(lasts),
            ours: None,
            share: WHOLE,
            silent: 0,
        })
    }

    /// When it has ended for sure.
    pub(super) fn ends_by(&self) -> Instant {
        self.ends_by
    }

    /// Whether nobody has spoken of it for so long that it is no more.
    pub(super) fn is_gone(&self) -> bool {
        self.silent > 2
    }

    /// Counts what was sent.
    pub(super) fn take(&mut self, sent: u64) {
        self.left = self.left.saturating_sub(signed(sent));
        self.ours = self.ours.map(|ours| ours.saturating_add(sent));
    }

    /// Takes note of what a response says of it.
    pub(super) fn learn(&mut self, quota: &Quota, now: Instant, flight: &Flight) {
        let end = End::of(quota, now, flight, self.rounds_down);
        let (Some(said), Some(end)) = (quota.remaining, end) else {
            return;
        };
        let End {
            after,
            by,
            lasts,
            whole,
        } = end;
        // Those that were under way together may be answered in any order.
        let together = |said: u64| said.saturating_add(flight.uncounted);
        let old = whole && self.before.is_some_and(|before| said <= together(before));
        if flight.sent < self.began && (old || by < self.began + self.length / 2) {
            // Written before the window that we are in.
            return;
        }
        self.silent = 0;
        let more = together(self.said).saturating_add(self.limit / 8);
        // In the midst of a window it is only a limit that was raised.
        let jump = whole && !self.guessed && said > more && lasts + 2 * GRAIN >= self.length;
        // With another limit it is another window, whatever its end; of two that take turns in the
        // answers, the one that was told last counts.
        let told = quota.limit.or(self.told);
        let other = self.told.is_some() && told != self.told;
        self.told = told;
        let jump = jump && !other;
        let later = jump || other || (after > self.ends_by && !self.guessed);
        if later && by.saturating_duration_since(self.ends_by) > self.length / 2 {
            self.settle();
            self.ours = Some(1 + flight.uncounted);
        }
        if later {
            self.before = Some(self.said);
        }
        self.said = said;
        self.limit = match quota.limit {
            Some(limit) => limit.max(said),
            None => self.limit.max(said.saturating_add(1)),
        };
        // Whatever was under way beside it may not have been counted yet.
        let least = signed(said) - signed(flight.uncounted);
        if jump {
            self.jump(quota.window, now, &end);
            self.left = least;
            return;
        }
        if later {
            // A later window, or one that slides: the server has the word.
            self.began = now;
            self.left = least;
            self.length = quota.window.unwrap_or_else(|| self.length.max(lasts));
            self.jumped = None;
            (self.ends_after, self.ends_by) = (after, by);
            return;
        }
        self.left = self.left.max(least).min(signed(said));
        self.rounds_down |= self.guessed && old;
        // Its end is known better than the server says it, unless we came too early.
        let known = self.guessed && self.jumped.is_some() && whole && !old;
        if !known && (self.guessed || by < self.ends_after) {
            self.length = quota
                .window
                .unwrap_or_else(|| lasts.max(self.length / 8 * 7));
            self.jumped = None;
            (self.ends_after, self.ends_by) = (after, by);
        } else if self.jumped.is_none() {
            self.ends_after = self.ends_after.max(after);
            self.ends_by = self.ends_by.min(by);
        }
        self.guessed = false;
    }

    /// Takes note that a new one has begun, by `now` at the latest.
    fn jump(&mut self, window: Option<Duration>, now: Instant, end: &End) {
        let began = now.min(self.ends_by);
        let known = match self.jumped.replace(began) {
            None => self.length.max(end.lasts),
            // Nobody may have seen the one in between, and what is told is rounded.
            Some(before) => {
                let apart = began.saturating_duration_since(before) + GRAIN / 2;
                let least = end.lasts.saturating_sub(2 * GRAIN).max(GRAIN);
                self.length
                    .min(Duration::from_secs(apart.as_secs()).max(least))
            }
        };
        self.length = window.unwrap_or(known);
        let next = began + self.length;
        self.began = now;
        self.ends_after = end.after;
        self.ends_by = if next > now { next } else { end.by };
    }

    /// Begins the next one if this has ended. Gives whether it ended with nothing left.
    pub(super) fn roll(&mut self, now: Instant, in_flight: u64) -> bool {
        if now < self.ends_by {
            return false;
        }
        let exhausted = self.left <= 0;
        self.settle();
        self.ours = Some(in_flight);
        // One at least goes, or nobody would ever hear of the next window.
        let fresh = signed(self.limit) - signed(in_flight);
        self.left = fresh.max(1);
        self.before = Some(self.said);
        self.said = self.limit;
        self.began = now;
        let next = self.ends_by + self.length;
        self.ends_by = if next > now { next } else { now + self.length };
        self.ends_after = self.ends_by;
        self.guessed = true;
        self.silent += 1;
        exhausted
    }

    /// Until when nothing can be sent, if nothing is left.
    pub(super) fn closed_until(&self) -> Option<Instant> {
        (self.left <= 0).then_some(self.ends_by)
    }

    /// Whether it was the server that said that nothing is left, so that no answer to what is under
    /// way can change that.
    pub(super) fn is_surely_closed(&self) -> bool {
        self.left <= 0 && self.said == 0
    }

    /// How many may go before it slows down.
    pub(super) fn free(&self, rules: &Rules) -> i64 {
        self.left.saturating_sub(self.reserved(rules)).max(0)
    }

    /// Measures our part of what it was used for.
    fn settle(&mut self) {
        let Some(ours) = self.ours else { return };
        let used = self.limit.saturating_sub(self.said);
        let share = ours.saturating_mul(u64::from(WHOLE)).checked_div(used);
        let share = share.and_then(|share| u32::try_from(share).ok());
        self.share = share.unwrap_or(WHOLE).clamp(LEAST_SHARE, WHOLE);
    }

    /// The time between two sends, so that what is left lasts until the end.
    pub(super) fn spacing(&self, rules: &Rules, now: Instant, round_trip: Duration) -> Duration {
        if self.left <= 0 || self.left > self.reserved(rules) {
            return Duration::ZERO;
        }
        // The last one is to arrive before the end.
        let whole = self.ends_by.saturating_duration_since(self.began);
        let early = round_trip.min(whole / 8);
        let time = self.ends_by.saturating_duration_since(now);
        let left = u32::try_from(self.left).unwrap_or(u32::MAX);
        time.saturating_sub(early) / left
    }

    /// When the one after `ahead` others can be sent at the soonest.
    pub(super) fn turn_of(&self, now: Instant, spacing: Duration, ahead: u32) -> Instant {
        if self.left <= 0 && !self.is_surely_closed() {
            return now;
        }
        let left = u64::try_from(self.left).unwrap_or(0);
        match u64::from(ahead).checked_sub(left) {
            // It may end early, but not by what we know.
            None => later(now, spacing.saturating_mul(ahead)).min(self.ends_by),
            Some(over) => {
                let windows = u32::try_from(over / self.limit.max(1)).unwrap_or(u32::MAX);
                later(self.ends_by, self.length.saturating_mul(windows))
            }
        }
    }

    /// What is kept for the slow part, or for others.
    fn reserved(&self, rules: &Rules) -> i64 {
        let percent = u128::from(rules.slow_below.min(100));
        let at_once = u128::from(self.limit) * (100 - percent) * u128::from(self.share);
        let at_once = at_once / (100 * u128::from(WHOLE));
        signed(self.limit) - signed(u64::try_from(at_once).unwrap_or(u64::MAX))
    }
}

/// When a window ends, as a response says.
struct End {
    after: Instant,
    by: Instant,
    /// How long that is.
    lasts: Duration,
    /// Whether it is told in whole seconds.
    whole: bool,
}

impl End {
    fn of(quota: &Quota, now: Instant, flight: &Flight, rounds_down: bool) -> Option<Self> {
        let said = quota.reset.or(quota.window)?;
        let whole = said.subsec_nanos() == 0;
        let (soonest, lasts) = match whole {
            // Rounded up, and once more if it was counted from a `Date`.
            true => (said.saturating_sub(2 * GRAIN), said.max(GRAIN)),
            false => (said, said),
        };
        let down = if whole && rounds_down {
            GRAIN
        } else {
            Duration::ZERO
        };
        let lasts = lasts.saturating_add(down);
        Some(Self {
            after: later(flight.sent, soonest),
            by: later(now, lasts),
            lasts,
            whole,
        })
    }
}

/// A server that allows more than this allows everything.
fn signed(count: u64) -> i64 {
    const MOST: u64 = 1 << 40;
    count.min(MOST) as i64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::tests::quota;

    const SECOND: Duration = Duration::from_secs(1);

    fn flight(sent: Instant) -> Flight {
        Flight {
            sent,
            uncounted: 0,
            probe: None,
        }
    }

    fn window(now: Instant, left: u64) -> Window {
        Window::new(&quota(1, 10, left, SECOND), now, &flight(now)).unwrap()
    }

    #[test]
    fn what_is_under_way_when_a_window_begins_counts_in_it() {
        let now = Instant::now();
        let mut window = window(now, 5);
        assert!(!window.roll(now + SECOND / 2, 3));
        assert!(!window.roll(now + SECOND, 3), "it was not used up");
        assert_eq!(window.left, 7);
        // More than it allows still leaves one, or nobody would ever ask.
        assert!(!window.roll(now + 2 * SECOND, 99));
        assert_eq!(window.left, 1);
    }

    #[test]
    fn an_answer_of_the_window_before_says_nothing_of_this_one() {
        let now = Instant::now();
        let mut window = window(now, 5);
        window.roll(now + SECOND, 0);
        let (left, ends) = (window.left, window.ends_by());
        let sent = now + SECOND - Duration::from_millis(20);
        let received = now + SECOND + Duration::from_millis(20);
        let late = quota(1, 10, 1, Duration::from_millis(5));
        window.learn(&late, received, &flight(sent));
        assert_eq!((window.left, window.ends_by()), (left, ends));
        // Sent before, and written in this one.
        let new = quota(1, 10, 8, Duration::from_millis(990));
        window.learn(&new, received, &flight(sent));
        assert_eq!(window.left, 8);
    }

    #[test]
    fn what_others_use_is_left_to_them_and_what_was_used_before_we_came_is_not() {
        let rules = crate::limits::tests::rules();
        let now = Instant::now();
        let mut window = window(now, 0);
        window.roll(now + SECOND, 0);
        assert_eq!(window.free(&rules), 5, "nobody knows whose it was");
        window.take(2);
        let at = now + SECOND + SECOND / 2;
        window.learn(&quota(1, 10, 2, SECOND / 2), at, &flight(at));
        window.roll(now + 2 * SECOND, 0);
        assert_eq!(window.free(&rules), 1, "ours were two of eight");
    }

    /// Two routes of a provider may tell of their quotas in the same headers.
    #[test]
    fn with_another_limit_it_is_another_window_with_an_end_of_its_own() {
        let now = Instant::now();
        let told = |limit, left, reset| quota(1, limit, left, reset * SECOND);
        let mut window = Window::new(&told(100, 40, 5), now, &flight(now)).unwrap();
        // Told in whole seconds, the two ends could be one.
        let at = now + SECOND / 2;
        window.learn(&told(10, 0, 6), at, &flight(at));
        assert_eq!((window.left, window.ends_by()), (0, at + 6 * SECOND));
        // The same once more changes nothing.
        let later = at + SECOND / 4;
        window.learn(&told(10, 0, 6), later, &flight(later));
        assert_eq!(window.ends_by(), at + 6 * SECOND);
    }
}
