//! The schemes that receivers meet most.

use alloc::{borrow::Cow, boxed::Box};

use super::{Encoding, Part, Scheme, TimestampIn};

const DOT: Part = Part::Text(Cow::Borrowed("."));

impl Scheme {
    /// Standard Webhooks: `webhook-id`, `webhook-timestamp` and `webhook-signature`, the latter a
    /// space-delimited list. The default.
    ///
    /// With the feature `ed25519`, signatures of version `v1a` are understood too.
    #[must_use]
    pub fn standard_webhooks() -> Self {
        Self::standard("webhook-id", "webhook-timestamp", "webhook-signature")
    }

    /// Standard Webhooks under the header names that came before the standard: `svix-id`,
    /// `svix-timestamp` and `svix-signature`.
    #[must_use]
    pub fn svix() -> Self {
        Self::standard("svix-id", "svix-timestamp", "svix-signature")
    }

    /// Stripe: one header, `stripe-signature: t=1492774577,v1=…`, with one `v1` for each secret
    /// while one is rolled. `v0`, which is for tests, is skipped.
    #[must_use]
    pub fn stripe() -> Self {
        Self {
            timestamp: Some(TimestampIn::List("t=")),
            label: "v1=",
            signed: Box::new([Part::Timestamp, DOT]),
            ..Self::over_the_body("stripe-signature", Encoding::Hex)
        }
    }

    /// GitHub: `x-hub-signature-256: sha256=…` over the body alone.
    #[must_use]
    pub fn github() -> Self {
        Self {
            label: "sha256=",
            ..Self::over_the_body("x-hub-signature-256", Encoding::Hex)
        }
    }

    /// Slack: `x-slack-request-timestamp` and `x-slack-signature: v0=…`.
    #[must_use]
    pub fn slack() -> Self {
        const COLON: Part = Part::Text(Cow::Borrowed(":"));
        Self {
            timestamp: Some(TimestampIn::Header("x-slack-request-timestamp")),
            label: "v0=",
            signed: Box::new([Part::Text(Cow::Borrowed("v0:")), Part::Timestamp, COLON]),
            ..Self::over_the_body("x-slack-signature", Encoding::Hex)
        }
    }

    /// Shopify: `x-shopify-hmac-sha256: …` over the body alone.
    #[must_use]
    pub fn shopify() -> Self {
        Self::over_the_body("x-shopify-hmac-sha256", Encoding::Base64)
    }

    /// Square: `x-square-hmacsha256-signature: …` over the URL and the body.
    ///
    /// `notification_url` is the one that the subscription was made with, to the letter. It comes
    /// from the configuration, never from the request: a `Host` header is the sender's to choose.
    #[must_use]
    pub fn square(notification_url: impl Into<Cow<'static, str>>) -> Self {
        Self {
            signed: Box::new([Part::Text(notification_url.into())]),
            ..Self::over_the_body("x-square-hmacsha256-signature", Encoding::Base64)
        }
    }

    /// Standard Webhooks, "Signature scheme": `msg_id.timestamp.payload`.
    fn standard(id: &'static str, timestamp: &'static str, signature: &'static str) -> Self {
        Self {
            id: Some(id),
            timestamp: Some(TimestampIn::Header(timestamp)),
            label: "v1,",
            asymmetric: Some("v1a,"),
            signed: Box::new([Part::Id, DOT, Part::Timestamp, DOT]),
            after_id: Some(b'.'),
            ..Self::over_the_body(signature, Encoding::Base64)
        }
    }

    /// A bare signature over the body and nothing else.
    pub(super) fn over_the_body(signature: &'static str, encoding: Encoding) -> Self {
        Self {
            id: None,
            timestamp: None,
            signature,
            label: "",
            asymmetric: None,
            encoding,
            signed: Box::default(),
            after_id: None,
        }
    }
}
