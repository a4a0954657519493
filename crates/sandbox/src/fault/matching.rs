//! Which requests a fault is for, and how it is called in the record.

use serde::{Deserialize, Serialize};

use super::spec::{Cut, Fault};

/// First and last; without a last, for ever.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Nth(pub(super) u64, pub(super) Option<u64>);

/// What a fault may look at.
#[derive(Debug)]
pub(crate) struct Seen<'r> {
    pub(crate) method: &'r str,
    pub(crate) route: &'r str,
    pub(crate) query: Option<&'r str>,
    pub(crate) body: &'r [u8],
}

impl Seen<'_> {
    fn contains(&self, text: &str) -> bool {
        self.route.contains(text)
            || self.query.is_some_and(|query| query.contains(text))
            || text.is_empty()
            || self
                .body
                .windows(text.len())
                .any(|window| window == text.as_bytes())
    }
}

// === impl Fault ===

impl Fault {
    /// Whether the request is processed: unless it is cut before, or answered by the fault itself.
    pub(crate) fn processes(&self) -> bool {
        let answers =
            self.status.is_some() || self.body.is_some() || self.problem.is_some() || self.garbage;
        match self.cut_() {
            Some(Cut::Before) => false,
            Some(Cut::After) => true,
            Some(Cut::Half) | None => self.after_processing || !answers,
        }
    }

    /// Whether the fault sets limit headers of its own.
    pub(crate) fn owns_limits(&self) -> bool {
        self.headers
            .iter()
            .any(|(name, _)| name.to_ascii_lowercase().starts_with("x-ratelimit-"))
    }

    pub(super) fn matches(&self, seen: &Seen<'_>) -> bool {
        (self.method == "*" || self.method == seen.method)
            && path_matches(&self.path, seen.route)
            && self
                .containing
                .as_ref()
                .is_none_or(|text| seen.contains(text))
    }

    pub(super) fn words(&self, id: u64) -> String {
        let mut words = vec![format!("fault {id}: {} {}", self.method, self.path)];
        let mut say = |said: Option<String>| words.extend(said);
        say(self
            .containing
            .as_ref()
            .map(|text| format!("containing {text:?}")));
        say(self.expire_token.then(|| "expires the token".to_owned()));
        say(self.latency_ms.map(|ms| format!("latency {ms} ms")));
        say(self
            .slow_processing_ms
            .map(|ms| format!("slow processing {ms} ms")));
        say(self.after_processing.then(|| "after processing".to_owned()));
        say(self.status.map(|status| format!("status {status}")));
        say(self
            .problem
            .as_ref()
            .map(|problem| format!("problem {}", problem.code)));
        say(self
            .body
            .as_ref()
            .map(|body| format!("body of {} bytes", body.len())));
        say(self.garbage.then(|| "garbage".to_owned()));
        say(self.merge.as_ref().map(|_| "changed body".to_owned()));
        say(self.stale_limits.then(|| "stale limits".to_owned()));
        let how = if self.reset { "reset" } else { "cut" };
        say(self.cut_().map(|cut| match cut {
            Cut::Before => format!("connection {how} before processing"),
            Cut::After => format!("connection {how} after processing"),
            Cut::Half => format!("connection {how} halfway through the answer"),
        }));
        words.join(", ")
    }
}

// === impl Nth ===

impl Nth {
    pub(super) fn contains(self, n: u64) -> bool {
        self.0 <= n && self.1.is_none_or(|last| n <= last)
    }
}

impl Default for Nth {
    fn default() -> Self {
        Self(1, Some(1))
    }
}

fn path_matches(pattern: &str, route: &str) -> bool {
    if pattern == "*" {
        return true;
    }
    let (mut pattern, mut route) = (pattern.split('/'), route.split('/'));
    loop {
        match (pattern.next(), route.next()) {
            (None, None) => return true,
            (Some("{}"), Some(segment)) if !segment.is_empty() => {}
            (Some(wanted), Some(segment)) if wanted == segment => {}
            _ => return false,
        }
    }
}
