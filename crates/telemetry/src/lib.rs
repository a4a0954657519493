#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![warn(missing_docs)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod config;
mod context;
mod counters;
mod entity;
mod error;
mod failure;
mod instruments;
mod labels;
mod middleware;
pub mod names;
mod observe;
mod route;
mod secret;
mod server;
mod span;

pub use self::config::{Builder, Telemetry};
pub use self::counters::{Renewals, Retries, Webhooks};
pub use self::entity::{EntityBuilder, EntityWatch, Stuck};
pub use self::error::{ConfigError, WatchError};
pub use self::middleware::{AttemptTelemetry, CallTelemetry};
pub use self::secret::SecretDates;
