#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![warn(missing_docs)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod admin;
#[cfg(feature = "conformance")]
#[cfg_attr(docsrs, doc(cfg(feature = "conformance")))]
pub mod conformance;
mod event;
mod memory;
mod retry;
mod store;
#[cfg(feature = "tower")]
#[cfg_attr(docsrs, doc(cfg(feature = "tower")))]
pub mod tower;
mod worker;
mod workers;

/// Any error, boxed.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

pub use self::admin::{Admin, DeadLetter, Stats};
pub use self::event::{Event, EventKey, Fingerprint, KeyError};
pub use self::memory::{MemoryStore, MemoryStoreBuilder};
pub use self::retry::RetryPolicy;
pub use self::store::{Accepted, Claim, Fenced, Owner, Release, Store, StoreError};
pub use self::worker::Permanent;
pub use self::workers::{ConfigError, Drained, Workers, WorkersBuilder};
