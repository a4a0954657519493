//! A case as data: what it rests on, what is done, what is expected, and the
//! pure function that judges it.

use std::time::Duration;

use serde::Serialize;

use crate::boxes::BoxId;
use crate::trace::Trace;
use crate::verdict::Judgement;

/// Whether a box can be ticked without this case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Level {
    /// Needed to tick the box.
    Must,
    /// A recommendation: a violation is a WARN and never unticks a box.
    Should,
}

impl Level {
    /// The word that reports print.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Must => "MUST",
            Self::Should => "SHOULD",
        }
    }
}

/// One case of the catalogue, built or still to come.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Case {
    /// Its id, such as `IDEM-02`.
    pub id: &'static str,
    /// The box that it belongs to.
    pub in_box: BoxId,
    /// MUST or SHOULD.
    pub level: Level,
    /// What is done to the subject.
    pub stimulus: &'static str,
    /// What should be seen.
    pub expected: &'static str,
    /// What counts as positive evidence of a violation.
    pub fails_when: &'static str,
    /// The rule that it rests on, quoted with its source.
    pub clause: &'static str,
    /// What to do about a failure.
    pub hint: &'static str,
    /// How it is run and judged; `None` while it is still to come.
    pub build: Option<Build>,
}

/// The part of a case that makes it run.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Build {
    /// What is done, in order.
    pub steps: &'static [Step],
    /// The pure judge.
    pub judge: fn(&Trace) -> Judgement,
}

/// Which offer of the subject a case cannot do without.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Need {
    /// `--drive` with the hook `create`.
    Driver,
    /// `--webhook`.
    Webhook,
}

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

impl Case {
    /// A case that is still to come; [`Self::ready`] builds it.
    pub(crate) const fn new(id: &'static str, in_box: BoxId, level: Level) -> Self {
        Self {
            id,
            in_box,
            level,
            stimulus: "",
            expected: "",
            fails_when: "",
            clause: "",
            hint: "",
            build: None,
        }
    }

    /// Stimulus, expectation and the condition of failure.
    pub(crate) const fn says(
        mut self,
        stimulus: &'static str,
        expected: &'static str,
        fails_when: &'static str,
    ) -> Self {
        self.stimulus = stimulus;
        self.expected = expected;
        self.fails_when = fails_when;
        self
    }

    /// The rule and its source, and what to do about a failure.
    pub(crate) const fn rests_on(mut self, clause: &'static str, hint: &'static str) -> Self {
        self.clause = clause;
        self.hint = hint;
        self
    }

    /// Makes the case run.
    pub(crate) const fn ready(
        mut self,
        steps: &'static [Step],
        judge: fn(&Trace) -> Judgement,
    ) -> Self {
        self.build = Some(Build { steps, judge });
        self
    }

    /// What the subject must offer for this case, read off its steps.
    #[must_use]
    pub fn needs(&self) -> Vec<Need> {
        let mut needs = Vec::new();
        for step in self.build.iter().flat_map(|b| b.steps) {
            let need = match step {
                Step::Create(_) | Step::CreateMany(..) | Step::CreateTogether(_) => Need::Driver,
                Step::Deliver(..) | Step::DeliverCopies(..) | Step::DeliverMany(..) => {
                    Need::Webhook
                }
                _ => continue,
            };
            if !needs.contains(&need) {
                needs.push(need);
            }
        }
        needs
    }

    /// The group of the case: the part of its id before the number.
    #[must_use]
    pub fn group(&self) -> &'static str {
        self.id.rsplit_once('-').map_or(self.id, |(group, _)| group)
    }
}
