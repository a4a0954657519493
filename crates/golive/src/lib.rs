#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![warn(missing_docs)]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
compile_error!(
    "golive holds credentials, which belong on a server: it does not build for \
     wasm32-unknown-unknown"
);

mod boundary;
mod client;
mod deadline;
mod environment;
mod error;
pub mod secrets;
mod stage;
#[cfg(feature = "tower")]
mod webhooks;

#[cfg(feature = "reqwest")]
#[cfg_attr(docsrs, doc(cfg(feature = "reqwest")))]
pub use self::client::{CallError, Client, ClientBuilder, accepted};
pub use self::client::{ClientStack, ClientStackBuilder};
pub use self::environment::Environment;
pub use self::error::{ConfigError, DeadlineExceeded, ForeignCredentials, Outside};
pub use self::stage::Stage;
#[cfg(feature = "tower")]
#[cfg_attr(docsrs, doc(cfg(feature = "tower")))]
pub use self::webhooks::{WebhookBody, WebhookFuture, Webhooks, WebhooksBuilder};

// The boxes, each as it is on its own: who takes the paved road needs no other line in `Cargo.toml`.
pub use golive_auth_refresh as auth_refresh;
pub use golive_backoff as backoff;
pub use golive_core as core;
pub use golive_idempotency as idempotency;
pub use golive_problem as problem;
pub use golive_secrets_provider as secrets_provider;
#[cfg(feature = "sqlite")]
#[cfg_attr(docsrs, doc(cfg(feature = "sqlite")))]
pub use golive_store_sqlite as store_sqlite;
pub use golive_telemetry as telemetry;
pub use golive_webhook_inbox as webhook_inbox;
pub use golive_webhook_verify as webhook_verify;
