//! Every name that this crate emits, for dashboards and rules to be checked against.
//!
//! What OpenTelemetry's semantic conventions name is named as there (a test compares with the
//! constants of `opentelemetry-semantic-conventions`); the rest begins with `golive.`.

/// A metric: its instrument, and the attributes that its points may carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// Its unit, in UCUM; braces say what is counted.
    pub unit: &'static str,
    /// What it says.
    pub description: &'static str,
    /// Its instrument.
    pub instrument: Instrument,
    /// The attributes of its points; not every point has all of them.
    pub attributes: &'static [&'static str],
}

/// The instruments that are in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Instrument {
    /// Only goes up.
    Counter,
    /// Goes up and down.
    UpDownCounter,
    /// The last value.
    Gauge,
    /// How values are distributed.
    Histogram,
}

/// `http.request.method`: one of the methods of RFC 9110 and PATCH, or `_OTHER`.
pub const METHOD: &str = "http.request.method";
/// `http.request.method_original`, on spans: a method that is not well known.
pub const METHOD_ORIGINAL: &str = "http.request.method_original";
/// `http.request.resend_count`, on spans: how often the request was sent before, from 1.
pub const RESEND_COUNT: &str = "http.request.resend_count";
/// `http.request.header.` with the name of a header that is on the allow-list, on spans.
pub const REQUEST_HEADER: &str = "http.request.header";
/// `http.response.header.` with the name of a header that is on the allow-list, on spans.
pub const RESPONSE_HEADER: &str = "http.response.header";
/// `http.response.status_code`.
pub const STATUS: &str = "http.response.status_code";
/// `server.address`: the host, or `_OTHER` where there were too many.
pub const SERVER_ADDRESS: &str = "server.address";
/// `server.port`.
pub const SERVER_PORT: &str = "server.port";
/// `url.full`, on spans: what is not part of a route is `REDACTED`, a query is left out.
pub const URL_FULL: &str = "url.full";
/// `url.template`: the configured route that matches.
pub const URL_TEMPLATE: &str = "url.template";
/// `error.type`: the status, or a word of a fixed set, or `_OTHER`.
pub const ERROR_TYPE: &str = "error.type";
/// Whether a failed call was executed: `executed`, `not_executed` or `unknown`.
pub const DISPOSITION: &str = "golive.disposition";
/// Who sends the webhooks, or whose token it is; given by the application.
pub const SOURCE: &str = "golive.source";
/// What became of it.
pub const OUTCOME: &str = "golive.outcome";
/// The name of a secret; given by the application.
pub const SECRET: &str = "golive.secret";
/// What kind of entity is watched; given by the application.
pub const ENTITY: &str = "golive.entity";
/// The state that an entity is in, of those that are watched.
pub const STATE: &str = "golive.state";

/// The value for what is outside of a fixed set, as the semantic conventions have it.
pub const OTHER: &str = "_OTHER";

const SERVER: &[&str] = &[SERVER_ADDRESS, SERVER_PORT];
const WATCHED: &[&str] = &[ENTITY, STATE];

/// One attempt, from the request to the head of its response. Semantic conventions, stable.
pub const REQUEST_DURATION: Metric = Metric {
    name: "http.client.request.duration",
    unit: "s",
    description: "Duration of HTTP client requests.",
    instrument: Instrument::Histogram,
    attributes: &[
        METHOD,
        SERVER_ADDRESS,
        SERVER_PORT,
        URL_TEMPLATE,
        STATUS,
        ERROR_TYPE,
    ],
};
/// Attempts under way. Semantic conventions, in development.
pub const ACTIVE_REQUESTS: Metric = Metric {
    name: "http.client.active_requests",
    unit: "{request}",
    description: "Number of active HTTP requests.",
    instrument: Instrument::UpDownCounter,
    attributes: SERVER,
};
/// One logical call: all of its attempts and the waits between them.
pub const CALL_DURATION: Metric = Metric {
    name: "golive.client.call.duration",
    unit: "s",
    description: "Duration of logical calls, with all of their attempts and waits.",
    instrument: Instrument::Histogram,
    attributes: &[
        METHOD,
        SERVER_ADDRESS,
        SERVER_PORT,
        URL_TEMPLATE,
        STATUS,
        ERROR_TYPE,
        DISPOSITION,
    ],
};
/// Attempts that another one followed, by why they failed.
pub const RETRIES: Metric = Metric {
    name: "golive.client.retries",
    unit: "{retry}",
    description: "Number of attempts that were followed by another one.",
    instrument: Instrument::Counter,
    attributes: &[SERVER_ADDRESS, SERVER_PORT, ERROR_TYPE],
};
/// `X-RateLimit-Limit`, as last seen.
pub const QUOTA_LIMIT: Metric = Metric {
    name: "golive.quota.limit",
    unit: "{request}",
    description: "Requests that a window of the provider's quota allows, as last reported.",
    instrument: Instrument::Gauge,
    attributes: SERVER,
};
/// `X-RateLimit-Remaining`, as last seen.
pub const QUOTA_REMAINING: Metric = Metric {
    name: "golive.quota.remaining",
    unit: "{request}",
    description: "Requests left in the window of the provider's quota, as last reported.",
    instrument: Instrument::Gauge,
    attributes: SERVER,
};
/// When the window ends: a Unix time, so that it does not age between two exports.
pub const QUOTA_RESET: Metric = Metric {
    name: "golive.quota.reset.timestamp",
    unit: "s",
    description: "Unix time at which the window of the provider's quota ends.",
    instrument: Instrument::Gauge,
    attributes: SERVER,
};
/// Webhook deliveries, by what became of them.
pub const WEBHOOK_DELIVERIES: Metric = Metric {
    name: "golive.webhook.deliveries",
    unit: "{delivery}",
    description: "Number of webhook deliveries, by outcome.",
    instrument: Instrument::Counter,
    attributes: &[SOURCE, OUTCOME, ERROR_TYPE],
};
/// Renewals of access tokens, by outcome.
pub const RENEWALS: Metric = Metric {
    name: "golive.auth.renewals",
    unit: "{renewal}",
    description: "Number of access token renewals, by outcome.",
    instrument: Instrument::Counter,
    attributes: &[SOURCE, OUTCOME, ERROR_TYPE],
};
/// When a secret was last rotated: a Unix time.
pub const SECRET_ROTATED: Metric = Metric {
    name: "golive.secret.rotated.timestamp",
    unit: "s",
    description: "Unix time at which a secret was last rotated.",
    instrument: Instrument::Gauge,
    attributes: &[SECRET],
};
/// When a secret has to be rotated at the latest: a Unix time.
pub const SECRET_DUE: Metric = Metric {
    name: "golive.secret.due.timestamp",
    unit: "s",
    description: "Unix time at which a secret has to be rotated at the latest.",
    instrument: Instrument::Gauge,
    attributes: &[SECRET],
};
/// When the entity that is longest in a state entered it: a Unix time.
pub const ENTITY_OLDEST: Metric = Metric {
    name: "golive.entity.oldest_entered.timestamp",
    unit: "s",
    description: "Unix time at which the entity that is longest in a state entered it.",
    instrument: Instrument::Gauge,
    attributes: WATCHED,
};
/// How long an entity may be in a state.
pub const ENTITY_LIMIT: Metric = Metric {
    name: "golive.entity.limit",
    unit: "s",
    description: "How long an entity may be in a state before it is stuck.",
    instrument: Instrument::Gauge,
    attributes: WATCHED,
};
/// How many entities are in a state.
pub const ENTITY_WATCHED: Metric = Metric {
    name: "golive.entity.watched",
    unit: "{entity}",
    description: "Number of entities in a state.",
    instrument: Instrument::Gauge,
    attributes: WATCHED,
};
/// How many events were refused because the watch is full.
pub const ENTITY_REFUSED: Metric = Metric {
    name: "golive.entity.refused",
    unit: "{event}",
    description: "Number of events that were refused because the watch is full.",
    instrument: Instrument::Counter,
    attributes: &[ENTITY],
};

/// All of them.
pub const METRICS: &[Metric] = &[
    REQUEST_DURATION,
    ACTIVE_REQUESTS,
    CALL_DURATION,
    RETRIES,
    QUOTA_LIMIT,
    QUOTA_REMAINING,
    QUOTA_RESET,
    WEBHOOK_DELIVERIES,
    RENEWALS,
    SECRET_ROTATED,
    SECRET_DUE,
    ENTITY_OLDEST,
    ENTITY_LIMIT,
    ENTITY_WATCHED,
    ENTITY_REFUSED,
];

/// The bounds of the duration histograms, in seconds, as the semantic conventions advise.
pub(crate) const DURATION_BOUNDS: &[f64] = &[
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
];

#[cfg(test)]
mod tests {
    use opentelemetry_semantic_conventions::{attribute, metric};

    use super::*;

    #[test]
    fn what_the_semantic_conventions_name_is_named_as_there() {
        for (ours, theirs) in [
            (METHOD, attribute::HTTP_REQUEST_METHOD),
            (METHOD_ORIGINAL, attribute::HTTP_REQUEST_METHOD_ORIGINAL),
            (RESEND_COUNT, attribute::HTTP_REQUEST_RESEND_COUNT),
            (REQUEST_HEADER, attribute::HTTP_REQUEST_HEADER),
            (RESPONSE_HEADER, attribute::HTTP_RESPONSE_HEADER),
            (STATUS, attribute::HTTP_RESPONSE_STATUS_CODE),
            (SERVER_ADDRESS, attribute::SERVER_ADDRESS),
            (SERVER_PORT, attribute::SERVER_PORT),
            (URL_FULL, attribute::URL_FULL),
            (URL_TEMPLATE, attribute::URL_TEMPLATE),
            (ERROR_TYPE, attribute::ERROR_TYPE),
            (REQUEST_DURATION.name, metric::HTTP_CLIENT_REQUEST_DURATION),
            (ACTIVE_REQUESTS.name, metric::HTTP_CLIENT_ACTIVE_REQUESTS),
        ] {
            assert_eq!(ours, theirs);
        }
    }

    #[test]
    fn no_two_metrics_have_the_same_name() {
        let mut names: Vec<_> = METRICS.iter().map(|m| m.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), METRICS.len());
    }
}
