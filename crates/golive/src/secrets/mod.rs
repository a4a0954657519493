//! The glue between a secrets manager and what uses its secrets: both follow a rotation without a
//! restart.
//!
//! Each compares the generation of the [`Handle`](golive_secrets_provider::Handle) when it is
//! asked, which costs a few nanoseconds; there is no task that could die, and nothing to wait for.

mod client;
mod dates;
#[cfg(feature = "tower")]
mod webhook;

pub(crate) use self::client::Admitted;
pub use self::client::{ClientSecret, Unusable};
pub use self::dates::{follow_dates, note_dates};
#[cfg(feature = "tower")]
#[cfg_attr(docsrs, doc(cfg(feature = "tower")))]
pub use self::webhook::{WebhookSecret, WebhookSecretError};
