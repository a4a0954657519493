//! The conversation: see the body, sign, send.

use std::fmt;
use std::sync::Arc;

use golive_core::{Call, Exchange, Middleware, Own, Request};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::config::Settings;
use super::{Builder, SignError, id};
use crate::Signer;

/// Signs every request as the delivery of a webhook; see the [module](super) documentation.
///
/// Cheap to clone: the clones share their configuration.
#[derive(Clone)]
pub struct SignRequests(Arc<Settings>);

/// Gives every request without an id a new one; goes above whatever sends a request again. Made by
/// [`SignRequests::message_ids`].
///
/// An id that is there stays. Cheap to clone.
#[derive(Clone)]
pub struct MessageIds(Arc<Settings>);

golive_core::faces!(SignRequests);
golive_core::faces!(MessageIds);

// === impl SignRequests ===

impl SignRequests {
    /// Signs with one signer: the [builder](Self::builder)'s defaults. With one that has no key for
    /// its scheme every request fails with [`SignError::Unsigned`]; the builder tells at once.
    #[must_use]
    pub fn new(signer: Signer) -> Self {
        Self::builder(signer).unchecked()
    }

    /// Sets up something else than the defaults.
    pub fn builder(signer: Signer) -> Builder {
        Builder::new(signer)
    }

    /// The middleware that chooses ids in the way that this one is set up for.
    #[must_use]
    pub fn message_ids(&self) -> MessageIds {
        MessageIds(Arc::clone(&self.0))
    }

    pub(super) fn from_settings(settings: Settings) -> Self {
        Self(Arc::new(settings))
    }

    /// Puts the headers of a delivery on the request.
    async fn sign<Req: Request>(&self, req: &mut Req) -> Result<(), SignError> {
        let settings = &*self.0;
        if !settings.signs {
            return Err(SignError::Unsigned);
        }
        let id = settings.id(req.headers())?;
        let body = req.read_ahead(settings.max_body_bytes).await?;
        // Only now: who knows how long the body was awaited.
        let now = settings.clock.now();
        for (name, value) in settings.signer.headers(&id, now, &body) {
            put(req.headers_mut(), name, value)?;
        }
        Ok(())
    }
}

impl Middleware for SignRequests {
    async fn handle<Req: Request, X: Exchange<Req>>(
        &self,
        call: &mut Call,
        mut req: Req,
        mut below: X,
    ) -> Result<X::Response, X::Error> {
        match self.sign(&mut req).await {
            Ok(()) => below.send(call, req).await,
            Err(error) => {
                // Nor would it be signed the next time.
                call.set_unsent();
                Err(Own::new(error).into())
            }
        }
    }
}

impl fmt::Debug for SignRequests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SignRequests").field(&self.0).finish()
    }
}

// === impl MessageIds ===

impl MessageIds {
    /// Makes sure that the request carries one id, if the scheme has any.
    fn put<Req: Request>(&self, req: &mut Req) -> Result<(), SignError> {
        let scheme = self.0.signer.scheme();
        let Some(name) = scheme.id else {
            return Ok(());
        };
        if id::given(req.headers(), name, scheme)?.is_none() {
            put(req.headers_mut(), name, self.0.mint()?)?;
        }
        Ok(())
    }
}

impl Middleware for MessageIds {
    async fn handle<Req: Request, X: Exchange<Req>>(
        &self,
        call: &mut Call,
        mut req: Req,
        mut below: X,
    ) -> Result<X::Response, X::Error> {
        match self.put(&mut req) {
            Ok(()) => below.send(call, req).await,
            Err(error) => {
                // Nor would it be signed the next time.
                call.set_unsent();
                Err(Own::new(error).into())
            }
        }
    }
}

impl fmt::Debug for MessageIds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageIds").finish_non_exhaustive()
    }
}

// === impl Settings ===

impl Settings {
    /// The id to sign; empty if the scheme has none.
    fn id(&self, headers: &HeaderMap) -> Result<String, SignError> {
        let scheme = self.signer.scheme();
        let Some(name) = scheme.id else {
            return Ok(String::new());
        };
        match id::given(headers, name, scheme)? {
            Some(id) => Ok(id.to_owned()),
            None if self.mints => self.mint(),
            None => Err(SignError::MissingId(name)),
        }
    }
}

/// In place of what was there: a receiver refuses two, and one of the caller's may be stale.
fn put(headers: &mut HeaderMap, name: &'static str, value: String) -> Result<(), SignError> {
    let unsendable = SignError::Unsendable { header: name };
    let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) else {
        return Err(unsendable);
    };
    headers.insert(name, value);
    Ok(())
}
