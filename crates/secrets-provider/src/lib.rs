#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![warn(missing_docs)]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
compile_error!(
    "golive-secrets-provider holds secrets, which belong on a server: it does not build for \
     wasm32-unknown-unknown"
);

mod config;
mod error;
mod handle;
mod health;
mod policy;
mod refresher;
mod snapshot;
mod value;
mod versions;

pub mod rotation;
pub mod source;

pub use self::config::{ConfigError, HandleBuilder};
pub use self::error::SecretError;
pub use self::handle::Handle;
pub use self::health::{Health, Status};
pub use self::snapshot::{Loaded, Snapshot};
pub use self::source::Source;
#[cfg(feature = "json")]
#[cfg_attr(docsrs, doc(cfg(feature = "json")))]
pub use self::value::FieldError;
pub use self::value::{MAX_BYTES, NotText, Value, ValueError};
pub use self::versions::{Version, Versions};
