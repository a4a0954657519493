//! What the verifier accepts and refuses, seen from outside.
#![allow(clippy::unwrap_used, reason = "a helper that fails is a failed test")]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use golive_webhook_verify::{Fault, Key, Reject, Signer, Verifier};
use http::{HeaderMap, StatusCode};

const NOW: u64 = 1_800_000_000;
const BODY: &[u8] = br#"{"type":"loan.created"}"#;

fn key(seed: u8) -> Key {
    Key::from_bytes(&[seed; 32]).unwrap()
}

fn verifier() -> Verifier {
    Verifier::builder().key(key(1)).build().unwrap()
}

fn delivery(at: u64, signature: &str) -> HeaderMap {
    let mut map = HeaderMap::new();
    map.insert("webhook-id", "msg_1".parse().unwrap());
    map.insert("webhook-timestamp", at.to_string().parse().unwrap());
    map.insert("webhook-signature", signature.parse().unwrap());
    map
}

fn signed(seed: u8, at: u64) -> String {
    Signer::new(key(seed)).sign("msg_1", at, BODY)
}

#[test]
fn the_window_is_closed_exactly_after_the_tolerance_in_both_directions() {
    let seen = |at: u64| {
        verifier()
            .verify(&delivery(at, &signed(1, at)), BODY, NOW)
            .map(drop)
    };
    assert_eq!(seen(NOW - 300), Ok(()));
    assert_eq!(seen(NOW + 300), Ok(()));
    assert_eq!(seen(NOW - 301), Err(Reject::TooOld { by_secs: 301 }));
    assert_eq!(seen(NOW + 301), Err(Reject::TooNew { by_secs: 301 }));
    assert_eq!(seen(0), Err(Reject::TooOld { by_secs: NOW }));
    assert_eq!(
        seen(999_999_999_999),
        Err(Reject::TooNew {
            by_secs: 999_999_999_999 - NOW
        })
    );
}

#[test]
fn the_tolerance_is_settable() {
    let strict = Verifier::builder()
        .key(key(1))
        .tolerance(Duration::from_secs(10))
        .build()
        .unwrap();
    let seen = |at: u64| {
        strict
            .verify(&delivery(at, &signed(1, at)), BODY, NOW)
            .map(drop)
    };
    assert_eq!(seen(NOW - 10), Ok(()));
    assert_eq!(seen(NOW - 11), Err(Reject::TooOld { by_secs: 11 }));
}

#[test]
fn a_system_time_is_taken_as_now() {
    let now: SystemTime = UNIX_EPOCH + Duration::from_secs(NOW);
    let verifier = verifier();
    let map = delivery(NOW, &signed(1, NOW));
    let verified = verifier.verify(&map, BODY, now).unwrap();
    assert_eq!(verified.timestamp(), Some(NOW.into()));
}

#[test]
fn during_a_rotation_either_secret_is_accepted_and_the_verdict_says_which() {
    let both = Verifier::builder()
        .keys([key(2).with_id("new"), key(1).with_id("old")])
        .build()
        .unwrap();
    let which = |signature: &str| {
        let map = delivery(NOW, signature);
        let verified = both.verify(&map, BODY, NOW).unwrap().into_owned();
        (verified.key_index(), verified.key_id().map(str::to_owned))
    };
    assert_eq!(which(&signed(2, NOW)), (0, Some("new".into())));
    assert_eq!(which(&signed(1, NOW)), (1, Some("old".into())));
    let (old, new) = (signed(1, NOW), signed(2, NOW));
    assert_eq!(which(&format!("{old} {new}")), (0, Some("new".into())));
}

#[test]
fn after_its_end_date_the_old_secret_is_refused() {
    let both = Verifier::builder()
        .keys([key(2), key(1).with_not_after(NOW - 1)])
        .build()
        .unwrap();
    let seen = both
        .verify(&delivery(NOW, &signed(1, NOW)), BODY, NOW)
        .map(drop);
    assert_eq!(seen, Err(Reject::Mismatch));
    assert!(
        both.verify(&delivery(NOW, &signed(2, NOW)), BODY, NOW)
            .is_ok()
    );
}

#[test]
fn with_every_key_past_its_end_the_operator_must_act() {
    let ended = Verifier::builder()
        .key(key(1).with_not_after(NOW - 1))
        .build()
        .unwrap();
    let reject = ended
        .verify(&delivery(NOW, &signed(1, NOW)), BODY, NOW)
        .unwrap_err();
    assert_eq!(reject, Reject::NoUsableKey);
    assert_eq!(reject.fault(), Fault::Operator);
    assert_eq!(reject.status(), StatusCode::INTERNAL_SERVER_ERROR);
}

#[test]
fn unknown_versions_and_malformed_siblings_do_not_spoil_a_good_signature() {
    let good = signed(1, NOW);
    let list = format!(
        "v1a,AAAA v2,zzz v1, v1,!!! nonsense v1,{} {good}",
        "A".repeat(44)
    );
    assert!(verifier().verify(&delivery(NOW, &list), BODY, NOW).is_ok());
}

#[test]
fn a_good_signature_under_an_unknown_version_counts_for_nothing() {
    let other = signed(1, NOW).replacen("v1,", "v2,", 1);
    let reject = verifier()
        .verify(&delivery(NOW, &other), BODY, NOW)
        .unwrap_err();
    assert_eq!(reject, Reject::NoKnownSignature);
    assert_eq!(reject.status(), StatusCode::UNAUTHORIZED);
}

#[test]
fn two_lines_of_signatures_are_one_list() {
    let mut map = delivery(NOW, &signed(9, NOW));
    map.append("webhook-signature", signed(1, NOW).parse().unwrap());
    assert!(verifier().verify(&map, BODY, NOW).is_ok());
}

#[test]
fn a_signature_is_taken_in_its_one_canonical_spelling_only() {
    let good = signed(1, NOW);
    for other in [
        good.trim_end_matches('=').to_owned(),
        format!("{good}="),
        good.replace("v1", "V1"),
    ] {
        assert!(
            verifier()
                .verify(&delivery(NOW, &other), BODY, NOW)
                .is_err(),
            "{other}"
        );
    }
}

#[test]
fn a_stale_delivery_is_refused_before_its_body_is_looked_at() {
    let small = Verifier::builder()
        .key(key(1))
        .max_body_bytes(1)
        .build()
        .unwrap();
    let stale = small
        .verify(&delivery(NOW - 301, "v1,"), BODY, NOW)
        .map(drop);
    assert_eq!(stale, Err(Reject::TooOld { by_secs: 301 }));
}

#[test]
fn a_body_over_the_limit_is_refused_although_it_was_signed() {
    let small = Verifier::builder()
        .key(key(1))
        .max_body_bytes(BODY.len() - 1)
        .build()
        .unwrap();
    let reject = small
        .verify(&delivery(NOW, &signed(1, NOW)), BODY, NOW)
        .unwrap_err();
    assert_eq!(
        reject,
        Reject::BodyTooLarge {
            limit: BODY.len() - 1
        }
    );
    assert_eq!(reject.status(), StatusCode::PAYLOAD_TOO_LARGE);
    let exact = Verifier::builder()
        .key(key(1))
        .max_body_bytes(BODY.len())
        .build()
        .unwrap();
    assert!(
        exact
            .verify(&delivery(NOW, &signed(1, NOW)), BODY, NOW)
            .is_ok()
    );
}
