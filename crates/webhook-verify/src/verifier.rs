//! The decision: is this delivery genuine and fresh?

use std::borrow::Cow;

use http::HeaderMap;
use subtle::ConstantTimeEq as _;

use crate::headers::Presented;
use crate::signer::encode;
use crate::{Key, Reject, UnixTime, VerifierBuilder};

/// Verifies deliveries of the Standard Webhooks scheme `v1`. See the crate documentation.
#[derive(Clone, Debug)]
pub struct Verifier {
    keys: Box<[Key]>,
    tolerance_secs: u64,
    max_body_bytes: usize,
}

/// A delivery that was signed with one of our keys and is fresh.
///
/// [`Verifier::verify`] borrows from the request; [`into_owned`](Self::into_owned) makes the form
/// that the tower layer puts into the request's extensions: `Verified<'static>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified<'a> {
    id: Cow<'a, str>,
    timestamp: UnixTime,
    key_index: usize,
    key_id: Option<Cow<'a, str>>,
}

/// A delivery that passed every check but the signature, for which its body is needed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Candidate<'a> {
    verifier: &'a Verifier,
    presented: Presented<'a>,
    now: UnixTime,
}

// === impl Verifier ===

impl Verifier {
    /// Starts a builder: 300 seconds of tolerance, 1 MiB of body, no key yet.
    pub fn builder() -> VerifierBuilder {
        VerifierBuilder::new()
    }

    /// Verifies one delivery, received at `now`, over the very bytes of its body.
    ///
    /// The cheap checks come first: headers, id, timestamp, sizes. Only then the body is hashed,
    /// once for each key until one matches, however many signatures the list holds; signatures
    /// are compared in constant time. Nothing is allocated, on success or on rejection.
    ///
    /// # Errors
    /// A [`Reject`], which says who must act and maps to the status to answer with.
    pub fn verify<'a>(
        &'a self,
        headers: &'a HeaderMap,
        body: &[u8],
        now: impl Into<UnixTime>,
    ) -> Result<Verified<'a>, Reject> {
        self.check_headers(headers, now.into())?.verify(body)
    }

    /// The longest body that is verified, in bytes.
    pub fn max_body_bytes(&self) -> usize {
        self.max_body_bytes
    }

    /// All that can be refused before the body is here.
    pub(crate) fn check_headers<'a>(
        &'a self,
        headers: &'a HeaderMap,
        now: UnixTime,
    ) -> Result<Candidate<'a>, Reject> {
        let presented = Presented::read(headers)?;
        self.check_age(presented.timestamp, now)?;
        if presented.v1_signatures().next().is_none() {
            return Err(Reject::NoKnownSignature);
        }
        if !self.keys.iter().any(|key| key.is_usable(now)) {
            return Err(Reject::NoUsableKey);
        }
        Ok(Candidate {
            verifier: self,
            presented,
            now,
        })
    }

    pub(crate) fn from_parts(keys: Box<[Key]>, tolerance_secs: u64, max_body_bytes: usize) -> Self {
        Self {
            keys,
            tolerance_secs,
            max_body_bytes,
        }
    }

    fn check_age(&self, timestamp: UnixTime, now: UnixTime) -> Result<(), Reject> {
        let by_secs = now.as_secs().abs_diff(timestamp.as_secs());
        match by_secs > self.tolerance_secs {
            false => Ok(()),
            true if timestamp < now => Err(Reject::TooOld { by_secs }),
            true => Err(Reject::TooNew { by_secs }),
        }
    }
}

// === impl Candidate ===

impl<'a> Candidate<'a> {
    /// Verifies the signature over the very bytes of the body.
    pub(crate) fn verify(self, body: &[u8]) -> Result<Verified<'a>, Reject> {
        let Self {
            verifier,
            presented,
            now,
        } = self;
        let limit = verifier.max_body_bytes;
        if body.len() > limit {
            return Err(Reject::BodyTooLarge { limit });
        }
        for (key_index, key) in verifier.keys.iter().enumerate() {
            if key.is_usable(now) && matches(key, &presented, body) {
                return Ok(Verified {
                    id: Cow::Borrowed(presented.id),
                    timestamp: presented.timestamp,
                    key_index,
                    key_id: key.id().map(Cow::Borrowed),
                });
            }
        }
        Err(Reject::Mismatch)
    }
}

/// Our own signature is written as text once and compared as text: each further signature in the
/// list costs a comparison, and only the one canonical spelling is accepted.
fn matches(key: &Key, presented: &Presented<'_>, body: &[u8]) -> bool {
    let mac = key.mac(presented.id.as_bytes(), presented.timestamp_text, body);
    let expected = encode(&mac);
    presented
        .v1_signatures()
        .any(|seen| bool::from(expected[..].ct_eq(seen)))
}

// === impl Verified ===

impl<'a> Verified<'a> {
    /// `webhook-id`: the same for every attempt to deliver one event, so the key to deduplicate
    /// by.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// `webhook-timestamp`: when this attempt was sent.
    pub fn timestamp(&self) -> UnixTime {
        self.timestamp
    }

    /// Which key matched, counted from 0 in the order of the builder.
    pub fn key_index(&self) -> usize {
        self.key_index
    }

    /// The name of the key that matched, if it has one: shows when an old secret is no longer
    /// used.
    pub fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    /// Copies what is borrowed, so that it may outlive the request.
    pub fn into_owned(self) -> Verified<'static> {
        Verified {
            id: Cow::Owned(self.id.into_owned()),
            timestamp: self.timestamp,
            key_index: self.key_index,
            key_id: self.key_id.map(|id| Cow::Owned(id.into_owned())),
        }
    }
}
