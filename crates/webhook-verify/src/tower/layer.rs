//! The layer and its settings.

use std::{fmt, sync::Arc, time::Duration};

use golive_core::{Clock, SystemClock};
use tower_layer::Layer;

use super::{VerifierSource, VerifyService};
use crate::{Reject, Verified, Verifier};

/// Providers wait some 5 seconds for the answer; two are left for the way and the work.
const DEFAULT_BODY_TIMEOUT: Duration = Duration::from_secs(3);

/// Puts a [`VerifyService`] in front of a service. See the module documentation.
#[derive(Clone)]
pub struct VerifyLayer<C = SystemClock> {
    settings: Settings<C>,
}

/// What the services of a layer share.
#[derive(Clone)]
pub(super) struct Settings<C> {
    pub(super) source: Arc<dyn VerifierSource>,
    pub(super) clock: C,
    pub(super) body_timeout: Option<Duration>,
    on_verdict: Option<Arc<OnVerdict>>,
}

type OnVerdict = dyn Fn(Result<&Verified<'static>, Reject>) + Send + Sync;

// === impl VerifyLayer ===

impl VerifyLayer {
    /// Verifies with this verifier and the clock of the machine.
    pub fn new(verifier: impl Into<Arc<Verifier>>) -> Self {
        Self::following(verifier.into())
    }

    /// Verifies with the verifier that `source` has at the moment, such as a
    /// [`SharedVerifier`](super::SharedVerifier), and the clock of the machine.
    pub fn following(source: impl VerifierSource) -> Self {
        Self {
            settings: Settings {
                source: Arc::new(source),
                clock: SystemClock,
                body_timeout: Some(DEFAULT_BODY_TIMEOUT),
                on_verdict: None,
            },
        }
    }
}

impl<C> VerifyLayer<C> {
    /// Takes the time from this clock instead.
    #[must_use]
    pub fn with_clock<D: Clock>(self, clock: D) -> VerifyLayer<D> {
        let Settings {
            source,
            clock: _,
            body_timeout,
            on_verdict,
        } = self.settings;
        VerifyLayer {
            settings: Settings {
                source,
                clock,
                body_timeout,
                on_verdict,
            },
        }
    }

    /// How long the body may take, from its headers to its end, before it is answered 408.
    /// Default: 3 seconds. With a time of zero it must be there already.
    #[must_use]
    pub fn with_body_timeout(mut self, time: Duration) -> Self {
        self.settings.body_timeout = Some(time);
        self
    }

    /// Waits for the body for as long as the sender, or a timeout outside of this layer, lets it.
    /// Without that a sender may hold a request, and its connection, for ever.
    #[must_use]
    pub fn without_body_timeout(mut self) -> Self {
        self.settings.body_timeout = None;
        self
    }

    /// Calls this with each verdict, for one's metrics: [`Verified::key_id`] shows which secret is
    /// in use, and [`Reject::code`] and [`Reject::fault`] are words from a fixed set, made for
    /// labels. The id of a delivery is not: it is different each time.
    ///
    /// It is called once for each request, when its verdict is known and before the inner service
    /// is called, or not at all if the request was dropped before that (the sender hung up, or a
    /// timeout outside struck). It should be quick, and not panic. The last one that was set counts.
    ///
    /// ```
    /// use golive_webhook_verify::{Key, Verifier, tower::VerifyLayer};
    ///
    /// # let key = Key::from_whsec("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")?;
    /// # let verifier = Verifier::builder().key(key).build()?;
    /// let layer = VerifyLayer::new(verifier).on_verdict(|verdict| match verdict {
    ///     Ok(verified) => count("accepted", verified.key_id().unwrap_or("unnamed")),
    ///     Err(reject) => count("rejected", reject.code()),
    /// });
    /// # fn count(_: &str, _: &str) {}
    /// # let _ = layer;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn on_verdict(
        mut self,
        hook: impl Fn(Result<&Verified<'static>, Reject>) + Send + Sync + 'static,
    ) -> Self {
        self.settings.on_verdict = Some(Arc::new(hook));
        self
    }
}

impl<S, C: Clone> Layer<S> for VerifyLayer<C> {
    type Service = VerifyService<S, C>;

    fn layer(&self, inner: S) -> Self::Service {
        VerifyService::from_parts(inner, Arc::new(self.settings.clone()))
    }
}

impl<C: fmt::Debug> fmt::Debug for VerifyLayer<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("VerifyLayer");
        self.settings.fields(&mut out);
        out.finish()
    }
}

// === impl Settings ===

impl<C> Settings<C> {
    pub(super) fn tell(&self, verdict: Result<&Verified<'static>, Reject>) {
        if let Some(hook) = &self.on_verdict {
            hook(verdict);
        }
    }
}

impl<C: fmt::Debug> Settings<C> {
    pub(super) fn fields(&self, out: &mut fmt::DebugStruct<'_, '_>) {
        out.field("verifier", &self.source.load())
            .field("clock", &self.clock)
            .field("body_timeout", &self.body_timeout)
            .field("on_verdict", &self.on_verdict.is_some());
    }
}
