//! Signatures of version `v1a`: known answers, the spellings of keys, and what must be refused.
#![cfg(feature = "ed25519")]
#![allow(clippy::unwrap_used, reason = "a helper that fails is a failed test")]

use golive_webhook_verify::ed25519::{PublicKey, SecretKey};
use golive_webhook_verify::{Key, Reject, Signer, Verified, Verifier};
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::Value;

/// The one delivery of the data file, signed in many ways.
struct File {
    json: Value,
    id: String,
    at: u64,
    body: String,
}

impl File {
    fn read() -> Self {
        let json = json(include_str!("vectors/standard-webhooks-v1a.json"));
        Self {
            id: text(&json["id"]),
            at: json["at"].as_u64().unwrap(),
            body: text(&json["body"]),
            json,
        }
    }

    fn verify(&self, verifier: &Verifier, signature: &str) -> Result<Verified<'static>, Reject> {
        let (at, body) = (self.at.to_string(), self.body.as_bytes());
        let headers = [
            ("webhook-id", self.id.as_str()),
            ("webhook-timestamp", at.as_str()),
            ("webhook-signature", signature),
        ];
        let whole = verifier.verify(&headers, body, self.at);
        let in_pieces = verifier
            .begin(&headers, self.at)
            .and_then(|mut verification| {
                body.chunks(3)
                    .try_for_each(|chunk| verification.update(chunk))?;
                verification.finish(self.at)
            });
        assert_eq!(in_pieces, whole, "{signature}");
        whole.map(Verified::into_owned)
    }

    fn public_keys(&self) -> Vec<PublicKey> {
        let spellings = texts(&self.json["spellings"]["public"]);
        let keys: Vec<_> = spellings
            .iter()
            .map(|text| PublicKey::from_whpk(text).unwrap())
            .collect();
        assert!(keys.len() >= 4, "the data file was cut short");
        keys
    }

    fn secret_keys(&self) -> Vec<SecretKey> {
        let spellings = texts(&self.json["spellings"]["secret"]);
        let keys: Vec<_> = spellings
            .iter()
            .map(|text| SecretKey::from_whsk(text).unwrap())
            .collect();
        assert!(keys.len() >= 4, "the data file was cut short");
        keys
    }

    fn whsec(&self) -> Key {
        Key::from_whsec(self.json["whsec"].as_str().unwrap()).unwrap()
    }
}

fn with_public(key: PublicKey) -> Verifier {
    Verifier::builder().public_key(key).build().unwrap()
}

#[test]
fn every_spelling_of_the_public_key_accepts_every_list_that_it_signed() {
    let file = File::read();
    for key in file.public_keys() {
        let verifier = with_public(key);
        for case in file.json["accepted"].as_array().unwrap() {
            let verified = file.verify(&verifier, &text(&case["signature"])).unwrap();
            assert_eq!(verified.id(), Some(file.id.as_str()), "{}", case["name"]);
            assert_eq!(verified.key_index(), 0, "{}", case["name"]);
        }
    }
}

#[test]
fn every_spelling_of_the_secret_key_signs_alike() {
    let file = File::read();
    let expected = text(&file.json["accepted"][0]["signature"]);
    for key in file.secret_keys() {
        let verifier = with_public(key.public_key());
        let signature = Signer::ed25519(key).sign(&file.id, file.at, file.body.as_bytes());
        assert_eq!(signature, expected);
        assert!(file.verify(&verifier, &signature).is_ok());
    }
}

#[test]
fn a_mixed_list_is_accepted_under_either_kind_of_key() {
    let file = File::read();
    let key = || file.public_keys().remove(0);
    let other = || Key::from_bytes(&[9; 32]).unwrap();
    let mixed = text(&file.json["accepted"][1]["signature"]);
    assert!(mixed.contains("v1,") && mixed.contains("v1a,"));
    let (v1, v1a) = mixed.split_once(' ').unwrap();
    let both = Verifier::builder()
        .key(other())
        .public_key(key())
        .key(file.whsec());
    let both = both.build().unwrap();
    let index = |signature: &str| file.verify(&both, signature).map(|seen| seen.key_index());
    assert_eq!(index(v1), Ok(2));
    assert_eq!(index(v1a), Ok(1));
    assert!(matches!(index(&mixed), Ok(1 | 2)));
    let secret_only = Verifier::builder().key(file.whsec()).build().unwrap();
    assert!(file.verify(&secret_only, &mixed).is_ok());
    assert_eq!(
        file.verify(&secret_only, v1a).map(drop),
        Err(Reject::NoKnownSignature)
    );
    assert!(file.verify(&with_public(key()), &mixed).is_ok());
    assert_eq!(
        file.verify(&with_public(key()), v1).map(drop),
        Err(Reject::NoKnownSignature)
    );
}

#[test]
fn what_is_not_a_signature_of_the_key_is_refused() {
    let file = File::read();
    let refused = file.json["refused_signatures"].as_array().unwrap();
    assert!(refused.len() >= 10, "the data file was cut short");
    for key in file.public_keys() {
        let alone = with_public(key.clone());
        let beside = Verifier::builder()
            .key(Key::from_bytes(&[9; 32]).unwrap())
            .public_key(key);
        let beside = beside.build().unwrap();
        for case in refused {
            for verifier in [&alone, &beside] {
                let seen = file.verify(verifier, &text(&case["signature"]));
                assert!(
                    matches!(seen, Err(Reject::Mismatch | Reject::NoKnownSignature)),
                    "{}: {seen:?}",
                    case["name"]
                );
            }
        }
    }
}

#[test]
fn what_is_not_a_key_is_refused() {
    let file = File::read();
    let refused = file.json["refused_keys"].as_array().unwrap();
    assert!(refused.len() >= 13, "the data file was cut short");
    for case in refused {
        let spelled = text(&case["text"]);
        let is_read = match spelled.starts_with("whpk_") {
            true => PublicKey::from_whpk(&spelled).is_ok(),
            false => SecretKey::from_whsk(&spelled).is_ok(),
        };
        assert!(!is_read, "{}", case["name"]);
    }
}

#[test]
fn the_two_halves_are_not_taken_for_each_other() {
    let file = File::read();
    for spelled in texts(&file.json["spellings"]["public"]) {
        assert!(SecretKey::from_whsk(&spelled).is_err());
        assert!(Key::from_whsec(&spelled).is_err());
    }
    for spelled in texts(&file.json["spellings"]["secret"]) {
        assert!(PublicKey::from_whpk(&spelled).is_err());
        assert!(Key::from_whsec(&spelled).is_err());
    }
}

#[test]
fn the_keys_of_rfc_8032_sign_and_verify() {
    let file = json(include_str!("vectors/rfc8032.json"));
    let tests = file["tests"].as_array().unwrap();
    assert_eq!(tests.len(), 5);
    for test in tests {
        let (id, at) = ("msg_rfc8032", 1_614_265_330);
        let body = unhex(&text(&test["msg"]));
        let secret = SecretKey::from_bytes(&unhex(&text(&test["seed"]))).unwrap();
        let signature = Signer::ed25519(secret).sign(id, at, &body);
        assert_eq!(
            signature,
            format!("v1a,{}", text(&test["v1a"])),
            "{}",
            test["id"]
        );
        let verifier = with_public(PublicKey::from_bytes(&unhex(&text(&test["public"]))).unwrap());
        let headers = [
            ("webhook-id", id),
            ("webhook-timestamp", "1614265330"),
            ("webhook-signature", signature.as_str()),
        ];
        assert!(
            verifier.verify(&headers, &body, at).is_ok(),
            "{}",
            test["id"]
        );
        let longer = [&body[..], b"."].concat();
        let seen = verifier.verify(&headers, &longer, at).map(drop);
        assert_eq!(seen, Err(Reject::Mismatch), "{}", test["id"]);
    }
}

proptest! {
    // Each case costs some scalar multiplications without optimisation.
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_changed_bit_of_a_v1a_delivery_rejects(
        id in "[!-\\-/-~]{1,40}", seed in any::<[u8; 32]>(),
        body in proptest::collection::vec(any::<u8>(), 1..200),
        which in 0usize..5, at in any::<Index>(), bit in 0u8..8,
    ) {
        let now = 1_800_000_000u64;
        let secret = SecretKey::from_bytes(&seed).unwrap();
        let signature = Signer::ed25519(secret.clone()).sign(&id, now, &body);
        let mut parts = [id.into_bytes(), now.to_string().into_bytes(), signature.into_bytes(), body, seed.to_vec()];
        let genuine = parts.clone();
        let at = at.index(parts[which].len());
        parts[which][at] ^= 1 << bit;
        for (parts, accepted) in [(genuine, true), (parts, false)] {
            let [id, timestamp, signature, body, seed] = parts;
            let public = SecretKey::from_bytes(&seed).unwrap().public_key();
            let headers = [
                ("webhook-id", id),
                ("webhook-timestamp", timestamp),
                ("webhook-signature", signature),
            ];
            let seen = with_public(public).verify(&headers, &body, now).map(drop);
            prop_assert_eq!(seen.is_ok(), accepted, "{:?}", seen);
        }
    }
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn text(v: &Value) -> String {
    v.as_str().unwrap().to_owned()
}

fn texts(v: &Value) -> Vec<String> {
    v.as_array().unwrap().iter().map(text).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap())
        .collect()
}
