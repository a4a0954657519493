#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![warn(missing_docs)]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
compile_error!(
    "golive-webhook-verify holds webhook secrets, which belong on a server: it does not build for \
     wasm32-unknown-unknown"
);

mod config;
mod headers;
mod key;
mod reject;
mod signer;
mod time;
#[cfg(feature = "tower")]
#[cfg_attr(docsrs, doc(cfg(feature = "tower")))]
pub mod tower;
mod verifier;

pub use self::config::{ConfigError, VerifierBuilder};
pub use self::key::{Key, KeyError};
pub use self::reject::{Fault, Reject};
pub use self::signer::Signer;
pub use self::time::UnixTime;
pub use self::verifier::{Verified, Verifier};
