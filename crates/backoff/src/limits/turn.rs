//! The wait for a turn, and the turn itself. The one place of the limits that looks at the clock.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use http::StatusCode;
use tokio::time::{Instant, timeout_at};

use super::{
    Quota, Scope,
    pacer::{Ask, Flight},
    pause::is_refusal,
    scope::{Free, Gate},
};

/// The permission to send one request now. Say what came of it with [`answered`](Self::answered);
/// dropped without, it ended without an answer.
#[derive(Debug)]
#[must_use = "dropped, the request counts as one that ended without an answer"]
pub struct Turn<'a> {
    scope: &'a Scope,
    sent: Instant,
    /// Counted calls that had ended before; `None` if it is not counted itself.
    ended: Option<u64>,
    probe: Option<u64>,
}

/// The turn would have come later than the caller is willing to wait. Nothing was sent.
///
/// Whoever called must act: come again at [`until`](Self::until), or allow a longer wait. A handler
/// that may not block answers with a 429 or 503 of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "it would have to wait {after:?} for its turn, which is longer than is allowed, so it was not \
     sent: come again then, or allow more time"
)]
#[non_exhaustive]
pub struct WouldWait {
    /// When its turn would come at the soonest, by what is known now.
    pub until: Instant,
    /// How long that was from when it was refused.
    pub after: Duration,
}

/// What the server answered, as far as it says something about its limits.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    status: StatusCode,
    asked: Option<Duration>,
    quotas: &'a [Quota],
}

/// Counts one who waits.
struct Waiting<'a>(&'a AtomicUsize);

// === impl Scope ===

impl Scope {
    /// A turn, if it is there at once and nobody waits: no lock, no allocation, no clock.
    #[inline]
    pub fn try_turn(&self, now: Instant) -> Option<Turn<'_>> {
        let ended = match self.gate.try_pass()? {
            Free::Uncounted => None,
            Free::Counted(ended) => Some(ended),
        };
        Some(Turn {
            scope: self,
            sent: now,
            ended,
            probe: None,
        })
    }

    /// Waits for a turn: for the end of a pause, for the answer to the probe after it, for the pace
    /// of the quota, and for those who came before. `random` is any number, and decides how far
    /// behind the end of a pause the probe is sent.
    ///
    /// A turn that is there at once is given, whatever `latest` is; with `latest == now` it never
    /// waits. No allocation. The future may be dropped at any point, and leaves nothing behind.
    ///
    /// # Errors
    /// [`WouldWait`], at once if the turn cannot come by `latest`, else at `latest`.
    ///
    /// # Panics
    /// Outside a tokio runtime with a timer, if it has to wait.
    pub async fn turn(
        &self,
        now: Instant,
        latest: Instant,
        random: u64,
    ) -> Result<Turn<'_>, WouldWait> {
        match self.try_turn(now) {
            Some(turn) => Ok(turn),
            None => self.wait(now, latest, random).await,
        }
    }

    async fn wait(
        &self,
        now: Instant,
        latest: Instant,
        random: u64,
    ) -> Result<Turn<'_>, WouldWait> {
        let gate = &self.gate;
        let (_waiting, ahead) = Waiting::enter(&gate.waiting);
        if ahead > 0 {
            let soonest = self.estimate(now, ahead);
            if is_too_late(now, latest, soonest) {
                return self.give_up(now, soonest);
            }
        } else {
            match self.ask(now, latest, random) {
                Ask::Go(probe) => return Ok(self.granted(now, probe)),
                Ask::Wait { soonest, until } if is_too_late(now, latest, soonest) => {
                    return self.give_up(now, until);
                }
                Ask::Wait { .. } => {}
            }
        }
        // First come, first served. Whoever leaves hands the permit on.
        let Ok(Ok(_first)) = timeout_at(latest, gate.queue.acquire()).await else {
            let now = Instant::now();
            return self.give_up(now, self.estimate(now, ahead));
        };
        loop {
            let now = Instant::now();
            let until = match self.ask(now, latest, random) {
                Ask::Go(probe) => return Ok(self.granted(now, probe)),
                Ask::Wait { soonest, until } if is_too_late(now, latest, soonest) => {
                    return self.give_up(now, until);
                }
                Ask::Wait { until, .. } => until,
            };
            // Elapsed or woken, it is asked again. A notice that came before is not lost.
            let _woken = timeout_at(until.min(latest), gate.changed.notified()).await;
        }
    }

    fn ask(&self, now: Instant, latest: Instant, random: u64) -> Ask {
        let Gate { waiting, rules, .. } = &self.gate;
        let behind = waiting.load(Ordering::Relaxed).saturating_sub(1);
        self.gate
            .plan(|pacer, in_flight| pacer.ask(rules, now, in_flight, behind, latest, random))
    }

    fn estimate(&self, now: Instant, ahead: usize) -> Instant {
        let rules = &self.gate.rules;
        self.gate
            .plan(|pacer, in_flight| pacer.estimate(rules, now, in_flight, ahead))
    }

    /// Refuses, unless there is no reason to but that the server has not answered yet.
    fn give_up(&self, now: Instant, until: Instant) -> Result<Turn<'_>, WouldWait> {
        if self.gate.plan(|pacer, _| pacer.take_cold()) {
            return Ok(self.granted(now, None));
        }
        Err(WouldWait {
            until,
            after: until.saturating_duration_since(now),
        })
    }

    /// A turn that the plan has counted.
    fn granted(&self, sent: Instant, probe: Option<u64>) -> Turn<'_> {
        Turn {
            scope: self,
            sent,
            ended: Some(self.gate.ended()),
            probe,
        }
    }
}

// === impl Turn ===

impl Turn<'_> {
    /// Takes note of the answer, for everybody in the scope: what the server says of its quota, and
    /// whether it refused (a 429, or a 503 that says when to come again), which pauses all.
    pub fn answered(mut self, now: Instant, answer: &Answer<'_>) {
        let gate = &self.scope.gate;
        let refused = is_refusal(answer.status, answer.asked);
        let ended = self.ended.take();
        let probe = self.probe.take();
        if ended.is_some() {
            gate.end();
        }
        let nothing_new = gate.is_unlimited() && !refused && answer.quotas.is_empty();
        if nothing_new || !gate.learns() {
            return;
        }
        gate.plan(|pacer, _| {
            let together = ended.map_or(0, |ended| pacer.sent().saturating_sub(ended + 1));
            let flight = Flight {
                sent: self.sent,
                uncounted: together,
                probe,
            };
            let Answer {
                status,
                asked,
                quotas,
            } = *answer;
            pacer.answered(&gate.rules, now, &flight, status, asked, quotas);
        });
        wake(gate);
    }

    /// As [`answered`](Self::answered), of an answer that says nothing of limits but its status. The
    /// clock is read only if somebody wants to know.
    pub(crate) fn answered_plainly(self, status: StatusCode) {
        if self.ended.is_some() || self.probe.is_some() || !self.scope.gate.is_unlimited() {
            self.answered(Instant::now(), &Answer::new(status));
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        // Taken, if it was answered.
        if self.ended.take().is_none() {
            return;
        }
        let gate = &self.scope.gate;
        gate.end();
        if let Some(probe) = self.probe.take() {
            gate.plan(|pacer, _| pacer.lost(&gate.rules, self.sent, Some(probe)));
        }
        wake(gate);
    }
}

// === impl Answer ===

impl<'a> Answer<'a> {
    /// An answer that says nothing of limits but its status.
    #[must_use]
    pub fn new(status: StatusCode) -> Self {
        Self {
            status,
            asked: None,
            quotas: &[],
        }
    }

    /// The wait that it asks for.
    #[must_use]
    pub fn asked(mut self, asked: Option<Duration>) -> Self {
        self.asked = asked;
        self
    }

    /// What it says of its quota windows.
    #[must_use]
    pub fn quotas(mut self, quotas: &'a [Quota]) -> Self {
        self.quotas = quotas;
        self
    }
}

// === impl Waiting ===

impl<'a> Waiting<'a> {
    /// Gives how many were there before.
    fn enter(waiting: &'a AtomicUsize) -> (Self, usize) {
        let before = waiting.fetch_add(1, Ordering::Relaxed);
        (Self(waiting), before)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Whether a turn that cannot come before `soonest` is of no use.
fn is_too_late(now: Instant, latest: Instant, soonest: Instant) -> bool {
    latest <= now || latest < soonest
}

/// The first in the queue, if there is one, asks again.
fn wake(gate: &Gate) {
    if gate.waiting.load(Ordering::Relaxed) > 0 {
        gate.changed.notify_one();
    }
}
