//! Known answers, each kept in a data file that is named after its source.
#![allow(
    clippy::unwrap_used,
    reason = "a vector that cannot be read is a failed test"
)]

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use golive_webhook_verify::{Key, KeyError, Reject, Scheme, Signer, UnixTime, Verifier};
use serde_json::Value;

// === Standard Webhooks 1.0, `v1` ===

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
    let file = json(include_str!("vectors/standard-webhooks-v1.json"));
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

fn headers(v: &Vector) -> [(&'static str, &str); 3] {
    [
        ("webhook-id", &v.id),
        ("webhook-timestamp", &v.timestamp),
        ("webhook-signature", &v.signature),
    ]
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
            let signature = Signer::new(key).sign(&v.id, at, &v.body);
            assert_eq!(signature, v.signature, "{}", v.name);
        }
    }
}

#[test]
fn every_vector_is_accepted() {
    for v in vectors() {
        let (headers, at) = (headers(&v), v.timestamp.parse::<u64>().unwrap());
        for key in keys(&v) {
            let verifier = Verifier::builder().key(key).build().unwrap();
            let verified = verifier.verify(&headers, &v.body, at).unwrap();
            assert_eq!(verified.id(), Some(v.id.as_str()), "{}", v.name);
            let timestamp = verified.timestamp().unwrap();
            assert_eq!(timestamp.as_secs(), at, "{}", v.name);
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
        let headers = headers(&v);
        let seen = verifier.verify(&headers, &v.body, at).map(drop);
        assert_eq!(seen, Err(Reject::Mismatch), "{}", v.name);
    }
}

// === what each provider documents or tests its own libraries with ===

struct Delivery {
    /// Scheme and name, for messages.
    name: String,
    scheme: Scheme,
    signs_time: bool,
    key: Key,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    at: u64,
    id: Option<String>,
}

fn deliveries() -> Vec<Delivery> {
    let files = [
        include_str!("vectors/stripe.json"),
        include_str!("vectors/github.json"),
        include_str!("vectors/slack.json"),
        include_str!("vectors/shopify.json"),
        include_str!("vectors/square.json"),
        include_str!("vectors/svix.json"),
    ];
    let mut found = Vec::new();
    for file in files.map(json) {
        let scheme = text(&file, "scheme");
        let deliveries = file["deliveries"].as_array().unwrap();
        found.extend(deliveries.iter().map(|v| delivery(&scheme, v)));
    }
    assert!(found.len() >= 22, "a data file was cut short");
    found
}

fn delivery(scheme: &str, v: &Value) -> Delivery {
    let headers = v["headers"].as_object().unwrap().iter();
    let body = match v.get("body_repeat") {
        Some(repeat) => {
            let times = repeat["times"].as_u64().unwrap();
            text(repeat, "text").repeat(usize::try_from(times).unwrap())
        }
        None => text(v, "body"),
    };
    let known = match scheme {
        "stripe" => Scheme::stripe(),
        "github" => Scheme::github(),
        "slack" => Scheme::slack(),
        "shopify" => Scheme::shopify(),
        "square" => Scheme::square(text(v, "url")),
        "svix" => Scheme::svix(),
        other => unreachable!("no scheme {other}"),
    };
    Delivery {
        name: format!("{scheme}: {}", text(v, "name")),
        scheme: known,
        signs_time: matches!(scheme, "stripe" | "slack" | "svix"),
        key: key(&text(v, "secret_kind"), &text(v, "secret")),
        headers: headers
            .map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()))
            .collect(),
        body: body.into_bytes(),
        at: v["at"].as_u64().unwrap(),
        id: v.get("id").map(|id| id.as_str().unwrap().to_owned()),
    }
}

fn key(kind: &str, secret: &str) -> Key {
    match kind {
        "whsec" => Key::from_whsec(secret).unwrap(),
        // What providers take for their tests is often short.
        "text" if secret.len() < 16 => {
            let short = Key::from_text(secret).unwrap_err();
            assert_eq!(
                short,
                KeyError::TooShort {
                    bytes: secret.len()
                }
            );
            Key::from_short_bytes(secret.as_bytes()).unwrap()
        }
        "text" => Key::from_text(secret).unwrap(),
        other => unreachable!("no kind {other} of secret"),
    }
}

fn verifier(d: &Delivery, key: Key) -> Verifier {
    let builder = Verifier::builder().scheme(d.scheme.clone()).key(key);
    builder.build().unwrap()
}

#[test]
fn what_each_provider_signed_is_accepted() {
    for d in deliveries() {
        let verifier = verifier(&d, d.key.clone());
        let verified = verifier.verify(&d.headers[..], &d.body, d.at);
        let verified = verified.unwrap_or_else(|reject| panic!("{}: {reject}", d.name));
        assert_eq!(verified.id(), d.id.as_deref(), "{}", d.name);
        let timestamp = verified.timestamp().map(UnixTime::as_secs);
        assert_eq!(timestamp, d.signs_time.then_some(d.at), "{}", d.name);
    }
}

#[test]
fn what_each_provider_signed_is_refused_under_another_key_or_with_another_body() {
    for d in deliveries() {
        let other = Key::from_bytes(&[9; 24]).unwrap();
        let seen = verifier(&d, other)
            .verify(&d.headers[..], &d.body, d.at)
            .map(drop);
        assert_eq!(seen, Err(Reject::Mismatch), "{}", d.name);
        let verifier = verifier(&d, d.key.clone());
        let longer = [&d.body[..], b" "].concat();
        let seen = verifier
            .verify(&d.headers[..], &longer[1..], d.at)
            .map(drop);
        assert_eq!(seen, Err(Reject::Mismatch), "{}", d.name);
        let seen = verifier.verify(&d.headers[..], &[], d.at).map(drop);
        assert_eq!(seen, Err(Reject::Mismatch), "{}", d.name);
    }
}

#[test]
fn what_each_provider_signed_ages_where_a_time_is_signed_and_only_there() {
    for d in deliveries() {
        let verifier = verifier(&d, d.key.clone());
        let seen = |now| verifier.verify(&d.headers[..], &d.body, now).map(drop);
        let (old, new) = match d.signs_time {
            true => (
                Err(Reject::TooOld { by_secs: 301 }),
                Err(Reject::TooNew { by_secs: 301 }),
            ),
            false => (Ok(()), Ok(())),
        };
        assert_eq!(seen(d.at + 300), Ok(()), "{}", d.name);
        assert_eq!(seen(d.at - 300), Ok(()), "{}", d.name);
        assert_eq!(seen(d.at + 301), old, "{}", d.name);
        assert_eq!(seen(d.at - 301), new, "{}", d.name);
    }
}

#[test]
fn square_signs_the_url_too() {
    for d in deliveries().iter().filter(|d| d.name.starts_with("square")) {
        for other in [
            "",
            "https://example.com/webhook/",
            "https://example.org/webhook",
        ] {
            let verifier = Verifier::builder()
                .scheme(Scheme::square(other))
                .key(d.key.clone())
                .tolerance(Duration::from_secs(1))
                .build()
                .unwrap();
            let seen = verifier.verify(&d.headers[..], &d.body, d.at).map(drop);
            assert_eq!(seen, Err(Reject::Mismatch), "{}: {other:?}", d.name);
        }
    }
}

// === HMAC-SHA256 by itself ===

struct Tag {
    name: String,
    key: Vec<u8>,
    message: Vec<u8>,
    tag: String,
    valid: bool,
}

fn tags(file: &str, at_least: usize) -> Vec<Tag> {
    let file = json(file);
    let read = |v: &Value| Tag {
        name: format!("{} of {}", v["id"], text(&file, "source")),
        key: unhex(&text(v, "key")),
        message: unhex(&text(v, "msg")),
        tag: text(v, "tag"),
        valid: match text(v, "result").as_str() {
            "valid" => true,
            "invalid" => false,
            other => unreachable!("no result {other}"),
        },
    };
    let tags: Vec<_> = file["tests"].as_array().unwrap().iter().map(read).collect();
    assert!(tags.len() >= at_least, "the data file was cut short");
    tags
}

/// The signature as hex over the body and nothing else, so that it is the bare HMAC.
fn bare(key: Key) -> Verifier {
    let scheme = Scheme::builder("x-signature").build().unwrap();
    Verifier::builder().scheme(scheme).key(key).build().unwrap()
}

fn check(tags: &[Tag]) {
    for t in tags {
        let verifier = bare(Key::from_short_bytes(&t.key).unwrap());
        let headers = [("x-signature", t.tag.as_str())];
        let seen = verifier.verify(&headers, &t.message, 0);
        // A tag that was cut is never a signature, be it right as far as it goes.
        let whole = t.tag.len() == 64;
        assert_eq!(seen.is_ok(), t.valid && whole, "{}: {seen:?}", t.name);
    }
}

#[test]
fn the_tags_of_rfc_4231_are_ours() {
    let tags = tags(include_str!("vectors/rfc4231.json"), 7);
    check(&tags);
    let cut = tags.iter().filter(|t| t.tag.len() < 64).count();
    assert_eq!(cut, 1, "case 5 is cut to 128 bits");
}

#[test]
fn the_tags_of_wycheproof_are_judged_as_they_should_be() {
    let tags = tags(include_str!("vectors/wycheproof-hmac-sha256.json"), 174);
    check(&tags);
    let accepted = tags.iter().filter(|t| t.valid && t.tag.len() == 64).count();
    assert_eq!(accepted, 33);
}

#[test]
fn the_keys_for_which_anyone_can_sign_are_refused() {
    // HMAC itself takes them: RFC 2104 fills every key up with zeros.
    for key in [&[][..], &[0], &[0; 16], &[0; 64], &[0; 65]] {
        let refused = Key::from_short_bytes(key).unwrap_err();
        assert_eq!(refused, KeyError::Empty, "{} bytes", key.len());
    }
}

// === helpers ===

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn text(v: &Value, name: &str) -> String {
    v[name].as_str().unwrap().to_owned()
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap())
        .collect()
}
