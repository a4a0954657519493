//! Planning what the provider does wrong.

use std::time::Duration;

use golive_sandbox::Fault;
use http::Method;

use super::Stage;
use crate::case::{Answer, Times};
use crate::drive::faults;
use crate::drive::provider::wall;

impl Stage<'_> {
    pub(super) fn fail_create(&mut self, label: &'static str, times: Times, answer: Answer) {
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

    pub(super) fn stall_call_backs(&mut self, label: &'static str, by: Duration) {
        self.customer(label);
        let Some(id) = self.trace.customers.get(label) else {
            return;
        };
        let fault = Fault::on(Method::GET, "/customers/{}")
            .containing(id)
            .always();
        self.provider.sandbox().faults().push(fault.latency(by));
    }

    pub(super) fn fail_call_backs(&mut self, label: &'static str) {
        self.customer(label);
        let Some(id) = self.trace.customers.get(label) else {
            return;
        };
        let fault = Fault::on(Method::GET, "/customers/{}").containing(id);
        let fault = fault.always().status(500);
        self.provider
            .sandbox()
            .faults()
            .push(fault.problem("internal", "planned by golive", &[]));
    }

    /// NOTE: 400, and not 401 `invalid_client`, which a careful client remembers.
    pub(super) fn refuse_tokens(&self) {
        let fault = Fault::on(Method::POST, "/auth/token").always().status(400);
        self.provider.sandbox().faults().push(fault);
    }

    pub(super) fn heal(&mut self) {
        self.provider.sandbox().faults().clear();
        self.note("healed");
    }
}
