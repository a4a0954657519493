use std::time::{Duration, SystemTime};

use golive_core::quota::{Hints, Verdict};
use http::{HeaderMap, Method, StatusCode};

use crate::Class;

/// What is known when an attempt has ended.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Facts<'a> {
    /// The method.
    pub method: &'a Method,
    /// How long the server still remembers the idempotency key of the request; `None` if it has no
    /// key.
    pub key: Option<Duration>,
    /// How the attempt ended.
    pub outcome: Outcome,
    /// How many attempts were made, this one included: 1 after the first.
    pub attempt: u32,
    /// Time since the first attempt began.
    pub elapsed: Duration,
    /// Time until the caller stops waiting, if there is such a time.
    pub remaining: Option<Duration>,
    /// How long until its turn, by what is known: no call is sent to this origin before.
    pub turn: Duration,
    /// The delay before this attempt; zero before the first.
    pub previous: Duration,
    /// Whether the delay comes from somewhere else.
    pub drawn: Drawn,
    /// Whether there is a copy of the request to be sent.
    pub kept: bool,
    /// Whether another retry, further out or further in, works on the same call.
    pub nested: bool,
    /// Whether the retry budget pays for another attempt.
    pub funded: bool,
    /// A random number, uniform over all of `u64`.
    pub random: u64,
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// With a response.
    Answered(Answer),
    /// Without one.
    Failed(Class),
}

/// A response, as far as it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// How long the server asked to wait.
    pub asked: Option<Duration>,
    /// Whether the server said that it would answer the same again: in as many words, or by marking
    /// the answer as a replay of an earlier one.
    pub vetoed: bool,
    /// Whether the server said to send it again, which is heeded only where that is safe.
    pub invited: bool,
    /// Whether its body says that a quota is used up which no wait brings back.
    pub used_up: bool,
    /// Whether its body broke off.
    pub broken: bool,
    /// Whether it answers another request than the one that was sent, because the client followed a
    /// redirect. Its status proves nothing about that one.
    pub redirected: bool,
}

/// A delay from another source than [`Delays`](super::Delays).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Drawn {
    /// There is none: ours are used.
    #[default]
    Ours,
    /// This one. A wait that the server asks for goes before it.
    Delay(Duration),
    /// It says that there is to be no further attempt.
    NoMore,
}

// === impl Facts ===

impl<'a> Facts<'a> {
    /// What is known after a first attempt that took no time, of a request that was kept, without a
    /// deadline, and with a budget. The random number is 0.
    #[must_use]
    pub fn new(method: &'a Method, key: Option<Duration>, outcome: Outcome) -> Self {
        Self {
            method,
            key,
            outcome,
            attempt: 1,
            elapsed: Duration::ZERO,
            remaining: None,
            turn: Duration::ZERO,
            previous: Duration::ZERO,
            drawn: Drawn::Ours,
            kept: true,
            nested: false,
            funded: true,
            random: 0,
        }
    }

    /// Whether sending the request twice has the effect of sending it once.
    pub(super) fn replay_is_safe(&self) -> bool {
        //= RFC 9110 §9.2.2: the PUT, DELETE, and safe request methods are idempotent. […] A client
        //= SHOULD NOT automatically retry a request with a non-idempotent method unless it has some
        //= means to know that the request semantics are actually idempotent, regardless of the
        //= method, or some means to detect that the original request was never applied.
        self.method.is_idempotent() || self.key.is_some()
    }
}

// === impl Outcome ===

impl Outcome {
    /// A response of this status, with nothing else to it.
    #[must_use]
    pub fn status(status: StatusCode) -> Self {
        Self::Answered(Answer::new(status))
    }

    /// Whether there is nothing to retry.
    #[must_use]
    pub fn is_success(&self) -> bool {
        match self {
            Self::Answered(answer) => answer.status.as_u16() < 400 && !answer.broken,
            Self::Failed(_) => false,
        }
    }

    /// Whether another attempt may fare better.
    pub(super) fn is_passing(&self, key: Option<Duration>) -> bool {
        let answer = match self {
            Self::Answered(answer) => answer,
            Self::Failed(class) => return !class.is_lasting(),
        };
        match answer.status {
            //= RFC 9110 §15.5.9: If the client has an outstanding request in transit, it MAY repeat
            //= that request.
            //= RFC 8470 §5.2: User agents that send a request in early data are expected to retry the
            //= request when receiving a 425 (Too Early) response status code.
            //= RFC 9110 §15.6.4: […] a temporary overload or scheduled maintenance, which will
            //= likely be alleviated after some delay.
            StatusCode::REQUEST_TIMEOUT
            | StatusCode::TOO_EARLY
            | StatusCode::TOO_MANY_REQUESTS
            | StatusCode::INTERNAL_SERVER_ERROR
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT => true,
            //= draft-ietf-httpapi-idempotency-key-header, "Error Handling": If the request is
            //= retried, while the original request is still being processed, […] 409
            // With a wait it says so; without one it may be any other conflict.
            StatusCode::CONFLICT => key.is_some() && answer.asked.is_some(),
            _ => answer.broken,
        }
    }

    /// Whether the server works: it gave an answer of substance, be it a refusal.
    pub(crate) fn is_answered(&self) -> bool {
        match self {
            Self::Answered(answer) => answer.status.as_u16() < 500 && !self.is_passing(None),
            Self::Failed(_) => false,
        }
    }

    /// Whether the server had no capacity for it.
    pub(crate) fn is_refusal(&self) -> bool {
        matches!(
            self,
            Self::Answered(Answer {
                status: StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE,
                ..
            })
        )
    }

    /// Whether the server said to send it again.
    pub(super) fn is_invited(&self) -> bool {
        matches!(self, Self::Answered(answer) if answer.invited)
    }

    /// Whether the request was provably not executed, though it failed in a passing way.
    pub(super) fn is_unexecuted(&self) -> bool {
        match self {
            Self::Answered(answer) if answer.redirected => false,
            //= RFC 8470 §5.2: […] the server is unwilling to risk processing a request that might
            //= be replayed.
            //= RFC 6585 §4: […] the user has sent too many requests in a given amount of time
            Self::Answered(answer) => matches!(
                answer.status,
                StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS
            ),
            Self::Failed(class) => class.is_unexecuted(),
        }
    }
}

// === impl Answer ===

impl Answer {
    /// A response of this status, with nothing else to it.
    #[must_use]
    pub fn new(status: StatusCode) -> Self {
        Self {
            status,
            asked: None,
            vetoed: false,
            invited: false,
            used_up: false,
            broken: false,
            redirected: false,
        }
    }

    /// What the headers of a response of this status say, if it is a failure. `now` is the time by
    /// which a date is measured if the response has no `Date`.
    #[must_use]
    pub fn read(hints: &Hints, status: StatusCode, headers: &HeaderMap, now: SystemTime) -> Self {
        let mut answer = Self::new(status);
        if status.as_u16() >= 400 {
            let verdict = hints.verdict(headers);
            answer.asked = hints.asked(status, headers, now).map(|asked| asked.wait);
            answer.vetoed = verdict == Some(Verdict::Never) || is_replayed(headers);
            answer.invited = verdict == Some(Verdict::Again);
        }
        answer
    }
}

/// Whether the server answered from its memory of keys. It will give the same answer again.
fn is_replayed(headers: &HeaderMap) -> bool {
    let replayed = headers.get("idempotent-replayed");
    replayed.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"true"))
}
