//! Where tokens come from: the seam between the cache and whoever issues them.
//!
//! [`ClientCredentials`](crate::client_credentials::ClientCredentials) over a transport is one
//! [`TokenSource`]; another grant, a metadata server or a file can be another one.

mod error;
mod token;

use std::{pin::Pin, sync::Arc};

pub use self::error::{ErrorCode, TokenError};
pub use self::token::Token;

/// The future of [`TokenSource::fetch`].
pub type Fetching<'a> = Pin<Box<dyn Future<Output = Result<Token, TokenError>> + Send + 'a>>;

/// Where tokens come from.
///
/// [`Tokens`](crate::Tokens) puts a timeout around it and asks again where that helps, so an
/// implementation does one attempt and no more.
///
/// It is asked by one renewal at a time, except after a take-over: a renewal that is overdue by a
/// second, because nobody drives its runtime any more, is replaced by another. Should its runtime
/// come back, two fetch at the same time, and the token of the late one is thrown away.
pub trait TokenSource: Send + Sync + 'static {
    /// Fetches one token, in one attempt.
    ///
    /// # Errors
    /// Why there is none. Whether it is asked for again is up to
    /// [`TokenError::is_temporary`].
    fn fetch(&self) -> Fetching<'_>;

    /// A number that changes when another fetch may end differently: the credentials are others.
    /// Default: 0, they never change.
    ///
    /// A token that was fetched under another version is served as long as it is valid, and renewed
    /// in the background; the pause after a renewal that failed holds for its version. It is asked
    /// on every call, so it must be wait-free.
    fn version(&self) -> u64 {
        0
    }
}

impl<T: TokenSource + ?Sized> TokenSource for Arc<T> {
    fn fetch(&self) -> Fetching<'_> {
        (**self).fetch()
    }

    fn version(&self) -> u64 {
        (**self).version()
    }
}

impl<T: TokenSource + ?Sized> TokenSource for Box<T> {
    fn fetch(&self) -> Fetching<'_> {
        (**self).fetch()
    }

    fn version(&self) -> u64 {
        (**self).version()
    }
}
