//! What a span says. Nothing is written that is not on a list: no query, no user, no header, no
//! path but its route, no text of an error.

use std::{borrow::Cow, sync::Arc};

use golive_core::Request;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use opentelemetry::{
    Array, Context, KeyValue, StringValue, Value,
    propagation::{Injector, TextMapPropagator},
    trace::{SpanBuilder, SpanKind, Status, TraceContextExt},
};

use crate::{
    names::{
        METHOD, METHOD_ORIGINAL, OTHER, REQUEST_HEADER, RESEND_COUNT, RESPONSE_HEADER, STATUS,
        URL_FULL, URL_TEMPLATE,
    },
    route::{self, Route},
    server::Server,
};

/// Begins a span as a child of a context, and gives the context with it.
pub(crate) type Begin = Arc<dyn Fn(SpanBuilder, &Context) -> Context + Send + Sync>;

/// How many values of one header are recorded, and how many bytes of each.
const MAX_VALUES: usize = 4;
const MAX_VALUE: usize = 256;

/// The headers that may be recorded.
#[derive(Clone, Debug, Default)]
pub(crate) struct Allowed {
    pub(crate) request: Vec<HeaderName>,
    pub(crate) response: Vec<HeaderName>,
}

/// What a span of an attempt says from its beginning.
///
/// Semantic conventions, HTTP: method, address, port and URL "SHOULD be provided at span creation
/// time", since a sampler decides by them.
pub(crate) fn attempt<Req: Request>(
    req: &Req,
    method: &'static str,
    server: &Server,
    route: Option<&Route>,
    resends: u32,
    allowed: &Allowed,
) -> SpanBuilder {
    let mut attributes = Vec::with_capacity(12);
    attributes.push(KeyValue::new(METHOD, method));
    if method == OTHER {
        let original: String = req.method().as_str().chars().take(MAX_VALUE).collect();
        attributes.push(KeyValue::new(METHOD_ORIGINAL, original));
    }
    attributes.extend_from_slice(server.labels());
    attributes.extend(url(req, server, route).map(|url| KeyValue::new(URL_FULL, url)));
    attributes.extend(route.map(|r| KeyValue::new(URL_TEMPLATE, Arc::clone(r.template()))));
    //= Semantic conventions, HTTP: "http.request.resend_count … if and only if request was retried"
    if resends > 0 {
        attributes.push(KeyValue::new(RESEND_COUNT, i64::from(resends)));
    }
    headers(req.headers(), &allowed.request, REQUEST_HEADER, |header| {
        attributes.push(header);
    });
    SpanBuilder::from_name(name(method, route))
        .with_kind(SpanKind::Client)
        .with_attributes(attributes)
}

/// What the span around a logical call says from its beginning.
pub(crate) fn call(
    method: &'static str,
    server: &[KeyValue],
    route: Option<&Route>,
) -> SpanBuilder {
    let mut attributes = Vec::with_capacity(4);
    attributes.push(KeyValue::new(METHOD, method));
    attributes.extend_from_slice(server);
    attributes.extend(route.map(|r| KeyValue::new(URL_TEMPLATE, Arc::clone(r.template()))));
    SpanBuilder::from_name(format!("call {}", name(method, route)))
        .with_kind(SpanKind::Internal)
        .with_attributes(attributes)
}

/// Notes the response.
pub(crate) fn answered(
    context: &Context,
    status: StatusCode,
    response: &HeaderMap,
    allowed: &Allowed,
) {
    let span = context.span();
    if span.is_recording() {
        span.set_attribute(KeyValue::new(STATUS, i64::from(status.as_u16())));
        headers(response, &allowed.response, RESPONSE_HEADER, |header| {
            span.set_attribute(header);
        });
    }
}

/// Ends the span, as an error if there is one.
///
/// Semantic conventions, HTTP: for 4xx and 5xx "span status … SHOULD be set to Error", and "Don't
/// set the span status description if the reason can be inferred from http.response.status_code".
/// The text of an error is left out too: it may hold a URL with all that is in it.
pub(crate) fn end(context: &Context, error: Option<KeyValue>) {
    let span = context.span();
    if let Some(error) = error {
        span.set_attribute(error);
        span.set_status(Status::error(""));
    }
    span.end();
}

/// Writes the context of the span into the headers of a request.
pub(crate) fn inject(propagator: &dyn TextMapPropagator, context: &Context, to: &mut HeaderMap) {
    struct Into<'a>(&'a mut HeaderMap);

    impl Injector for Into<'_> {
        fn set(&mut self, key: &str, value: String) {
            // A propagator that writes no header writes nothing.
            let name = HeaderName::from_bytes(key.as_bytes());
            if let (Ok(name), Ok(value)) = (name, HeaderValue::try_from(value)) {
                self.0.insert(name, value);
            }
        }
    }

    propagator.inject_context(context, &mut Into(to));
}

/// Semantic conventions, HTTP: "{method} {target}" with the template as target, "{method}" without,
/// and HTTP for a method that is not known.
fn name(method: &'static str, route: Option<&Route>) -> Cow<'static, str> {
    let method = if method == OTHER { "HTTP" } else { method };
    match route {
        Some(route) => format!("{method} {}", route.template()).into(),
        None => method.into(),
    }
}

/// The URL as far as it may be seen: no user, no query, no path but that of a route.
fn url<Req: Request>(req: &Req, server: &Server, route: Option<&Route>) -> Option<String> {
    let path = route.map_or(route::UNKNOWN, Route::redacted);
    match server.origin() {
        Some(origin) => Some([origin, path].concat()),
        None => Some(format!("{}{path}", req.origin()?)),
    }
}

fn headers(
    headers: &HeaderMap,
    allowed: &[HeaderName],
    prefix: &str,
    mut report: impl FnMut(KeyValue),
) {
    for name in allowed {
        let values: Vec<StringValue> = headers
            .get_all(name)
            .into_iter()
            // Whoever marked it knew why.
            .filter(|value| !value.is_sensitive())
            .filter_map(|value| value.to_str().ok())
            .take(MAX_VALUES)
            .map(|value| value.chars().take(MAX_VALUE).collect::<String>().into())
            .collect();
        if !values.is_empty() {
            let values = Value::Array(Array::String(values));
            report(KeyValue::new(format!("{prefix}.{name}"), values));
        }
    }
}
