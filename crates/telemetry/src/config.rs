use std::{error::Error, fmt, sync::Arc, time::Duration};

use golive_core::{Clock, SystemClock, quota::Hints};
use http::{HeaderName, header};
use opentelemetry::{
    metrics::Meter,
    propagation::TextMapPropagator,
    trace::{TraceContextExt, Tracer},
};

use crate::{
    AttemptTelemetry, CallTelemetry, ConfigError,
    failure::Classify,
    instruments::Instruments,
    names, observe,
    route::Route,
    server::Servers,
    span::{Allowed, Begin},
};

/// How many routes there may be: each is a label.
const MAX_ROUTES: usize = 256;

/// Headers that carry credentials.
const SECRET: &[HeaderName] = &[
    header::AUTHORIZATION,
    header::PROXY_AUTHORIZATION,
    header::COOKIE,
    header::SET_COOKIE,
];

/// Makes the two middleware, which share their configuration; see the [crate] documentation.
///
/// Quota gauges are reported for as long as this, one of the middleware or a clone of one lives.
#[derive(Clone)]
pub struct Telemetry(Arc<Shared>);

/// Sets up a [`Telemetry`]; start with [`Telemetry::builder`].
#[must_use]
pub struct Builder {
    meter: Option<Meter>,
    begin: Option<Begin>,
    propagator: Option<Arc<dyn TextMapPropagator + Send + Sync>>,
    routes: Vec<String>,
    allowed: Allowed,
    classify: Option<Arc<Classify>>,
    max_servers: usize,
    quota_expiry: Duration,
    hints: Hints,
    clock: Arc<dyn Clock>,
}

/// What both middleware know.
pub(crate) struct Shared {
    pub(crate) instruments: Option<Instruments>,
    pub(crate) begin: Option<Begin>,
    pub(crate) propagator: Option<Arc<dyn TextMapPropagator + Send + Sync>>,
    pub(crate) routes: Vec<Route>,
    pub(crate) allowed: Allowed,
    pub(crate) classify: Option<Arc<Classify>>,
    pub(crate) servers: Arc<Servers>,
}

// === impl Telemetry ===

impl Telemetry {
    /// Sets one up. There are no defaults for meter and tracer: neither is looked up globally.
    pub fn builder() -> Builder {
        Builder {
            meter: None,
            begin: None,
            propagator: None,
            routes: Vec::new(),
            allowed: Allowed::default(),
            classify: None,
            max_servers: 64,
            quota_expiry: Duration::from_secs(3600),
            hints: Hints::default(),
            clock: Arc::new(SystemClock),
        }
    }

    /// The outer middleware, above the retry: one logical call.
    #[must_use]
    pub fn call(&self) -> CallTelemetry {
        CallTelemetry(Arc::clone(&self.0))
    }

    /// The inner middleware, next to the transport: one attempt.
    #[must_use]
    pub fn attempt(&self) -> AttemptTelemetry {
        AttemptTelemetry(Arc::clone(&self.0))
    }
}

impl fmt::Debug for Telemetry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let templates = self.routes.iter().map(Route::template);
        f.debug_struct("Telemetry")
            .field("meter", &self.instruments.is_some())
            .field("tracer", &self.begin.is_some())
            .field("propagator", &self.propagator)
            .field("routes", &templates.collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

// === impl Builder ===

impl Builder {
    /// Records metrics into this meter. Default: none are recorded.
    ///
    /// Take it from a provider that has its readers: an instrument of a provider that is set later
    /// stays silent for ever.
    pub fn meter(mut self, meter: &Meter) -> Self {
        self.meter = Some(meter.clone());
        self
    }

    /// Records spans with this tracer. Default: none are recorded.
    pub fn tracer<T>(mut self, tracer: T) -> Self
    where
        T: Tracer + Send + Sync + 'static,
        T::Span: Send + Sync + 'static,
    {
        self.begin = Some(Arc::new(move |span, parent| {
            parent.with_span(tracer.build_with_context(span, parent))
        }));
        self
    }

    /// Sends the context of the attempt's span with it, as this propagator writes it. Default:
    /// nothing is sent, since a provider is somebody else's system.
    pub fn propagator(
        mut self,
        propagator: impl TextMapPropagator + Send + Sync + 'static,
    ) -> Self {
        self.propagator = Some(Arc::new(propagator));
        self
    }

    /// A route of the API as a path with holes, `/v3/customers/{id}`: the label of the requests
    /// that match it, and as much of their path as is recorded. The first one that matches counts.
    /// At most 256. Default: none, and no path is recorded.
    pub fn route(mut self, template: impl Into<String>) -> Self {
        self.routes.push(template.into());
        self
    }

    /// Records this header of requests on spans. Default: none.
    pub fn request_header(mut self, name: HeaderName) -> Self {
        self.allowed.request.push(name);
        self
    }

    /// Records this header of responses on spans: `x-request-id`, say. Default: none.
    pub fn response_header(mut self, name: HeaderName) -> Self {
        self.allowed.response.push(name);
        self
    }

    /// Reads errors that this crate does not know, before it reads them itself: the word becomes
    /// `error.type`, so there should be few. Default: none.
    ///
    /// Known are those of reqwest (feature `reqwest`), of `std::io` and tokio's `Elapsed`, as
    /// `connect`, `timeout` and `connection_lost`. All others are `_OTHER`.
    pub fn error_type<F>(mut self, classify: F) -> Self
    where
        F: Fn(&(dyn Error + 'static)) -> Option<&'static str> + Send + Sync + 'static,
    {
        self.classify = Some(Arc::new(classify));
        self
    }

    /// How many servers get labels of their own; those beyond it share `_OTHER`. Default: 64.
    pub fn max_servers(mut self, servers: usize) -> Self {
        self.max_servers = servers;
        self
    }

    /// How long a quota is reported after it was last seen. Default: 1 hour.
    pub fn quota_expiry(mut self, expiry: Duration) -> Self {
        self.quota_expiry = expiry;
        self
    }

    /// The headers in which servers report their quotas; give it what the backoff was given, and both
    /// read the same numbers. Default: [`Hints::default`].
    pub fn hints(mut self, hints: Hints) -> Self {
        self.hints = hints;
        self
    }

    /// The clock that dates quotas. Default: the machine's.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Builds it.
    ///
    /// # Errors
    /// - [`ConfigError::NothingToRecord`] without a meter and a tracer;
    /// - [`ConfigError::Route`] for a route that is not a path, or has a hole in a segment;
    /// - [`ConfigError::TooManyRoutes`] for more than 256;
    /// - [`ConfigError::SecretHeader`] for `Authorization`, `Proxy-Authorization`, `Cookie` or
    ///   `Set-Cookie`;
    /// - [`ConfigError::Zero`] if no server may have a label.
    pub fn build(self) -> Result<Telemetry, ConfigError> {
        if self.meter.is_none() && self.begin.is_none() {
            return Err(ConfigError::NothingToRecord);
        }
        if self.routes.len() > MAX_ROUTES {
            return Err(ConfigError::TooManyRoutes {
                count: self.routes.len(),
                max: MAX_ROUTES,
            });
        }
        let routes = self.routes.iter().map(|route| Route::parse(route));
        let routes = routes.collect::<Result<_, _>>()?;
        let mut headers = self.allowed.request.iter().chain(&self.allowed.response);
        if let Some(name) = headers.find(|name| SECRET.contains(name)) {
            return Err(ConfigError::SecretHeader { name: name.clone() });
        }
        if self.max_servers == 0 {
            return Err(ConfigError::Zero {
                what: "max_servers",
            });
        }
        let servers = Servers::new(self.max_servers, self.quota_expiry, self.hints, self.clock);
        let servers = Arc::new(servers);
        if let Some(meter) = &self.meter {
            let active = Servers::report_active;
            observe::up_down_counter(meter, names::ACTIVE_REQUESTS, &servers, active);
            observe::gauge_u64(meter, names::QUOTA_LIMIT, &servers, Servers::report_limits);
            let remaining = Servers::report_remaining;
            observe::gauge_u64(meter, names::QUOTA_REMAINING, &servers, remaining);
            observe::gauge_f64(meter, names::QUOTA_RESET, &servers, Servers::report_resets);
        }
        Ok(Telemetry(Arc::new(Shared {
            instruments: self.meter.as_ref().map(Instruments::new),
            begin: self.begin,
            propagator: self.propagator,
            routes,
            allowed: self.allowed,
            classify: self.classify,
            servers,
        })))
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("meter", &self.meter.is_some())
            .field("tracer", &self.begin.is_some())
            .field("routes", &self.routes)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::metrics::{MeterProvider, noop::NoopMeterProvider};

    use super::*;

    fn builder() -> Builder {
        Telemetry::builder().meter(&NoopMeterProvider::new().meter("test"))
    }

    #[test]
    fn each_rule_of_build_has_its_error() {
        let error = |builder: Builder| builder.build().err();
        let nothing = Some(ConfigError::NothingToRecord);
        assert_eq!(error(Telemetry::builder()), nothing);
        let template = "/x{id}".to_owned();
        assert_eq!(
            error(builder().route("/x{id}")),
            Some(ConfigError::Route { template })
        );
        let many = (0..=MAX_ROUTES).fold(builder(), |b, n| b.route(format!("/{n}")));
        let (count, max) = (MAX_ROUTES + 1, MAX_ROUTES);
        assert_eq!(error(many), Some(ConfigError::TooManyRoutes { count, max }));
        for name in SECRET {
            let refused = Some(ConfigError::SecretHeader { name: name.clone() });
            assert_eq!(error(builder().request_header(name.clone())), refused);
            assert_eq!(error(builder().response_header(name.clone())), refused);
        }
        let what = "max_servers";
        assert_eq!(
            error(builder().max_servers(0)),
            Some(ConfigError::Zero { what })
        );
        assert_eq!(error(builder().route("/v3/{id}")), None);
    }
}
