//! Good implementations of HMAC, each in the verifier that a careful user would write around it:
//! the key prepared once, no copy of the body, no allocation, and `now` given, as it is to ours.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{HeaderName, HeaderValue};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

use crate::{Contestant, Delivery, SECRETS, TOLERANCE_SECS};

static ID: HeaderName = HeaderName::from_static("webhook-id");
static TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
static SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");

pub(crate) fn all() -> [Contestant; 3] {
    let secret = secret();
    let ring = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &secret);
    let aws_lc = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &secret);
    let plain = Hmac::<Sha256>::new_from_slice(&secret).expect("HMAC takes every key");
    [
        Contestant::new("ring", move |delivery| {
            verify(delivery, |parts| {
                let mut mac = ring::hmac::Context::with_key(&ring);
                parts.into_iter().for_each(|part| mac.update(part));
                mac.sign().as_ref().try_into().ok()
            })
        }),
        Contestant::new("aws-lc-rs", move |delivery| {
            verify(delivery, |parts| {
                let mut mac = aws_lc_rs::hmac::Context::with_key(&aws_lc);
                parts.into_iter().for_each(|part| mac.update(part));
                mac.sign().as_ref().try_into().ok()
            })
        }),
        Contestant::new("hmac + sha2", move |delivery| {
            verify(delivery, |parts| {
                let mut mac = plain.clone();
                parts.into_iter().for_each(|part| mac.update(part));
                Some(mac.finalize().into_bytes().into())
            })
        }),
    ]
}

/// Header look-up, timestamp, MAC, base64 and comparison.
#[inline]
fn verify(delivery: &Delivery, mac: impl FnOnce([&[u8]; 5]) -> Option<[u8; 32]>) -> bool {
    let header = |name| delivery.headers.get(name).map(HeaderValue::as_bytes);
    let (Some(id), Some(timestamp), Some(signatures)) =
        (header(&ID), header(&TIMESTAMP), header(&SIGNATURE))
    else {
        return false;
    };
    let Some(at) = seconds(timestamp) else {
        return false;
    };
    if delivery.now.abs_diff(at) > TOLERANCE_SECS {
        return false;
    }
    let Some(mac) = mac([id, b".", timestamp, b".", &delivery.body]) else {
        return false;
    };
    let mut list = signatures.split(|byte| *byte == b' ');
    list.any(|signature| {
        let mut decoded = [0; 33];
        signature.strip_prefix(b"v1,").is_some_and(|text| {
            STANDARD.decode_slice(text, &mut decoded) == Ok(32)
                && bool::from(mac[..].ct_eq(&decoded[..32]))
        })
    })
}

fn seconds(text: &[u8]) -> Option<u64> {
    if text.is_empty() || text.len() > 12 {
        return None;
    }
    text.iter().try_fold(0, |sum, byte| {
        byte.is_ascii_digit()
            .then(|| sum * 10 + u64::from(byte - b'0'))
    })
}

fn secret() -> Vec<u8> {
    let text = SECRETS[0].trim_start_matches("whsec_");
    STANDARD.decode(text).expect("base64")
}
