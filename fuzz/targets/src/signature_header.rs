//! The headers of a webhook delivery, and the body under its signature.
//!
//! Numbers: our own clock. Holes: `{current}`, `{previous}` and `{foreign}` in `webhook-signature`,
//! for signatures over what the rest of the message says.

use std::time::UNIX_EPOCH;

use golive_webhook_verify::{Key, Reject, Signer, Verified, Verifier};
use http::{HeaderMap, HeaderValue};

use crate::message::Message;
use crate::naive;

const HEADERS: &[&str] = &["webhook-id", "webhook-timestamp", "webhook-signature"];

const CURRENT: &[u8] = b"fuzz-current-secret-of-32-bytes.";
const PREVIOUS: &[u8] = b"fuzz-previous-secret-of-32-bytes";
const FOREIGN: &[u8] = b"fuzz-foreign-secret-of-32-bytes.";
/// When the previous secret ends.
const END: u64 = 1_700_000_000;
const TOLERANCE_SECS: u64 = 300;
const MAX_BODY_BYTES: usize = 2048;

/// Verifies one delivery, then one that is genuine, and what an attacker makes of that.
pub fn one(data: &[u8]) {
    let message = Message::read(data, HEADERS);
    let since = message.time(0).duration_since(UNIX_EPOCH);
    let now = since.map_or(0, |since| since.as_secs());
    let verifier = verifier();
    delivered(&verifier, &message, now);
    genuine(&verifier, &message, now);
}

/// A delivery as it comes: what is accepted carries a signature of ours, over these very bytes.
fn delivered(verifier: &Verifier, message: &Message<'_>, now: u64) {
    let id = message.only("webhook-id").unwrap_or_default();
    let timestamp = message.only("webhook-timestamp").unwrap_or_default();
    let signed = |secret| sign(secret, id, timestamp, message.body);
    let (current, previous, foreign) = (signed(CURRENT), signed(PREVIOUS), signed(FOREIGN));
    let headers = message.headers(&[
        ("current", &current),
        ("previous", &previous),
        ("foreign", &foreign),
    ]);
    // What no header map would hold was left out, so this looks at what the verifier saw.
    let seen = |name| headers.get(name).map_or(&b""[..], HeaderValue::as_bytes);
    let over = |secret| {
        let (id, timestamp) = (seen("webhook-id"), seen("webhook-timestamp"));
        sign(secret, id, timestamp, message.body)
    };
    match verifier.verify(&headers, message.body, now) {
        Ok(verified) => {
            match verified.key_id() {
                Some("current") => assert!(carries(&headers, &over(CURRENT))),
                Some("previous") => assert!(carries(&headers, &over(PREVIOUS)) && now <= END),
                other => panic!("accepted by {other:?}"),
            }
            fits(&verified, &headers, now);
            assert!(message.body.len() <= MAX_BODY_BYTES);
        }
        Err(reject) => {
            refused(reject);
            if reject == Reject::Mismatch {
                let previous = now <= END && carries_alone(&headers, &over(PREVIOUS));
                let current = carries_alone(&headers, &over(CURRENT));
                assert!(!current && !previous, "{headers:?}");
            }
        }
    }
}

fn fits(verified: &Verified<'_>, headers: &HeaderMap, now: u64) {
    let only = |name| {
        assert_eq!(headers.get_all(name).iter().count(), 1, "{name}");
        headers[name].to_str().unwrap()
    };
    let id = verified.id().unwrap();
    assert_eq!(id, only("webhook-id"));
    assert!(!id.contains('.') && id.len() <= 256);
    let seconds = verified.timestamp().unwrap().as_secs();
    assert_eq!(only("webhook-timestamp").parse(), Ok(seconds));
    assert!(seconds.abs_diff(now) <= TOLERANCE_SECS);
}

fn refused(reject: Reject) {
    assert!(matches!(reject.status(), 400 | 401 | 413));
    let said = format!("{reject} {reject:?} {}", reject.code());
    for secret in [CURRENT, PREVIOUS, FOREIGN] {
        assert!(!contains(said.as_bytes(), secret), "{said}");
    }
}

/// A delivery of our signer is accepted, and no longer once a single byte of it is another one.
fn genuine(verifier: &Verifier, message: &Message<'_>, now: u64) {
    // Twelve digits is what a timestamp has at most.
    let now = now % 999_999_999_000;
    let id: String = message.only("webhook-id").map_or("msg".into(), |id| {
        let fit = id.iter().filter(|b| b.is_ascii_graphic() && **b != b'.');
        fit.take(256).copied().map(char::from).collect()
    });
    let id = if id.is_empty() { "msg" } else { &id };
    let body = &message.body[..message.body.len().min(MAX_BODY_BYTES)];
    let signer = Signer::new(Key::from_bytes(CURRENT).unwrap());
    let signature = signer.sign(id, now, body);
    assert_eq!(
        signature,
        sign(CURRENT, id.as_bytes(), now.to_string().as_bytes(), body)
    );
    let headers = delivery(id, &now.to_string(), &signature);
    let verified = verifier.verify(&headers, body, now).unwrap();
    let seen = (verified.id(), verified.key_id());
    assert_eq!(seen, (Some(id), Some("current")));

    // Where the attacker strikes is up to the input, too.
    let strike = body.iter().fold(now as usize, |sum, &byte| {
        sum.wrapping_mul(31) ^ byte as usize
    });
    let refuse = |headers: &HeaderMap, body: &[u8]| {
        assert!(verifier.verify(headers, body, now).is_err(), "{headers:?}");
    };
    let mut other = body.to_vec();
    if let Some(at) = strike.checked_rem(body.len()) {
        other[at] ^= 1 << (strike % 8);
        refuse(&headers, &other);
        refuse(&headers, &body[..at]);
    }
    other = body.to_vec();
    other.push(strike as u8);
    refuse(&headers, &other);
    refuse(
        &delivery(&format!("{id}0"), &now.to_string(), &signature),
        body,
    );
    refuse(&delivery(id, &(now + 1).to_string(), &signature), body);
    refuse(&delivery(id, &format!("0{now}"), &signature), body);
    let bent = |at: usize, to: u8| {
        let mut bent = signature.clone().into_bytes();
        bent[at] = to;
        let bent = String::from_utf8(bent).unwrap();
        refuse(&delivery(id, &now.to_string(), &bent), body);
    };
    let at = strike % signature.len();
    let other = if signature.as_bytes()[at] == b'A' {
        b'B'
    } else {
        b'A'
    };
    bent(at, other);
    // 32 bytes leave the last character before the padding two bits that say nothing. They are
    // zero, so the next letter would be the same signature in another spelling.
    let last = signature.len() - 2;
    bent(last, signature.as_bytes()[last] + 1);
}

fn verifier() -> Verifier {
    let key = |secret, id: &str| Key::from_bytes(secret).unwrap().with_id(id);
    Verifier::builder()
        .key(key(CURRENT, "current"))
        .key(key(PREVIOUS, "previous").with_not_after(END))
        .max_body_bytes(MAX_BODY_BYTES)
        .build()
        .unwrap()
}

fn delivery(id: &str, timestamp: &str, signature: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("webhook-id", id),
        ("webhook-timestamp", timestamp),
        ("webhook-signature", signature),
    ] {
        headers.insert(name, HeaderValue::from_str(value).unwrap());
    }
    headers
}

/// Standard Webhooks, "Signature scheme", written down a second time.
fn sign(secret: &[u8], id: &[u8], timestamp: &[u8], body: &[u8]) -> String {
    let content = [id, timestamp, body].join(&b'.');
    format!("v1,{}", naive::base64(&naive::mac(secret, &content)))
}

fn carries(headers: &HeaderMap, signature: &str) -> bool {
    let mut lines = headers.get_all("webhook-signature").iter();
    lines.any(|line| contains(line.as_bytes(), signature.as_bytes()))
}

/// Whether a line is this one signature and nothing else, so that nothing could hide it.
fn carries_alone(headers: &HeaderMap, signature: &str) -> bool {
    headers
        .get_all("webhook-signature")
        .iter()
        .any(|line| line == signature)
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}
