//! Who may send when: the pause, the probe after it, and the pace. Pure: the time and the random
//! numbers come in as arguments.

use std::time::Duration;

use http::StatusCode;
use tokio::time::Instant;

use super::{
    Quota, Rules, later,
    learned::Learned,
    pause::{Pause, is_refusal},
    window::Window,
};

/// The windows that are counted in at once. A server that names more is paced by the ones that it
/// named last.
const MAX_WINDOWS: usize = 4;

/// So much a send may be late without the next ones being later for it: a timer wakes by the
/// millisecond, and a pace of several in one would otherwise sink to one.
const CATCH_UP: Duration = Duration::from_millis(5);

/// What stands in [`Pacer::free`] while nothing limits anything.
pub(super) const UNLIMITED: i64 = i64::MAX;

/// The plan of one scope.
#[derive(Debug)]
pub(super) struct Pacer {
    /// Whether the server has not answered yet, so that few go at once.
    cold: bool,
    /// Until when the others wait for its first answer.
    cold_until: Option<Instant>,
    pause: Pause,
    probe: Probe,
    /// Until when those who waited are let go one by one.
    spread_until: Option<Instant>,
    /// When the next one may go, as far as the pace has a say.
    due: Option<Instant>,
    /// Whether it is a window that gives the pace after the pause.
    explained: bool,
    learned: Learned,
    windows: [Option<Window>; MAX_WINDOWS],
    round_trip: Duration,
    /// Those that were counted; while something is known, all.
    sent: u64,
    probes: u64,
}

/// The one that goes first, to see whether the rest may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Probe {
    None,
    /// The next one to go is it.
    Wanted,
    /// It was sent; at `by` nobody waits for its answer any longer.
    UnderWay {
        id: u64,
        by: Instant,
    },
}

/// What is known of the request that is answered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flight {
    /// When it was sent.
    pub(super) sent: Instant,
    /// Others that were under way together with it, so that the server may not have counted them.
    pub(super) uncounted: u64,
    /// Its number, if it was the probe.
    pub(super) probe: Option<u64>,
}

/// Whether one may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    /// Now, as the probe of this number or as one of many.
    Go(Option<u64>),
    /// Ask again at `until`, or when something has changed: before `soonest` nothing can.
    Wait { soonest: Instant, until: Instant },
}

// === impl Pacer ===

impl Pacer {
    pub(super) fn new(rules: &Rules) -> Self {
        Self {
            cold: rules.first_at_once.is_some(),
            cold_until: None,
            pause: Pause::default(),
            probe: Probe::None,
            spread_until: None,
            due: None,
            explained: true,
            learned: Learned::default(),
            windows: [const { None }; MAX_WINDOWS],
            round_trip: Duration::ZERO,
            sent: 0,
            probes: 0,
        }
    }

    /// Asks for the next one to go, with `behind` others who wait.
    pub(super) fn ask(
        &mut self,
        rules: &Rules,
        now: Instant,
        in_flight: u64,
        behind: usize,
        latest: Instant,
        random: u64,
    ) -> Ask {
        self.pause.jitter(now, rules.spread, latest, random);
        if let Some(wait) = self.closed(rules, now, in_flight) {
            return wait;
        }
        if self.probe == Probe::Wanted {
            self.probes += 1;
            let id = self.probes;
            let by = later(now, rules.probe_wait);
            self.probe = Probe::UnderWay { id, by };
            self.due = None;
            self.send(1);
            return Ask::Go(Some(id));
        }
        if let Some(due) = self.due.filter(|due| now < *due) {
            return Ask::Wait {
                soonest: due,
                until: due,
            };
        }
        self.send(1);
        let spacing = self.spacing(rules, now, behind);
        let from = self.due.map_or(now, |due| due.max(earlier(now, CATCH_UP)));
        self.due = (!spacing.is_zero()).then(|| later(from, spacing));
        Ask::Go(None)
    }

    /// When the one after `ahead` others may go, by what is known now and at the soonest.
    pub(super) fn estimate(
        &mut self,
        rules: &Rules,
        now: Instant,
        in_flight: u64,
        ahead: usize,
    ) -> Instant {
        let first = match self.closed(rules, now, in_flight) {
            Some(Ask::Wait { soonest, .. }) => soonest,
            _ => self.due.unwrap_or(now).max(now),
        };
        let count = u32::try_from(ahead).unwrap_or(u32::MAX);
        let unknown = self.unknown_spacing(now, ahead).saturating_mul(count);
        let windows = self.windows().map(|window| {
            let spacing = window.spacing(rules, now, self.round_trip);
            window.turn_of(now, spacing, count)
        });
        let windows = windows.max().unwrap_or(first);
        later(first, unknown).max(windows)
    }

    /// Takes note of an answer.
    pub(super) fn answered(
        &mut self,
        rules: &Rules,
        now: Instant,
        flight: &Flight,
        status: StatusCode,
        asked: Option<Duration>,
        quotas: &[Quota],
    ) {
        self.cold = false;
        let trip = now.saturating_duration_since(flight.sent);
        self.round_trip = if self.round_trip.is_zero() {
            trip
        } else {
            (self.round_trip * 7 + trip) / 8
        };
        let refused = is_refusal(status, asked);
        if rules.pacing {
            for quota in quotas {
                let mut quota = *quota;
                if refused && quota.remaining == Some(0) {
                    //= draft-ietf-httpapi-ratelimit-headers-10 §6: If a response contains both the
                    //= RateLimit and Retry-After fields, the Retry-After field MUST take precedence
                    quota.reset = quota
                        .reset
                        .map(|reset| asked.map_or(reset, |a| a.min(reset)));
                }
                self.learn(&quota, now, flight);
            }
        }
        if refused {
            let new = self.pause.strike(rules, now, flight.sent, asked);
            self.spread_until = None;
            if let Some(until) = self.pause.until(now) {
                self.probe = Probe::Wanted;
                // A window that is used up explains it. If there is none, we find out ourselves;
                // from a 429 alone, for a server that is down says nothing of what it allows.
                let mut windows = self.windows.iter().flatten();
                self.explained = windows.any(|window| window.left <= 0);
                if new && !self.explained && status == StatusCode::TOO_MANY_REQUESTS {
                    self.learned.strike(until);
                }
            }
        } else {
            self.pause.passed(flight.sent);
            self.learned.accept(flight.sent);
            self.probe_ended(rules, now, flight.probe, true);
        }
    }

    /// Takes note that a request ended without an answer.
    pub(super) fn lost(&mut self, rules: &Rules, now: Instant, probe: Option<u64>) {
        self.probe_ended(rules, now, probe, false);
    }

    /// Lets one through that would wait for the first answer, but cannot: nothing is known that
    /// speaks against it.
    pub(super) fn take_cold(&mut self) -> bool {
        if self.cold {
            self.send(1);
        }
        self.cold
    }

    /// How many may go without asking; [`UNLIMITED`] as long as nothing is known.
    pub(super) fn free(&self, rules: &Rules, in_flight: u64) -> i64 {
        if self.cold {
            let first = rules.first_at_once.unwrap_or(u32::MAX);
            return (i64::from(first) - i64::try_from(in_flight).unwrap_or(i64::MAX)).max(0);
        }
        let held = self.probe != Probe::None
            || self.spread_until.is_some()
            || self.due.is_some()
            || self.learned.is_active();
        if held {
            return 0;
        }
        let each = self.windows().map(|window| window.free(rules));
        each.min().unwrap_or(UNLIMITED)
    }

    /// Counts what went without asking, or is about to.
    pub(super) fn send(&mut self, count: u64) {
        self.sent += count;
        for window in self.windows.iter_mut().flatten() {
            window.take(count);
        }
    }

    /// Those that were counted so far.
    pub(super) fn sent(&self) -> u64 {
        self.sent
    }

    /// How long nothing is sent, because somebody was refused.
    pub(super) fn paused_for(&self, now: Instant) -> Duration {
        let until = self.pause.until(now);
        until.map_or(Duration::ZERO, |until| until - now)
    }

    /// The windows that are counted in.
    pub(super) fn windows(&self) -> impl Iterator<Item = &Window> {
        self.windows.iter().flatten()
    }

    /// What keeps everybody from going, if anything does.
    fn closed(&mut self, rules: &Rules, now: Instant, in_flight: u64) -> Option<Ask> {
        if let Some(until) = self.pause.until(now) {
            return Some(Ask::Wait {
                soonest: until,
                until,
            });
        }
        if let Some(until) = self.cold_until(rules, now, in_flight) {
            return Some(Ask::Wait {
                soonest: now,
                until,
            });
        }
        self.roll(now, in_flight);
        if let Probe::UnderWay { id, by } = self.probe {
            if now < by {
                return Some(Ask::Wait {
                    soonest: now,
                    until: by,
                });
            }
            // No answer is no refusal.
            self.probe_ended(rules, now, Some(id), true);
        }
        let until = self.windows().filter_map(Window::closed_until).max()?;
        // Answers to what is under way may still tell of more.
        let surely = |window: &&Window| window.is_surely_closed() || in_flight == 0;
        let surely = self
            .windows()
            .filter(surely)
            .filter_map(Window::closed_until);
        let soonest = surely.max().unwrap_or(now);
        Some(Ask::Wait { soonest, until })
    }

    /// Until when the first answer is waited for, if it is.
    fn cold_until(&mut self, rules: &Rules, now: Instant, in_flight: u64) -> Option<Instant> {
        if !self.cold || self.free(rules, in_flight) > 0 {
            return None;
        }
        let until = *self.cold_until.get_or_insert(later(now, rules.probe_wait));
        self.cold = now < until;
        self.cold.then_some(until)
    }

    /// Begins the windows whose time has come.
    fn roll(&mut self, now: Instant, in_flight: u64) {
        for slot in &mut self.windows {
            let Some(window) = slot else { continue };
            let ended = now >= window.ends_by();
            if window.roll(now, in_flight) && self.probe == Probe::None {
                self.probe = Probe::Wanted;
            }
            if ended {
                self.due = None;
            }
            if window.is_gone() {
                *slot = None;
            }
        }
    }

    fn learn(&mut self, quota: &Quota, now: Instant, flight: &Flight) {
        let mut known = self.windows.iter_mut().flatten();
        if let Some(window) = known.find(|window| window.policy == quota.policy) {
            window.learn(quota, now, flight);
            return;
        }
        let Some(new) = Window::new(quota, now, flight) else {
            return;
        };
        let slot = match self.windows.iter().position(Option::is_none) {
            Some(free) => free,
            // The first one to end is the one least missed.
            None => {
                let end = |i: &usize| self.windows[*i].as_ref().map(Window::ends_by);
                (0..MAX_WINDOWS).min_by_key(end).unwrap_or(0)
            }
        };
        self.windows[slot] = Some(new);
    }

    fn probe_ended(&mut self, rules: &Rules, now: Instant, probe: Option<u64>, passed: bool) {
        let Probe::UnderWay { id, .. } = self.probe else {
            return;
        };
        if probe != Some(id) {
            return;
        }
        if !passed {
            self.probe = Probe::Wanted;
            return;
        }
        self.probe = Probe::None;
        // Where a window gives the pace, it is that.
        if !self.explained {
            let spread = self.pause.length().min(rules.spread);
            self.spread_until = (!spread.is_zero()).then(|| later(now, spread));
            self.explained = true;
        }
    }

    /// The time between this send and the next.
    fn spacing(&mut self, rules: &Rules, now: Instant, behind: usize) -> Duration {
        let windows = self
            .windows()
            .map(|window| window.spacing(rules, now, self.round_trip));
        let windows = windows.max().unwrap_or_default();
        windows.max(self.unknown_spacing(now, behind))
    }

    /// The same, where no window tells: a measured pace is better than a guess.
    fn unknown_spacing(&mut self, now: Instant, behind: usize) -> Duration {
        let learned = self.learned.spacing(now);
        let spread = self.spread(now, behind);
        if learned.is_zero() { spread } else { learned }
    }

    /// So that those who wait are gone when the spread ends.
    fn spread(&mut self, now: Instant, behind: usize) -> Duration {
        match self.spread_until {
            Some(until) if now < until => {
                let others = u32::try_from(behind).unwrap_or(u32::MAX).saturating_add(1);
                (until - now) / others
            }
            _ => {
                self.spread_until = None;
                Duration::ZERO
            }
        }
    }
}

fn earlier(now: Instant, by: Duration) -> Instant {
    now.checked_sub(by).unwrap_or(now)
}
