use std::{fmt, sync::Arc};

use golive_core::{Call, Disposition, Exchange, Failure, Middleware, Outcome, Request, Response};
use http::StatusCode;
use opentelemetry::{Context, KeyValue};
use tokio::time::Instant;

use crate::{
    config::Shared,
    context::within,
    failure,
    labels::{self, Answer},
    names::{DISPOSITION, ERROR_TYPE},
    route::Route,
    server::Server,
    span,
};

/// One CLIENT span, one point of `http.client.request.duration` and one look at the quota headers
/// per attempt: the innermost middleware, next to the transport. See the [crate] documentation.
#[derive(Clone)]
pub struct AttemptTelemetry(pub(crate) Arc<Shared>);

/// One INTERNAL span and one point of `golive.client.call.duration` per logical call, and a count
/// of its retries: the outermost middleware. See the [crate] documentation.
#[derive(Clone)]
pub struct CallTelemetry(pub(crate) Arc<Shared>);

golive_core::faces!(AttemptTelemetry);
golive_core::faces!(CallTelemetry);

impl Middleware for AttemptTelemetry {
    async fn handle<Req: Request, X: Exchange<Req>>(
        &self,
        call: &mut Call,
        mut req: Req,
        mut below: X,
    ) -> Result<X::Response, X::Error> {
        let shared = &*self.0;
        let mut watched = Watched::begin(shared, &req, Level::Attempt, call.attempt());
        if let Some(propagator) = shared.propagator.as_deref() {
            // Without a tracer, the context that the application is in.
            let context = watched.context.clone().unwrap_or_else(Context::current);
            span::inject(propagator, &context, req.headers_mut());
        }
        let result = within(watched.context.as_ref(), below.send(call, req)).await;
        if let Ok(response) = &result {
            shared
                .servers
                .note_quota(&watched.server, response.headers());
        }
        watched.end(&result, None);
        result
    }
}

impl Middleware for CallTelemetry {
    async fn handle<Req: Request, X: Exchange<Req>>(
        &self,
        call: &mut Call,
        req: Req,
        mut below: X,
    ) -> Result<X::Response, X::Error> {
        let shared = &*self.0;
        let mut watched = Watched::begin(shared, &req, Level::Call, call.attempt());
        let known = call.attempts().len();
        let result = within(watched.context.as_ref(), below.send(call, req)).await;
        watched.count_retries(call, known);
        watched.end(&result, Some(call.disposition()));
        result
    }
}

impl fmt::Debug for AttemptTelemetry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AttemptTelemetry").field(&self.0).finish()
    }
}

impl fmt::Debug for CallTelemetry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CallTelemetry").field(&self.0).finish()
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    Attempt,
    Call,
}

/// Something under way. Whatever becomes of it is recorded: dropped half-way, it was cancelled.
struct Watched<'a> {
    shared: &'a Shared,
    level: Level,
    server: Arc<Server>,
    /// With its number.
    route: Option<(usize, &'a Route)>,
    method: &'static str,
    context: Option<Context>,
    began: Instant,
    ended: bool,
}

/// How it ended.
struct End {
    status: Option<StatusCode>,
    error: Option<KeyValue>,
    disposition: Option<Disposition>,
}

// === impl Watched ===

impl<'a> Watched<'a> {
    fn begin<Req: Request>(shared: &'a Shared, req: &Req, level: Level, resends: u32) -> Self {
        let server = shared.servers.find(req.origin());
        let path = req.path();
        let mut routes = shared.routes.iter().enumerate();
        let numbered = routes.find(|(_, route)| route.matches(path));
        let route = numbered.map(|(_, route)| route);
        let method = labels::method(req.method());
        let context = shared.begin.as_ref().map(|begin| {
            let span = match level {
                Level::Attempt => {
                    let allowed = &shared.allowed;
                    span::attempt(req, method, &server, route, resends, allowed)
                }
                Level::Call => span::call(method, server.labels(), route),
            };
            Context::map_current(|parent| begin(span, parent))
        });
        if level == Level::Attempt {
            server.begin();
        }
        Self {
            shared,
            level,
            server,
            route: numbered,
            method,
            context,
            began: Instant::now(),
            ended: false,
        }
    }

    fn end<R: Response, E: Failure>(
        &mut self,
        result: &Result<R, E>,
        disposition: Option<Disposition>,
    ) {
        let end = match result {
            Ok(response) => {
                let status = response.status();
                if let (Some(context), Level::Attempt) = (&self.context, self.level) {
                    span::answered(context, status, response.headers(), &self.shared.allowed);
                }
                let failed = status.is_client_error() || status.is_server_error();
                End {
                    status: Some(status),
                    error: failed.then(|| error_type(status.as_str().to_owned())),
                    disposition: disposition.filter(|_| failed),
                }
            }
            Err(error) => {
                let classify = self.shared.classify.as_deref();
                let word = failure::error_type(error.as_error(), classify);
                End {
                    status: None,
                    error: Some(error_type(word)),
                    disposition,
                }
            }
        };
        self.record(end);
    }

    fn count_retries(&self, call: &Call, known: usize) {
        let Some(instruments) = &self.shared.instruments else {
            return;
        };
        let attempts = call.attempts().iter().skip(known);
        for attempt in attempts.filter(|attempt| attempt.delay.is_some()) {
            let error = match &attempt.outcome {
                Outcome::Answered(status) => error_type(status.as_str().to_owned()),
                Outcome::Failed(word) => error_type(*word),
                _ => error_type(crate::names::OTHER),
            };
            let mut labels = self.server.labels().to_vec();
            labels.push(error);
            instruments.retries.add(1, &labels);
        }
    }

    fn record(&mut self, end: End) {
        self.ended = true;
        if self.level == Level::Attempt {
            self.server.end();
        }
        if let Some(instruments) = &self.shared.instruments {
            let histogram = match self.level {
                Level::Attempt => &instruments.request_duration,
                Level::Call => &instruments.call_duration,
            };
            let took = self.began.elapsed().as_secs_f64();
            match self.kept(&end) {
                Some(labels) => histogram.record(took, labels),
                None => {
                    let mut labels = self.labels(end.status);
                    labels.extend(end.error.clone());
                    labels.extend(end.disposition.map(|d| KeyValue::new(DISPOSITION, word(d))));
                    histogram.record(took, &labels);
                }
            }
        }
        if let Some(context) = &self.context {
            span::end(context, end.error);
        }
    }

    /// The labels that are kept ready made: those of most points.
    fn kept(&self, end: &End) -> Option<&[KeyValue]> {
        if end.error.is_some() || end.disposition.is_some() {
            return None;
        }
        let answer = Answer {
            status: end.status?,
            route: self.route.map(|(number, _)| number),
            method: self.method,
        };
        let make = || self.labels(Some(answer.status));
        self.server.kept().find(answer, make)
    }

    fn labels(&self, status: Option<StatusCode>) -> Vec<KeyValue> {
        let route = self.route.map(|(_, route)| route);
        labels::request(self.method, self.server.labels(), route, status)
    }
}

impl Drop for Watched<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.record(End {
                status: None,
                error: Some(error_type(failure::CANCELLED)),
                disposition: None,
            });
        }
    }
}

fn error_type(word: impl Into<opentelemetry::Value>) -> KeyValue {
    KeyValue::new(ERROR_TYPE, word)
}

fn word(disposition: Disposition) -> &'static str {
    match disposition {
        Disposition::Executed => "executed",
        Disposition::NotExecuted => "not_executed",
        Disposition::Unknown => "unknown",
    }
}
