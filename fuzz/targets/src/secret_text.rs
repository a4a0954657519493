//! A secret as it is pasted into a configuration: any text, in every spelling that is taken.

use ed25519_dalek::{Signer as _, SigningKey, VerifyingKey};
use golive_webhook_verify::ed25519::{Ed25519Error, PublicKey, SecretKey};
use golive_webhook_verify::{Key, KeyError, Signer, Verifier};

use crate::naive;

/// RFC 8410, 4: what stands before a key in its `SubjectPublicKeyInfo`.
const SPKI: &[u8] = b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00";
const WHITE: &[char] = &[' ', '\t', '\n', '\x0c', '\r'];

/// Reads the input as a secret, then spells it as one and reads that.
pub fn one(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    shared(&text);
    public(&text);
    secret(&text);
    spelled(data);
    spelled_asymmetric(data);
}

/// HMAC secrets: what is taken, what is refused and why, is what was written down a second time.
fn shared(text: &str) {
    let trimmed = text.trim_matches(WHITE);
    same(Key::from_text(text), taken(trimmed.as_bytes()), text);
    partly(Key::from_base64(text), decoded(trimmed), text);
    let expected = if trimmed.starts_with("whpk_") || trimmed.starts_with("whsk_") {
        Expected::Exactly(Err(KeyError::Asymmetric))
    } else if trimmed.is_empty() {
        Expected::Exactly(Err(KeyError::Empty))
    } else {
        match trimmed.strip_prefix("whsec_") {
            Some(rest) => decoded(rest.trim_matches(WHITE)),
            None => Expected::Exactly(Err(KeyError::MissingPrefix)),
        }
    };
    partly(Key::from_whsec(text), expected, text);
    same(
        Key::from_bytes(text.as_bytes()),
        taken(text.as_bytes()),
        text,
    );
    let short = match taken(text.as_bytes()) {
        Err(KeyError::TooShort { .. }) => Ok(text.as_bytes().to_vec()),
        other => other,
    };
    same(Key::from_short_bytes(text.as_bytes()), short, text);
}

/// A secret or its fault.
type Taken = Result<Vec<u8>, KeyError>;

/// What a constructor does with a text.
enum Expected {
    Exactly(Taken),
    /// Half of the padding is there: read as if it were all, or refused.
    Lenient(Taken),
}

fn taken(secret: &[u8]) -> Taken {
    match secret.len() {
        1025.. => Err(KeyError::TooLong),
        _ if secret.iter().all(|&byte| byte == 0) => Err(KeyError::Empty),
        bytes @ ..16 => Err(KeyError::TooShort { bytes }),
        _ => Ok(secret.to_vec()),
    }
}

fn decoded(text: &str) -> Expected {
    // 1024 bytes are 342 groups of four.
    if text.len() > 1368 {
        return Expected::Exactly(Err(KeyError::TooLong));
    }
    match naive::unbase64(text.as_bytes()) {
        None => Expected::Exactly(Err(KeyError::NotBase64)),
        Some(spelled) if spelled.whole => Expected::Exactly(taken(&spelled.bytes)),
        Some(spelled) => Expected::Lenient(taken(&spelled.bytes)),
    }
}

fn partly(seen: Result<Key, KeyError>, expected: Expected, text: &str) {
    match expected {
        Expected::Exactly(expected) => same(seen, expected, text),
        Expected::Lenient(_) if matches!(seen, Err(KeyError::NotBase64)) => {}
        Expected::Lenient(expected) => same(seen, expected, text),
    }
}

fn same(seen: Result<Key, KeyError>, expected: Taken, text: &str) {
    match (seen, expected) {
        (Ok(key), Ok(secret)) => {
            assert_eq!(format!("{key:?}"), "Key { id: None, not_after: None, .. }");
            // A key shows nothing of its secret, so it is known by what it signs.
            let signed = Signer::new(key).sign("id", 1, b"body");
            let mac = naive::mac(&secret, b"id.1.body");
            assert_eq!(signed, format!("v1,{}", naive::base64(&mac)));
        }
        // An error is a word and at most a number, so the right one repeats no part of the text.
        (Err(error), Err(expected)) => assert_eq!(error, expected, "{text:?}"),
        (seen, expected) => panic!("{seen:?} instead of {expected:?} for {text:?}"),
    }
}

/// A public key: taken if it has 32 bytes, in or out of their envelope, that are a point with which
/// not just anyone can sign.
fn public(text: &str) {
    let trimmed = text.trim_matches(WHITE);
    let expected = match trimmed.strip_prefix("whpk_") {
        _ if trimmed.starts_with("whsk_") => Asymmetric::Exactly(Err(Ed25519Error::Secret)),
        None => Asymmetric::Exactly(Err(Ed25519Error::MissingPublicPrefix)),
        Some(rest) => asymmetric(rest, |bytes| {
            let raw = bytes.strip_prefix(SPKI).unwrap_or(bytes);
            let length = Ed25519Error::Length { bytes: bytes.len() };
            let raw = raw.try_into().map_err(|_| length)?;
            let key = VerifyingKey::from_bytes(raw).map_err(|_| Ed25519Error::Invalid)?;
            let unset = SigningKey::from_bytes(&[0; 32]).verifying_key();
            if key.is_weak() || key == unset {
                return Err(Ed25519Error::Invalid);
            }
            Ok(key)
        }),
    };
    let seen = PublicKey::from_whpk(text);
    if let Ok(key) = &seen {
        assert_eq!(
            format!("{key:?}"),
            "PublicKey { id: None, not_after: None, .. }"
        );
    }
    expected.fits(seen, text);
}

/// A signing key: taken if it has 32 bytes, or 64 of which the second half follows from the first,
/// that are not all zeros.
fn secret(text: &str) {
    let trimmed = text.trim_matches(WHITE);
    let expected = match trimmed.strip_prefix("whsk_") {
        None => Asymmetric::Exactly(Err(Ed25519Error::MissingSecretPrefix)),
        Some(rest) => asymmetric(rest, |bytes| {
            let seed = match (bytes.first_chunk::<32>(), bytes.len()) {
                (Some(seed), 32) => *seed,
                (Some(seed), 64) => {
                    let public = SigningKey::from_bytes(seed).verifying_key();
                    if public.as_bytes()[..] != bytes[32..] {
                        return Err(Ed25519Error::Halves);
                    }
                    *seed
                }
                (_, bytes) => return Err(Ed25519Error::Length { bytes }),
            };
            if seed == [0; 32] {
                return Err(Ed25519Error::Invalid);
            }
            Ok(seed)
        }),
    };
    if let Some((key, seed)) = expected.fits(SecretKey::from_whsk(text), text) {
        signs(key, &seed);
    }
}

/// What the constructor of an ed25519 key does with a text.
enum Asymmetric<T> {
    Exactly(Result<T, Ed25519Error>),
    /// Half of the padding is there: read as if it were all, or refused.
    Lenient(Result<T, Ed25519Error>),
}

impl<T> Asymmetric<T> {
    /// An error is a word and at most a number, so the right one repeats no part of the text.
    fn fits<K: std::fmt::Debug>(self, seen: Result<K, Ed25519Error>, text: &str) -> Option<(K, T)> {
        let (Self::Exactly(expected) | Self::Lenient(expected)) = match (self, &seen) {
            (Self::Lenient(_), Err(Ed25519Error::NotBase64)) => return None,
            (expected, _) => expected,
        };
        match (seen, expected) {
            (Ok(key), Ok(expected)) => Some((key, expected)),
            (Err(error), Err(expected)) => {
                assert_eq!(error, expected, "{text:?}");
                None
            }
            (Ok(key), Err(expected)) => panic!("{key:?} instead of {expected:?} for {text:?}"),
            (Err(error), Ok(_)) => panic!("{error:?} for {text:?}"),
        }
    }
}

/// What stands behind a prefix. No spelling has more than 128 letters.
fn asymmetric<T>(text: &str, take: impl FnOnce(&[u8]) -> Result<T, Ed25519Error>) -> Asymmetric<T> {
    if text.len() > 128 {
        let bytes = text.len() / 4 * 3;
        return Asymmetric::Exactly(Err(Ed25519Error::Length { bytes }));
    }
    match naive::unbase64(text.as_bytes()) {
        None => Asymmetric::Exactly(Err(Ed25519Error::NotBase64)),
        Some(spelled) if spelled.whole => Asymmetric::Exactly(take(&spelled.bytes)),
        Some(spelled) => Asymmetric::Lenient(take(&spelled.bytes)),
    }
}

/// The key signs as `ed25519-dalek` does with these 32 bytes, and its public half accepts that.
fn signs(key: SecretKey, seed: &[u8; 32]) {
    assert_eq!(format!("{key:?}"), "SecretKey { .. }");
    let public = key.public_key();
    let signed = Signer::ed25519(key).sign("id", 1, b"body");
    let reference = SigningKey::from_bytes(seed).sign(b"id.1.body");
    let reference = naive::base64(&reference.to_bytes());
    assert_eq!(signed, format!("v1a,{reference}"));
    accepts(public, &signed);
}

fn accepts(key: PublicKey, signature: &str) {
    let verifier = Verifier::builder().public_key(key).build().unwrap();
    let headers = [
        ("webhook-id", "id"),
        ("webhook-timestamp", "1"),
        ("webhook-signature", signature),
    ];
    verifier.verify(&headers, b"body", 1).unwrap();
}

/// The input as the secret itself, in every spelling of it.
fn spelled(data: &[u8]) {
    let text = naive::base64(data);
    let bare = text.trim_end_matches('=');
    for text in [&text, bare] {
        let expected = if text.len() > 1368 {
            Err(KeyError::TooLong)
        } else {
            taken(data)
        };
        same(Key::from_base64(text), expected.clone(), text);
        same(
            Key::from_base64(&format!("\t{text}\r\n")),
            expected.clone(),
            text,
        );
        same(
            Key::from_whsec(&format!("whsec_{text}")),
            expected.clone(),
            text,
        );
        same(Key::from_whsec(&format!(" whsec_{text}\n")), expected, text);
    }
}

/// A key pair out of the input, in every spelling of it, and with one bit of it turned.
fn spelled_asymmetric(data: &[u8]) {
    let seed = naive::digest(data);
    let key = SigningKey::from_bytes(&seed);
    let raw = key.verifying_key().to_bytes();
    let signature = format!("v1a,{}", naive::base64(&key.sign(b"id.1.body").to_bytes()));
    let both = key.to_keypair_bytes();
    let bare = |bytes: &[u8]| naive::base64(bytes).trim_end_matches('=').to_owned();
    // What is spelled otherwise is up to the input, since a curve is slow.
    let which = data.first().copied().unwrap_or_default();
    let (public, secret) = match which % 4 {
        0 => (naive::base64(&raw), naive::base64(&seed)),
        1 => (bare(&raw), bare(&seed)),
        2 => (naive::base64(&[SPKI, &raw].concat()), naive::base64(&both)),
        _ => (bare(&[SPKI, &raw].concat()), bare(&both)),
    };
    accepts(
        PublicKey::from_whpk(&format!(" whpk_{public}\n")).unwrap(),
        &signature,
    );
    signs(
        SecretKey::from_whsk(&format!("whsk_{secret}\n")).unwrap(),
        &seed,
    );
    let mut bent = both;
    bent[32 + usize::from(which >> 3)] ^= 1 << (which % 8);
    assert_eq!(
        SecretKey::from_bytes(&bent).unwrap_err(),
        Ed25519Error::Halves
    );
}
