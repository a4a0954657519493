//! Tokens fetched with reqwest.

use std::fmt;

use bytes::Bytes;
use http::{Request, Response};
use reqwest::{Client, redirect::Policy};

use crate::{
    client_credentials::ClientCredentials,
    source::{Fetching, TokenError, TokenSource},
};

/// Fetches tokens with reqwest.
#[derive(Clone)]
pub struct ReqwestSource {
    protocol: ClientCredentials,
    client: Client,
}

// === impl ReqwestSource ===

impl ReqwestSource {
    /// Uses a client of its own, which follows no redirects: a 307 would carry the secret to
    /// wherever it points.
    ///
    /// # Errors
    /// [`TokenError::Transport`] if reqwest cannot build a client, for instance for want of a TLS
    /// backend.
    pub fn new(protocol: ClientCredentials) -> Result<Self, TokenError> {
        let client = Client::builder()
            .redirect(Policy::none())
            .build()
            .map_err(transport)?;
        Ok(Self::with_client(protocol, client))
    }

    /// Uses your client: your proxy, your roots of trust.
    ///
    /// It must be built with [`Policy::none`]. reqwest repeats the body after a 307 or 308, and
    /// with it the secret, if [`ClientAuth`](crate::client_credentials::ClientAuth) put it there.
    #[must_use]
    pub fn with_client(protocol: ClientCredentials, client: Client) -> Self {
        Self { protocol, client }
    }

    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TokenError> {
        let request = request.try_into().map_err(transport)?;
        let mut response = self.client.execute(request).await.map_err(transport)?;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(transport)? {
            body.extend_from_slice(&chunk);
            if body.len() > TokenError::MAX_BODY_BYTES {
                break; // Whoever reads it refuses it.
            }
        }
        let mut answer = Response::new(Bytes::from(body));
        *answer.status_mut() = response.status();
        *answer.headers_mut() = std::mem::take(response.headers_mut());
        Ok(answer)
    }
}

impl TokenSource for ReqwestSource {
    fn fetch(&self) -> Fetching<'_> {
        Box::pin(self.protocol.fetch(|request| self.send(request)))
    }

    fn version(&self) -> u64 {
        self.protocol.version()
    }
}

impl fmt::Debug for ReqwestSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the client: its default headers are not ours to print.
        f.debug_struct("ReqwestSource")
            .field("protocol", &self.protocol)
            .finish_non_exhaustive()
    }
}

fn transport(error: reqwest::Error) -> TokenError {
    if error.is_timeout() {
        return TokenError::Timeout;
    }
    // A URL may hold what no log should.
    TokenError::transport(error.without_url())
}
