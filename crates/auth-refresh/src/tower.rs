//! Tokens fetched over any tower service.

use std::{
    error::Error,
    fmt,
    future::poll_fn,
    sync::{Mutex, PoisonError},
};

use bytes::Bytes;
use golive_core::BoxError;
use http::{Request, Response};
use http_body::Body;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use tower_service::Service;

use crate::{
    client_credentials::ClientCredentials,
    source::{Fetching, TokenError, TokenSource},
};

/// Fetches tokens over a tower service, such as hyper-util's client.
///
/// The service must not follow redirects: a 307 would carry the secret to wherever it points.
pub struct ServiceSource<S> {
    protocol: ClientCredentials,
    // Only ever cloned, but not every service is `Sync`.
    service: Mutex<S>,
}

// === impl ServiceSource ===

impl<S> ServiceSource<S> {
    /// Fetches over clones of `service`.
    pub fn new(protocol: ClientCredentials, service: S) -> Self {
        Self {
            protocol,
            service: Mutex::new(service),
        }
    }

    async fn send<B>(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TokenError>
    where
        S: Service<Request<Full<Bytes>>, Response = Response<B>> + Clone,
        S::Error: Into<BoxError>,
        B: Body,
        B::Error: Into<BoxError>,
    {
        let mut service = self
            .service
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        poll_fn(|cx| service.poll_ready(cx))
            .await
            .map_err(TokenError::transport)?;
        let response = service.call(request.map(Full::new)).await;
        let (parts, body) = response.map_err(TokenError::transport)?.into_parts();
        let body = Limited::new(body, TokenError::MAX_BODY_BYTES);
        let body = body.collect().await.map_err(broken)?.to_bytes();
        Ok(Response::from_parts(parts, body))
    }
}

impl<S, B> TokenSource for ServiceSource<S>
where
    S: Service<Request<Full<Bytes>>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<BoxError> + Send,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    fn fetch(&self) -> Fetching<'_> {
        Box::pin(self.protocol.fetch(|request| self.send(request)))
    }

    fn version(&self) -> u64 {
        self.protocol.version()
    }
}

impl<S> fmt::Debug for ServiceSource<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceSource")
            .field("protocol", &self.protocol)
            .finish_non_exhaustive()
    }
}

fn broken(error: BoxError) -> TokenError {
    let cause: &(dyn Error + 'static) = error.as_ref();
    if cause.is::<LengthLimitError>() {
        return TokenError::TooLarge {
            limit: TokenError::MAX_BODY_BYTES,
        };
    }
    TokenError::Transport(error)
}
