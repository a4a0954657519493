//! Schemes of one's own: whatever the builder lets through is signed, read and bounded as the known
//! ones are.
#![allow(clippy::unwrap_used, reason = "a helper that fails is a failed test")]

mod naive;

use golive_webhook_verify::{
    ConfigError, Encoding, Key, Part, Reject, Scheme, SchemeBuilder, SchemeError, Signer,
    Verification, Verified, Verifier,
};
use naive::Lines;
use proptest::prelude::*;
use proptest::sample::select;

const NOW: u64 = 1_800_000_000;
const SECRET: [u8; 32] = [7; 32];

/// Of one letter, around eight, and around where the lengths begin again.
const NAMES: [&str; 16] = [
    "a",
    "b",
    "c",
    "x-seven",
    "y-seven",
    "x-eight-",
    "y-eight-",
    "z-eight-",
    "x-number-9",
    "y-number-9",
    concat!(
        "x-",
        "12345678901234567890",
        "12345678901234567890",
        "12345678901234567890",
        "3"
    ),
    concat!(
        "y-",
        "12345678901234567890",
        "12345678901234567890",
        "12345678901234567890",
        "3"
    ),
    concat!(
        "x-",
        "12345678901234567890",
        "12345678901234567890",
        "12345678901234567890",
        "34"
    ),
    concat!(
        "y-",
        "12345678901234567890",
        "12345678901234567890",
        "12345678901234567890",
        "34"
    ),
    concat!(
        "z-",
        "12345678901234567890",
        "12345678901234567890",
        "12345678901234567890",
        "34"
    ),
    concat!(
        "x-",
        "12345678901234567890",
        "12345678901234567890",
        "12345678901234567890",
        "345"
    ),
];
const LABELS: [&str; 9] = [
    "",
    "v1,",
    "v1=",
    "a,",
    "a",
    "=",
    "sha256=",
    "sixteen-letters,",
    "0123456789abcdef",
];
const TIMESTAMP_LABELS: [&str; 6] = ["t=", "t:", "time=", "v", "t", "a0"];
/// What may follow an id or a timestamp: nothing says that it is ASCII.
const ENDS: [&str; 10] = [".", ":", "/", " ", "\n", "~", "!", "§", "é.", "\u{10ffff}"];

/// A scheme, and what of it the test needs to know.
#[derive(Clone, Debug)]
struct Own {
    scheme: Scheme,
    encoding: Encoding,
    label: &'static str,
    signature: &'static str,
    has_id: bool,
    has_time: bool,
    signed: Vec<Part>,
}

#[derive(Clone, Copy, Debug)]
enum Time {
    None,
    Header,
    List(&'static str),
}

fn own() -> impl Strategy<Value = Own> {
    let names = (select(&NAMES[..]), select(&NAMES[..]), select(&NAMES[..]));
    let time = prop_oneof![
        Just(Time::None),
        Just(Time::Header),
        select(&TIMESTAMP_LABELS[..]).prop_map(Time::List),
    ];
    let encoding = select(vec![Encoding::Base64, Encoding::Hex]);
    let ends = (select(&ENDS[..]), select(&ENDS[..]));
    let shape = (
        any::<bool>(),
        any::<bool>(),
        prop_oneof![Just(0usize), 0usize..200],
    );
    let all = (names, select(&LABELS[..]), time, encoding, ends, shape);
    all.prop_filter_map(
        "no scheme",
        |((id, timestamp, signature), label, time, encoding, ends, shape)| {
            let (has_id, time_first, before) = shape;
            let text = |text: &str| Part::Text(text.to_owned().into());
            let mut signed = vec![text(&"p".repeat(before))];
            let mut builder = Scheme::builder(signature).label(label).encoding(encoding);
            if has_id {
                builder = builder.id_header(id);
                signed.extend([Part::Id, text(ends.0)]);
            }
            builder = match time {
                Time::None => builder,
                Time::Header => builder.timestamp_header(timestamp),
                Time::List(label) => builder.timestamp_in_list(label),
            };
            let has_time = !matches!(time, Time::None);
            if has_time {
                let at = if time_first { 1 } else { signed.len() };
                signed.splice(at..at, [Part::Timestamp, text(ends.1)]);
            }
            let scheme = builder.signed(signed.clone()).build().ok()?;
            Some(Own {
                scheme,
                encoding,
                label,
                signature,
                has_id,
                has_time,
                signed,
            })
        },
    )
}

impl Own {
    fn verifier(&self) -> Verifier {
        let builder = Verifier::builder().scheme(self.scheme.clone());
        builder
            .key(Key::from_bytes(&[9; 32]).unwrap())
            .key(Key::from_bytes(&SECRET).unwrap())
            .build()
            .unwrap()
    }

    fn sign(&self, id: &str, body: &[u8]) -> Lines {
        let signer =
            Signer::new(Key::from_bytes(&SECRET).unwrap()).with_scheme(self.scheme.clone());
        let lines = signer.headers(id, NOW, body).into_iter();
        lines
            .map(|(name, value)| (name.to_owned(), value.into_bytes()))
            .collect()
    }

    /// One item of the list, by the reference.
    fn item(&self, id: &str, body: &[u8]) -> String {
        let now = NOW.to_string();
        let mut content = Vec::new();
        for part in &self.signed {
            content.extend_from_slice(match part {
                Part::Text(text) => text.as_bytes(),
                Part::Id => id.as_bytes(),
                Part::Timestamp => now.as_bytes(),
                _ => unreachable!(),
            });
        }
        content.extend_from_slice(body);
        let mac = naive::mac(&SECRET, &content);
        let text = match self.encoding {
            Encoding::Hex => naive::hex(&mac),
            _ => naive::Provider::Shopify.spell(&mac),
        };
        format!("{}{text}", self.label)
    }
}

fn both_ways<'a>(
    verifier: &'a Verifier,
    lines: &'a Lines,
    body: &[u8],
) -> Result<Verified<'a>, Reject> {
    let whole = verifier.verify(&lines[..], body, NOW);
    let in_pieces = verifier
        .begin(&lines[..], NOW)
        .and_then(|mut verification| {
            body.chunks(61)
                .try_for_each(|chunk| verification.update(chunk))?;
            verification.finish(NOW)
        });
    assert_eq!(whole, in_pieces);
    whole
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn what_was_signed_in_a_scheme_of_ones_own_is_accepted_in_it(
        own in own(), id in "[A-Za-z0-9_-]{1,40}", body in prop::collection::vec(any::<u8>(), 0..300),
        upper in any::<bool>(), turned in any::<bool>(), joins in 0usize..4,
    ) {
        let verifier = own.verifier();
        let mut lines = own.sign(&id, &body);
        let good = own.item(&id, &body);
        let (_, list) = lines.last_mut().unwrap();
        prop_assert!(String::from_utf8(list.clone()).unwrap().ends_with(&good));
        // Siblings before and behind it, and at last a fold.
        let join = [" ", ",", ", ", "\t"][joins];
        let stray = |letter: &str, len: usize| format!("{}{}", own.label, letter.repeat(len));
        let mut more = list.clone();
        for item in [stray("w", 7), stray("0", good.len() - own.label.len()), good.clone()] {
            // A bare one is also the label of a time.
            more.extend_from_slice(join.as_bytes());
            more.extend_from_slice(item.as_bytes());
        }
        if upper {
            lines.iter_mut().for_each(|(name, _)| name.make_ascii_uppercase());
        }
        lines.push(("accept".to_owned(), b"*/*".to_vec()));
        lines.extend(NAMES.map(|name| (format!("{}q", &name[1..]), b"stray".to_vec())));
        if turned {
            lines.reverse();
        }
        let seen = both_ways(&verifier, &lines, &body).map(Verified::into_owned);
        let seen = seen.map_err(|reject| TestCaseError::fail(format!("{reject:?}: {lines:?}")))?;
        prop_assert_eq!(seen.key_index(), 1);
        prop_assert_eq!(seen.id(), own.has_id.then_some(&id[..]));
        prop_assert_eq!(seen.timestamp().is_some(), own.has_time);

        let place = lines.iter().position(|(name, _)| name.eq_ignore_ascii_case(own.signature)).unwrap();
        lines[place].1 = more;
        prop_assert!(both_ways(&verifier, &lines, &body).is_ok(), "{lines:?}");

        let mut other = body.clone();
        other.push(0);
        prop_assert_eq!(both_ways(&verifier, &lines, &other).map(drop), Err(Reject::Mismatch));
    }
}

// === ids, and what ends them ===

#[test]
fn an_id_may_be_ended_by_what_is_no_ascii() {
    for end in ENDS {
        let builder = Scheme::builder("s").id_header("i");
        let scheme = builder.signed([Part::Id, Part::Text(end.into())]);
        let scheme = scheme.build().unwrap();
        let key = || Key::from_bytes(&SECRET).unwrap();
        let verifier = Verifier::builder()
            .scheme(scheme.clone())
            .key(key())
            .build();
        let verifier = verifier.unwrap();
        let signer = Signer::new(key()).with_scheme(scheme);
        for id in ["a", "seven-7", "eight-88", "a-longer-one-CCCC"] {
            let lines = signer.headers(id, NOW, b"body");
            let seen = verifier.verify(&lines[..], b"body", NOW);
            assert_eq!(seen.unwrap().id(), Some(id), "{end:?}");
        }
        let ended = format!("before{end}after-it");
        let lines = signer.headers(&ended, NOW, b"body");
        let seen = verifier.verify(&lines[..], b"body", NOW).map(drop);
        assert_eq!(seen, Err(Reject::MalformedId), "{end:?}");
    }
}

/// Of whatever `Headers` is implemented for: HTTP knows no such name.
#[test]
fn a_header_without_a_name_is_not_the_id_of_a_scheme_that_has_none() {
    let mut long = NAMES.into_iter().filter(|name| name.len() == 64);
    let name = long.next().unwrap();
    let scheme = Scheme::builder(name).build().unwrap();
    let key = || Key::from_bytes(&SECRET).unwrap();
    let verifier = Verifier::builder()
        .scheme(scheme.clone())
        .key(key())
        .build();
    let verifier = verifier.unwrap();
    let signature = Signer::new(key())
        .with_scheme(scheme)
        .sign("", NOW, b"body");
    let lines = [("", "forged"), (name, signature.as_str())];
    let seen = verifier.verify(&lines, b"body", NOW).unwrap();
    assert_eq!(seen.id(), None);
}

// === the list ===

#[test]
fn a_list_that_is_too_long_is_not_searched_for_a_timestamp() {
    let key = Key::from_bytes(&SECRET).unwrap();
    let verifier = Verifier::builder().scheme(Scheme::stripe()).key(key);
    let verifier = verifier.build().unwrap();
    for list in [
        "v1=x,".repeat(1 << 16),
        format!("t={NOW},{}", " ".repeat(4096)),
    ] {
        let lines = [("stripe-signature", list)];
        let seen = verifier.verify(&lines, b"body", NOW).map(drop);
        assert_eq!(seen, Err(Reject::SignatureTooLong));
    }
}

#[test]
fn what_could_stand_before_a_signature_is_no_label_of_the_timestamp() {
    let build = |label, timestamp, encoding| {
        let builder: SchemeBuilder = Scheme::builder("s").label(label).encoding(encoding);
        let builder = builder.timestamp_in_list(timestamp);
        let signed = [Part::Timestamp, Part::Text(".".into())];
        builder.signed(signed).build().map(drop)
    };
    let (hex, base64) = (Encoding::Hex, Encoding::Base64);
    for (label, timestamp, encoding) in [
        // Every signature would be a second timestamp …
        ("v1=", "v", hex),
        ("v1=", "v1", hex),
        ("v1=", "v1=", hex),
        ("t,", "t", hex),
        // … or one now and then.
        ("", "a", hex),
        ("v=", "v=0", hex),
        ("v1,", "a0", hex),
        ("", "t", base64),
        ("v1,", "v1", base64),
    ] {
        let seen = build(label, timestamp, encoding);
        assert_eq!(
            seen,
            Err(SchemeError::Label(timestamp)),
            "{label} {timestamp}"
        );
    }
    for (label, timestamp, encoding) in [
        ("v1=", "t=", hex),
        ("", "t", hex),
        ("", "t=", base64),
        ("v", "v=", hex),
        ("v=", "v=t=", base64),
    ] {
        assert_eq!(
            build(label, timestamp, encoding),
            Ok(()),
            "{label} {timestamp}"
        );
    }
}

#[test]
fn a_limit_that_leaves_no_room_for_a_delivery_is_no_limit() {
    let builder = |scheme: &Scheme| {
        let key = Key::from_bytes(&SECRET).unwrap();
        Verifier::builder().scheme(scheme.clone()).key(key)
    };
    let key = Key::from_bytes(&SECRET).unwrap();
    for scheme in [
        Scheme::standard_webhooks(),
        Scheme::stripe(),
        Scheme::github(),
    ] {
        // The shortest list that this scheme has now.
        let list = Signer::new(key.clone())
            .with_scheme(scheme.clone())
            .sign("msg", NOW, b"");
        let exact = builder(&scheme)
            .max_signature_bytes(list.len())
            .build()
            .unwrap();
        let lines = Signer::new(key.clone())
            .with_scheme(scheme.clone())
            .headers("msg", NOW, b"");
        assert!(exact.verify(&lines[..], b"", NOW).is_ok());
        let less = builder(&scheme).max_signature_bytes(list.len() - 1).build();
        assert_eq!(less.unwrap_err(), ConfigError::MaxSignatures);
    }
}

#[cfg(feature = "ed25519")]
#[test]
fn a_limit_that_leaves_no_room_for_the_signature_of_a_public_key_is_no_limit() {
    use golive_webhook_verify::ed25519::SecretKey;
    let secret = SecretKey::from_bytes(&SECRET).unwrap();
    let builder = || Verifier::builder().public_key(secret.public_key());
    let shortest = "v1a,".len() + 88;
    assert!(builder().max_signature_bytes(shortest).build().is_ok());
    let less = builder().max_signature_bytes(shortest - 1).build();
    assert_eq!(less.unwrap_err(), ConfigError::MaxSignatures);
    // Beside a shared secret there is room for a signature of that.
    let key = Key::from_bytes(&SECRET).unwrap();
    assert!(builder().key(key).max_signature_bytes(47).build().is_ok());
}

// === keys ===

#[cfg(feature = "ed25519")]
#[test]
fn a_signing_key_of_zeros_is_refused_as_a_shared_secret_of_zeros_is() {
    use golive_webhook_verify::ed25519::{Ed25519Error, PublicKey, SecretKey};
    let refused = SecretKey::from_bytes(&[0; 32]).map(drop);
    assert_eq!(refused, Err(Ed25519Error::Invalid));
    let text = format!("whsk_{}=", "A".repeat(43));
    assert_eq!(
        SecretKey::from_whsk(&text).map(drop),
        Err(Ed25519Error::Invalid)
    );
    // And the public half of it, which is known to whoever looks it up (RFC 8032 derives it).
    let public = [
        0x3b, 0x6a, 0x27, 0xbc, 0xce, 0xb6, 0xa4, 0x2d, 0x62, 0xa3, 0xa8, 0xd0, 0x2a, 0x6f, 0x0d,
        0x73, 0x65, 0x32, 0x15, 0x77, 0x1d, 0xe2, 0x43, 0xa6, 0x3a, 0xc0, 0x48, 0xa1, 0x8b, 0x59,
        0xda, 0x29,
    ];
    assert_eq!(
        PublicKey::from_bytes(&public).map(drop),
        Err(Ed25519Error::Invalid)
    );
}

// === what it costs ===

#[test]
fn no_verdict_on_a_shared_secret_allocates_in_any_scheme_at_once_or_in_pieces() {
    let body = [b'x'; 1000];
    for provider in naive::PROVIDERS {
        let keys = (1..=8).map(|seed| Key::from_bytes(&[seed; 32]).unwrap().with_id("name"));
        let builder = Verifier::builder().scheme(provider.scheme()).keys(keys);
        let verifier = builder.build().unwrap();
        let genuine = provider.sign(&[8; 32], "msg_1", NOW, &body);
        let forged = provider.sign(&[9; 32], "msg_1", NOW, &body);
        let stale = provider.sign(&[8; 32], "msg_1", NOW - 301, &body);
        let mut long = genuine.clone();
        long.last_mut().unwrap().1.extend([b' '; 4096]);
        let mut many = genuine.clone();
        let item = format!(" {}", provider.item(&[9; 32], b"msg_1", b"1", &body));
        many.last_mut()
            .unwrap()
            .1
            .extend(item.repeat(31).into_bytes());
        let nothing = Lines::new();
        for lines in [&genuine, &many, &forged, &stale, &long, &nothing] {
            let mut seen = (false, false);
            let counted = allocation_counter::measure(|| {
                let whole = verifier.verify(&lines[..], &body, NOW);
                let in_pieces = verifier
                    .begin(&lines[..], NOW)
                    .and_then(|mut verification| {
                        body.chunks(61)
                            .try_for_each(|chunk| verification.update(chunk))?;
                        verification.finish(NOW)
                    });
                seen = (whole.is_ok(), in_pieces.is_ok());
            });
            assert_eq!(counted.count_total, 0, "{provider:?}");
            assert_eq!(seen.0, seen.1);
            let is_genuine = std::ptr::eq(lines, &genuine) || std::ptr::eq(lines, &many);
            let is_stale = std::ptr::eq(lines, &stale) && !provider.signs_time();
            assert_eq!(seen.0, is_genuine || is_stale, "{provider:?}");
        }
    }
}

#[test]
fn a_delivery_that_is_awaited_takes_less_than_a_kilobyte() {
    assert!(size_of::<Verification<'_>>() < 1024);
}

#[test]
fn a_body_that_grew_too_long_stays_so_although_its_start_was_signed() {
    let key = || Key::from_bytes(&SECRET).unwrap();
    let verifier = Verifier::builder().key(key()).max_body_bytes(4);
    let verifier = verifier.build().unwrap();
    let lines = Signer::new(key()).headers("msg_1", NOW, b"body");
    let mut verification = verifier.begin(&lines[..], NOW).unwrap();
    let too_large = Err(Reject::BodyTooLarge { limit: 4 });
    assert_eq!(verification.update(b"body"), Ok(()));
    assert_eq!(verification.update(b", and more"), too_large);
    // Who does not look at that is told once more.
    assert_eq!(verification.update(b""), too_large);
    assert_eq!(verification.finish(NOW).map(drop), too_large);
}

// === several keys ===

#[test]
fn of_two_keys_that_signed_the_first_is_named_although_another_stands_before_both() {
    let key = |seed| Key::from_bytes(&[seed; 32]).unwrap();
    let verifier = Verifier::builder().keys((1..=8).map(key)).build().unwrap();
    let signed = |seed| Signer::new(key(seed)).sign("msg_1", NOW, b"body");
    for first in 1..=8 {
        for second in 1..=8 {
            let list = format!("{} {}", signed(first), signed(second));
            let lines = [
                ("webhook-id", "msg_1"),
                ("webhook-timestamp", "1800000000"),
                ("webhook-signature", list.as_str()),
            ];
            let seen = verifier.verify(&lines, b"body", NOW).unwrap();
            assert_eq!(seen.key_index() + 1, usize::from(first.min(second)));
            let mut in_pieces = verifier.begin(&lines, NOW).unwrap();
            in_pieces.update(b"body").unwrap();
            assert_eq!(in_pieces.finish(NOW), Ok(seen));
        }
    }
}

// === keys of both kinds ===

#[cfg(feature = "ed25519")]
mod mixed {
    use golive_webhook_verify::ed25519::SecretKey;
    use proptest::collection::vec;

    use super::*;

    const BODY: &[u8] = b"body";

    fn secret(seed: usize) -> SecretKey {
        SecretKey::from_bytes(&[u8::try_from(seed).unwrap() + 1; 32]).unwrap()
    }

    fn key(seed: usize) -> Key {
        Key::from_bytes(&[u8::try_from(seed).unwrap() + 1; 32]).unwrap()
    }

    /// The signature of the key in this place; of somebody else's, behind the last place.
    fn signed(is_public: bool, seed: usize) -> String {
        let signer = if is_public {
            Signer::ed25519(secret(seed))
        } else {
            Signer::new(key(seed))
        };
        signer.sign("msg_1", NOW, BODY)
    }

    #[test]
    fn more_than_four_signatures_of_public_keys_are_refused_by_who_would_verify_them() {
        let shared_only = Verifier::builder().key(key(0)).build().unwrap();
        let both = Verifier::builder()
            .key(key(0))
            .public_key(secret(0).public_key());
        let both = both.build().unwrap();
        let seen = |verifier: &Verifier, strangers: usize| {
            let strangers = (1..=strangers).map(|seed| signed(true, seed));
            let list: Vec<_> = strangers.chain([signed(false, 0)]).collect();
            let list = list.join(" ");
            let lines = [
                ("webhook-id", "msg_1"),
                ("webhook-timestamp", "1800000000"),
                ("webhook-signature", list.as_str()),
            ];
            verifier.verify(&lines, BODY, NOW).map(drop)
        };
        assert_eq!(seen(&both, 4), Ok(()));
        assert_eq!(seen(&both, 5), Err(Reject::SignatureTooLong));
        assert_eq!(seen(&shared_only, 5), Ok(()));
    }

    proptest! {
        // Curves without optimisation are slow.
        #![proptest_config(ProptestConfig::with_cases(48))]

        /// Shared secrets before public keys, the first of each kind; and only those that have not
        /// ended when the body is whole.
        #[test]
        fn lists_and_key_rings_of_both_kinds_are_judged_alike_at_once_and_in_pieces(
            kinds in vec((any::<bool>(), 0u64..4), 1..=8),
            items in vec((any::<bool>(), 0usize..10), 1..6),
            takes in 0u64..3,
        ) {
            // There may be two public keys.
            let mut publics = 0;
            let kinds = kinds.into_iter().map(|(is_public, ends)| {
                publics += usize::from(is_public);
                (is_public && publics <= 2, ends)
            });
            let kinds: Vec<_> = kinds.collect();
            let mut builder = Verifier::builder();
            for (at, (is_public, ends)) in kinds.iter().enumerate() {
                // Now, in a second, in two, or never.
                let end = if *ends < 3 { NOW + ends } else { u64::MAX };
                builder = if *is_public {
                    builder.public_key(secret(at).public_key().with_not_after(end))
                } else {
                    builder.key(key(at).with_not_after(end))
                };
            }
            let verifier = builder.build().unwrap();
            let of_public = items.iter().filter(|(is_public, _)| *is_public).count();
            prop_assume!(of_public <= 4);
            let list: Vec<String> = items.iter().map(|(is_public, at)| signed(*is_public, *at)).collect();
            let list = list.join(" ");
            let lines = [
                ("webhook-id", "msg_1"),
                ("webhook-timestamp", "1800000000"),
                ("webhook-signature", list.as_str()),
            ];
            let late = NOW + takes;
            let matches = |wanted: bool| {
                kinds.iter().enumerate().position(|(at, (is_public, ends))| {
                    *is_public == wanted && *ends >= takes && items.contains(&(wanted, at))
                })
            };
            let expected = matches(false).or_else(|| matches(true));
            let whole = verifier.verify(&lines, BODY, late);
            let mut in_pieces = verifier.begin(&lines, NOW);
            if let Ok(verification) = &mut in_pieces {
                verification.update(BODY).unwrap();
            }
            let in_pieces = in_pieces.and_then(|verification| verification.finish(late));
            prop_assert_eq!(whole.as_ref().ok().map(Verified::key_index), expected);
            prop_assert_eq!(whole, in_pieces);
        }
    }
}
