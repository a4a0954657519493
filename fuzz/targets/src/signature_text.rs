//! Signatures as text: how they are written, and which texts are read as one.
//!
//! The first line of an input is the secret, the second one a signature of version `v1a` as it might
//! come, and the rest is the body. The hole `{signature}` is the right one, `{start}` and `{end}` are
//! it without the letter between them, `{bare}` is it without its padding, and `{stray}` the same
//! bytes in another spelling.

use ed25519_dalek::{Signature, Signer as _, SigningKey, Verifier as _};
use golive_webhook_verify::ed25519::SecretKey;
use golive_webhook_verify::{Encoding, Key, Part, Reject, Scheme, Signer, Verifier};

use crate::message::fill;
use crate::naive;

/// Writes signatures in every way, then reads the one of the input.
pub fn one(data: &[u8]) {
    let mut lines = data.splitn(3, |&byte| byte == b'\n');
    let secret = lines.next().unwrap_or_default();
    let text = lines.next().unwrap_or_default();
    let body = lines.next().unwrap_or_default();
    written(secret, body);
    read(secret, text, body);
}

/// What the signer writes is what plain crates write, whatever the lengths.
fn written(secret: &[u8], body: &[u8]) {
    let Ok(key) = Key::from_short_bytes(secret) else {
        assert!(secret.len() > 1024 || secret.iter().all(|&byte| byte == 0));
        return;
    };
    // The length of what is signed before the body moves the body against the blocks.
    let id = "i".repeat(secret.len() % 256);
    let standard = format!("{id}.7.");
    let mac = |before: &str| naive::mac(secret, &[before.as_bytes(), body].concat());
    let signed = |scheme| {
        Signer::new(key.clone())
            .with_scheme(scheme)
            .sign(&id, 7, body)
    };
    let base64 = |before: &str| naive::base64(&mac(before));
    let hex = |before: &str| naive::hex(&mac(before));
    assert_eq!(
        signed(Scheme::standard_webhooks()),
        format!("v1,{}", base64(&standard))
    );
    assert_eq!(signed(Scheme::stripe()), format!("t=7,v1={}", hex("7.")));
    assert_eq!(signed(Scheme::slack()), format!("v0={}", hex("v0:7:")));
    assert_eq!(signed(Scheme::github()), format!("sha256={}", hex("")));
    assert_eq!(signed(Scheme::shopify()), base64(""));
    assert_eq!(signed(Scheme::square(id.clone())), base64(&id));
    let own = Scheme::builder("acme-signature")
        .encoding(Encoding::Base64)
        .signed([Part::Text(id.clone().into()), Part::Text("/".into())]);
    assert_eq!(signed(own.build().unwrap()), base64(&format!("{id}/")));
}

/// A text is read as a signature if it is base64 to the letter, of one that holds.
fn read(secret: &[u8], text: &[u8], body: &[u8]) {
    let key = SigningKey::from_bytes(&naive::digest(secret));
    let message = [b"id.7.", body].concat();
    let right = naive::base64(&key.sign(&message).to_bytes());
    let own = SecretKey::from_bytes(key.as_bytes()).unwrap();
    let public = own.public_key();
    assert_eq!(
        Signer::ed25519(own).sign("id", 7, body),
        format!("v1a,{right}")
    );

    // 64 bytes leave the last letter four bits that say nothing, and are zero.
    let mut stray = right.clone().into_bytes();
    stray[85] += 1;
    let stray = String::from_utf8(stray).unwrap();
    let text = fill(
        text,
        &[
            ("signature", &right),
            ("start", &right[..40]),
            ("end", &right[41..]),
            ("bare", right.trim_end_matches('=')),
            ("stray", &stray),
        ],
    );
    let line = [b"v1a,", &text[..]].concat();
    let items = naive::items(&line, b"v1a,");
    let expected = items.iter().any(|item| {
        let spelled = naive::unbase64(item).filter(|spelled| spelled.canonical);
        let signature = spelled.and_then(|one| Signature::from_slice(&one.bytes).ok());
        signature.is_some_and(|one| key.verifying_key().verify(&message, &one).is_ok())
    });

    let verifier = Verifier::builder().public_key(public).build().unwrap();
    let headers = [
        ("webhook-id", &b"id"[..]),
        ("webhook-timestamp", b"7"),
        ("webhook-signature", &line),
    ];
    match verifier.verify(&headers, body, 7) {
        Ok(verified) => assert!(expected && verified.key_index() == 0, "{line:?}"),
        // Too many of them are not looked at, and neither is a line that is too long.
        Err(Reject::SignatureTooLong) => assert!(line.len() > 4096 || items.len() > 4),
        Err(Reject::Mismatch) => assert!(!expected, "{line:?}"),
        Err(other) => panic!("{other:?} for {line:?}"),
    }
}
