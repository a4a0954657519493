//! The receiving side: verify, keep, answer.

mod body;
mod config;
mod fingerprint;
mod service;

pub use self::body::WebhookBody;
pub use self::config::WebhooksBuilder;
pub use self::service::{WebhookFuture, Webhooks};
