//! Calling hooks, one or many at once.

use futures_util::future::join_all;
use golive_sandbox::Credential;
use tokio::time::Instant;

use super::Stage;
use crate::drive::hooks::{Ask, Driver, Hook};
use crate::trace::{HookCall, Outcome};

impl Stage<'_> {
    pub(super) async fn call(
        &mut self,
        hook: Hook,
        label: &'static str,
        mark: &str,
        n: Option<u32>,
    ) -> Outcome {
        let started = Instant::now();
        let outcome = match self.driver {
            Some(driver) => self.asked(driver, hook, mark, n).await,
            None => Outcome::NotOffered,
        };
        self.trace.calls.push(HookCall {
            hook: hook.name(),
            label,
            outcome: outcome.clone(),
            took: started.elapsed(),
        });
        outcome
    }

    pub(super) async fn asked(
        &self,
        driver: &Driver,
        hook: Hook,
        mark: &str,
        n: Option<u32>,
    ) -> Outcome {
        self.heard(driver, Ask::new(hook, mark, n)).await
    }

    /// Calls a hook. What it prints is searched for secrets and, since it goes
    /// into reports, redacted like all that is recorded: a driver that dies
    /// prints whatever it holds.
    async fn heard(&self, driver: &Driver, ask: Ask<'_>) -> Outcome {
        let outcome = driver.ask(ask).await;
        self.listened(ask.hook, outcome)
    }

    /// The outcome for the trace: listened to, then redacted.
    pub(super) fn listened(&self, hook: Hook, outcome: Outcome) -> Outcome {
        let sandbox = self.provider.sandbox();
        self.provider.heard().listen(sandbox, hook.name(), &outcome);
        match outcome {
            Outcome::Done { ok, output } => Outcome::Done {
                ok,
                output: sandbox.redacted(&output),
            },
            Outcome::Broken(reason) => Outcome::Broken(sandbox.redacted(&reason)),
            other => other,
        }
    }

    pub(super) async fn create_many(&mut self, label: &'static str, n: u32) {
        let mark = self.mark(label);
        let calls = self.asked_many(label, &mark, n).await;
        self.trace.calls.extend(calls);
    }

    /// A subject without `create-many` gets as many calls of `create` at once.
    pub(super) async fn asked_many(
        &self,
        label: &'static str,
        mark: &str,
        n: u32,
    ) -> Vec<HookCall> {
        let started = Instant::now();
        let called = |hook: Hook, outcome| HookCall {
            hook: hook.name(),
            label,
            outcome,
            took: started.elapsed(),
        };
        let Some(driver) = self.driver else {
            return vec![called(Hook::CreateMany, Outcome::NotOffered)];
        };
        let many = self.asked(driver, Hook::CreateMany, mark, Some(n)).await;
        let mut calls = vec![called(Hook::CreateMany, many.clone())];
        if many == Outcome::NotOffered {
            let marks: Vec<String> = (0..n).map(|i| format!("{mark}-{i}")).collect();
            let asked = marks
                .iter()
                .map(|m| self.asked(driver, Hook::Create, m, None));
            let outcomes = join_all(asked).await;
            calls.extend(outcomes.into_iter().map(|o| called(Hook::Create, o)));
        }
        calls
    }

    pub(super) async fn create_together(&mut self, labels: &'static [&'static str]) {
        let Some(driver) = self.driver else { return };
        let marks: Vec<String> = labels.iter().map(|label| self.mark(label)).collect();
        let started = Instant::now();
        let asked = marks
            .iter()
            .map(|m| self.asked(driver, Hook::Create, m, None));
        let outcomes = join_all(asked).await;
        for (label, outcome) in labels.iter().zip(outcomes) {
            let took = started.elapsed();
            self.trace.calls.push(HookCall {
                hook: Hook::Create.name(),
                label,
                outcome,
                took,
            });
        }
    }

    /// Calls a hook with a credential.
    pub(super) async fn hand_over(
        &mut self,
        label: &'static str,
        credential: &Credential,
    ) -> Outcome {
        let (hook, mark) = (Hook::RotateCredential, self.mark(label));
        let started = Instant::now();
        let outcome = match self.driver {
            Some(driver) => {
                let mut ask = Ask::new(hook, &mark, None);
                ask.credential = Some(credential);
                self.heard(driver, ask).await
            }
            None => Outcome::NotOffered,
        };
        self.note_call(hook, label, outcome.clone(), started);
        outcome
    }

    pub(super) fn note_call(
        &mut self,
        hook: Hook,
        label: &'static str,
        outcome: Outcome,
        started: Instant,
    ) {
        self.trace.calls.push(HookCall {
            hook: hook.name(),
            label,
            outcome,
            took: started.elapsed(),
        });
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::case::Step;
    use crate::drive::provider::{Provider, Settings};
    use std::time::Duration;

    #[tokio::test]
    async fn what_a_hook_prints_is_kept_without_its_secrets() {
        let provider = Provider::start(Settings::default()).await.unwrap();
        let line = "sh -c 'echo no token for $GOLIVE_CLIENT_SECRET; exit 1'";
        let driver = Driver::parse(line, provider.environment(), Duration::from_secs(10)).unwrap();
        let case = crate::cases::find("IDEM-05").unwrap();
        let steps = [
            Step::Create("a"),
            Step::CreateMany("b", 2),
            Step::CreateTogether(&["c"]),
            Step::ReadMetrics("before"),
            Step::ReadLog("begin"),
        ];
        let trace = Stage::new(&provider, Some(&driver), None, "t", case)
            .play(&steps)
            .await;
        let searched = provider.heard().searched();
        assert!(
            searched
                .leaks
                .iter()
                .any(|l| l.at.starts_with("hook create:")
                    && l.kind == "client secret"
                    && !l.excerpt.contains("dinie_cs_")),
            "{searched:?}"
        );
        assert_eq!(trace.calls.len(), 5);
        for call in &trace.calls {
            assert_eq!(
                call.outcome.words(),
                "reported failure (\"no token for [redacted:client_secret]\")"
            );
        }
    }
}
