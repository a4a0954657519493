#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![warn(missing_docs)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod classify;
mod config;
mod disposition;
mod error;
mod middleware;
pub mod policy;
mod progress;

pub use self::classify::Class;
#[cfg(feature = "hyper")]
#[cfg_attr(docsrs, doc(cfg(feature = "hyper")))]
pub use self::classify::hyper_class;
#[cfg(feature = "reqwest")]
#[cfg_attr(docsrs, doc(cfg(feature = "reqwest")))]
pub use self::classify::reqwest_class;
pub use self::config::Builder;
pub use self::error::{ConfigError, DeadlineExceeded};
pub use self::middleware::Backoff;
