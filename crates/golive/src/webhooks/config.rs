//! The builder of a receiver.

use std::{fmt, sync::Arc, time::Duration};

use golive_core::{Clock, SystemClock};
use golive_telemetry::Webhooks as Recorder;
use golive_webhook_inbox::{EventKey, Store, tower::Accept};
use golive_webhook_verify::{
    Verified,
    tower::{VerifierSource, VerifyLayer},
};
use tower_layer::Layer as _;

use super::{fingerprint, service::Webhooks};
use crate::ConfigError;

/// The provider asks for 5 seconds; one is left for the way.
const DEFAULT_ANSWER_WITHIN: Duration = Duration::from_secs(4);
const MAX_ANSWER_WITHIN: Duration = Duration::from_secs(5);
const DEFAULT_SOURCE: &str = "webhook";
/// What the built-in provider writes anew into each attempt.
const VARYING: [&str; 2] = ["delivery_id", "timestamp"];

/// Sets up a [`Webhooks`]; start with [`Webhooks::builder`].
#[must_use]
pub struct WebhooksBuilder<St> {
    store: Arc<St>,
    verifiers: Arc<dyn VerifierSource>,
    source: Box<str>,
    varying: Arc<[Box<str>]>,
    answer_within: Duration,
    recorder: Option<Recorder>,
    clock: Arc<dyn Clock>,
}

// === impl WebhooksBuilder ===

impl<St: Store> WebhooksBuilder<St> {
    pub(super) fn new(store: Arc<St>, verifiers: Arc<dyn VerifierSource>) -> Self {
        Self {
            store,
            verifiers,
            source: DEFAULT_SOURCE.into(),
            varying: VARYING.map(Box::from).into(),
            answer_within: DEFAULT_ANSWER_WITHIN,
            recorder: None,
            clock: Arc::new(SystemClock),
        }
    }

    /// Who sends, so that the ids of two senders in one inbox cannot collide. Default: `webhook`.
    pub fn source(mut self, name: &str) -> Self {
        self.source = name.into();
        self
    }

    /// The members at the top of the body that differ from one attempt to the next. Default:
    /// `delivery_id` and `timestamp`. An event whose other members change under the same
    /// `webhook-id` is parked, for someone to look at.
    pub fn varying<'a>(mut self, names: impl IntoIterator<Item = &'a str>) -> Self {
        self.varying = names.into_iter().map(Box::from).collect();
        self
    }

    /// How long a delivery may take to arrive and to be stored, before it is answered 503 and comes
    /// again. Three quarters of it are for its body, which is answered 408 after that. Default: 4
    /// seconds, at most the 5 that the provider waits.
    pub fn answer_within(mut self, time: Duration) -> Self {
        self.answer_within = time;
        self
    }

    /// Counts the deliveries by what came of them. Default: nobody does.
    pub fn recorder(mut self, recorder: Recorder) -> Self {
        self.recorder = Some(recorder);
        self
    }

    /// The clock that tells the age of a delivery. Default: that of the machine.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Builds the receiver.
    ///
    /// # Errors
    /// - [`ConfigError::AnswerWithin`] if that is zero or more than 5 seconds;
    /// - [`ConfigError::Source`] unless the name has 1 to 256 bytes.
    pub fn build(self) -> Result<Webhooks<St>, ConfigError> {
        if self.answer_within.is_zero() || self.answer_within > MAX_ANSWER_WITHIN {
            return Err(ConfigError::AnswerWithin);
        }
        if EventKey::new(&self.source, "id").is_err() {
            return Err(ConfigError::Source);
        }
        let (source, varying) = (self.source, self.varying);
        let accept = Accept::new(self.store)
            .with_key(move |parts| {
                let verified = parts.extensions.get::<Verified<'static>>()?;
                EventKey::new(&source, verified.id()?).ok()
            })
            .with_fingerprint(move |_, body| fingerprint::of(body, &varying))
            // The verifier of the moment has bounded it already.
            .with_max_body_bytes(usize::MAX);
        // Less than for the whole, so that a slow sender is told so, and is not counted as a failure
        // of ours: anybody can send slowly.
        let verify = VerifyLayer::following(self.verifiers)
            .with_clock(self.clock)
            .with_body_timeout(self.answer_within * 3 / 4);
        Ok(Webhooks::from_parts(
            verify.layer(accept),
            self.answer_within,
            self.recorder,
        ))
    }
}

impl<St> fmt::Debug for WebhooksBuilder<St> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhooksBuilder")
            .field("source", &self.source)
            .field("varying", &self.varying)
            .field("answer_within", &self.answer_within)
            .finish_non_exhaustive()
    }
}
