//! The decision: is this delivery genuine and fresh?

#[cfg(feature = "ed25519")]
use core::ops::ControlFlow;

use golive_sha256_lanes::{Kernel, MAX_LANES};

use crate::{
    Headers, Reject, Scheme, UnixTime, Verification, Verified, VerifierBuilder,
    headers::{Names, Presented, Seen},
    keys::Keys,
    limits::Limits,
    mac::{Midstates, macs},
};
#[cfg(feature = "ed25519")]
use crate::{ed25519::Streams, limits::MAX_ASYMMETRIC_SIGNATURES, list::Item};

/// Verifies deliveries. See the crate documentation.
///
/// It is cheap to share (`Arc`) and costs a copy of its keys to clone.
#[derive(Clone, Debug)]
pub struct Verifier {
    scheme: Scheme,
    names: Names,
    keys: Keys,
    limits: Limits,
    kernel: Kernel,
}

/// Which keys a delivery has signatures for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Signed {
    /// There is one that a shared secret could have made.
    pub(crate) shared: bool,
    /// There is one that an ed25519 key could have made.
    #[cfg(feature = "ed25519")]
    pub(crate) public: bool,
}

// === impl Verifier ===

impl Verifier {
    /// Starts a builder: Standard Webhooks, 300 seconds of tolerance, 1 MiB of body, no key yet.
    pub fn builder() -> VerifierBuilder {
        VerifierBuilder::new()
    }

    /// Verifies one delivery, received at `now`, over the very bytes of its body.
    ///
    /// The cheap checks come first: headers, id, timestamp, sizes. Only then the body is hashed, in
    /// one pass for up to four keys, however many signatures the list holds; signatures are compared
    /// in constant time. Nothing is allocated, on success or on rejection (save for signatures of
    /// version `v1a`).
    ///
    /// # Errors
    /// A [`Reject`], which says who must act and maps to the status to answer with.
    #[inline]
    pub fn verify<'a, H: Headers + ?Sized>(
        &'a self,
        headers: &'a H,
        body: &[u8],
        now: impl Into<UnixTime>,
    ) -> Result<Verified<'a>, Reject> {
        let now = now.into();
        let mut presented = Presented::new(&self.scheme);
        let signed = self.check(&mut presented, headers, now)?;
        self.check_body(body.len())?;
        let mut index = None;
        if signed.shared {
            index = self.shared_key(&presented, body, now);
        }
        #[cfg(feature = "ed25519")]
        if index.is_none() && signed.public {
            index = self.public_key(&presented, body, now);
        }
        let index = index.ok_or(Reject::Mismatch)?;
        Ok(Verified::new(&presented, index, self.keys.name(index)))
    }

    /// Begins to verify a delivery whose body is still to come: all that can be refused before it is
    /// here.
    ///
    /// ```
    /// # use golive_webhook_verify::{Key, Reject, Verifier};
    /// # let key = Key::from_whsec("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")?;
    /// # let verifier = Verifier::builder().key(key).build()?;
    /// # let headers = [
    /// #     ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
    /// #     ("webhook-timestamp", "1614265330"),
    /// #     ("webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
    /// # ];
    /// let mut verification = verifier.begin(&headers, 1614265330)?;
    /// for chunk in [&br#"{"test": "#[..], b"2432232314}"] {
    ///     verification.update(chunk)?; // refuses what grows too long
    /// }
    /// let verified = verification.finish(1614265331)?; // when it was whole
    /// assert_eq!(verified.id(), Some("msg_p5jXN8AQM9LWM0D4loKWxJek"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// A [`Reject`].
    pub fn begin<'a, H: Headers + ?Sized>(
        &'a self,
        headers: &'a H,
        now: impl Into<UnixTime>,
    ) -> Result<Verification<'a>, Reject> {
        let now = now.into();
        let mut presented = Presented::new(&self.scheme);
        let signed = self.check(&mut presented, headers, now)?;
        Ok(Verification::new(self, presented, signed, now))
    }

    /// The longest body that is verified, in bytes.
    pub fn max_body_bytes(&self) -> usize {
        self.limits.max_body_bytes
    }

    /// All that can be refused before the body is here.
    #[inline(always)]
    pub(crate) fn check<'a, H: Headers + ?Sized>(
        &'a self,
        presented: &mut Presented<'a>,
        headers: &'a H,
        now: UnixTime,
    ) -> Result<Signed, Reject> {
        presented.read(headers, &self.names, &self.limits)?;
        self.check_age(presented.timestamp, now)?;
        let mut list = Seen::default();
        if self.keys.has_shared() {
            list = presented.count(presented.symmetric(), self.limits.max_signatures)?;
        }
        let shared = list.formed > 0;
        #[cfg(feature = "ed25519")]
        let public = match presented.asymmetric() {
            Some(shape) if self.keys.has_public() => {
                let max = MAX_ASYMMETRIC_SIGNATURES.min(self.limits.max_signatures);
                presented.count(shape, max)?
            }
            _ => Seen::default(),
        };
        #[cfg(feature = "ed25519")]
        list.add(public);
        if list.all == 0 {
            return Err(Reject::NoKnownSignature);
        }
        if !self.keys.are_usable(now) {
            return Err(Reject::NoUsableKey);
        }
        if list.formed == 0 {
            // Nothing in the list is as long as a signature: no hash is needed to know.
            return Err(Reject::Mismatch);
        }
        Ok(Signed {
            shared,
            #[cfg(feature = "ed25519")]
            public: public.formed > 0,
        })
    }

    pub(crate) fn from_parts(scheme: Scheme, keys: Keys, limits: Limits, kernel: Kernel) -> Self {
        Self {
            names: Names::of(&scheme),
            scheme,
            keys,
            limits,
            kernel,
        }
    }

    pub(crate) fn keys(&self) -> &Keys {
        &self.keys
    }

    pub(crate) fn kernel(&self) -> Kernel {
        self.kernel
    }

    #[inline]
    pub(crate) fn check_age(
        &self,
        timestamp: Option<UnixTime>,
        now: UnixTime,
    ) -> Result<(), Reject> {
        let (Some(timestamp), Some(tolerance)) = (timestamp, self.limits.tolerance_secs) else {
            return Ok(());
        };
        let by_secs = now.as_secs().abs_diff(timestamp.as_secs());
        match by_secs > tolerance {
            false => Ok(()),
            true if timestamp < now => Err(Reject::TooOld { by_secs }),
            true => Err(Reject::TooNew { by_secs }),
        }
    }

    #[inline]
    pub(crate) fn check_body(&self, bytes: usize) -> Result<(), Reject> {
        let limit = self.limits.max_body_bytes;
        match bytes > limit {
            true => Err(Reject::BodyTooLarge { limit }),
            false => Ok(()),
        }
    }

    /// Which key signed, of those that share one secret with the sender.
    #[inline(always)]
    fn shared_key(&self, presented: &Presented<'_>, body: &[u8], now: UnixTime) -> Option<usize> {
        let mut usable = self.keys.usable(now);
        loop {
            let first = usable.next()?;
            let mut lanes = [first; MAX_LANES];
            let mut len = 1;
            while let Some(lane) = lanes.get_mut(len)
                && let Some(key) = usable.next()
            {
                *lane = key;
                len += 1;
            }
            let found = match len {
                1 => self.one_pass::<1>(&lanes, presented, body),
                2 => self.one_pass::<2>(&lanes, presented, body),
                3 => self.one_pass::<3>(&lanes, presented, body),
                _ => self.one_pass::<4>(&lanes, presented, body),
            };
            if found.is_some() {
                return found;
            }
        }
    }

    /// Which of the first `N` keys signed.
    #[inline(always)]
    fn one_pass<const N: usize>(
        &self,
        lanes: &[(usize, &Midstates); MAX_LANES],
        presented: &Presented<'_>,
        body: &[u8],
    ) -> Option<usize> {
        let mut keys = [lanes[0].1; N];
        for (key, lane) in keys.iter_mut().zip(lanes) {
            *key = lane.1;
        }
        let macs: [_; N] = macs(self.kernel, keys, presented.signed(), body);
        let lane = presented.which(&macs)?;
        lanes.get(lane).map(|(index, _)| *index)
    }

    #[cfg(feature = "ed25519")]
    fn public_key(&self, presented: &Presented<'_>, body: &[u8], now: UnixTime) -> Option<usize> {
        let mut streams = self.streams(presented, now);
        presented.signed().for_each(|piece| streams.update(piece));
        streams.update(body);
        streams.finish(|_| true)
    }

    #[cfg(feature = "ed25519")]
    pub(crate) fn streams(&self, presented: &Presented<'_>, now: UnixTime) -> Streams {
        let mut texts = [&[][..]; MAX_ASYMMETRIC_SIGNATURES];
        let mut places = texts.iter_mut();
        if let Some(shape) = presented.asymmetric() {
            let _: ControlFlow<()> = presented.signatures.items(shape, |item| {
                if let Item::Formed(text) = item
                    && let Some(place) = places.next()
                {
                    *place = text;
                }
                ControlFlow::Continue(())
            });
        }
        let texts = texts.into_iter().filter(|text| !text.is_empty());
        Streams::new(texts, &self.keys.usable_public(now))
    }
}
