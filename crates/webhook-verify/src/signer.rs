//! The sending side: makes the signature that a [`Verifier`](crate::Verifier) accepts.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::{Key, UnixTime};

/// 32 bytes in padded base64.
const TEXT_BYTES: usize = 44;

/// Signs deliveries, for a sender and for tests.
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
    key: Key,
}

impl Signer {
    /// Signs with this key.
    pub fn new(key: Key) -> Self {
        Self { key }
    }

    /// The value of `webhook-signature` for one delivery attempt: `v1,` and base64.
    ///
    /// While a secret is being rotated, join the signatures of both with a space. Each attempt
    /// needs a fresh timestamp and signature under the same id. The id is signed as it is; a
    /// receiver refuses one that is not visible ASCII without a full stop.
    pub fn sign(&self, id: &str, timestamp: impl Into<UnixTime>, body: &[u8]) -> String {
        let timestamp = timestamp.into().to_string();
        let text = encode(&self.key.mac(id.as_bytes(), timestamp.as_bytes(), body));
        let mut signature = String::with_capacity(3 + TEXT_BYTES);
        signature.push_str("v1,");
        signature.extend(text.iter().copied().map(char::from));
        signature
    }
}

/// The signature as it stands in the header. A buffer of fixed size, so nothing is allocated.
pub(crate) fn encode(mac: &[u8; 32]) -> [u8; TEXT_BYTES] {
    let mut text = [0; TEXT_BYTES];
    // NOTE: 32 bytes are 44 characters, so this cannot fail; if it did, the zeros that stay in
    // `text` cannot match, because no header value may hold a zero byte.
    let _ = STANDARD.encode_slice(mac, &mut text);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_form_agrees_with_the_plain_encoder() {
        let mac: [u8; 32] = std::array::from_fn(|i| (i * 37) as u8);
        assert_eq!(&encode(&mac)[..], STANDARD.encode(mac).as_bytes());
    }
}
