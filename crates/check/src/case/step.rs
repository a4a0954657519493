//! What a case does, as data.

use std::time::Duration;

use super::Need;
use crate::drive::Hook;

/// One thing that the runner does. Labels name the marks of a case: label `a`
/// becomes an external id that no other case and no other run uses.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Step {
    /// Plans a fault for the creating POSTs of the label's customers.
    FailCreate(&'static str, Times, Answer),
    /// Plans an answer delay for call-backs about the label's customer.
    StallCallBacks(&'static str, Duration),
    /// Hook `create`: one customer.
    Create(&'static str),
    /// Hook `create-many`: so many customers at once.
    CreateMany(&'static str, u32),
    /// Hook `read` of the label's customer, if offered.
    Read(&'static str),
    /// Hook `list`, if offered.
    List,
    /// Several creates at the same time, one for each label.
    CreateTogether(&'static [&'static str]),
    /// Expires every token on the provider's side; `expires_in` said 3600.
    ExpireTokens,
    /// Delivers the label's event.
    Deliver(&'static str, Forgery),
    /// Delivers so many copies of the label's event at once.
    DeliverCopies(&'static str, u32),
    /// Delivers so many different events, ten at a time.
    DeliverMany(&'static str, u32),
    /// Waits until the label's event took effect, or for so long.
    AwaitEffect(&'static str, Duration),
    /// Waits until a call-back about the label was answered, or for so long.
    AwaitCallBackAnswered(&'static str, Duration),
    /// Waits, so that a late reaction can be seen.
    Settle(Duration),
    /// Asks how often the events of these labels took effect.
    CountEffects(&'static [&'static str]),
    /// Counts the customers of the label that exist at the provider.
    CountCustomers(&'static str),
    /// Answers call-backs about the label's customer 500, until [`Step::Heal`].
    FailCallBacks(&'static str),
    /// Answers requests for a token 400, until [`Step::Heal`].
    RefuseTokens,
    /// Clears the fault plan, and notes the moment `healed`.
    Heal,
    /// As [`Step::Deliver`], but the case can do without.
    DeliverIfTaken(&'static str, Forgery),
    /// Hook `kill`; notes the moment `killed`.
    Kill(&'static str),
    /// Hook `restart`; then waits until something listens for webhooks. Where
    /// it is missing or fails, the case ends here.
    Restart(&'static str),
    /// Issues a second credential and hands it to the hook `rotate-credential`;
    /// notes the moment `rotated`.
    Rotate(&'static str),
    /// Expires the tokens and creates a customer, again and again, until a
    /// token was fetched with the second credential, or for so long.
    AwaitNewCredential(&'static str, Duration),
    /// Revokes the first credential, if the second is in use; notes the moment
    /// `revoked`.
    RevokeOldCredential,
    /// Reinstates the first credential and hands it back by the hook
    /// `rotate-credential`; notes the moment `handed-back`.
    HandBack(&'static str),
    /// Hook `metrics`: keeps the page under the label.
    ReadMetrics(&'static str),
    /// Reads the metrics again, until an alert or a series tells of errors, or
    /// for so long. What was read before under `before` and `normal` is what
    /// changes without errors.
    AwaitSignal(&'static str, Duration),
    /// Reads the metrics again after more that goes well, until they show that,
    /// or for so long: only then do they show what came before it. Nothing is
    /// waited for if there was a signal.
    AwaitFollowed(&'static str, Duration),
    /// Seeds customers of whom some have been in their state for days.
    SeedStuck(&'static str),
    /// Hook `stuck`; without it, waits so long for an alert.
    AskStuck(&'static str, Duration),
    /// Hook `logs`: notes how the log is, so that one that stands still is known.
    ReadLog(&'static str),
    /// As [`Step::CreateMany`], while timers of the checker's own say by how
    /// much this machine alone makes them differ.
    CreateTimed(&'static str, u32),
    /// Creates, so many at once, and waits for the end of all retries that the
    /// subject makes by itself (notes the moment `ended`); then, or when it had
    /// answered so many requests, or after so long, the fault plan is cleared
    /// (notes the moment `healed`).
    CreateToTheEnd(&'static str, u32, usize, Duration),
    /// Creates again until one succeeds, or for so long.
    AwaitSuccess(&'static str, Duration),
    /// Hook `create`, asked just when the provider begins to refuse connections
    /// for so long (notes the moment `refused`).
    CreateWhileRefused(&'static str, Duration),
    /// Creates so many at once, again and again, until that takes no time, or
    /// for so long: a subject that was refused before may be careful still.
    AwaitQuick(&'static str, u32, Duration),
    /// Another rate limit until the end of the case: so many requests in so
    /// long.
    LimitRate(u32, Duration),
    /// Where an answer to the first label said that nothing remains: creates so
    /// many of the second (notes the moment `asked`), and watches until some
    /// time after the reset.
    CreateWhenUsedUp(&'static str, &'static str, u32),
    /// Looks for secrets and personal numbers in the logs (hook `logs`) and in
    /// all else that came out of the subject since the start.
    Search(&'static str),
}

/// Which of the requests that match are hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Times {
    /// Only the first.
    Once,
    /// The first so many.
    First(u32),
    /// All of them.
    Always,
}

/// What the provider does to a request that is hit.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Answer {
    /// An RFC 9457 problem with this status and code.
    Problem(u16, &'static str),
    /// A bare 429 with no hint.
    TooMany,
    /// 429 with `Retry-After` in seconds.
    RetryAfterSeconds(u32),
    /// 429 with `Retry-After` as an HTTP-date this many seconds ahead, rounded
    /// down to the whole second.
    RetryAfterDate(u32),
    /// 429 with `X-RateLimit-Remaining: 0` and an epoch in
    /// `X-RateLimit-Reset`, this many seconds ahead, rounded down.
    RateLimitReset(u32),
    /// Processes the request and closes the connection without an answer.
    CutAfterProcessing,
    /// 401 `token_expired`, and the token that was sent is expired.
    TokenExpired,
    /// 422 with three errors whose texts are unique to the run.
    ThreeErrors,
    /// A late answer, otherwise as always.
    Late(Duration),
    /// This status with something for a body that no API means.
    Page(u16, Page),
    /// The connection is reset; nothing was processed.
    Reset,
    /// Processes the request, sends half of the answer's body, and closes.
    HalfAnswer,
}

/// What stands in front of a provider that is down says, in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Page {
    /// A page of HTML.
    Html,
    /// Nothing.
    Empty,
    /// The beginning of a JSON document.
    Truncated,
}

/// What is wrong with a delivery, or what is unusual about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Forgery {
    /// Nothing: valid.
    None,
    /// No signature header.
    NoSignature,
    /// Signed with a key that the subject was never given.
    WrongKey,
    /// The body was changed after signing.
    Body,
    /// The id was changed after signing.
    Id,
    /// The timestamp was changed after signing.
    Timestamp,
    /// Correctly signed, with a timestamp this many seconds off.
    Shifted(i64),
    /// Valid: the right signature first, then one of another key.
    GoodThenOther,
    /// Valid: a signature of another key first, then the right one.
    OtherThenGood,
    /// Valid: `v1a` and `v2` tokens around the right signature.
    UnknownVersionsAndGood,
    /// Only `v1a` and `v2` tokens.
    UnknownVersionsOnly,
}

// === impl Step ===

impl Step {
    /// What the subject must offer for this step to be worth it.
    pub(super) fn need(self) -> Option<Need> {
        Some(match self {
            Self::Create(_)
            | Self::CreateMany(..)
            | Self::CreateTogether(_)
            | Self::CreateTimed(..)
            | Self::CreateToTheEnd(..)
            | Self::AwaitSuccess(..)
            | Self::CreateWhileRefused(..) => Need::Driver,
            Self::Deliver(..) | Self::DeliverCopies(..) | Self::DeliverMany(..) => Need::Webhook,
            Self::Kill(_) => Need::Hook(Hook::Kill),
            Self::Restart(_) => Need::Hook(Hook::Restart),
            Self::Rotate(_) => Need::Hook(Hook::RotateCredential),
            Self::ReadMetrics(_) => Need::Hook(Hook::Metrics),
            Self::AskStuck(..) => Need::Hook(Hook::Stuck),
            Self::ReadLog(_) | Self::Search(_) => Need::Hook(Hook::Logs),
            _ => return None,
        })
    }
}
