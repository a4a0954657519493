//! One delivery as planned: honest, or forged in exactly one way.

use std::time::Duration;

use bytes::Bytes;
use secrecy::{ExposeSecret as _, SecretString};

use golive_webhook_verify::{Key, Signer};

use crate::webhooks::Event;

const TIMEOUT: Duration = Duration::from_secs(15);

/// One POST of an event. Without further words it is an honest one: fresh timestamp, signed with
/// the live secrets of the sandbox's own endpoint.
#[derive(Clone, Debug)]
#[must_use]
pub struct Delivery {
    pub(crate) event: Event,
    pub(crate) keys: Option<Vec<SecretString>>,
    pub(crate) timestamp_offset: i64,
    pub(crate) id: Option<String>,
    pub(crate) tampered: Option<Tampered>,
    pub(crate) extra: Vec<String>,
    pub(crate) body: Option<Bytes>,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) timeout: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tampered {
    Body,
    Id,
    Timestamp,
}

/// What goes on the wire.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) id: String,
    pub(crate) timestamp: String,
    pub(crate) signature: Option<String>,
    pub(crate) body: Bytes,
}

// === impl Delivery ===

impl Delivery {
    /// An honest delivery of this event.
    pub fn of(event: Event) -> Self {
        Self {
            event,
            keys: None,
            timestamp_offset: 0,
            id: None,
            tampered: None,
            extra: vec![],
            body: None,
            headers: vec![],
            timeout: TIMEOUT,
        }
    }

    /// Signs with these secrets (`whsec_…`), in this order, instead of the live ones.
    pub fn signed_with(mut self, secrets: impl IntoIterator<Item = SecretString>) -> Self {
        self.keys = Some(secrets.into_iter().collect());
        self
    }

    /// Signs with nothing: without [`extra_signature`](Self::extra_signature) there is no
    /// `webhook-signature` header at all.
    pub fn unsigned(self) -> Self {
        self.signed_with([])
    }

    /// Moves the timestamp by so many seconds; it is signed like that, so the signature is valid.
    pub fn timestamp_offset(mut self, secs: i64) -> Self {
        self.timestamp_offset = secs;
        self
    }

    /// Sends and signs this `webhook-id` instead of the event's.
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// Changes the body after it was signed; a JSON object stays one.
    pub fn tampered_body(mut self) -> Self {
        self.tampered = Some(Tampered::Body);
        self
    }

    /// Changes the `webhook-id` after it was signed.
    pub fn tampered_id(mut self) -> Self {
        self.tampered = Some(Tampered::Id);
        self
    }

    /// Moves the `webhook-timestamp` by a second after it was signed.
    pub fn tampered_timestamp(mut self) -> Self {
        self.tampered = Some(Tampered::Timestamp);
        self
    }

    /// Adds a signature as it is, after the others: `v1a,…`, or one computed elsewhere.
    pub fn extra_signature(mut self, signature: impl Into<String>) -> Self {
        self.extra.push(signature.into());
        self
    }

    /// Sends (and signs) these bytes instead of the envelope.
    pub fn raw_body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// Sets a header, over whatever would be sent otherwise.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// How long to wait for the whole answer; 15 seconds by default.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Signs, then tampers. `body` is the envelope, `live` the secrets that sign by default.
    pub(crate) fn message(
        &self,
        body: Vec<u8>,
        live: Vec<String>,
        now: i64,
    ) -> Result<Message, String> {
        let body = self.body.clone().unwrap_or_else(|| Bytes::from(body));
        let id = self.id.clone().unwrap_or_else(|| self.event.id.clone());
        let timestamp = u64::try_from(now.saturating_add(self.timestamp_offset))
            .map_err(|_| "cannot sign: the timestamp would lie before 1970".to_owned())?;
        let keys = match &self.keys {
            Some(keys) => keys
                .iter()
                .map(|key| key.expose_secret().to_owned())
                .collect(),
            None => live,
        };
        let mut signatures = Vec::with_capacity(keys.len() + self.extra.len());
        for key in keys {
            let key = Key::from_whsec(&key).map_err(|error| format!("cannot sign: {error}"))?;
            signatures.push(Signer::new(key).sign(&id, timestamp, &body));
        }
        signatures.extend(self.extra.iter().cloned());
        let mut message = Message {
            id,
            timestamp: timestamp.to_string(),
            signature: (!signatures.is_empty()).then(|| signatures.join(" ")),
            body,
        };
        match self.tampered {
            None => {}
            Some(Tampered::Body) => message.body = tamper(&message.body),
            Some(Tampered::Id) => message.id.push('0'),
            Some(Tampered::Timestamp) => message.timestamp = (timestamp + 1).to_string(),
        }
        Ok(message)
    }
}

/// NOTE: more than white space must change, or a receiver that signs its own re-serialisation
/// would seem to let the forgery through.
fn tamper(body: &[u8]) -> Bytes {
    let mut body = body.to_vec();
    match body.strip_suffix(b"}") {
        Some(start) => {
            let len = start.len();
            body.truncate(len);
            let comma: &[u8] = if body.trim_ascii().ends_with(b"{") {
                b""
            } else {
                b","
            };
            body.extend_from_slice(comma);
            body.extend_from_slice(br#""tampered":true}"#);
        }
        None => body.push(b'!'),
    }
    Bytes::from(body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    fn delivery() -> Delivery {
        Delivery::of(Event::new(
            "evt_1".to_owned(),
            "loan.active",
            json!(0),
            json!({}),
        ))
    }

    fn message(delivery: &Delivery) -> Message {
        delivery
            .message(b"{\"a\":1}".to_vec(), vec![SECRET.to_owned()], 1000)
            .unwrap()
    }

    #[test]
    fn an_honest_delivery_signs_what_it_sends() {
        let message = message(&delivery().timestamp_offset(-301));
        let signer = Signer::new(Key::from_whsec(SECRET).unwrap());
        assert_eq!(message.timestamp, "699");
        assert_eq!(
            message.signature,
            Some(signer.sign("evt_1", 699, b"{\"a\":1}"))
        );
    }

    #[test]
    fn each_forgery_changes_one_thing_and_keeps_the_signature_of_the_rest() {
        let honest = message(&delivery());
        let forged = |delivery: Delivery| message(&delivery);
        assert_eq!(
            forged(delivery().tampered_id()),
            Message {
                id: "evt_10".to_owned(),
                ..message(&delivery())
            }
        );
        assert_eq!(
            forged(delivery().tampered_timestamp()),
            Message {
                timestamp: "1001".to_owned(),
                ..message(&delivery())
            }
        );
        let body = forged(delivery().tampered_body());
        assert_eq!(
            serde_json::from_slice::<Value>(&body.body).unwrap(),
            json!({ "a": 1, "tampered": true })
        );
        assert_eq!((body.id, body.signature), (honest.id, honest.signature));
        assert_eq!(tamper(b"{}"), br#"{"tampered":true}"#[..]);
        assert_eq!(forged(delivery().unsigned()).signature, None);
        assert_eq!(
            forged(delivery().unsigned().extra_signature("v1a,x"))
                .signature
                .as_deref(),
            Some("v1a,x")
        );
    }

    #[test]
    fn a_secret_that_cannot_sign_is_an_error_that_does_not_repeat_it() {
        let error = delivery()
            .signed_with([SecretString::from("whsec_not*base64")])
            .message(vec![], vec![], 0)
            .unwrap_err();
        assert!(
            error.starts_with("cannot sign") && !error.contains("not*"),
            "{error}"
        );
    }

    #[test]
    fn debug_shows_no_secret() {
        let shown = format!("{:?}", delivery().signed_with([SecretString::from(SECRET)]));
        assert!(!shown.contains("MfKQ"), "{shown}");
    }
}
