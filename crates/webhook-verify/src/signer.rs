//! The sending side: makes the signature that a [`Verifier`](crate::Verifier) accepts.

use alloc::{
    string::{String, ToString as _},
    vec::Vec,
};
use core::fmt::Write as _;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use golive_sha256_lanes::Kernel;

#[cfg(feature = "ed25519")]
use crate::ed25519::SecretKey;
use crate::{
    Key, Scheme, UnixTime,
    mac::macs,
    scheme::{Encoding, Part, TimestampIn},
};

/// Signs deliveries, for a sender and for tests.
///
/// The end of a key ([`Key::with_not_after`]) is the receiver's matter; a signer asks no clock.
///
/// ```
/// use golive_webhook_verify::{Key, Signer};
///
/// let signer = Signer::new(Key::from_whsec("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")?);
/// let body = br#"{"test": 2432232314}"#;
/// assert_eq!(
///     signer.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body),
///     "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
/// );
/// # Ok::<(), golive_webhook_verify::KeyError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Signer {
    scheme: Scheme,
    keys: Vec<Secret>,
}

#[derive(Clone, Debug)]
enum Secret {
    Shared(Key),
    #[cfg(feature = "ed25519")]
    Own(SecretKey),
}

// === impl Signer ===

impl Signer {
    /// Signs with this key, as Standard Webhooks has it.
    pub fn new(key: Key) -> Self {
        Self {
            scheme: Scheme::default(),
            keys: Vec::from([Secret::Shared(key)]),
        }
    }

    /// Signs with this key in version `v1a`.
    #[cfg(feature = "ed25519")]
    #[cfg_attr(docsrs, doc(cfg(feature = "ed25519")))]
    pub fn ed25519(key: SecretKey) -> Self {
        Self {
            scheme: Scheme::default(),
            keys: Vec::from([Secret::Own(key)]),
        }
    }

    /// Signs with this key too, so that a receiver may know either: while a secret is rotated.
    #[must_use]
    pub fn and(mut self, key: Key) -> Self {
        self.keys.push(Secret::Shared(key));
        self
    }

    /// Signs in version `v1a` too.
    #[cfg(feature = "ed25519")]
    #[cfg_attr(docsrs, doc(cfg(feature = "ed25519")))]
    #[must_use]
    pub fn and_ed25519(mut self, key: SecretKey) -> Self {
        self.keys.push(Secret::Own(key));
        self
    }

    /// Signs in another way. An ed25519 key signs nothing in a scheme that does not know them.
    #[must_use]
    pub fn with_scheme(mut self, scheme: Scheme) -> Self {
        self.scheme = scheme;
        self
    }

    /// The value of the signature header (`webhook-signature`) for one attempt to deliver: one
    /// signature for each key.
    ///
    /// Each attempt needs a fresh timestamp and signature under the same id. The id is signed as it
    /// is; a receiver refuses one that is not visible ASCII without a full stop. A scheme without an
    /// id or a timestamp makes nothing of it.
    pub fn sign(&self, id: &str, timestamp: impl Into<UnixTime>, body: &[u8]) -> String {
        let timestamp = timestamp.into().to_string();
        let mut list = String::new();
        // A list with a timestamp in it has commas, the others have spaces.
        let mut separator = " ";
        if let Some(TimestampIn::List(label)) = self.scheme.timestamp {
            separator = ",";
            list.push_str(label);
            list.push_str(&timestamp);
        }
        for key in &self.keys {
            let Some((label, signature)) = self.one(key, id, &timestamp, body) else {
                continue;
            };
            if !list.is_empty() {
                list.push_str(separator);
            }
            // Writing to a `String` cannot fail.
            let _ = write!(list, "{label}{signature}");
        }
        list
    }

    /// Every header line of one attempt to deliver, name and value: id and timestamp, where the
    /// scheme has them, and the signatures, as [`sign`](Self::sign) makes them.
    pub fn headers(
        &self,
        id: &str,
        timestamp: impl Into<UnixTime>,
        body: &[u8],
    ) -> Vec<(&'static str, String)> {
        let timestamp = timestamp.into();
        let signature = (self.scheme.signature, self.sign(id, timestamp, body));
        let id = self.scheme.id.map(|name| (name, id.to_string()));
        let timestamp = match self.scheme.timestamp {
            Some(TimestampIn::Header(name)) => Some((name, timestamp.to_string())),
            _ => None,
        };
        let lines = id.into_iter().chain(timestamp);
        lines.chain([signature]).collect()
    }

    /// How it signs.
    pub fn scheme(&self) -> &Scheme {
        &self.scheme
    }

    fn one(
        &self,
        key: &Secret,
        id: &str,
        timestamp: &str,
        body: &[u8],
    ) -> Option<(&'static str, String)> {
        let signed = self.scheme.signed.iter().map(|part| match part {
            Part::Text(text) => text.as_bytes(),
            Part::Id => id.as_bytes(),
            Part::Timestamp => timestamp.as_bytes(),
        });
        match key {
            Secret::Shared(key) => {
                let kernel = Kernel::detect();
                let [mac] = macs(kernel, [key.midstates()], signed, body);
                let text = match self.scheme.encoding {
                    Encoding::Base64 => STANDARD.encode(mac),
                    Encoding::Hex => mac.iter().fold(String::new(), |mut text, byte| {
                        // Writing to a `String` cannot fail.
                        let _ = write!(text, "{byte:02x}");
                        text
                    }),
                };
                Some((self.scheme.label, text))
            }
            #[cfg(feature = "ed25519")]
            Secret::Own(key) => {
                let label = self.scheme.asymmetric?;
                let message = signed.chain([body]).collect::<Vec<_>>().concat();
                Some((label, key.sign(&message)))
            }
        }
    }
}
