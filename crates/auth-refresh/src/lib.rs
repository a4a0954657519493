#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![warn(missing_docs)]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
compile_error!(
    "golive-auth-refresh holds client secrets, which belong on a server: it does not build for \
     wasm32-unknown-unknown"
);

mod bucket;
pub mod client_credentials;
mod config;
mod error;
mod flight;
mod middleware;
mod policy;
mod rejections;
pub mod source;
mod tokens;

#[cfg(feature = "reqwest")]
pub mod reqwest;
#[cfg(feature = "tower")]
pub mod tower;

pub use self::config::{AuthRefreshBuilder, ConfigError, TokensBuilder};
pub use self::error::AuthError;
pub use self::middleware::AuthRefresh;
pub use self::tokens::Tokens;
