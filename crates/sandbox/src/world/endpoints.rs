//! Webhook endpoints and their secrets: after a rotation both sign until the grace is over.

use std::time::Duration;

use serde_json::{Value, json};

use crate::dialect::Shape;
use crate::ids::Ids;
use crate::refusal::Refusal;
use crate::world::fields::Fields;
use crate::world::{MAX_SECRETS, push};

/// Rotations over all endpoints; beyond it 503, because every secret is remembered for redaction.
const MAX_ROTATIONS: usize = 10_000;

/// Secrets of one endpoint that may sign at once.
const MAX_LIVE: usize = 8;

const DEFAULT_GRACE: u64 = 3600;
const MAX_GRACE: u64 = 86_400;

#[derive(Debug, Default)]
pub(crate) struct Endpoints {
    all: Vec<Endpoint>,
    rotations: usize,
}

#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    pub(crate) id: String,
    pub(crate) url: String,
    pub(crate) events: Vec<String>,
    pub(crate) active: bool,
    pub(crate) secrets: Secrets,
    created_at: i64,
    updated_at: i64,
}

/// Newest first; each but the first has an end.
#[derive(Clone)]
pub(crate) struct Secrets(Vec<(String, Option<Duration>)>);

// === impl Secrets ===

impl Secrets {
    pub(crate) fn new(secret: String) -> Self {
        Self(vec![(secret, None)])
    }

    pub(crate) fn current(&self) -> &str {
        self.0.first().map_or("", |(secret, _)| secret)
    }

    /// Those that sign at `now`, newest first.
    pub(crate) fn live(&self, now: Duration) -> Vec<String> {
        self.0
            .iter()
            .filter(|(_, end)| end.is_none_or(|end| now < end))
            .map(|(secret, _)| secret.clone())
            .collect()
    }

    /// Puts a new secret first and ends all others after `grace`, or earlier if they had an end.
    pub(crate) fn rotate(&mut self, secret: String, grace: Duration, now: Duration) {
        let end = now + grace;
        for (_, ends) in &mut self.0 {
            *ends = Some(ends.map_or(end, |known| known.min(end)));
        }
        self.0.retain(|(_, ends)| ends.is_some_and(|end| now < end));
        self.0.insert(0, (secret, None));
        self.0.truncate(MAX_LIVE);
    }
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Secrets([{} redacted])", self.0.len())
    }
}

// === impl Endpoints ===

impl Endpoints {
    pub(crate) fn create(
        &mut self,
        ids: &mut Ids,
        body: &[u8],
        now: i64,
    ) -> Result<&Endpoint, Refusal> {
        let mut fields = Fields::parse(body)?;
        let url = fields.required("url", Fields::text);
        let events = fields.texts("events");
        check_url(&mut fields, url.as_deref());
        fields.finish()?;
        if self.all.len() >= MAX_SECRETS {
            return Err(Refusal::full("webhook endpoints", MAX_SECRETS));
        }
        Ok(push(
            &mut self.all,
            Endpoint {
                id: ids.next("whe_", 24),
                url: url.unwrap_or_default(),
                events: events.unwrap_or_else(|| vec!["*".to_owned()]),
                active: true,
                secrets: Secrets::new(ids.next_webhook_secret()),
                created_at: now,
                updated_at: now,
            },
        ))
    }

    pub(crate) fn update(&mut self, id: &str, body: &[u8], now: i64) -> Result<&Endpoint, Refusal> {
        let mut fields = Fields::parse(body)?;
        let (url, events, status) = (
            fields.text("url"),
            fields.texts("events"),
            fields.text("status"),
        );
        check_url(&mut fields, url.as_deref());
        if status
            .as_deref()
            .is_some_and(|status| status != "active" && status != "disabled")
        {
            fields.error("status", "invalid_format", "must be active or disabled");
        }
        fields.finish()?;
        let endpoint = self.find_mut(id)?;
        if let Some(url) = url {
            endpoint.url = url;
        }
        if let Some(events) = events {
            endpoint.events = events;
        }
        if let Some(status) = status {
            endpoint.active = status == "active";
        }
        endpoint.updated_at = now;
        Ok(endpoint)
    }

    /// The endpoint, with its new secret first.
    pub(crate) fn rotate(
        &mut self,
        ids: &mut Ids,
        id: &str,
        body: &[u8],
        now: crate::clock::Now,
    ) -> Result<(&Endpoint, u64), Refusal> {
        let mut fields = Fields::parse_optional(body)?;
        let grace = fields.number("expire_current_in").unwrap_or(DEFAULT_GRACE);
        if grace > MAX_GRACE {
            fields.error(
                "expire_current_in",
                "invalid_format",
                "must be at most 86400 seconds",
            );
        }
        fields.finish()?;
        self.find(id)?;
        if self.rotations >= MAX_ROTATIONS {
            return Err(Refusal::full("rotated secrets", MAX_ROTATIONS));
        }
        self.rotations += 1;
        let endpoint = self.find_mut(id)?;
        endpoint.secrets.rotate(
            ids.next_webhook_secret(),
            Duration::from_secs(grace),
            now.mono,
        );
        endpoint.updated_at = now.unix_secs();
        Ok((endpoint, grace))
    }

    pub(crate) fn delete(&mut self, id: &str) -> Result<(), Refusal> {
        self.find(id)?;
        self.all.retain(|endpoint| endpoint.id != id);
        Ok(())
    }

    /// RFC-less, but usual: 410 Gone means "never again".
    pub(crate) fn disable(&mut self, id: &str) {
        if let Ok(endpoint) = self.find_mut(id) {
            endpoint.active = false;
        }
    }

    pub(crate) fn find(&self, id: &str) -> Result<&Endpoint, Refusal> {
        self.all
            .iter()
            .find(|endpoint| endpoint.id == id)
            .ok_or_else(unknown)
    }

    pub(crate) fn all(&self) -> &[Endpoint] {
        &self.all
    }

    fn find_mut(&mut self, id: &str) -> Result<&mut Endpoint, Refusal> {
        self.all
            .iter_mut()
            .find(|endpoint| endpoint.id == id)
            .ok_or_else(unknown)
    }
}

// === impl Endpoint ===

impl Endpoint {
    /// Without its secret, which is shown on creation and rotation alone.
    pub(crate) fn write(&self, shape: Shape) -> Value {
        json!({
            "id": self.id,
            "url": self.url,
            "events": self.events,
            "status": if self.active { "active" } else { "disabled" },
            "created_at": shape.date(self.created_at),
            "updated_at": shape.date(self.updated_at),
        })
    }

    pub(crate) fn wants(&self, event: &str) -> bool {
        self.active
            && self
                .events
                .iter()
                .any(|pattern| match pattern.strip_suffix('*') {
                    Some(start) => event.starts_with(start),
                    None => pattern == event,
                })
    }
}

fn check_url(fields: &mut Fields, url: Option<&str>) {
    let is_http = |text: &str| {
        url::Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https"))
    };
    if url.is_some_and(|url| !is_http(url)) {
        fields.error("url", "invalid_format", "must be an http or https URL");
    }
}

fn unknown() -> Refusal {
    Refusal::not_found("this webhook endpoint")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn during_the_grace_both_secrets_sign_and_a_second_rotation_prolongs_nothing() {
        let secs = Duration::from_secs;
        let mut secrets = Secrets::new("a".to_owned());
        secrets.rotate("b".to_owned(), secs(10), secs(0));
        assert_eq!(secrets.live(secs(9)), ["b", "a"]);
        secrets.rotate("c".to_owned(), secs(10), secs(5));
        assert_eq!(secrets.live(secs(9)), ["c", "b", "a"]);
        assert_eq!(secrets.live(secs(10)), ["c", "b"]);
        assert_eq!(secrets.live(secs(15)), ["c"]);
        secrets.rotate("d".to_owned(), Duration::ZERO, secs(20));
        assert_eq!(secrets.live(secs(20)), ["d"]);
    }

    #[test]
    fn events_are_chosen_by_name_or_wildcard() {
        let mut all = Endpoints::default();
        let body = br#"{"url": "http://127.0.0.1:1/", "events": ["customer.*", "loan.active"]}"#;
        let endpoint = all.create(&mut Ids::new(1), body, 0).unwrap();
        let wanted =
            ["customer.created", "loan.active", "loan.created"].map(|event| endpoint.wants(event));
        assert_eq!(wanted, [true, true, false]);
        assert!(!format!("{all:?}").contains("whsec_"));
    }
}
