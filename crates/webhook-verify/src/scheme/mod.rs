//! How a provider signs: which headers, which bytes, which spelling. Data, and no code.

mod build;
mod known;

use alloc::{borrow::Cow, boxed::Box};

pub use self::build::{SchemeBuilder, SchemeError};

/// How a provider signs its deliveries: the headers it uses, the bytes that it signs before those
/// of the body, and how it spells a signature. The signature itself is HMAC-SHA256 (and ed25519
/// beside it in Standard Webhooks).
///
/// | | signed | signature | the secret is |
/// |---|---|---|---|
/// | [`standard_webhooks`](Self::standard_webhooks) | `id.timestamp.body` | `v1,` base64 | `whsec_`: [`Key::from_whsec`](crate::Key::from_whsec) |
/// | [`svix`](Self::svix) | the same, under `svix-…` names | `v1,` base64 | `whsec_`: [`Key::from_whsec`](crate::Key::from_whsec) |
/// | [`stripe`](Self::stripe) | `timestamp.body` | `v1=` hex | its text, `whsec_` and all: [`Key::from_text`](crate::Key::from_text) |
/// | [`slack`](Self::slack) | `v0:timestamp:body` | `v0=` hex | its text: [`Key::from_text`](crate::Key::from_text) |
/// | [`github`](Self::github) | `body` | `sha256=` hex | its text: [`Key::from_text`](crate::Key::from_text) |
/// | [`shopify`](Self::shopify) | `body` | base64 | its text: [`Key::from_text`](crate::Key::from_text) |
/// | [`square`](Self::square) | the URL, then `body` | base64 | its text: [`Key::from_text`](crate::Key::from_text) |
///
/// GitHub, Shopify and Square sign no time, so that a recorded delivery stays valid for ever: keep
/// the ids of what was processed.
///
/// Another scheme is built from the same parts: see [`Scheme::builder`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scheme {
    pub(crate) id: Option<&'static str>,
    pub(crate) timestamp: Option<TimestampIn>,
    pub(crate) signature: &'static str,
    /// What stands right before a signature in its list.
    pub(crate) label: &'static str,
    /// What stands right before an ed25519 signature, if the scheme knows them.
    pub(crate) asymmetric: Option<&'static str>,
    pub(crate) encoding: Encoding,
    /// What is signed before the body, in order.
    pub(crate) signed: Box<[Part]>,
    /// The byte that follows the id in what is signed, which an id must not contain.
    pub(crate) after_id: Option<u8>,
}

/// How a scheme spells the 32 bytes of a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Encoding {
    /// Standard alphabet with padding: 44 characters.
    Base64,
    /// Lower case: 64 characters.
    Hex,
}

/// A piece of what is signed before the body.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Part {
    /// The same bytes in every delivery.
    Text(Cow<'static, str>),
    /// The id, as it stands in its header.
    Id,
    /// The timestamp, as it stands in its header.
    Timestamp,
}

/// Where the timestamp of a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TimestampIn {
    /// In a header of its own.
    Header(&'static str),
    /// In the list of signatures, after this label.
    List(&'static str),
}

// === impl Scheme ===

impl Default for Scheme {
    /// [`Scheme::standard_webhooks`].
    fn default() -> Self {
        Self::standard_webhooks()
    }
}

// === impl Encoding ===

impl Encoding {
    /// How many characters a signature has.
    pub(crate) const fn len(self) -> usize {
        match self {
            Self::Base64 => 44,
            Self::Hex => 64,
        }
    }
}
