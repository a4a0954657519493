//! Where secrets come from. A source of your own is one function.

#[cfg(feature = "aws")]
mod aws;
mod env;
mod error;
mod file;
mod memory;

use std::{
    hash::{BuildHasher as _, RandomState},
    pin::Pin,
    sync::{Arc, LazyLock},
};

use crate::Versions;

#[cfg(feature = "aws")]
#[cfg_attr(docsrs, doc(cfg(feature = "aws")))]
pub use self::aws::AwsSource;
pub use self::env::EnvSource;
pub use self::error::{SourceError, SourceErrorKind};
pub use self::file::{FileSource, FileSourceError};
pub use self::memory::MemorySource;

/// A fetch under way.
pub type Fetching<'a> = Pin<Box<dyn Future<Output = Result<Versions, SourceError>> + Send + 'a>>;

/// Where secrets come from.
///
/// A source reads, and does nothing else: the [`Handle`](crate::Handle) around it caches, retries,
/// spaces and bounds. The future may be dropped at any time, and is after the handle's
/// `fetch_timeout`.
pub trait Source: Send + Sync + 'static {
    /// Reads the versions of a secret as they are now. Current and previous must be of one moment.
    fn fetch<'a>(&'a self, name: &'a str) -> Fetching<'a>;

    /// Whether it is for development alone. Default: no.
    fn is_for_development(&self) -> bool {
        false
    }
}

impl<S: Source + ?Sized> Source for Arc<S> {
    fn fetch<'a>(&'a self, name: &'a str) -> Fetching<'a> {
        (**self).fetch(name)
    }

    fn is_for_development(&self) -> bool {
        (**self).is_for_development()
    }
}

/// An id for a value whose source has none: the same for the same value, in this process alone.
///
/// A plain hash of a secret would let everybody who sees it try guesses; this one has a random key
/// that never leaves the process.
fn id_of(value: &[u8]) -> Box<str> {
    static KEY: LazyLock<RandomState> = LazyLock::new(RandomState::new);
    format!("local-{:016x}", KEY.hash_one(value)).into()
}
