//! Creates while the provider is down, or cannot be reached.

use std::pin::pin;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

use super::{LOOK, Stage};
use crate::drive::hooks::Hook;
use crate::trace::{Entry, HookCall, Outcome};

/// A subject that reported a failure may go on all the same: it is watched for
/// as long as its longest delay was, and at least for this long.
const QUIET: Duration = Duration::from_millis(500);
/// Between two tries of [`Stage::await_success`].
const AGAIN: Duration = Duration::from_millis(500);
/// When connections are taken again, a late attempt may come.
const LATE: Duration = Duration::from_millis(100);

impl Stage<'_> {
    pub(super) async fn create_to_the_end(
        &mut self,
        label: &'static str,
        n: u32,
        most: usize,
        limit: Duration,
    ) {
        let mark = self.mark(label);
        let began = self.provider.elapsed();
        let mut ended = None;
        let healed;
        let calls = {
            let mut asked = pin!(self.asked_one_or_many(label, &mark, n));
            let mut calls: Option<Vec<HookCall>> = None;
            loop {
                tokio::select! {
                    came_back = &mut asked, if calls.is_none() => {
                        ended = Some(self.provider.elapsed());
                        calls = Some(came_back);
                    }
                    () = sleep(LOOK) => {}
                }
                let now = self.provider.elapsed();
                let seen = self.creates_of(&mark);
                let over = match (&calls, ended) {
                    (Some(calls), Some(ended)) => over(calls, ended, &seen, now),
                    _ => false,
                };
                if over || seen.len() > most || now.saturating_sub(began) >= limit {
                    break;
                }
            }
            self.provider.sandbox().faults().clear();
            healed = self.provider.elapsed();
            match calls {
                Some(calls) => calls,
                // It finds the provider well again, or runs into its own limit.
                None => asked.await,
            }
        };
        self.trace.calls.extend(calls);
        self.trace.moments.extend(ended.map(|at| ("ended", at)));
        self.trace.moments.insert("healed", healed);
    }

    pub(super) async fn await_success(&mut self, label: &'static str, limit: Duration) {
        let mark = self.mark(label);
        let deadline = Instant::now() + limit;
        loop {
            match self.call(Hook::Create, label, &mark, None).await {
                Outcome::Done { ok: false, .. } if Instant::now() < deadline => sleep(AGAIN).await,
                _ => return,
            }
        }
    }

    pub(super) async fn create_while_refused(&mut self, label: &'static str, time: Duration) {
        let mark = self.mark(label);
        self.provider.sandbox().refuse_connections(time).await;
        self.note("refused");
        let open_again = Instant::now() + time;
        self.call(Hook::Create, label, &mark, None).await;
        sleep_until(open_again + LATE).await;
    }

    async fn asked_one_or_many(&self, label: &'static str, mark: &str, n: u32) -> Vec<HookCall> {
        let (1, Some(driver)) = (n, self.driver) else {
            return self.asked_many(label, mark, n).await;
        };
        let started = Instant::now();
        let outcome = self.asked(driver, Hook::Create, mark, None).await;
        vec![HookCall {
            hook: Hook::Create.name(),
            label,
            outcome,
            took: started.elapsed(),
        }]
    }

    /// The creating POSTs of a mark's customers.
    pub(super) fn creates_of(&self, mark: &str) -> Vec<Entry> {
        let of_mark = |e: &Entry| e.method == "POST" && e.body.contains(mark);
        self.requests().into_iter().filter(of_mark).collect()
    }
}

/// Whether nothing more is to come: the subject has given up and is quiet, or
/// has no such hook. One that calls it a success has not come to its end.
fn over(calls: &[HookCall], ended: Duration, seen: &[Entry], now: Duration) -> bool {
    let real = || calls.iter().map(|c| &c.outcome);
    if real().any(|o| matches!(o, Outcome::Broken(_))) || real().all(|o| *o == Outcome::NotOffered)
    {
        return true;
    }
    let gave_up = |o: &Outcome| matches!(o, Outcome::NotOffered | Outcome::Done { ok: false, .. });
    let last = seen
        .iter()
        .map(|e| e.at)
        .max()
        .unwrap_or_default()
        .max(ended);
    real().all(gave_up) && now.saturating_sub(last) >= longest_delay(seen).max(QUIET)
}

/// The longest delay between two attempts of one operation, told by its key, or
/// where there is none by its body.
fn longest_delay(seen: &[Entry]) -> Duration {
    let gaps = seen.iter().enumerate().filter_map(|(i, before)| {
        let same = |e: &&Entry| e.body_digest == before.body_digest;
        let after = seen.get(i + 1..)?.iter().find(same)?;
        Some(before.gap_to(after))
    });
    gaps.max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    fn call(outcome: Outcome) -> HookCall {
        HookCall {
            hook: "create",
            label: "a",
            outcome,
            took: Duration::ZERO,
        }
    }

    fn done(ok: bool) -> HookCall {
        let output = String::new();
        call(Outcome::Done { ok, output })
    }

    #[test]
    fn the_end_is_a_failure_and_then_silence_for_as_long_as_the_longest_delay() {
        let seen = [
            Entry::create("m-a", 0, 500, "k"),
            Entry::create("m-b", 10, 500, "l"),
            Entry::create("m-a", 701, 500, "k"),
        ];
        assert_eq!(longest_delay(&seen), ms(700));
        let gave_up = [call(Outcome::NotOffered), done(false)];
        assert!(!over(&gave_up, ms(702), &seen, ms(1_401)));
        assert!(over(&gave_up, ms(702), &seen, ms(1_402)));
        // What comes after the report of a failure is watched in its turn.
        assert!(!over(&gave_up, ms(600), &seen, ms(1_400)));
        assert!(over(&gave_up, ms(600), &seen, ms(1_401)));
        assert!(!over(&gave_up, ms(702), &[], ms(1_201)));
        assert!(over(&gave_up, ms(702), &[], ms(1_202)));
    }

    #[test]
    fn a_success_that_cannot_be_is_no_end_and_neither_is_one_that_is_missing() {
        let late = ms(60_000);
        assert!(!over(&[done(true)], ms(1), &[], late));
        assert!(!over(&[done(false), done(true)], ms(1), &[], late));
        assert!(!over(&[call(Outcome::TimedOut)], ms(1), &[], late));
        assert!(over(&[call(Outcome::NotOffered)], ms(1), &[], ms(1)));
        let broken = call(Outcome::Broken("x".to_owned()));
        assert!(over(&[broken], ms(1), &[], ms(1)));
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn the_provider_is_well_again_when_it_is_over_or_took_too_long() {
        use crate::case::{Answer, Step, Times};
        use crate::drive::hooks::Driver;
        use crate::drive::provider::{Provider, Settings};

        let provider = Provider::start(Settings::default()).await.unwrap();
        let case = crate::cases::find("RETRY-04").unwrap();
        let down = Answer::Problem(500, "internal");
        for (line, limit, ends) in [
            ("sh -c 'exit 1'", ms(20_000), true),
            ("sh -c 'sleep 2; exit 1'", ms(300), false),
            // It says that it worked: nothing has come to its end.
            ("sh -c 'exit 0'", ms(300), true),
        ] {
            let driver = Driver::parse(line, Vec::new(), ms(10_000)).unwrap();
            let began = provider.elapsed();
            let steps = [
                Step::FailCreate("a", Times::Always, down),
                Step::CreateToTheEnd("a", 1, 10, limit),
            ];
            let stage = Stage::new(&provider, Some(&driver), None, "t", case);
            let trace = stage.play(&steps).await;
            let healed = trace.moment("healed").unwrap() - began;
            assert!(healed >= ms(300), "{line}: {healed:?}");
            assert!(healed < ms(10_000), "{line}: {healed:?}");
            assert_eq!(trace.moment("ended").is_some(), ends, "{line}");
            assert_eq!(trace.calls.len(), 1);
        }
    }
}
