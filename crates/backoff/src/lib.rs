#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![warn(missing_docs)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod body;
mod classify;
mod config;
mod delays;
mod disposition;
mod error;
pub mod limits;
mod middleware;
mod observe;
mod pacing;
pub mod policy;
mod progress;
mod read;
#[cfg(feature = "reqwest-retry")]
mod reqwest_retry;
mod timed;

pub use self::body::{Said, insufficient_quota};
#[cfg(feature = "http2")]
#[cfg_attr(docsrs, doc(cfg(feature = "http2")))]
pub use self::classify::http2_class;
#[cfg(feature = "hyper")]
#[cfg_attr(docsrs, doc(cfg(feature = "hyper")))]
pub use self::classify::hyper_class;
#[cfg(feature = "reqwest")]
#[cfg_attr(docsrs, doc(cfg(feature = "reqwest")))]
pub use self::classify::reqwest_class;
pub use self::classify::{Class, Classify};
pub use self::config::Builder;
pub use self::error::{AttemptTimeout, ConfigError, DeadlineExceeded, KeyForgotten};
pub use self::middleware::Backoff;
pub use self::observe::Event;
pub use self::pacing::{Pacing, PacingBuilder};
#[cfg(feature = "reqwest-retry")]
#[cfg_attr(docsrs, doc(cfg(feature = "reqwest-retry")))]
pub use self::reqwest_retry::{ReplayGuard, ReplayStrategy, delays_from};
