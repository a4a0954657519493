#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![warn(missing_docs)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod config;
mod error;
mod inbox;
mod rows;
mod schema;
mod statements;
mod store;
mod writer;

pub use self::config::SqliteStoreBuilder;
pub use self::error::{ErrorKind, SqliteError};
pub use self::store::SqliteStore;
