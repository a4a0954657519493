//! Why there was no response, in one word of a fixed set: an error's text would be a series each.

use std::{error::Error, io};

use golive_core::caused_by;

use crate::names::OTHER;

/// Dropped before it ended.
pub(crate) const CANCELLED: &str = "cancelled";

const CONNECT: &str = "connect";
const TIMEOUT: &str = "timeout";

/// Reads an error that this crate does not know; `None` for one that it does not know either.
pub(crate) type Classify = dyn Fn(&(dyn Error + 'static)) -> Option<&'static str> + Send + Sync;

/// `error.type` of an error.
///
/// Semantic conventions, HTTP: "error.type … SHOULD be predictable, and SHOULD have low
/// cardinality."
pub(crate) fn error_type(
    error: &(dyn Error + 'static),
    classify: Option<&Classify>,
) -> &'static str {
    classify
        .and_then(|classify| classify(error))
        .or_else(|| known(error))
        .unwrap_or(OTHER)
}

fn known(error: &(dyn Error + 'static)) -> Option<&'static str> {
    #[cfg(feature = "reqwest")]
    if let Some(error) = caused_by::<reqwest::Error>(error) {
        // Before the timeout: a connection that was not there in time was not there.
        if error.is_connect() {
            return Some(CONNECT);
        }
        if error.is_timeout() {
            return Some(TIMEOUT);
        }
    }
    if caused_by::<tokio::time::error::Elapsed>(error).is_some() {
        return Some(TIMEOUT);
    }
    match caused_by::<io::Error>(error)?.kind() {
        io::ErrorKind::ConnectionRefused | io::ErrorKind::AddrNotAvailable => Some(CONNECT),
        io::ErrorKind::TimedOut => Some(TIMEOUT),
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::UnexpectedEof => Some("connection_lost"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("secret {0}")]
    struct Outer(#[source] io::Error);

    #[test]
    fn an_error_is_known_by_its_type_at_any_depth_and_never_by_its_text() {
        for (kind, word) in [
            (io::ErrorKind::ConnectionRefused, CONNECT),
            (io::ErrorKind::TimedOut, TIMEOUT),
            (io::ErrorKind::ConnectionReset, "connection_lost"),
            (io::ErrorKind::PermissionDenied, OTHER),
        ] {
            assert_eq!(error_type(&Outer(kind.into()), None), word);
        }
        assert_eq!(error_type(&std::fmt::Error, None), OTHER);
    }

    #[test]
    fn the_application_is_asked_first() {
        let classify = |error: &(dyn Error + 'static)| error.is::<Outer>().then_some("outer");
        let refused = || io::Error::from(io::ErrorKind::ConnectionRefused);
        assert_eq!(error_type(&Outer(refused()), Some(&classify)), "outer");
        assert_eq!(error_type(&refused(), Some(&classify)), CONNECT);
    }

    #[tokio::test(start_paused = true)]
    async fn a_timeout_of_tokio_is_a_timeout() {
        let limit = std::time::Duration::from_secs(1);
        let late = tokio::time::timeout(limit, std::future::pending::<()>()).await;
        assert_eq!(error_type(&late.unwrap_err(), None), TIMEOUT);
    }
}
