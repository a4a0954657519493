//! Known answers of Standard Webhooks 1.0, kept as the data file they came in.
#![allow(
    clippy::unwrap_used,
    reason = "a vector that cannot be read is a failed test"
)]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use golive_webhook_verify::{Key, Reject, Signer, Verifier};
use http::HeaderMap;
use serde_json::Value;

struct Vector {
    name: String,
    secret: String,
    key: Vec<u8>,
    id: String,
    timestamp: String,
    body: Vec<u8>,
    signature: String,
}

fn vectors() -> Vec<Vector> {
    let file: Value =
        serde_json::from_str(include_str!("vectors/standard-webhooks-v1.json")).unwrap();
    let text = |v: &Value, name: &str| v[name].as_str().unwrap().to_owned();
    let read = |v| Vector {
        name: text(v, "name"),
        secret: text(v, "secret"),
        key: unhex(&text(v, "key_hex")),
        id: text(v, "id"),
        timestamp: text(v, "timestamp"),
        body: STANDARD.decode(text(v, "body_b64")).unwrap(),
        signature: text(v, "signature"),
    };
    let vectors: Vec<_> = file.as_array().unwrap().iter().map(read).collect();
    assert!(vectors.len() >= 18, "the data file was cut short");
    vectors
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap())
        .collect()
}

fn headers(v: &Vector) -> HeaderMap {
    let mut map = HeaderMap::new();
    map.insert("webhook-id", v.id.parse().unwrap());
    map.insert("webhook-timestamp", v.timestamp.parse().unwrap());
    map.insert("webhook-signature", v.signature.parse().unwrap());
    map
}

/// Both spellings of the vector's key, where the key is long enough to be read as a `whsec_`.
fn keys(v: &Vector) -> Vec<Key> {
    let mut keys = vec![Key::from_short_bytes(&v.key).unwrap()];
    if v.key.len() >= 16 {
        keys.push(Key::from_whsec(&v.secret).unwrap());
    }
    keys
}

#[test]
fn every_vector_is_signed_alike() {
    for v in vectors() {
        let at: u64 = v.timestamp.parse().unwrap();
        for key in keys(&v) {
            assert_eq!(
                Signer::new(key).sign(&v.id, at, &v.body),
                v.signature,
                "{}",
                v.name
            );
        }
    }
}

#[test]
fn every_vector_is_accepted() {
    for v in vectors() {
        let (map, at) = (headers(&v), v.timestamp.parse::<u64>().unwrap());
        for key in keys(&v) {
            let verifier = Verifier::builder().key(key).build().unwrap();
            let verified = verifier.verify(&map, &v.body, at).unwrap();
            assert_eq!(verified.id(), v.id, "{}", v.name);
            assert_eq!(verified.timestamp().as_secs(), at, "{}", v.name);
        }
    }
}

#[test]
fn every_vector_is_refused_under_another_key() {
    let verifier = Verifier::builder()
        .key(Key::from_bytes(&[9; 24]).unwrap())
        .build()
        .unwrap();
    for v in vectors() {
        let at = v.timestamp.parse::<u64>().unwrap();
        let map = headers(&v);
        let seen = verifier.verify(&map, &v.body, at);
        assert_eq!(seen, Err(Reject::Mismatch), "{}", v.name);
    }
}
