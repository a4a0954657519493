//! Carries out the steps of one case and keeps its trace.

mod events;
mod faults;
mod hooks;
mod life;
mod limits;
mod logs;
mod outage;
mod rotation;
mod search;
mod signals;
mod stuck;
mod timers;
mod waiting;

use std::collections::BTreeMap;
use std::time::Duration;

use golive_sandbox::{Credential, Event, Mark, RateLimit};
use serde_json::Value;

use super::hooks::{Driver, Hook};
use super::provider::{NO_LIMIT, Provider};
use super::record;
use crate::case::{Case, Forgery, Step};
use crate::trace::{Entry, Kind, Trace};

/// Deliveries in flight at once in [`Step::DeliverMany`].
const LANES: usize = 10;
/// How often a wait looks again.
const LOOK: Duration = Duration::from_millis(40);

/// One case on stage.
pub(super) struct Stage<'r> {
    provider: &'r Provider,
    driver: Option<&'r Driver>,
    webhook: Option<&'r str>,
    /// In front of every mark of this case.
    prefix: String,
    since: Mark,
    began: Duration,
    customers: BTreeMap<&'static str, Value>,
    events: BTreeMap<&'static str, Event>,
    /// What follows would prove nothing, or harm.
    over: bool,
    /// Whether the hook `effects` tells marks apart, once it was tried.
    counts_by_mark: Option<bool>,
    /// How the log was when the case began.
    log_was: Option<u64>,
    /// The second credential, once the subject took it.
    second: Option<Credential>,
    trace: Trace,
}

impl<'r> Stage<'r> {
    pub(super) fn new(
        provider: &'r Provider,
        driver: Option<&'r Driver>,
        webhook: Option<&'r str>,
        run: &str,
        case: &Case,
    ) -> Self {
        let trace = Trace {
            wall_zero: provider.wall_zero(),
            one_process_per_hook: driver.is_some_and(Driver::is_one_process_per_hook),
            ..Trace::default()
        };
        Self {
            provider,
            driver,
            webhook,
            prefix: format!("glv-{run}-{}", case.id.to_ascii_lowercase()),
            since: provider.sandbox().recorder().mark(),
            began: provider.elapsed(),
            customers: BTreeMap::new(),
            events: BTreeMap::new(),
            over: false,
            counts_by_mark: None,
            log_was: None,
            second: None,
            trace,
        }
    }

    /// Carries out the steps, clears the fault plan and hands over the trace.
    pub(super) async fn play(mut self, steps: &[Step]) -> Trace {
        for step in steps {
            if self.over {
                break;
            }
            // NOTE: boxed, so that the largest step does not make every case large.
            Box::pin(self.step(step)).await;
        }
        self.provider.sandbox().faults().clear();
        if steps.iter().any(|s| matches!(s, Step::LimitRate(..))) {
            self.provider.sandbox().state().limit_rate(NO_LIMIT);
        }
        self.trace.requests = self.requests();
        self.trace.alerts = self.alerts();
        self.trace
    }

    async fn step(&mut self, step: &Step) {
        match *step {
            Step::FailCreate(label, times, answer) => self.fail_create(label, times, answer),
            Step::StallCallBacks(label, by) => self.stall_call_backs(label, by),
            Step::Create(label) => {
                let mark = self.mark(label);
                self.call(Hook::Create, label, &mark, None).await;
            }
            Step::CreateMany(label, n) => self.create_many(label, n).await,
            Step::CreateTogether(labels) => self.create_together(labels).await,
            Step::Read(label) => {
                let mark = self.mark(label);
                self.call(Hook::Read, label, &mark, None).await;
            }
            Step::List => {
                let mark = self.mark("list");
                self.call(Hook::List, "list", &mark, None).await;
            }
            Step::ExpireTokens => {
                self.provider.sandbox().state().expire_tokens();
            }
            Step::Deliver(label, forgery) | Step::DeliverIfTaken(label, forgery) => {
                let event = self.event(label);
                self.deliver(label, &[event], forgery, 1).await;
            }
            Step::DeliverCopies(label, n) => {
                let event = self.event(label);
                let copies = vec![event; n as usize];
                self.deliver(label, &copies, Forgery::None, copies.len())
                    .await;
            }
            Step::DeliverMany(label, n) => {
                let events: Vec<Event> = (0..n).map(|i| self.numbered_event(label, i)).collect();
                self.deliver(label, &events, Forgery::None, LANES).await;
            }
            Step::AwaitEffect(label, limit) => self.await_effect(label, limit).await,
            Step::AwaitCallBackAnswered(label, limit) => {
                let answered = |e: &Entry| e.done_at.is_some();
                self.await_call_back(label, limit, answered).await;
            }
            Step::Settle(time) => tokio::time::sleep(time).await,
            Step::CountEffects(labels) => {
                for label in labels {
                    self.count_effects(label).await;
                }
            }
            Step::CountCustomers(label) => {
                let mark = self.mark(label);
                let count = self
                    .provider
                    .sandbox()
                    .state()
                    .customers_with_external_id(&mark);
                self.trace.resources.insert(label, count);
            }
            Step::FailCallBacks(label) => self.fail_call_backs(label),
            Step::RefuseTokens => self.refuse_tokens(),
            Step::Heal => self.heal(),
            Step::Kill(label) => self.kill(label).await,
            Step::Restart(label) => self.restart(label).await,
            Step::Rotate(label) => self.rotate(label).await,
            Step::AwaitNewCredential(label, limit) => {
                self.await_new_credential(label, limit).await;
            }
            Step::RevokeOldCredential => self.revoke_old_credential(),
            Step::HandBack(label) => self.hand_back(label).await,
            Step::ReadMetrics(label) => self.read_metrics(label).await,
            Step::AwaitSignal(label, limit) => self.await_signal(label, limit).await,
            Step::SeedStuck(label) => self.seed_stuck(label),
            Step::AskStuck(label, limit) => self.ask_stuck(label, limit).await,
            Step::AwaitFollowed(label, limit) => self.await_followed(label, limit).await,
            Step::ReadLog(label) => self.read_log(label).await,
            Step::Search(label) => self.search(label).await,
            Step::CreateTimed(label, n) => self.create_timed(label, n).await,
            Step::CreateToTheEnd(label, n, most, limit) => {
                self.create_to_the_end(label, n, most, limit).await;
            }
            Step::AwaitSuccess(label, limit) => self.await_success(label, limit).await,
            Step::CreateWhileRefused(label, time) => self.create_while_refused(label, time).await,
            Step::AwaitQuick(label, n, limit) => self.await_quick(label, n, limit).await,
            Step::LimitRate(limit, window) => {
                let limit = u64::from(limit);
                let rate_limit = RateLimit { limit, window };
                self.provider.sandbox().state().limit_rate(rate_limit);
            }
            Step::CreateWhenUsedUp(label, then, n) => {
                self.create_when_used_up(label, then, n).await;
            }
        }
    }

    fn mark(&mut self, label: &'static str) -> String {
        let prefix = &self.prefix;
        self.trace
            .marks
            .entry(label)
            .or_insert_with(|| format!("{prefix}-{label}"))
            .clone()
    }

    /// Keeps the instant.
    fn note(&mut self, moment: &'static str) {
        self.trace.moments.insert(moment, self.provider.elapsed());
    }

    fn requests(&self) -> Vec<Entry> {
        let entries = self.provider.sandbox().recorder().since(self.since);
        entries
            .iter()
            .map(record::entry)
            .filter(|e| e.kind == Kind::Request)
            .collect()
    }
}
