use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use http::StatusCode;

/// What one logical call knows: handed down by reference through a stack, carried in the
/// extensions from one layer to the next, and readable by the caller afterwards.
///
/// A call that nobody has written to costs nothing: it is not put into any extensions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Call {
    attempt: u32,
    deadline: Option<Instant>,
    idempotency_key: bool,
    redirected: bool,
    unsent: bool,
    retried: bool,
    watched: bool,
    disposition: Disposition,
    /// What few calls have, in a box: each call in flight has room for the rest.
    rare: Option<Box<Rare>>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Rare {
    key_expires: Option<Instant>,
    attempts: Vec<Attempt>,
    stopped: Option<&'static str>,
}

/// An attempt that did not succeed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Attempt {
    /// How it ended.
    pub outcome: Outcome,
    /// Whether it was executed, as far as can be told.
    pub disposition: Disposition,
    /// How long the server asked to wait before the next one, whether or not it was granted.
    pub hint: Option<Duration>,
    /// How long was waited before the next one; `None` if there was none.
    pub delay: Option<Duration>,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// The server answered.
    Answered(StatusCode),
    /// There was no answer; a bounded word says why (`connect`, `timeout`, …).
    Failed(&'static str),
}

/// Whether the server executed what it was asked to do: the difference between "mark it as failed"
/// and "reconcile".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Disposition {
    /// Certainly not: it never arrived, or the server refused it before it did anything.
    NotExecuted,
    /// Yes: the server said so.
    Executed,
    /// Nobody can tell, or nobody has judged.
    #[default]
    Unknown,
}

/// Reads a [`Call`] from outside, while it is under way and after it has ended, in success, in
/// failure and after a cancellation.
///
/// Put one into the extensions of the request (tower: `request.extensions_mut().insert(..)`;
/// reqwest-middleware: `.with_extension(..)`). If a middleware had something to say, a response
/// carries one in its extensions even if nobody put one in.
///
/// A handle that is put into a second request follows that one from then on; the second call knows
/// nothing of the first.
#[derive(Clone, Debug, Default)]
pub struct CallHandle(Arc<Mutex<Followed>>);

/// The call that a handle follows.
#[derive(Debug, Default)]
struct Followed {
    /// Which one since the handle was made: what an earlier one still has to say is not heard.
    #[cfg(any(feature = "tower", feature = "reqwest"))]
    epoch: u64,
    call: Call,
}

// === impl Call ===

impl Call {
    /// How often the request was sent before: 0 on the first attempt. This is the
    /// `http.request.resend_count` of OpenTelemetry.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// Counts one more resend, to be called before it is sent.
    pub fn next_attempt(&mut self) {
        self.attempt = self.attempt.saturating_add(1);
        self.unsent = false;
    }

    /// When the caller stops waiting, if there is such a time.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Sets a deadline; an earlier one that is already there stays.
    pub fn limit_to(&mut self, deadline: Instant) {
        self.deadline = Some(self.deadline.map_or(deadline, |d| d.min(deadline)));
    }

    /// Whether the request carries an idempotency key, so that sending it twice has the effect of
    /// sending it once.
    #[must_use]
    pub fn has_idempotency_key(&self) -> bool {
        self.idempotency_key
    }

    /// Notes that the request carries an idempotency key.
    pub fn set_idempotency_key(&mut self) {
        self.idempotency_key = true;
    }

    /// When the server forgets the idempotency key, if that is known: the end of its window,
    /// counted from the first use of the key. Sent after that, the request is a new one to the
    /// server, and executed again.
    #[must_use]
    pub fn key_expires(&self) -> Option<Instant> {
        self.rare.as_ref()?.key_expires
    }

    /// Notes when the server forgets the idempotency key; an earlier time that is already there
    /// stays.
    pub fn expire_key(&mut self, at: Instant) {
        let key_expires = &mut self.rare.get_or_insert_default().key_expires;
        *key_expires = Some(key_expires.map_or(at, |known| known.min(at)));
    }

    /// Whether the response of the last attempt belongs to another request than the one that was
    /// sent: the client below has followed a redirect, and nothing that the response says is about
    /// the request itself. Known in the reqwest face; a tower service that follows redirects hides
    /// it, and so does a redirect to the very same URL.
    #[must_use]
    pub fn was_redirected(&self) -> bool {
        self.redirected
    }

    #[cfg(feature = "reqwest")]
    pub(crate) fn set_redirected(&mut self, redirected: bool) {
        self.redirected = redirected;
    }

    /// Whether a layer refused to send the attempt under way, so that nothing has left: there was no
    /// token for it, say.
    #[must_use]
    pub fn is_unsent(&self) -> bool {
        self.unsent
    }

    /// Notes that the attempt under way was not sent and will not be, for a reason of our own. Whoever
    /// retries takes the error that comes with it for final: the layer that refuses has already
    /// tried what it could.
    pub fn set_unsent(&mut self) {
        self.unsent = true;
    }

    /// Whether a retry further out is at work: one further in then leaves the retrying to it, or the
    /// attempts of the two would multiply.
    #[must_use]
    pub fn is_retried(&self) -> bool {
        self.retried
    }

    /// Notes whether a retry is at work.
    ///
    /// A call that nobody has written anything else to does not carry this from one tower layer to
    /// the next, since that costs an allocation. It does so from the second attempt on.
    pub fn set_retried(&mut self, retried: bool) {
        self.retried = retried;
    }

    /// Whether somebody further out reads the call, so that what is written to it is seen and costs
    /// no more than it is worth.
    #[must_use]
    pub fn is_watched(&self) -> bool {
        self.watched
    }

    #[cfg(any(feature = "tower", feature = "reqwest"))]
    pub(crate) fn set_watched(&mut self, watched: bool) {
        self.watched = watched;
    }

    /// The attempts that did not succeed, oldest first. Bounded by the number of attempts that the
    /// middleware makes.
    #[must_use]
    pub fn attempts(&self) -> &[Attempt] {
        self.rare.as_ref().map_or(&[], |rare| &rare.attempts)
    }

    /// Notes an attempt that did not succeed.
    pub fn record(&mut self, attempt: Attempt) {
        self.rare.get_or_insert_default().attempts.push(attempt);
    }

    /// Why there was no further attempt after the last of [`attempts`](Self::attempts), as one
    /// bounded word; `None` while there may be one, and for a call that succeeded at once.
    #[must_use]
    pub fn stopped(&self) -> Option<&'static str> {
        self.rare.as_ref()?.stopped
    }

    /// Notes why there is no further attempt, one word out of a few, or that there may be one again.
    pub fn set_stopped(&mut self, why: Option<&'static str>) {
        if why.is_some() || self.rare.is_some() {
            self.rare.get_or_insert_default().stopped = why;
        }
    }

    /// Whether the server executed the call, all attempts taken together.
    #[must_use]
    pub fn disposition(&self) -> Disposition {
        self.disposition
    }

    /// Judges the call, all attempts taken together.
    pub fn set_disposition(&mut self, disposition: Disposition) {
        self.disposition = disposition;
    }

    /// Whether anybody has written to it.
    #[cfg(any(feature = "tower", feature = "reqwest"))]
    pub(crate) fn is_touched(&self) -> bool {
        let Self {
            attempt,
            deadline,
            idempotency_key,
            redirected,
            unsent,
            // See `set_retried`.
            retried: _,
            watched: _,
            disposition,
            rare,
        } = self;
        *attempt != 0
            || deadline.is_some()
            || *idempotency_key
            || *redirected
            || *unsent
            || *disposition != Disposition::Unknown
            || rare.is_some()
    }
}

// === impl Attempt ===

impl Attempt {
    /// An attempt with no hint and no other after it, until [`hint`](Self::hint) and
    /// [`delay`](Self::delay) are set.
    #[must_use]
    pub fn new(outcome: Outcome, disposition: Disposition) -> Self {
        Self {
            outcome,
            disposition,
            hint: None,
            delay: None,
        }
    }
}

// === impl CallHandle ===

impl CallHandle {
    /// A handle on a call that has not begun.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The call as it stands now.
    #[must_use]
    pub fn call(&self) -> Call {
        self.lock().call.clone()
    }

    /// Follows another call from now on.
    #[cfg(any(feature = "tower", feature = "reqwest"))]
    pub(crate) fn follow(&self) -> u64 {
        let mut followed = self.lock();
        followed.epoch += 1;
        followed.call = Call::default();
        followed.epoch
    }

    /// Which call it follows.
    #[cfg(any(feature = "tower", feature = "reqwest"))]
    pub(crate) fn epoch(&self) -> u64 {
        self.lock().epoch
    }

    #[cfg(any(feature = "tower", feature = "reqwest"))]
    pub(crate) fn store(&self, epoch: u64, call: &Call) {
        let mut followed = self.lock();
        if followed.epoch == epoch {
            followed.call.clone_from(call);
        }
    }

    /// The call, if it is still that one.
    #[cfg(any(feature = "tower", feature = "reqwest"))]
    pub(crate) fn load(&self, epoch: u64) -> Option<Call> {
        let followed = self.lock();
        (followed.epoch == epoch).then(|| followed.call.clone())
    }

    fn lock(&self) -> MutexGuard<'_, Followed> {
        // A panic elsewhere cannot leave a `Call` half-written in a way that matters.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
