//! What happened during a case: everything a judge may look at, and nothing
//! else. A trace is plain data, so that verdicts are tested on traces written
//! by hand.

#[cfg(test)]
pub(crate) mod by_hand;
mod entry;
mod seen;

use std::collections::BTreeMap;
use std::time::Duration;

pub use self::entry::{Entry, Kind, Reply};
pub use self::seen::{Alert, Leak, Page, Place, Searched, Watched};
use crate::drive::Hook;

/// Of each output of a hook, so many bytes are kept.
pub(crate) const MAX_OUTPUT: usize = 64 * 1024;

/// The record of one case.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Trace {
    /// The external id behind each label.
    pub marks: BTreeMap<&'static str, String>,
    /// The provider's id of the customer behind each label, where one was
    /// seeded for a webhook.
    pub customers: BTreeMap<&'static str, String>,
    /// The hooks that were called, in order.
    pub calls: Vec<HookCall>,
    /// The requests that the provider received, in order.
    pub requests: Vec<Entry>,
    /// The webhooks that were sent, in order of sending.
    pub deliveries: Vec<Sent>,
    /// How many customers exist at the provider.
    pub resources: BTreeMap<&'static str, usize>,
    /// How often an event took effect, as the subject's `effects` hook says.
    pub effects: BTreeMap<&'static str, u64>,
    /// Wall time, since the Unix epoch, before which a label's next attempt
    /// must not come.
    pub not_before: BTreeMap<&'static str, Duration>,
    /// The field and message texts of a planned 422.
    pub error_texts: Vec<(String, String)>,
    /// Instants of the record that steps noted.
    pub moments: BTreeMap<&'static str, Duration>,
    /// The client ids of a rotation: the first and the second.
    pub rotation: Option<(String, String)>,
    /// The alerts that arrived.
    pub alerts: Vec<Alert>,
    /// The pages of metrics that were read.
    pub pages: BTreeMap<&'static str, Page>,
    /// The customers that were seeded for the watch over stuck ones.
    pub watched: Vec<Watched>,
    /// What was searched for secrets.
    pub searched: Vec<Searched>,
    /// By how much timers that should agree differ on this machine: less than
    /// that in nine of ten rounds, taken during the case.
    pub timer_noise: Option<Duration>,
    /// Wall time, since the Unix epoch, of [`Entry::at`] zero.
    pub wall_zero: Duration,
    /// Whether each hook call is a process of its own.
    pub one_process_per_hook: bool,
}

/// One hook call and what came of it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct HookCall {
    /// The hook.
    pub hook: &'static str,
    /// The label that it was called for.
    pub label: &'static str,
    /// What came back.
    pub outcome: Outcome,
    /// How long it took.
    pub took: Duration,
}

/// What a hook call ended with.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// The subject ran it.
    Done {
        /// Whether the subject calls it a success.
        ok: bool,
        /// What a user would see.
        output: String,
    },
    /// The subject does not offer this hook.
    NotOffered,
    /// It did not come back in time.
    TimedOut,
    /// The driver itself failed.
    Broken(String),
}

/// One webhook delivery.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Sent {
    /// The label of its event.
    pub label: &'static str,
    /// Its record.
    pub entry: Entry,
}

// === impl Trace ===

impl Trace {
    /// The creating POSTs of a label's customer, in order.
    #[must_use]
    pub fn attempts(&self, label: &str) -> Vec<&Entry> {
        let Some(mark) = self.marks.get(label) else {
            return Vec::new();
        };
        self.creates()
            .filter(|e| e.external_id().as_deref() == Some(mark))
            .collect()
    }

    /// The creating POSTs of `create-many`, grouped by customer.
    #[must_use]
    pub fn operations(&self, label: &str) -> Vec<Vec<&Entry>> {
        let Some(mark) = self.marks.get(label) else {
            return Vec::new();
        };
        let mut groups: BTreeMap<String, Vec<&Entry>> = BTreeMap::new();
        for entry in self.creates() {
            if let Some(id) = entry.external_id().filter(|id| is_numbered(id, mark)) {
                groups.entry(id).or_default().push(entry);
            }
        }
        groups.into_values().collect()
    }

    /// Every POST that is not a token request.
    pub fn posts(&self) -> impl Iterator<Item = &Entry> {
        self.requests
            .iter()
            .filter(|e| e.method == "POST" && !e.is_token_request())
    }

    /// The requests for an access token.
    pub fn token_requests(&self) -> impl Iterator<Item = &Entry> {
        self.requests.iter().filter(|e| e.is_token_request())
    }

    /// The call-backs about a label's customer.
    #[must_use]
    pub fn call_backs(&self, label: &str) -> Vec<&Entry> {
        let Some(id) = self.customers.get(label) else {
            return Vec::new();
        };
        self.requests
            .iter()
            .filter(|e| e.method == "GET" && e.path.rsplit('/').next() == Some(id.as_str()))
            .collect()
    }

    /// How often a label's event took effect: by the `effects` hook if it is
    /// offered, else by call-backs, of which none proves nothing.
    #[must_use]
    pub fn effects_of(&self, label: &str) -> Option<u64> {
        self.effects
            .get(label)
            .copied()
            .or_else(|| match self.call_backs(label).len() {
                0 => None,
                n => Some(n as u64),
            })
    }

    /// The deliveries of a label.
    #[must_use]
    pub fn sent(&self, label: &str) -> Vec<&Entry> {
        self.deliveries
            .iter()
            .filter(|s| s.label == label)
            .map(|s| &s.entry)
            .collect()
    }

    /// The last call of a hook for a label.
    #[must_use]
    pub fn call(&self, hook: &str, label: &str) -> Option<&Outcome> {
        self.calls
            .iter()
            .rev()
            .find(|c| c.hook == hook && c.label == label)
            .map(|c| &c.outcome)
    }

    /// How long the last call of a hook for a label took, if it came back.
    #[must_use]
    pub fn took(&self, hook: &str, label: &str) -> Option<Duration> {
        let mut calls = self.calls.iter().rev();
        let call = calls.find(|c| c.hook == hook && c.label == label)?;
        call.outcome.ok().map(|_| call.took)
    }

    /// What a label's creates were reported as, whichever hook made them: `ok`
    /// if all were a success, `None` if any did not come back.
    #[must_use]
    pub fn said(&self, label: &str) -> Option<bool> {
        let of_label = |c: &&HookCall| c.label == label && c.outcome != Outcome::NotOffered;
        let mut said = self.calls.iter().filter(of_label).map(|c| c.outcome.ok());
        let first = said.next()??;
        said.try_fold(first, |all, one| Some(all && one?))
    }

    /// When an answer says that the quota is used up, and until when; both on
    /// the clock of the record. An `X-RateLimit-Reset` of 1e9 or more is a Unix
    /// time, else it counts seconds from the answer.
    #[must_use]
    pub fn used_up(&self, entry: &Entry) -> Option<(Duration, Duration)> {
        let told = entry.done_at?;
        if entry.answer_header("x-ratelimit-remaining")?.trim() != "0" {
            return None;
        }
        let reset: u64 = entry
            .answer_header("x-ratelimit-reset")?
            .trim()
            .parse()
            .ok()?;
        let reset = match reset {
            1_000_000_000.. => Duration::from_secs(reset).checked_sub(self.wall_zero)?,
            seconds => told + Duration::from_secs(seconds),
        };
        Some((told, reset))
    }

    /// The call-backs about a label's customer that were answered well.
    #[must_use]
    pub fn good_call_backs(&self, label: &str) -> Vec<&Entry> {
        let calls = self.call_backs(label).into_iter();
        calls.filter(|e| e.succeeded()).collect()
    }

    /// An instant that a step noted.
    #[must_use]
    pub fn moment(&self, name: &str) -> Option<Duration> {
        self.moments.get(name).copied()
    }

    /// Whether the subject was asked for a hook and said that it has none.
    #[must_use]
    pub fn lacks(&self, hook: Hook) -> bool {
        let name = hook.name();
        let mut calls = self.calls.iter().filter(|c| c.hook == name);
        calls.any(|c| c.outcome == Outcome::NotOffered)
    }

    /// Wall time of an instant of the record, since the Unix epoch.
    #[must_use]
    pub fn wall(&self, at: Duration) -> Duration {
        self.wall_zero + at
    }

    /// The n-th delays of these operations in milliseconds, for each n: from an
    /// answer to the next attempt.
    #[must_use]
    pub fn delays_of(operations: &[Vec<&Entry>]) -> Vec<Vec<f64>> {
        let mut delays: Vec<Vec<f64>> = Vec::new();
        for operation in operations {
            for (n, pair) in operation.windows(2).enumerate() {
                let [before, after] = pair else { continue };
                if delays.len() <= n {
                    delays.push(Vec::new());
                }
                if let Some(nth) = delays.get_mut(n) {
                    nth.push(before.gap_to(after).as_secs_f64() * 1_000.0);
                }
            }
        }
        delays
    }

    fn creates(&self) -> impl Iterator<Item = &Entry> {
        self.posts()
            .filter(|e| e.path.trim_end_matches('/').ends_with("/customers"))
    }
}

// === impl Outcome ===

impl Outcome {
    /// Whether the subject called it a success; `None` if it never said.
    #[must_use]
    pub fn ok(&self) -> Option<bool> {
        match self {
            Self::Done { ok, .. } => Some(*ok),
            _ => None,
        }
    }

    /// The outcome in a few words.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::Done { ok: true, .. } => "reported success".to_owned(),
            Self::Done { ok: false, output } => {
                let line = output.lines().next().unwrap_or_default();
                let short: String = line.chars().take(120).collect();
                format!("reported failure ({short:?})")
            }
            Self::NotOffered => "not offered".to_owned(),
            Self::TimedOut => "did not come back in time".to_owned(),
            Self::Broken(reason) => format!("driver failed: {reason}"),
        }
    }
}

fn is_numbered(id: &str, mark: &str) -> bool {
    id.strip_prefix(mark)
        .and_then(|rest| rest.strip_prefix('-'))
        .is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_told_apart_by_their_content() {
        let trace = Trace::default()
            .with_mark("a")
            .with_mark("b")
            .push(Entry::create("m-a", 0, 500, "k1"))
            .push(Entry::create("m-b", 5, 201, "k2"))
            .push(Entry::create("m-a", 9, 201, "k1"));
        assert_eq!(trace.attempts("a").len(), 2);
        assert_eq!(trace.attempts("b").len(), 1);
        assert_eq!(trace.attempts("c").len(), 0);
    }

    #[test]
    fn numbered_operations_are_grouped_and_others_are_left_out() {
        let trace = Trace::default()
            .with_mark("a")
            .push(Entry::create("m-a-0", 0, 500, "k1"))
            .push(Entry::create("m-a-1", 0, 500, "k2"))
            .push(Entry::create("m-a-0", 9, 201, "k1"))
            .push(Entry::create("m-a", 9, 201, "k3"))
            .push(Entry::create("m-a-x", 9, 201, "k4"));
        let sizes: Vec<_> = trace.operations("a").iter().map(Vec::len).collect();
        assert_eq!(sizes, [2, 1]);
    }

    #[test]
    fn no_call_back_proves_no_count() {
        let trace = Trace::default().with_customer("a");
        assert_eq!(trace.effects_of("a"), None);
        let trace = trace
            .push(Entry::call_back("a", 1))
            .push(Entry::call_back("a", 2));
        assert_eq!(trace.effects_of("a"), Some(2));
        assert_eq!(trace.with_effects("a", 1).effects_of("a"), Some(1));
    }

    #[test]
    fn a_gap_runs_from_the_answer_to_the_next_arrival() {
        let first = Entry::create("a", 100, 500, "k");
        let next = Entry::create("a", 351, 201, "k");
        assert_eq!(first.gap_to(&next), Duration::from_millis(250));
    }
}
