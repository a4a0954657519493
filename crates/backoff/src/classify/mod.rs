//! What the errors of a transport say about the execution of a request.

#[cfg(feature = "http2")]
mod http2;
#[cfg(feature = "hyper")]
mod hyper;
mod io;
#[cfg(feature = "reqwest")]
mod reqwest;

use std::{error::Error, fmt, sync::Arc};

use golive_core::{ReplayError, caused_by};

#[cfg(feature = "http2")]
pub use self::http2::http2_class;
#[cfg(feature = "hyper")]
pub use self::hyper::hyper_class;
#[cfg(feature = "reqwest")]
pub use self::reqwest::reqwest_class;

/// What the end of an attempt without a response says about its execution.
///
/// Which error is of which class, "proof" being what
/// [`Builder::classify`](crate::Builder::classify) was given:
///
/// | error | class with proof | without |
/// |---|---|---|
/// | no connection: refused, not in time, no address for the name; also one that was gone before the request was begun | `Connect` | `Ambiguous` (a bare `std::io::Error` that says "refused" is proof in itself) |
/// | TLS handshake: garbage, a certificate that is not trusted, an alert | `Tls` | `Ambiguous` |
/// | HTTP/2 `REFUSED_STREAM`, or `GOAWAY` with `NO_ERROR` for a stream above its last one | `Refused` (`http2_class`) | `Ambiguous` |
/// | no answer in time: of the client, of tokio, of the socket | `Timeout` | `Timeout` |
/// | connection closed or reset before the answer; another HTTP/2 reset or `GOAWAY` | `Reset` | `Reset`; `Ambiguous` for HTTP/2 |
/// | the answer began, and its body failed (reset, cut off, late, not to be decoded) | `Body` | `Body`; reqwest only |
/// | the request cannot be built; redirects without end | `Fatal` | `Fatal`; reqwest only |
/// | the body of the request failed; an answer that is not HTTP; everything else | `Ambiguous` | `Ambiguous` |
///
/// Proof is `reqwest_class` or `hyper_class`, for clients that follow no redirects. With features
/// `reqwest` and `hyper`. `http2_class` (feature `http2`) goes before them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Class {
    /// There was no connection, or it was gone before the request was begun: nothing was sent.
    Connect,
    /// The TLS handshake failed, over a certificate that is not trusted for instance: nothing was
    /// sent, and sending it again would fail the same way. Who configures the client, or runs the
    /// server, must act.
    Tls,
    /// The server refused the request before it did anything: an HTTP/2 `REFUSED_STREAM`
    /// (RFC 9113 §8.7), or a `GOAWAY` that names it as not processed (§6.8).
    Refused,
    /// There was no answer in time. It may have been executed.
    Timeout,
    /// The connection was closed or reset before the answer. It may have been executed.
    Reset,
    /// The server answered, and the body of its answer failed half-way. It may have been executed.
    Body,
    /// Nobody knows what happened. It may have been executed.
    Ambiguous,
    /// Sending it again would fail the same way: a request that cannot be built, a redirect that
    /// never ends.
    Fatal,
    /// A layer below refused to send it: a wait that would have been too long, a deadline that had
    /// passed. Sending it again would be refused again.
    Unsent,
}

/// Reads the errors of a transport, for [`Builder::classify`](crate::Builder::classify).
///
/// Implemented for functions and closures; a closure needs the type of its argument written down:
///
/// ```
/// use std::error::Error;
///
/// use golive_backoff::{Backoff, Class};
///
/// #[derive(Debug, thiserror::Error)]
/// #[error("the circuit breaker is open")]
/// struct Open;
///
/// let backoff = Backoff::builder()
///     .classify(|error: &(dyn Error + 'static)| error.is::<Open>().then_some(Class::Connect))
///     .build()?;
/// # Ok::<_, golive_backoff::ConfigError>(())
/// ```
pub trait Classify: Send + Sync + 'static {
    /// What `error` says; `None` leaves it to the next one who is asked.
    ///
    /// [`Class::Connect`] and [`Class::Refused`] must be true: they let a POST without a key be
    /// sent again.
    fn class(&self, error: &(dyn Error + 'static)) -> Option<Class>;
}

/// Those who are asked, in this order, before this crate judges by itself.
#[derive(Clone, Default)]
pub(crate) struct Classifiers(Vec<Arc<dyn Classify>>);

// === impl Class ===

impl Class {
    /// One word for it, as it stands in [`Outcome::Failed`](golive_core::Outcome::Failed).
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Refused => "refused",
            Self::Timeout => "timeout",
            Self::Reset => "reset",
            Self::Body => "body",
            Self::Ambiguous => "ambiguous",
            Self::Fatal => "fatal",
            Self::Unsent => "unsent",
        }
    }

    /// Whether the request was provably not executed.
    #[must_use]
    pub fn is_unexecuted(self) -> bool {
        match self {
            Self::Connect | Self::Tls | Self::Refused | Self::Unsent => true,
            // Not `Fatal`: before a redirect that never ends, there was a request that began it.
            Self::Timeout | Self::Reset | Self::Body | Self::Ambiguous | Self::Fatal => false,
        }
    }

    /// Whether sending the request again would fail the same way.
    #[must_use]
    pub fn is_lasting(self) -> bool {
        match self {
            Self::Tls | Self::Fatal | Self::Unsent => true,
            Self::Connect
            | Self::Refused
            | Self::Timeout
            | Self::Reset
            | Self::Body
            | Self::Ambiguous => false,
        }
    }
}

// === impl Classify ===

impl<F> Classify for F
where
    F: Fn(&(dyn Error + 'static)) -> Option<Class> + Send + Sync + 'static,
{
    fn class(&self, error: &(dyn Error + 'static)) -> Option<Class> {
        self(error)
    }
}

// === impl Classifiers ===

impl Classifiers {
    /// Asks one more, after those who are asked already.
    pub(crate) fn push(&mut self, classify: impl Classify) {
        self.0.push(Arc::new(classify));
    }

    /// What the first who knows the error says.
    pub(crate) fn class(&self, error: &(dyn Error + 'static)) -> Class {
        let known = self.0.iter().find_map(|classify| classify.class(error));
        known.unwrap_or_else(|| classify(error))
    }
}

impl fmt::Debug for Classifiers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Classifiers").field(&self.0.len()).finish()
    }
}

/// Reads the errors that are known without anybody's word: reqwest's (feature `reqwest`), hyper's
/// (feature `hyper`), tokio's `Elapsed` and `std::io`'s.
pub(crate) fn classify(error: &(dyn Error + 'static)) -> Class {
    // NOTE: only the error itself proves something. One further down may be that of a request body
    // whose source refused the connection, and by then this request was under way.
    #[cfg(feature = "reqwest")]
    if let Some(error) = error.downcast_ref::<::reqwest::Error>() {
        return reqwest::unproven(error).unwrap_or_else(|| lost(error));
    }
    if error.downcast_ref().is_some_and(io::is_no_connection) {
        return Class::Connect;
    }
    lost(error)
}

/// How an answer was lost, at any depth. All of these are the same to the policy; who reads the
/// history wants to know.
fn lost(error: &(dyn Error + 'static)) -> Class {
    // The body of the request: its own connection, and its own time, are not those of the request.
    if caused_by::<ReplayError>(error).is_some() {
        return Class::Ambiguous;
    }
    #[cfg(feature = "reqwest")]
    if caused_by::<::reqwest::Error>(error).is_some_and(::reqwest::Error::is_timeout) {
        return Class::Timeout;
    }
    if caused_by::<tokio::time::error::Elapsed>(error).is_some() {
        return Class::Timeout;
    }
    #[cfg(feature = "hyper")]
    if let Some(class) = caused_by::<::hyper::Error>(error).and_then(hyper::lost) {
        return class;
    }
    let io = caused_by::<std::io::Error>(error).and_then(io::lost);
    io.unwrap_or(Class::Ambiguous)
}

#[cfg(test)]
mod tests;
