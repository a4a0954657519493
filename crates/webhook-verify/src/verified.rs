//! What is known of a delivery that was accepted.

use alloc::borrow::Cow;
use core::{fmt, str};

use crate::{UnixTime, headers::Presented};

/// A delivery that was signed with one of our keys and is fresh.
///
/// [`Verifier::verify`](crate::Verifier::verify) borrows from the request;
/// [`into_owned`](Self::into_owned) makes the form that the tower layer puts into the request's
/// extensions: `Verified<'static>`.
#[derive(Clone, PartialEq, Eq)]
pub struct Verified<'a> {
    /// Visible ASCII; empty if there is none.
    id: Cow<'a, [u8]>,
    timestamp: Option<UnixTime>,
    key_index: usize,
    key_id: Option<Cow<'a, str>>,
}

// === impl Verified ===

impl<'a> Verified<'a> {
    #[inline]
    pub(crate) fn new(
        presented: &Presented<'a>,
        key_index: usize,
        key_id: Option<&'a str>,
    ) -> Self {
        Self {
            id: Cow::Borrowed(presented.id),
            timestamp: presented.timestamp,
            key_index,
            key_id: key_id.map(Cow::Borrowed),
        }
    }

    /// The id that was signed, such as `webhook-id`: the same for every attempt to deliver one
    /// event, so the key to deduplicate by. `None` if the scheme signs none; then it stands in the
    /// body, or in a header that anyone could have written.
    pub fn id(&self) -> Option<&str> {
        let id = Some(&*self.id).filter(|id| !id.is_empty())?;
        str::from_utf8(id).ok()
    }

    /// The time that was signed, such as `webhook-timestamp`: when this attempt was sent. `None` if
    /// the scheme signs none, so that the delivery may be of any age.
    pub fn timestamp(&self) -> Option<UnixTime> {
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

impl fmt::Debug for Verified<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verified")
            .field("id", &self.id())
            .field("timestamp", &self.timestamp)
            .field("key_index", &self.key_index)
            .field("key_id", &self.key_id)
            .finish()
    }
}
