//! Traces written by hand, for the tests of the judges.

use super::*;

impl Trace {
    pub(crate) fn with_mark(mut self, label: &'static str) -> Self {
        self.marks.insert(label, format!("m-{label}"));
        self
    }

    pub(crate) fn push(mut self, mut entry: Entry) -> Self {
        entry.seq = (self.requests.len() + self.deliveries.len()) as u64 + 1;
        self.requests.push(entry);
        self
    }

    pub(crate) fn push_sent(mut self, label: &'static str, mut entry: Entry) -> Self {
        entry.seq = (self.requests.len() + self.deliveries.len()) as u64 + 1;
        entry.kind = Kind::Delivery;
        self.deliveries.push(Sent { label, entry });
        self
    }

    pub(crate) fn called(
        mut self,
        hook: &'static str,
        label: &'static str,
        ok: bool,
        output: &str,
    ) -> Self {
        let outcome = Outcome::Done {
            ok,
            output: output.to_owned(),
        };
        self.calls.push(HookCall {
            hook,
            label,
            outcome,
            took: Duration::ZERO,
        });
        self
    }

    pub(crate) fn with_effects(mut self, label: &'static str, n: u64) -> Self {
        self.effects.insert(label, n);
        self
    }

    pub(crate) fn asked(
        mut self,
        hook: &'static str,
        label: &'static str,
        outcome: Outcome,
    ) -> Self {
        self.calls.push(HookCall {
            hook,
            label,
            outcome,
            took: Duration::ZERO,
        });
        self
    }

    /// The last call that was noted took so long.
    pub(crate) fn taking(mut self, ms: u64) -> Self {
        if let Some(call) = self.calls.last_mut() {
            call.took = Duration::from_millis(ms);
        }
        self
    }

    pub(crate) fn at_moment(mut self, name: &'static str, at_ms: u64) -> Self {
        self.moments.insert(name, Duration::from_millis(at_ms));
        self
    }

    pub(crate) fn with_page(mut self, label: &'static str, text: &str) -> Self {
        self.pages.insert(label, Page::parse(text));
        self
    }

    pub(crate) fn with_alert(mut self, at_ms: u64, text: &str) -> Self {
        self.alerts.push(Alert {
            at: Duration::from_millis(at_ms),
            firing: true,
            text: text.to_owned(),
        });
        self
    }

    pub(crate) fn with_customer(mut self, label: &'static str) -> Self {
        self.customers.insert(label, format!("cust_{label}"));
        self
    }
}

impl Entry {
    /// A create of the label's customer at a millisecond, answered 1 ms later.
    pub(crate) fn create(mark: &str, at_ms: u64, status: u16, key: &str) -> Self {
        Self {
            at: Duration::from_millis(at_ms),
            done_at: Some(Duration::from_millis(at_ms + 1)),
            method: "POST".to_owned(),
            path: "/v3/customers".to_owned(),
            headers: vec![("idempotency-key".to_owned(), key.to_owned())],
            body: format!(r#"{{"external_id":"{mark}"}}"#),
            body_digest: format!("digest of {mark}"),
            answer: answered(status),
            ..Self::default()
        }
    }

    /// The same with a header of its answer.
    pub(crate) fn answering(mut self, name: &str, value: &str) -> Self {
        if let Reply::Answered { headers, .. } = &mut self.answer {
            headers.push((name.to_owned(), value.to_owned()));
        }
        self
    }

    /// The same with its connection cut in the place of an answer.
    pub(crate) fn cut(mut self, processed: bool) -> Self {
        self.answer = Reply::Cut { processed };
        self
    }

    pub(crate) fn token_request(at_ms: u64) -> Self {
        Self {
            path: "/v3/auth/token".to_owned(),
            body: "grant_type=client_credentials".to_owned(),
            headers: Vec::new(),
            ..Self::create("-", at_ms, 200, "")
        }
    }

    pub(crate) fn token_request_by(client_id: &str, at_ms: u64, status: u16) -> Self {
        Self {
            client_id: Some(client_id.to_owned()),
            answer: answered(status),
            ..Self::token_request(at_ms)
        }
    }

    pub(crate) fn call_back(label: &str, at_ms: u64) -> Self {
        Self {
            method: "GET".to_owned(),
            path: format!("/v3/customers/cust_{label}"),
            body: String::new(),
            headers: Vec::new(),
            ..Self::create("-", at_ms, 200, "")
        }
    }

    pub(crate) fn delivery(at_ms: u64, took_ms: u64, status: u16) -> Self {
        Self {
            at: Duration::from_millis(at_ms),
            done_at: Some(Duration::from_millis(at_ms + took_ms)),
            kind: Kind::Delivery,
            method: "POST".to_owned(),
            path: "http://127.0.0.1:1/webhooks".to_owned(),
            answer: answered(status),
            ..Self::default()
        }
    }
}

pub(crate) fn answered(status: u16) -> Reply {
    Reply::Answered {
        status,
        headers: Vec::new(),
        body: String::new(),
    }
}
