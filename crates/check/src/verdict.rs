//! What a case ended with, and what a judge says.

use serde::Serialize;

use crate::trace::Entry;

/// How a case ended.
///
/// The order is the order of precedence when a case has several parts: the
/// gravest part decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[non_exhaustive]
pub enum Verdict {
    /// The expectation was seen to be met.
    Pass,
    /// A SHOULD was not met, or a MUST was met in an unusual way.
    Warn,
    /// The case does not concern this subject.
    NotApplicable,
    /// A hook or a URL that the case needs was not offered.
    Skip,
    /// Nothing speaks against the subject, but the proof is not complete.
    Inconclusive,
    /// The case could not be run: the subject or a control failed.
    Error,
    /// Positive evidence of a violation.
    Fail,
}

impl Verdict {
    /// The word that reports print.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Pass => "PASS",
            Self::Warn => "WARN",
            Self::NotApplicable => "N/A",
            Self::Skip => "SKIP",
            Self::Inconclusive => "INCONCLUSIVE",
            Self::Error => "ERROR",
            Self::Fail => "FAIL",
        }
    }
}

/// The answer of a judge: a verdict, what was seen, why, and the records that
/// decided it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Judgement {
    /// How the case ended.
    pub verdict: Verdict,
    /// What was seen, in one line.
    pub observed: String,
    /// Why this is the verdict; empty for a plain pass.
    pub reason: String,
    /// The records that decided it, in wire order.
    pub evidence: Vec<Entry>,
}

impl Judgement {
    /// The expectation was seen to be met.
    pub fn pass(observed: impl Into<String>) -> Self {
        Self::new(Verdict::Pass, observed, "")
    }

    /// Positive evidence of a violation.
    pub fn fail(observed: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::new(Verdict::Fail, observed, reason)
    }

    /// Met, but in a way that deserves a second look.
    pub fn warn(observed: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::new(Verdict::Warn, observed, reason)
    }

    /// Neither proven nor refuted; `missing` says what would decide it.
    pub fn inconclusive(observed: impl Into<String>, missing: impl Into<String>) -> Self {
        Self::new(Verdict::Inconclusive, observed, missing)
    }

    /// The case could not be run.
    pub fn error(observed: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::new(Verdict::Error, observed, reason)
    }

    /// A hook or a URL is missing.
    pub fn skip(reason: impl Into<String>) -> Self {
        Self::new(Verdict::Skip, "not run", reason)
    }

    /// The same judgement with the records that it rests on.
    #[must_use]
    pub fn because_of<'e>(mut self, entries: impl IntoIterator<Item = &'e Entry>) -> Self {
        self.evidence.extend(entries.into_iter().cloned());
        self.evidence.sort_by_key(|e| e.seq);
        self.evidence.dedup_by_key(|e| e.seq);
        self
    }

    /// Joins the parts of a case: the gravest verdict decides, and only the
    /// parts that share it give reasons and evidence.
    #[must_use]
    pub fn of_parts(parts: &[Self]) -> Self {
        let Some(verdict) = parts.iter().map(|p| p.verdict).max() else {
            return Self::inconclusive("nothing was seen", "the case ran no part");
        };
        let observed = join(parts.iter().map(|p| p.observed.as_str()));
        let deciding: Vec<_> = parts.iter().filter(|p| p.verdict == verdict).collect();
        let reason = join(deciding.iter().map(|p| p.reason.as_str()));
        Self::new(verdict, observed, reason)
            .because_of(deciding.iter().flat_map(|p| p.evidence.iter()))
    }

    fn new(verdict: Verdict, observed: impl Into<String>, reason: impl Into<String>) -> Self {
        Self {
            verdict,
            observed: observed.into(),
            reason: reason.into(),
            evidence: Vec::new(),
        }
    }
}

/// A number with its noun: `1 attempt`, `2 attempts`.
pub(crate) fn counted(n: impl TryInto<u64>, noun: &str) -> String {
    match n.try_into().unwrap_or(u64::MAX) {
        1 => format!("1 {noun}"),
        n => format!("{n} {noun}s"),
    }
}

fn join<'s>(parts: impl Iterator<Item = &'s str>) -> String {
    let mut out: Vec<&str> = Vec::new();
    for part in parts {
        if !part.is_empty() && !out.contains(&part) {
            out.push(part);
        }
    }
    out.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gravest_part_decides_and_gives_the_reason() {
        let all = Judgement::of_parts(&[
            Judgement::pass("a"),
            Judgement::fail("b", "b is wrong"),
            Judgement::inconclusive("c", "c is missing"),
        ]);
        assert_eq!(all.verdict, Verdict::Fail);
        assert_eq!(all.observed, "a; b; c");
        assert_eq!(all.reason, "b is wrong");
    }

    #[test]
    fn an_error_is_never_hidden_behind_a_pass() {
        let all = Judgement::of_parts(&[Judgement::error("x", "gone"), Judgement::pass("y")]);
        assert_eq!(all.verdict, Verdict::Error);
    }

    #[test]
    fn nouns_agree_with_their_numbers() {
        assert_eq!(counted(1_usize, "attempt"), "1 attempt");
        assert_eq!(counted(0_u64, "attempt"), "0 attempts");
    }

    #[test]
    fn no_parts_prove_nothing() {
        assert_eq!(Judgement::of_parts(&[]).verdict, Verdict::Inconclusive);
    }
}
