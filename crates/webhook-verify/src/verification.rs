//! A verdict that is reached while the body arrives.

use core::fmt;

use crate::{
    Reject, UnixTime, Verified, Verifier, headers::Presented, limits::MAX_KEYS, mac::Hashing,
    verifier::Signed,
};

/// A delivery that is verified while its body arrives; from [`Verifier::begin`].
///
/// It hashes what [`Verifier::verify`] hashes, and takes less than a kilobyte, whatever the length of
/// the body; and half of one on the heap for each pair of a signature of version `v1a` and a public key.
#[must_use = "nothing is verified before `finish`"]
pub struct Verification<'a> {
    verifier: &'a Verifier,
    presented: Presented<'a>,
    hashing: Hashing<'a>,
    /// The key of each lane.
    lanes: [usize; MAX_KEYS],
    #[cfg(feature = "ed25519")]
    streams: crate::ed25519::Streams,
    bytes: usize,
}

// === impl Verification ===

impl<'a> Verification<'a> {
    pub(crate) fn new(
        verifier: &'a Verifier,
        presented: Presented<'a>,
        signed: Signed,
        now: UnixTime,
    ) -> Self {
        // Without a signature to compare with there is nothing to hash for.
        let usable = verifier.keys().usable(now).filter(|_| signed.shared);
        let mut lanes = [0; MAX_KEYS];
        for (lane, (index, _)) in lanes.iter_mut().zip(usable.clone()) {
            *lane = index;
        }
        let hashing = Hashing::new(verifier.kernel(), usable.map(|(_, key)| key));
        let mut verification = Self {
            verifier,
            presented,
            hashing,
            lanes,
            #[cfg(feature = "ed25519")]
            streams: verifier.streams(&presented, now),
            bytes: 0,
        };
        presented
            .signed()
            .for_each(|piece| verification.hash(piece));
        verification
    }

    /// Takes the next bytes of the body.
    ///
    /// # Errors
    /// [`Reject::BodyTooLarge`] once there are more than the verifier allows. It stays so.
    pub fn update(&mut self, chunk: &[u8]) -> Result<(), Reject> {
        self.bytes = self.bytes.saturating_add(chunk.len());
        self.verifier.check_body(self.bytes)?;
        self.hash(chunk);
        Ok(())
    }

    /// Says whether the delivery, whose body was whole at `now`, is genuine and fresh.
    ///
    /// The time is judged once more: who holds a recorded delivery could open the request in time,
    /// keep back the last byte, and so replay it long after the window, or the key, has ended.
    ///
    /// # Errors
    /// A [`Reject`].
    pub fn finish(self, now: impl Into<UnixTime>) -> Result<Verified<'a>, Reject> {
        let now = now.into();
        let Self {
            verifier,
            presented,
            ..
        } = self;
        verifier.check_body(self.bytes)?;
        verifier.check_age(presented.timestamp, now)?;
        if !verifier.keys().are_usable(now) {
            return Err(Reject::NoUsableKey);
        }
        // A key may have ended since its hash was begun.
        let usable = |index: &usize| verifier.keys().is_usable(*index, now);
        let mut found = None;
        self.hashing.finish(|lane, mac| {
            if found.is_none() && presented.which(&[*mac]).is_some() {
                found = self.lanes.get(lane).copied().filter(usable);
            }
        });
        #[cfg(feature = "ed25519")]
        if found.is_none() {
            found = self.streams.finish(usable);
        }
        let index = found.ok_or(Reject::Mismatch)?;
        let name = verifier.keys().name(index);
        Ok(Verified::new(&presented, index, name))
    }

    fn hash(&mut self, bytes: &[u8]) {
        self.hashing.update(bytes);
        #[cfg(feature = "ed25519")]
        self.streams.update(bytes);
    }
}

impl fmt::Debug for Verification<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verification")
            .field("bytes", &self.bytes)
            .finish_non_exhaustive()
    }
}
