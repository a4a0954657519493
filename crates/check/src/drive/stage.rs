//! Carries out the steps of one case and keeps its trace.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt as _};
use golive_sandbox::{CustomerStatus, Event, Fault, Mark};
use http::Method;
use serde_json::Value;
use tokio::time::Instant;

use super::hooks::{Driver, Hook};
use super::provider::{Provider, wall};
use super::{deliveries, faults, record};
use crate::case::{Answer, Case, Forgery, Step};
use crate::trace::{Entry, HookCall, Kind, Outcome, Sent, Trace};

/// Deliveries in flight at once in [`Step::DeliverMany`].
const LANES: usize = 10;
/// How often a wait looks again.
const LOOK: Duration = Duration::from_millis(40);
/// Of a type that every catalogue of the provider has.
const EVENT: &str = "customer.active";

/// One case on stage.
pub(super) struct Stage<'r> {
    provider: &'r Provider,
    driver: Option<&'r Driver>,
    webhook: Option<&'r str>,
    /// In front of every mark of this case.
    prefix: String,
    since: Mark,
    customers: BTreeMap<&'static str, Value>,
    events: BTreeMap<&'static str, Event>,
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
            customers: BTreeMap::new(),
            events: BTreeMap::new(),
            trace,
        }
    }

    /// Carries out the steps, clears the fault plan and hands over the trace.
    pub(super) async fn play(mut self, steps: &[Step]) -> Trace {
        for step in steps {
            // NOTE: boxed, so that the largest step does not make every case large.
            Box::pin(self.step(step)).await;
        }
        self.provider.sandbox().faults().clear();
        self.trace.requests = self.requests();
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
            Step::Deliver(label, forgery) => {
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

    fn requests(&self) -> Vec<Entry> {
        let entries = self.provider.sandbox().recorder().since(self.since);
        entries
            .iter()
            .map(record::entry)
            .filter(|e| e.kind == Kind::Request)
            .collect()
    }

    // --- faults ---

    fn fail_create(&mut self, label: &'static str, times: crate::case::Times, answer: Answer) {
        let mark = self.mark(label);
        let planned = faults::on_create(&mark, times, answer, wall());
        if let Some(not_before) = planned.not_before {
            self.trace.not_before.insert(label, not_before);
        }
        if answer == Answer::ThreeErrors {
            self.trace.error_texts = faults::error_texts(&mark);
        }
        self.provider.sandbox().faults().push(planned.fault);
    }

    fn stall_call_backs(&mut self, label: &'static str, by: Duration) {
        self.customer(label);
        let Some(id) = self.trace.customers.get(label) else {
            return;
        };
        let fault = Fault::on(Method::GET, "/customers/{}")
            .containing(id)
            .always();
        self.provider.sandbox().faults().push(fault.latency(by));
    }

    // --- hooks ---

    async fn call(
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

    /// Calls a hook. What it prints goes into reports, so it is redacted like
    /// all that is recorded: a driver that dies prints whatever it holds.
    async fn asked(&self, driver: &Driver, hook: Hook, mark: &str, n: Option<u32>) -> Outcome {
        let clean = |text: String| self.provider.sandbox().redacted(&text);
        match driver.call(hook, mark, n).await {
            Outcome::Done { ok, output } => Outcome::Done {
                ok,
                output: clean(output),
            },
            Outcome::Broken(reason) => Outcome::Broken(clean(reason)),
            other => other,
        }
    }

    /// A subject without `create-many` gets as many calls of `create` at once.
    async fn create_many(&mut self, label: &'static str, n: u32) {
        let mark = self.mark(label);
        if self.call(Hook::CreateMany, label, &mark, Some(n)).await != Outcome::NotOffered {
            return;
        }
        let Some(driver) = self.driver else { return };
        let marks: Vec<String> = (0..n).map(|i| format!("{mark}-{i}")).collect();
        let started = Instant::now();
        let asked = marks
            .iter()
            .map(|m| self.asked(driver, Hook::Create, m, None));
        let outcomes = join_all(asked).await;
        for outcome in outcomes {
            let took = started.elapsed();
            self.trace.calls.push(HookCall {
                hook: Hook::Create.name(),
                label,
                outcome,
                took,
            });
        }
    }

    async fn create_together(&mut self, labels: &'static [&'static str]) {
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

    // --- webhooks ---

    /// The customer that the label's events are about. It exists, so that the
    /// subject can call back.
    fn customer(&mut self, label: &'static str) -> Value {
        if let Some(customer) = self.customers.get(label) {
            return customer.clone();
        }
        let mark = self.mark(label);
        let state = self.provider.sandbox().state();
        // NOTE: null only if the provider is full, and then nothing is delivered.
        let customer = state
            .seed_customer(&mark, CustomerStatus::Active)
            .unwrap_or_default();
        if let Some(id) = customer.get("id").and_then(Value::as_str) {
            self.trace.customers.insert(label, id.to_owned());
        }
        self.customers.insert(label, customer.clone());
        customer
    }

    fn event(&mut self, label: &'static str) -> Event {
        if let Some(event) = self.events.get(label) {
            return event.clone();
        }
        let customer = self.customer(label);
        let mark = self.mark(label);
        let event = self.new_event(customer, &mark);
        self.events.insert(label, event.clone());
        event
    }

    /// Of the same customer, so that its call-backs are found, but with an
    /// external id of its own, so that it is an event of its own.
    fn numbered_event(&mut self, label: &'static str, n: u32) -> Event {
        let mark = format!("{}-{n}", self.mark(label));
        let mut customer = self.customer(label);
        customer["external_id"] = Value::String(mark.clone());
        self.new_event(customer, &mark)
    }

    /// NOTE: the id follows from the mark, which no other run uses. The
    /// sandbox's own ids follow from its seed, and a subject that lives longer
    /// than one run would take the events of the second for duplicates.
    fn new_event(&self, customer: Value, mark: &str) -> Event {
        let mut event = self.provider.sandbox().webhooks().event(EVENT, customer);
        event.id = format!("evt_{:016x}{:016x}", hash(mark, 1), hash(mark, 2));
        event
    }

    async fn deliver(
        &mut self,
        label: &'static str,
        events: &[Event],
        forgery: Forgery,
        lanes: usize,
    ) {
        let Some(url) = self.webhook else { return };
        let webhooks = self.provider.sandbox().webhooks();
        let secret = webhooks.secret();
        // NOTE: a plain loop; a closure over borrowed events would make the
        // future of the whole run impossible to spawn.
        let mut sending = Vec::with_capacity(events.len());
        for event in events {
            // NOTE: fails only if the sandbox's own secret cannot sign; then
            // nothing is sent, and the judge says that a delivery is missing.
            if let Ok(delivery) = deliveries::delivery(event, forgery, &secret, wall()) {
                sending.push(webhooks.deliver(url, delivery));
            }
        }
        let sent: Vec<_> = stream::iter(sending).buffered(lanes.max(1)).collect().await;
        self.trace.deliveries.extend(sent.iter().map(|e| Sent {
            label,
            entry: record::entry(e),
        }));
    }

    // --- waiting and counting ---

    async fn await_effect(&mut self, label: &'static str, limit: Duration) {
        let deadline = Instant::now() + limit;
        let mark = self.mark(label);
        loop {
            let counted = match self.driver {
                Some(driver) => count(&driver.call(Hook::Effects, &mark, None).await),
                None => None,
            };
            let seen = counted.map_or_else(
                || self.call_backs(label).iter().any(|e| e.done_at.is_some()),
                |n| n > 0,
            );
            if seen || Instant::now() >= deadline {
                return;
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn await_call_back(
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

    async fn count_effects(&mut self, label: &'static str) {
        let mark = self.mark(label);
        let Some(driver) = self.driver else { return };
        if let Some(n) = count(&driver.call(Hook::Effects, &mark, None).await) {
            self.trace.effects.insert(label, n);
        }
    }
}

/// The number that an `effects` hook printed.
fn count(outcome: &Outcome) -> Option<u64> {
    match outcome {
        Outcome::Done { ok: true, output } => output.trim().parse().ok(),
        _ => None,
    }
}

fn hash(text: &str, salt: u8) -> u64 {
    let mut hasher = DefaultHasher::new();
    (salt, text).hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[cfg(unix)]
    #[tokio::test]
    async fn what_a_hook_prints_is_kept_without_its_secrets() {
        let provider = Provider::start(super::super::provider::Settings::default())
            .await
            .unwrap();
        let line = "sh -c 'echo no token for $GOLIVE_CLIENT_SECRET; exit 1'";
        let driver = Driver::parse(line, provider.environment(), Duration::from_secs(10)).unwrap();
        let case = crate::cases::find("IDEM-05").unwrap();
        let steps = [
            Step::Create("a"),
            Step::CreateMany("b", 2),
            Step::CreateTogether(&["c"]),
        ];
        let trace = Stage::new(&provider, Some(&driver), None, "t", case)
            .play(&steps)
            .await;
        assert_eq!(trace.calls.len(), 3);
        for call in &trace.calls {
            assert_eq!(
                call.outcome.words(),
                "reported failure (\"no token for [redacted:client_secret]\")"
            );
        }
    }

    #[test]
    fn event_ids_follow_from_the_mark() {
        assert_eq!(hash("m", 1), hash("m", 1));
        assert_ne!(hash("m", 1), hash("m", 2));
        assert_ne!(hash("m", 1), hash("n", 1));
    }
}
