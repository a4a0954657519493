use std::fmt;

use http::{Extensions, HeaderMap, HeaderName, HeaderValue, Method, Uri, Version};

use crate::Replay;
#[cfg(any(feature = "tower", feature = "reqwest"))]
use crate::held::Again;

/// A request that is kept in case it has to be sent again: most are not, so that it costs as little
/// as can be, and more to be made a request again.
pub struct Kept<B> {
    method: Method,
    uri: Uri,
    version: Version,
    headers: KeptHeaders,
    extensions: Extensions,
    body: B,
}

/// Headers in one allocation, where a map has two.
#[derive(Clone)]
pub(crate) struct KeptHeaders(Vec<(HeaderName, HeaderValue)>);

// === impl Kept ===

impl<B: Replay> Kept<B> {
    /// A copy of `request`, or `None` if its body can be sent only once.
    pub(crate) fn of(request: &http::Request<B>) -> Option<Self> {
        Some(Self {
            body: request.body().replay()?,
            method: request.method().clone(),
            uri: request.uri().clone(),
            version: request.version(),
            headers: KeptHeaders::of(request.headers()),
            extensions: request.extensions().clone(),
        })
    }

    /// The request, to be sent.
    pub(crate) fn into_request(self) -> http::Request<B> {
        let mut request = http::Request::new(self.body);
        *request.method_mut() = self.method;
        *request.uri_mut() = self.uri;
        *request.version_mut() = self.version;
        *request.headers_mut() = self.headers.into_map();
        *request.extensions_mut() = self.extensions;
        request
    }
}

impl<B> fmt::Debug for Kept<B> {
    // Never the headers: there is a credential among them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept").finish_non_exhaustive()
    }
}

#[cfg(any(feature = "tower", feature = "reqwest"))]
impl<B: Replay> Again for Kept<B> {
    fn again(&mut self) -> Option<Self> {
        Some(Self {
            body: self.body.replay()?,
            method: self.method.clone(),
            uri: self.uri.clone(),
            version: self.version,
            headers: self.headers.clone(),
            extensions: self.extensions.clone(),
        })
    }
}

// === impl KeptHeaders ===

impl KeptHeaders {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let mut kept = Vec::with_capacity(headers.len());
        kept.extend(
            headers
                .iter()
                .map(|(name, value)| (name.clone(), value.clone())),
        );
        Self(kept)
    }

    /// The same, value by value in the same order.
    pub(crate) fn into_map(self) -> HeaderMap {
        let mut map = HeaderMap::with_capacity(self.0.len());
        for (name, value) in self.0 {
            map.append(name, value);
        }
        map
    }
}

#[cfg(all(test, any(feature = "tower", feature = "reqwest")))]
mod tests {
    use super::*;

    #[test]
    fn a_request_that_was_kept_is_the_same() {
        let mut request = http::Request::new("amount=12".to_owned());
        *request.method_mut() = Method::PUT;
        *request.uri_mut() = Uri::from_static("http://api.test/v3/loans?x=1");
        *request.version_mut() = Version::HTTP_2;
        request.extensions_mut().insert(7_u8);
        let mut secret = HeaderValue::from_static("Bearer x");
        secret.set_sensitive(true);
        let headers = request.headers_mut();
        headers.insert("authorization", secret);
        for (name, value) in [
            ("accept", "a"),
            ("x-tag", "1"),
            ("accept", "b"),
            ("x-tag", "2"),
        ] {
            headers.append(name, HeaderValue::from_static(value));
        }
        let mut kept = Kept::of(&request).unwrap();
        for copy in [kept.again().unwrap(), kept] {
            let copy = copy.into_request();
            assert_eq!(copy.method(), request.method());
            assert_eq!(copy.uri(), request.uri());
            assert_eq!(copy.version(), request.version());
            assert_eq!(copy.headers(), request.headers());
            assert!(copy.headers()["authorization"].is_sensitive());
            assert_eq!(copy.extensions().get::<u8>(), Some(&7));
            assert_eq!(copy.body(), request.body());
        }
    }
}
