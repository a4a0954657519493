use std::{error::Error, io, sync::Arc};

use golive_core::{ReplayError, caused_by};

/// What the end of an attempt without a response says about its execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Class {
    /// There was no connection, so nothing was sent.
    Connect,
    /// The server refused the request before it did anything: an HTTP/2 `REFUSED_STREAM`
    /// (RFC 9113 §8.7).
    Refused,
    /// There was no answer in time. It may have been executed.
    Timeout,
    /// The connection broke, or nobody knows what happened. It may have been executed.
    Ambiguous,
    /// Sending it again would fail the same way: a request that cannot be built, a redirect that
    /// never ends.
    Fatal,
}

/// Reads an error that this crate does not know; `None` for one that it does not know either.
pub(crate) type Classifier = Arc<dyn Fn(&(dyn Error + 'static)) -> Option<Class> + Send + Sync>;

// === impl Class ===

impl Class {
    /// One word for it, as it stands in [`Outcome::Failed`](golive_core::Outcome::Failed).
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Refused => "refused",
            Self::Timeout => "timeout",
            Self::Ambiguous => "ambiguous",
            Self::Fatal => "fatal",
        }
    }

    /// Whether the request was provably not executed.
    pub(crate) fn is_unexecuted(self) -> bool {
        matches!(self, Self::Connect | Self::Refused)
    }
}

/// Reads the errors of hyper-util's `client::legacy`, for
/// [`Builder::classify`](crate::Builder::classify): a connection that could not be made is
/// [`Class::Connect`], everything else [`Class::Ambiguous`]; `None` for any other error.
///
/// Only where nothing between the retry and the client follows redirects, such as tower-http's
/// `FollowRedirect`: see `reqwest_class` (feature `reqwest`) why.
#[cfg(feature = "hyper")]
#[must_use]
pub fn hyper_class(error: &(dyn Error + 'static)) -> Option<Class> {
    // The first one decides. One further down belongs to another exchange: that of a request body
    // which is itself being fetched, and by then this request was under way.
    let error = caused_by::<hyper_util::client::legacy::Error>(error)?;
    Some(if error.is_connect() {
        Class::Connect
    } else {
        timeout_or_ambiguous(error)
    })
}

/// Reads the errors of a reqwest client **that follows no redirects**, for
/// [`Builder::classify`](crate::Builder::classify): a connection that could not be made is
/// [`Class::Connect`], so that even a POST without a key is sent again; `None` for any other error.
///
/// Only for a client that was built with `redirect(reqwest::redirect::Policy::none())`, and without
/// a `retry` policy of its own. One that follows redirects, as reqwest's default does, may have its
/// POST executed, be sent to another address, and not get a connection there. The error is the
/// same, and the request would be executed twice. So without this function, a connection that
/// reqwest could not make is [`Class::Ambiguous`].
///
/// ```
/// # fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use golive_backoff::{Backoff, reqwest_class};
///
/// let transport = reqwest::Client::builder()
///     .redirect(reqwest::redirect::Policy::none())
///     .build()?;
/// let backoff = Backoff::builder().classify(reqwest_class).build()?;
/// # Ok(())
/// # }
/// ```
#[cfg(feature = "reqwest")]
#[must_use]
pub fn reqwest_class(error: &(dyn Error + 'static)) -> Option<Class> {
    // NOTE: the error itself and not a cause; see `classify` why.
    let error = error.downcast_ref::<reqwest::Error>()?;
    // Before the timeout: a connection that was not there in time was not there.
    // `reqwest::Error::is_connect` looks at any depth; see `hyper_class` why that is too deep.
    if error.is_connect() && hyper_class(error) == Some(Class::Connect) {
        return Some(Class::Connect);
    }
    Some(of_reqwest(error))
}

/// Reads the errors that are known: reqwest's (feature `reqwest`), tokio's `Elapsed` and
/// `std::io`'s.
pub(crate) fn classify(error: &(dyn Error + 'static)) -> Class {
    // NOTE: only the error itself proves something. One further down may be that of a request body
    // whose source refused the connection, and by then this request was under way.
    #[cfg(feature = "reqwest")]
    if let Some(error) = error.downcast_ref::<reqwest::Error>() {
        return of_reqwest(error);
    }
    let io = error.downcast_ref::<io::Error>().map(io::Error::kind);
    match io {
        Some(io::ErrorKind::ConnectionRefused | io::ErrorKind::AddrNotAvailable) => Class::Connect,
        _ => timeout_or_ambiguous(error),
    }
}

/// What an error of reqwest's says whether or not the client follows redirects.
#[cfg(feature = "reqwest")]
fn of_reqwest(error: &reqwest::Error) -> Class {
    if error.is_builder() || error.is_redirect() {
        return Class::Fatal;
    }
    if error.is_timeout() {
        return Class::Timeout;
    }
    Class::Ambiguous
}

/// The two are the same to the policy; who reads the history wants to know.
fn timeout_or_ambiguous(error: &(dyn Error + 'static)) -> Class {
    if caused_by::<ReplayError>(error).is_some() {
        return Class::Ambiguous;
    }
    #[cfg(feature = "reqwest")]
    if caused_by::<reqwest::Error>(error).is_some_and(reqwest::Error::is_timeout) {
        return Class::Timeout;
    }
    let io = caused_by::<io::Error>(error).map(io::Error::kind);
    if io == Some(io::ErrorKind::TimedOut)
        || caused_by::<tokio::time::error::Elapsed>(error).is_some()
    {
        return Class::Timeout;
    }
    Class::Ambiguous
}

#[cfg(test)]
mod tests {
    use golive_core::BoxError;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("outer")]
    struct Outer(#[source] BoxError);

    #[test]
    fn an_io_error_tells_by_its_kind() {
        let class = |kind: io::ErrorKind| classify(&io::Error::from(kind));
        assert_eq!(class(io::ErrorKind::ConnectionRefused), Class::Connect);
        assert_eq!(class(io::ErrorKind::AddrNotAvailable), Class::Connect);
        assert_eq!(class(io::ErrorKind::TimedOut), Class::Timeout);
        assert_eq!(class(io::ErrorKind::ConnectionReset), Class::Ambiguous);
        assert_eq!(class(io::ErrorKind::BrokenPipe), Class::Ambiguous);
        assert_eq!(class(io::ErrorKind::UnexpectedEof), Class::Ambiguous);
    }

    #[test]
    fn a_refused_connection_further_down_proves_nothing() {
        let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
        assert_eq!(classify(&Outer(refused.into())), Class::Ambiguous);
        let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
        let body = ReplayError::Body(refused.into());
        assert_eq!(classify(&Outer(body.into())), Class::Ambiguous);
    }

    #[cfg(feature = "reqwest")]
    #[tokio::test]
    async fn a_connection_that_reqwest_did_not_get_further_down_proves_nothing() {
        async fn refused() -> reqwest::Error {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let url = format!("http://{}/", listener.local_addr().unwrap());
            drop(listener);
            let client = reqwest::Client::builder().no_proxy().build().unwrap();
            client.get(url).send().await.unwrap_err()
        }
        assert_eq!(reqwest_class(&refused().await), Some(Class::Connect));
        // It may be that of a second request, after a redirect.
        assert_eq!(classify(&refused().await), Class::Ambiguous);
        // That of a request body which is itself being fetched, over another transport.
        let fetched = ReplayError::Body(refused().await.into());
        let outer = Outer(refused().await.into());
        for error in [&fetched as &(dyn Error + 'static), &outer] {
            assert_eq!(reqwest_class(error), None);
            assert_eq!(classify(error), Class::Ambiguous);
        }
    }

    #[cfg(feature = "reqwest")]
    #[tokio::test]
    async fn a_timeout_of_reqwest_is_seen_at_any_depth() {
        // Connects, and is never answered.
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let limit = std::time::Duration::from_millis(20);
        let late = client.get(url).timeout(limit).send().await.unwrap_err();
        assert_eq!(classify(&Outer(late.into())), Class::Timeout);
    }

    #[tokio::test(start_paused = true)]
    async fn a_timeout_is_seen_at_any_depth() {
        let limit = std::time::Duration::from_secs(1);
        let elapsed = tokio::time::timeout(limit, std::future::pending::<()>()).await;
        let error = Outer(elapsed.unwrap_err().into());
        assert_eq!(classify(&error), Class::Timeout);
        let late = io::Error::from(io::ErrorKind::TimedOut);
        assert_eq!(classify(&Outer(late.into())), Class::Timeout);
    }

    #[test]
    fn what_is_unknown_is_ambiguous() {
        assert_eq!(classify(&std::fmt::Error), Class::Ambiguous);
    }
}
