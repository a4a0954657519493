//! Waiting for effects and call-backs, and counting them.

use std::time::Duration;

use tokio::time::Instant;

use super::{LOOK, Stage};
use crate::drive::hooks::Hook;
use crate::trace::{Entry, Outcome};

impl Stage<'_> {
    pub(super) async fn await_effect(&mut self, label: &'static str, limit: Duration) {
        let deadline = Instant::now() + limit;
        loop {
            let counted = self.effects_of(label).await;
            let seen = counted.map_or_else(
                || self.call_backs(label).iter().any(Entry::succeeded),
                |n| n > 0,
            );
            if seen || Instant::now() >= deadline {
                return;
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    pub(super) async fn await_call_back(
        &mut self,
        label: &'static str,
        limit: Duration,
        enough: impl Fn(&Entry) -> bool,
    ) {
        let deadline = Instant::now() + limit;
        while Instant::now() < deadline && !self.call_backs(label).iter().any(&enough) {
            tokio::time::sleep(LOOK).await;
        }
    }

    fn call_backs(&self, label: &'static str) -> Vec<Entry> {
        let Some(id) = self.trace.customers.get(label) else {
            return Vec::new();
        };
        let of_customer = |e: &Entry| e.method == "GET" && e.path.ends_with(id.as_str());
        self.requests().into_iter().filter(of_customer).collect()
    }

    pub(super) async fn count_effects(&mut self, label: &'static str) {
        if let Some(n) = self.effects_of(label).await {
            self.trace.effects.insert(label, n);
        }
    }

    /// A count that is not of the mark, such as one of all events, is none.
    async fn effects_of(&mut self, label: &'static str) -> Option<u64> {
        let driver = self.driver?;
        let mark = self.mark(label);
        let n = count(&driver.call(Hook::Effects, &mark, None).await)?;
        if n == 0 {
            return Some(0);
        }
        let by_mark = match self.counts_by_mark {
            Some(known) => known,
            None => {
                let never = self.mark("never");
                let none = count(&driver.call(Hook::Effects, &never, None).await);
                none.is_none_or(|n| n == 0)
            }
        };
        self.counts_by_mark = Some(by_mark);
        by_mark.then_some(n)
    }
}

/// The number that an `effects` hook printed.
fn count(outcome: &Outcome) -> Option<u64> {
    match outcome {
        Outcome::Done { ok: true, output } => output.trim().parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[tokio::test]
    async fn a_count_that_is_not_of_the_mark_is_none() {
        use crate::case::Step;
        use crate::drive::hooks::Driver;
        use crate::drive::provider::{Provider, Settings};

        let provider = Provider::start(Settings::default()).await.unwrap();
        let case = crate::cases::find("WH-DUP-01").unwrap();
        for (line, counted) in [
            ("sh -c 'echo 1'", None),
            (
                "sh -c 'case $GOLIVE_MARK in *-a) echo 1;; *) echo 0; esac'",
                Some(1),
            ),
            (
                "sh -c 'case $GOLIVE_MARK in *-a) echo 1;; *) exit 1; esac'",
                Some(1),
            ),
            ("sh -c 'echo 0'", Some(0)),
        ] {
            let driver = Driver::parse(line, Vec::new(), Duration::from_secs(10)).unwrap();
            let trace = Stage::new(&provider, Some(&driver), None, "t", case)
                .play(&[Step::CountEffects(&["a"])])
                .await;
            assert_eq!(trace.effects.get("a").copied(), counted, "{line}");
        }
    }

    #[test]
    fn effects_are_a_number_or_nothing() {
        let done = |ok, output: &str| Outcome::Done {
            ok,
            output: output.to_owned(),
        };
        assert_eq!(count(&done(true, " 2\n")), Some(2));
        assert_eq!(count(&done(true, "two")), None);
        assert_eq!(count(&done(false, "2")), None);
        assert_eq!(count(&Outcome::NotOffered), None);
    }
}
