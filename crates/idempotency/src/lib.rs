#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![warn(missing_docs)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod config;
mod error;
mod key;
mod middleware;
mod policy;

pub use self::config::{Builder, ConfigError};
pub use self::error::{InvalidKey, MintError};
pub use self::key::Key;
pub use self::middleware::IdempotencyKeys;
