//! Properties of signing and verifying.
#![allow(clippy::unwrap_used, reason = "a helper that fails is a failed test")]

use golive_webhook_verify::{Key, Signer, Verifier};
use http::{HeaderMap, HeaderValue};
use proptest::prelude::*;

const NOW: u64 = 1_800_000_000;

fn id() -> impl Strategy<Value = String> {
    "[!-\\-/-~]{1,64}"
}

fn secret() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any::<u8>(), 16..100)
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any::<u8>(), 0..300)
}

fn verifier(secrets: &[&[u8]]) -> Verifier {
    let keys = secrets.iter().map(|s| Key::from_bytes(s).unwrap());
    Verifier::builder().keys(keys).build().unwrap()
}

/// `None` if the bytes cannot even stand in a header.
fn headers(id: &[u8], timestamp: &[u8], signature: &[u8]) -> Option<HeaderMap> {
    let mut map = HeaderMap::new();
    map.insert("webhook-id", HeaderValue::from_bytes(id).ok()?);
    map.insert(
        "webhook-timestamp",
        HeaderValue::from_bytes(timestamp).ok()?,
    );
    map.insert(
        "webhook-signature",
        HeaderValue::from_bytes(signature).ok()?,
    );
    Some(map)
}

proptest! {
    #[test]
    fn what_was_signed_verifies_with_any_order_of_keys(
        id in id(), ours in secret(), other in secret(), body in body(), skew in 0u64..=600,
    ) {
        let at = NOW - 300 + skew;
        let signature = Signer::new(Key::from_bytes(&ours).unwrap()).sign(&id, at, &body);
        let map = headers(id.as_bytes(), at.to_string().as_bytes(), signature.as_bytes()).unwrap();
        for secrets in [[&ours[..], &other[..]], [&other[..], &ours[..]]] {
            let verifier = verifier(&secrets);
            let verified = verifier.verify(&map, &body, NOW).unwrap();
            prop_assert_eq!(verified.id(), &id);
            prop_assert_eq!(secrets[verified.key_index()], &ours[..]);
        }
    }

    #[test]
    fn any_flipped_bit_rejects(
        id in id(), secret in secret(), body in body(), which in 0usize..4, at in any::<prop::sample::Index>(),
        bit in 0u8..8,
    ) {
        let signature = Signer::new(Key::from_bytes(&secret).unwrap()).sign(&id, NOW, &body);
        let mut parts = [id.into_bytes(), NOW.to_string().into_bytes(), signature.into_bytes(), body];
        prop_assume!(!parts[which].is_empty());
        let at = at.index(parts[which].len());
        parts[which][at] ^= 1 << bit;
        let [id, timestamp, signature, body] = parts;
        if let Some(map) = headers(&id, &timestamp, &signature) {
            prop_assert!(verifier(&[&secret]).verify(&map, &body, NOW).is_err());
        }
    }

    #[test]
    fn a_flipped_bit_of_the_key_rejects(
        id in id(), secret in secret(), body in body(), at in any::<prop::sample::Index>(), bit in 0u8..8,
    ) {
        let signature = Signer::new(Key::from_bytes(&secret).unwrap()).sign(&id, NOW, &body);
        let map = headers(id.as_bytes(), NOW.to_string().as_bytes(), signature.as_bytes()).unwrap();
        let mut other = secret;
        let at = at.index(other.len());
        other[at] ^= 1 << bit;
        prop_assert!(verifier(&[&other]).verify(&map, &body, NOW).is_err());
    }

    #[test]
    fn arbitrary_headers_never_panic_and_never_pass(
        id in any::<Vec<u8>>(), timestamp in "[0-9]{0,14}|\\PC{0,20}",
        signature in "(v1,|v1a,|[ -~]){0,40}", body in body(), now in any::<u64>(),
    ) {
        if let Some(map) = headers(&id, timestamp.as_bytes(), signature.as_bytes()) {
            prop_assert!(verifier(&[&[7; 32]]).verify(&map, &body, now).is_err());
        }
    }

    #[test]
    fn arbitrary_secrets_never_panic(text in "(whsec_)?\\PC{0,80}") {
        let _ = Key::from_whsec(&text);
        let _ = Key::from_base64(&text);
    }
}
