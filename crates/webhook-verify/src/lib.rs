#![doc = include_str!("../README.md")]
#![cfg_attr(not(any(test, feature = "std")), no_std)]
#![forbid(unsafe_code)]
#![warn(missing_docs)]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
compile_error!(
    "golive-webhook-verify holds webhook secrets, which belong on a server: it does not build for \
     wasm32-unknown-unknown"
);

extern crate alloc;

#[cfg(feature = "axum")]
#[cfg_attr(docsrs, doc(cfg(feature = "axum")))]
pub mod axum;
mod bytes;
mod config;
#[cfg(feature = "ed25519")]
#[cfg_attr(docsrs, doc(cfg(feature = "ed25519")))]
pub mod ed25519;
mod headers;
mod key;
mod keys;
mod limits;
mod list;
mod mac;
#[cfg(any(feature = "tower", feature = "reqwest"))]
#[cfg_attr(docsrs, doc(cfg(any(feature = "tower", feature = "reqwest"))))]
pub mod outgoing;
mod reject;
mod scheme;
#[cfg(feature = "shared")]
mod shared;
mod signer;
mod source;
mod spelling;
mod text;
mod time;
#[cfg(feature = "tower")]
#[cfg_attr(docsrs, doc(cfg(feature = "tower")))]
pub mod tower;
mod verification;
mod verified;
mod verifier;

pub use self::config::{ConfigError, VerifierBuilder};
pub use self::key::{Key, KeyError};
pub use self::reject::{Fault, Reject};
pub use self::scheme::{Encoding, Part, Scheme, SchemeBuilder, SchemeError};
#[cfg(feature = "shared")]
#[cfg_attr(docsrs, doc(cfg(feature = "shared")))]
pub use self::shared::{SharedVerifier, VerifierSource};
pub use self::signer::Signer;
pub use self::source::Headers;
pub use self::time::UnixTime;
pub use self::verification::Verification;
pub use self::verified::Verified;
pub use self::verifier::Verifier;
