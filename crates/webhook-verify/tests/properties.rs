//! Properties of verifying, in every scheme. What is signed here is signed by `naive`, which
//! shares no code with the crate.
#![allow(clippy::unwrap_used, reason = "a helper that fails is a failed test")]

mod naive;

use std::time::Duration;

use golive_webhook_verify::{Key, Reject, Signer, UnixTime, Verified, Verifier};
use naive::{Lines, MAX_LINES, Naive, PROVIDERS, Provider, Secret};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

const NOW: u64 = 1_800_000_000;
/// No secret of any test, since those are longer.
const OTHER: &[u8] = b"the secret of somebody else";

fn provider() -> impl Strategy<Value = Provider> {
    select(&PROVIDERS[..])
}

fn id() -> impl Strategy<Value = String> {
    "[!-\\-/-~]{1,64}"
}

/// Never only zeros, and never one other key: HMAC takes `k` and `k` with a zero for the same.
fn secret() -> impl Strategy<Value = Vec<u8>> {
    let lengths = prop_oneof![
        Just(31usize),
        Just(32),
        Just(63),
        Just(64),
        Just(65),
        32usize..150
    ];
    (lengths, 1u8..).prop_flat_map(|(len, last)| {
        vec(any::<u8>(), len).prop_map(move |mut bytes| {
            bytes.push(last);
            bytes
        })
    })
}

/// Up to eight different ones.
fn secrets() -> impl Strategy<Value = Vec<Vec<u8>>> {
    proptest::collection::btree_set(secret(), 1..=8).prop_map(|set| set.into_iter().collect())
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    // Around the edges of a block with every prefix, and a few blocks.
    vec(any::<u8>(), 0..400)
}

fn key(secret: &[u8]) -> Key {
    Key::from_short_bytes(secret).unwrap()
}

fn verifier(provider: Provider, secrets: &[Vec<u8>]) -> Verifier {
    Verifier::builder()
        .scheme(provider.scheme())
        .keys(secrets.iter().map(|secret| key(secret)))
        .build()
        .unwrap()
}

/// The same receiver, built of the crate.
fn as_verifier(naive: &Naive) -> Verifier {
    let keys = naive.secrets.iter().map(|secret| match secret.not_after {
        Some(end) => key(&secret.bytes).with_not_after(end),
        None => key(&secret.bytes),
    });
    let builder = Verifier::builder()
        .scheme(naive.provider.scheme())
        .keys(keys)
        .max_body_bytes(naive.max_body_bytes)
        .max_signatures(naive.max_signatures)
        .max_signature_bytes(naive.max_signature_bytes);
    let builder = match naive.tolerance {
        Some(secs) => builder.tolerance(Duration::from_secs(secs)),
        None => builder.without_tolerance(),
    };
    builder.build().unwrap()
}

/// Verifies with the body in pieces.
fn in_pieces<'a>(
    verifier: &'a Verifier,
    lines: &'a Lines,
    pieces: &[&[u8]],
    now: u64,
) -> Result<Verified<'a>, Reject> {
    let mut verification = verifier.begin(&lines[..], now)?;
    for piece in pieces {
        verification.update(piece)?;
    }
    verification.finish(now)
}

fn cut<'a>(body: &'a [u8], cuts: &[Index]) -> Vec<&'a [u8]> {
    let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(body.len() + 1)).collect();
    ends.push(body.len());
    ends.sort_unstable();
    let mut start = 0;
    ends.into_iter()
        .map(|end| {
            let piece = &body[start..end];
            start = end;
            piece
        })
        .collect()
}

fn shown(lines: &Lines) -> String {
    let line = |(name, value): &(String, Vec<u8>)| format!("{name}: {}", value.escape_ascii());
    lines.iter().map(line).collect::<Vec<_>>().join("; ")
}

// === genuine deliveries ===

proptest! {
    #[test]
    fn what_was_signed_is_accepted_whichever_of_the_keys_signed_it(
        provider in provider(), id in id(), secrets in secrets(), signer in any::<Index>(),
        body in body(), skew in 0u64..=600,
    ) {
        let at = NOW - 300 + skew;
        let signer = signer.index(secrets.len());
        let lines = provider.sign(&secrets[signer], &id, at, &body);
        let verifier = verifier(provider, &secrets);
        let verified = verifier.verify(&lines[..], &body, NOW).unwrap();
        prop_assert_eq!(verified.key_index(), signer);
        prop_assert_eq!(verified.id(), provider.signs_id().then_some(&id[..]));
        let timestamp = verified.timestamp().map(UnixTime::as_secs);
        prop_assert_eq!(timestamp, provider.signs_time().then_some(at));
    }

    #[test]
    fn the_order_of_the_keys_does_not_matter(
        provider in provider(), secrets in secrets(), turns in 0usize..8, body in body(),
    ) {
        let mut turned = secrets.clone();
        turned.rotate_left(turns % secrets.len());
        let (straight, turned_round) = (verifier(provider, &secrets), verifier(provider, &turned));
        for secret in &secrets {
            let lines = provider.sign(secret, "msg_1", NOW, &body);
            let first = straight.verify(&lines[..], &body, NOW).unwrap().key_index();
            let second = turned_round.verify(&lines[..], &body, NOW).unwrap().key_index();
            prop_assert_eq!(&secrets[first], secret);
            prop_assert_eq!(&turned[second], secret);
        }
        let lines = provider.sign(OTHER, "msg_1", NOW, &body);
        prop_assert_eq!(turned_round.verify(&lines[..], &body, NOW).map(drop), Err(Reject::Mismatch));
    }

    #[test]
    fn a_key_that_has_ended_matches_nothing_and_hides_no_other(
        provider in provider(), secrets in secrets(), ends in vec(0u64..4, 8), body in body(),
    ) {
        let mut naive = Naive::new(provider, &secrets);
        for (secret, end) in naive.secrets.iter_mut().zip(ends) {
            // One second ago, now, in a second, or never.
            secret.not_after = (end < 3).then_some(NOW - 1 + end);
        }
        let verifier = as_verifier(&naive);
        let ended = |secret: &Secret| secret.not_after == Some(NOW - 1);
        for (index, secret) in naive.secrets.iter().enumerate() {
            let lines = provider.sign(&secret.bytes, "msg_1", NOW, &body);
            let seen = verifier.verify(&lines[..], &body, NOW).map(|verified| verified.key_index());
            let expected = match (naive.secrets.iter().all(ended), ended(secret)) {
                (true, _) => Err(Reject::NoUsableKey),
                (false, true) => Err(Reject::Mismatch),
                (false, false) => Ok(index),
            };
            prop_assert_eq!(seen, expected);
        }
    }

    #[test]
    fn how_the_body_is_cut_does_not_matter(
        provider in provider(), secrets in secrets(), signer in any::<Index>(), body in body(),
        cuts in vec(any::<Index>(), 0..6), genuine in any::<bool>(),
    ) {
        let signed = if genuine { &secrets[signer.index(secrets.len())][..] } else { OTHER };
        let lines = provider.sign(signed, "msg_1", NOW, &body);
        let verifier = verifier(provider, &secrets);
        let whole = verifier.verify(&lines[..], &body, NOW);
        let pieces = cut(&body, &cuts);
        prop_assert_eq!(in_pieces(&verifier, &lines, &pieces, NOW), whole.clone());
        let bytes: Vec<&[u8]> = body.chunks(1).collect();
        prop_assert_eq!(in_pieces(&verifier, &lines, &bytes, NOW), whole.clone());
        prop_assert_eq!(whole.is_ok(), genuine);
    }

    #[test]
    fn of_all_keys_that_signed_the_first_is_named_whatever_the_order_of_the_list(
        provider in provider(), secrets in secrets(), turns in 0usize..8, stray in any::<bool>(),
        body in body(),
    ) {
        let timestamp = NOW.to_string();
        let item = |secret: &[u8]| provider.item(secret, b"msg_1", timestamp.as_bytes(), &body);
        let mut items: Vec<String> = secrets.iter().map(|secret| item(secret)).collect();
        items.rotate_left(turns % secrets.len());
        if stray {
            items.insert(0, item(OTHER));
        }
        let list = items.join(if provider == Provider::Stripe { "," } else { " " });
        let lines = provider.lines(b"msg_1", timestamp.as_bytes(), list.as_bytes());
        let verifier = verifier(provider, &secrets);
        let seen = verifier.verify(&lines[..], &body, NOW).unwrap();
        prop_assert_eq!(seen.key_index(), 0);
        prop_assert_eq!(in_pieces(&verifier, &lines, &[&body], NOW).unwrap(), seen);
    }

    #[test]
    fn a_body_in_pieces_is_bounded_as_a_whole(
        provider in provider(), body in vec(any::<u8>(), 1..400), limit in 1usize..400,
        cuts in vec(any::<Index>(), 0..6),
    ) {
        let secrets = [vec![7; 32]];
        let mut naive = Naive::new(provider, &secrets);
        naive.max_body_bytes = limit;
        let verifier = as_verifier(&naive);
        let lines = provider.sign(&secrets[0], "msg_1", NOW, &body);
        let expected = match body.len() > limit {
            true => Err(Reject::BodyTooLarge { limit }),
            false => Ok(()),
        };
        let seen = verifier.verify(&lines[..], &body, NOW).map(drop);
        prop_assert_eq!(seen, expected);
        let seen = in_pieces(&verifier, &lines, &cut(&body, &cuts), NOW).map(drop);
        prop_assert_eq!(seen, expected);
    }

    #[test]
    fn a_window_or_a_key_that_ends_while_the_body_arrives_has_ended(
        provider in provider(), takes in 290u64..310, ends in 290u64..310, beside in any::<bool>(),
    ) {
        let mut naive = Naive::new(provider, &[vec![7; 32], vec![8; 32]]);
        naive.secrets[0].not_after = Some(NOW + ends);
        naive.secrets.truncate(1 + usize::from(beside));
        let verifier = as_verifier(&naive);
        let lines = provider.sign(&[7; 32], "msg_1", NOW, b"body");
        let mut verification = verifier.begin(&lines[..], NOW).unwrap();
        verification.update(b"body").unwrap();
        let seen = verification.finish(NOW + takes);
        let seen = seen.map(|verified| verified.key_index()).map_err(Reject::code);
        let verdict = naive.judge(&lines, b"body", NOW + takes);
        prop_assert!(verdict.allows(seen), "{seen:?}, but {verdict:?}");
    }

    #[test]
    fn the_signer_writes_what_the_reference_writes(
        provider in provider(), id in id(), secrets in secrets(), at in 0u64..999_999_999_999,
        body in body(),
    ) {
        let mut keys = secrets.iter().map(|secret| key(secret));
        let mut signer = Signer::new(keys.next().unwrap()).with_scheme(provider.scheme());
        for key in keys {
            signer = signer.and(key);
        }
        let timestamp = at.to_string();
        let items = secrets.iter().map(|secret| {
            provider.item(secret, id.as_bytes(), timestamp.as_bytes(), &body)
        });
        let separator = if provider == Provider::Stripe { "," } else { " " };
        let list = items.collect::<Vec<_>>().join(separator);
        let lines = provider.lines(id.as_bytes(), timestamp.as_bytes(), list.as_bytes());
        let written: Lines = signer
            .headers(&id, at, &body)
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.into_bytes()))
            .collect();
        prop_assert_eq!(written, lines.clone());
        for secret in secrets {
            let verifier = verifier(provider, &[secret]);
            prop_assert!(verifier.verify(&lines[..], &body, at).is_ok());
        }
    }
}

// === the window ===

proptest! {
    #[test]
    fn the_window_is_exact_in_both_directions(
        provider in select(PROVIDERS.iter().copied().filter(|p| p.signs_time()).collect::<Vec<_>>()),
        tolerance in prop_oneof![Just(1u64), Just(300), Just(86_400), 1u64..=86_400],
        now in prop_oneof![Just(0u64), Just(u64::MAX), Just(NOW), 0u64..999_999_999_999],
        edge in 0i64..4, ahead in any::<bool>(),
    ) {
        let by = tolerance.saturating_add_signed(edge - 1);
        let at = if ahead { now.saturating_add(by) } else { now.saturating_sub(by) };
        let by_secs = now.abs_diff(at);
        // More digits are no timestamp.
        prop_assume!(at <= 999_999_999_999);
        let lines = provider.sign(&[7; 32], "msg_1", at, b"body");
        let builder = Verifier::builder().scheme(provider.scheme()).key(key(&[7; 32]));
        let strict = builder.clone().tolerance(Duration::from_secs(tolerance)).build().unwrap();
        let expected = match by_secs > tolerance {
            false => Ok(()),
            true if at < now => Err(Reject::TooOld { by_secs }),
            true => Err(Reject::TooNew { by_secs }),
        };
        prop_assert_eq!(strict.verify(&lines[..], b"body", now).map(drop), expected);
        let off = builder.without_tolerance().build().unwrap();
        prop_assert!(off.verify(&lines[..], b"body", now).is_ok());
    }
}

// === what was changed ===

proptest! {
    #[test]
    fn any_changed_bit_of_a_header_or_of_the_body_rejects(
        provider in provider(), id in id(), secret in secret(), body in vec(any::<u8>(), 1..300),
        which in any::<Index>(), at in any::<Index>(), bit in 0u8..8,
    ) {
        let mut lines = provider.sign(&secret, &id, NOW, &body);
        let mut body = body;
        // One of the headers, or the body.
        let which = which.index(lines.len() + 1);
        let changed = lines.get_mut(which).map_or(&mut body, |(_, value)| value);
        let at = at.index(changed.len());
        changed[at] ^= 1 << bit;
        let verifier = verifier(provider, &[secret]);
        prop_assert!(verifier.verify(&lines[..], &body, NOW).is_err());
    }

    #[test]
    fn another_time_rejects_also_where_any_time_is_accepted(
        provider in select(PROVIDERS.iter().copied().filter(|p| p.signs_time()).collect::<Vec<_>>()),
        secret in secret(), other in 0u64..999_999_999_999, zeros in 0usize..3,
    ) {
        let mut naive = Naive::new(provider, std::slice::from_ref(&secret));
        naive.tolerance = None;
        let verifier = as_verifier(&naive);
        let item = provider.item(&secret, b"msg_1", NOW.to_string().as_bytes(), b"body");
        let padded = format!("{}{NOW}", "0".repeat(zeros));
        for text in [other.to_string(), padded] {
            let lines = provider.lines(b"msg_1", text.as_bytes(), item.as_bytes());
            let seen = verifier.verify(&lines[..], b"body", NOW).map(drop);
            let same = text == NOW.to_string();
            prop_assert_eq!(seen, if same { Ok(()) } else { Err(Reject::Mismatch) });
        }
    }

    #[test]
    fn any_changed_bit_of_the_key_rejects(
        provider in provider(), secret in secret(), body in body(), at in any::<Index>(), bit in 0u8..8,
    ) {
        let lines = provider.sign(&secret, "msg_1", NOW, &body);
        let mut other = secret.clone();
        let at = at.index(other.len());
        other[at] ^= 1 << bit;
        let verifier = verifier(provider, &[other]);
        prop_assert_eq!(verifier.verify(&lines[..], &body, NOW).map(drop), Err(Reject::Mismatch));
    }

    #[test]
    fn what_was_signed_in_one_scheme_is_nothing_in_another(
        from in provider(), to in provider(), secret in secret(), body in body(),
    ) {
        // The same list under the names of the other scheme.
        let signed = from.item(&secret, b"msg_1", NOW.to_string().as_bytes(), &body);
        let bare = signed.strip_prefix(from.label()).unwrap();
        let list = format!("{}{bare}", to.label());
        let lines = to.lines(b"msg_1", NOW.to_string().as_bytes(), list.as_bytes());
        let verifier = verifier(to, std::slice::from_ref(&secret));
        let content = |provider: Provider| provider.content(b"msg_1", NOW.to_string().as_bytes(), &body);
        let same = content(from) == content(to) && from.spell(&[0; 32]) == to.spell(&[0; 32]);
        prop_assert_eq!(verifier.verify(&lines[..], &body, NOW).is_ok(), same);
    }
}

// === what else stands in the list ===

/// Something that is not the signature looked for, in any scheme.
fn sibling() -> impl Strategy<Value = String> {
    prop_oneof![
        // Well-formed, and of another key.
        (provider(), any::<[u8; 8]>()).prop_map(|(p, body)| p.item(OTHER, b"msg_1", b"1", &body)),
        // Of other versions.
        any::<[u8; 32]>().prop_map(|mac| format!("v2,{}", Provider::Svix.spell(&mac))),
        any::<[u8; 64]>().prop_map(|mac| format!("v1a,{}", Provider::Svix.spell(&mac))),
        any::<[u8; 32]>().prop_map(|mac| format!("v0={}", naive::hex(&mac))),
        any::<[u8; 20]>().prop_map(|mac| format!("sha1={}", naive::hex(&mac))),
        // Malformed: too short, too long, of another alphabet, without a label, with nothing else.
        "v1,[A-Za-z0-9+/]{0,60}={0,2}",
        "v1=[0-9a-fA-F]{0,70}",
        "(v1|v1,|v1=|v0=|sha256=|=|v)",
        "[!-+\\--~]{1,50}",
    ]
}

/// Joins the items, now with white space, now as a proxy folds lines, now in lines of their own.
fn fold(items: &[String], joins: &[u8]) -> Vec<Vec<u8>> {
    let mut lines = vec![Vec::new()];
    for (item, join) in items.iter().zip(joins) {
        let room = lines.len() < MAX_LINES;
        let line = lines.last_mut().unwrap();
        if !line.is_empty() {
            match join {
                0 => line.push(b' '),
                1 => line.push(b','),
                2 => line.extend(b", "),
                3 => line.extend(b" \t  "),
                _ if room => lines.push(Vec::new()),
                _ => line.push(b' '),
            }
        }
        lines.last_mut().unwrap().extend(item.as_bytes());
    }
    lines
}

/// The header lines of a delivery with these lines of signatures.
fn with_lists(provider: Provider, id: &[u8], timestamp: &[u8], lists: &[Vec<u8>]) -> Lines {
    let (first, rest) = lists.split_first().unwrap();
    let mut lines = provider.lines(id, timestamp, first);
    let name = provider.signature_header();
    lines.extend(rest.iter().map(|list| (name.to_owned(), list.clone())));
    lines
}

proptest! {
    #[test]
    fn other_signatures_in_the_list_do_not_matter(
        provider in provider(), secrets in secrets(), signer in any::<Index>(), body in body(),
        siblings in vec(sibling(), 0..20), joins in vec(0u8..5, 21), place in any::<Index>(),
        genuine in any::<bool>(),
    ) {
        let timestamp = NOW.to_string();
        let mut items = siblings;
        // A second timestamp is a fault of its own.
        items.retain(|item| !item.starts_with("t="));
        let signer = signer.index(secrets.len());
        let signed = if genuine { &secrets[signer][..] } else { OTHER };
        let good = provider.item(signed, b"msg_1", timestamp.as_bytes(), &body);
        items.insert(place.index(items.len() + 1), good);
        let lists = fold(&items, &joins);
        let lines = with_lists(provider, b"msg_1", timestamp.as_bytes(), &lists);
        let mut naive = Naive::new(provider, &secrets);
        // Where signatures have no label, every token is one.
        naive.max_signatures = 64;
        let verifier = as_verifier(&naive);
        let expected = if genuine { Ok(signer) } else { Err(Reject::Mismatch) };
        let whole = verifier.verify(&lines[..], &body, NOW);
        let pieces = in_pieces(&verifier, &lines, &[&body], NOW);
        for seen in [whole, pieces] {
            let seen = seen.map(|verified| verified.key_index());
            prop_assert_eq!(seen, expected, "{}", shown(&lines));
        }
    }

    #[test]
    fn a_list_may_be_full_and_not_more(
        provider in provider(), max in 2usize..40, place in any::<Index>(), more in 0usize..3,
    ) {
        let mut naive = Naive::new(provider, &[vec![7; 32]]);
        (naive.max_signatures, naive.max_signature_bytes) = (max, 8192);
        let timestamp = NOW.to_string();
        let mut items = vec![provider.item(OTHER, b"msg_1", timestamp.as_bytes(), b""); max + more - 1];
        let good = provider.item(&[7; 32], b"msg_1", timestamp.as_bytes(), b"body");
        items.insert(place.index(items.len() + 1), good);
        let separator = if provider == Provider::Stripe { "," } else { " " };
        let list = items.join(separator).into_bytes();
        let lines = provider.lines(b"msg_1", timestamp.as_bytes(), &list);
        let seen = as_verifier(&naive).verify(&lines[..], b"body", NOW).map(drop);
        prop_assert_eq!(seen, if more == 0 { Ok(()) } else { Err(Reject::SignatureTooLong) });
        // And to the byte.
        naive.max_signatures = max + more;
        naive.max_signature_bytes = lines.last().unwrap().1.len();
        prop_assert!(as_verifier(&naive).verify(&lines[..], b"body", NOW).is_ok());
        naive.max_signature_bytes -= 1;
        let seen = as_verifier(&naive).verify(&lines[..], b"body", NOW).map(drop);
        prop_assert_eq!(seen, Err(Reject::SignatureTooLong));
    }
}

// === anything at all ===

/// Bytes that are now and then what a header should hold.
fn value(usual: &'static str) -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        16 => Just(usual.as_bytes().to_vec()),
        1 => select(vec![&b"+1800000000"[..], b"01800000000", b"1800000000.", b"a.1800000000", b""])
            .prop_map(<[u8]>::to_vec),
        1 => "[0-9]{0,14}".prop_map(String::into_bytes),
        1 => vec(any::<u8>(), 0..40),
        1 => "[ -~]{0,300}".prop_map(String::into_bytes),
    ]
}

/// A line of a list that is made of the right pieces, whole or not, in any order.
fn list(good: String) -> impl Strategy<Value = Vec<u8>> + Clone {
    let bytes = good.clone().into_bytes();
    let len = bytes.len();
    let cut = (0..=len, 0..=len).prop_map(move |(a, b)| bytes[a.min(b)..a.max(b)].to_vec());
    let piece = prop_oneof![
        3 => Just(good.into_bytes()),
        2 => cut,
        2 => sibling().prop_map(String::into_bytes),
        2 => select(vec![&b"v1,"[..], b"v1=", b"v0=", b"sha256=", b"v1", b"t=", b"t=1800000000", b"v1a,"])
            .prop_map(<[u8]>::to_vec),
        5 => select(vec![&b" "[..], b",", b"\t", b", ", b",,"]).prop_map(<[u8]>::to_vec),
        1 => vec(any::<u8>(), 0..50),
    ];
    vec(piece, 0..14).prop_map(|pieces| pieces.concat())
}

/// A delivery that is a little or quite wrong, around a signature of what it says.
fn delivery(provider: Provider, secret: Vec<u8>, body: Vec<u8>) -> impl Strategy<Value = Lines> {
    (value("msg_1"), value("1800000000")).prop_flat_map(move |(id, timestamp)| {
        let good = provider.item(&secret, &id, &timestamp, &body);
        // Once, save now and then.
        let times = || prop_oneof![1 => Just(0usize), 14 => Just(1), 1 => Just(2)];
        let several = prop_oneof![9 => 0..=MAX_LINES, 1 => Just(MAX_LINES + 1)];
        let list = list(good);
        let lists = several
            .prop_flat_map(move |lines| vec((list.clone(), prop::bool::weighted(0.1)), lines));
        (times(), times(), lists, any::<bool>()).prop_map(move |(ids, timestamps, lists, upper)| {
            let mut lines = Lines::new();
            let mut add = |name: Option<&str>, value: &[u8], times: usize| {
                let name = name.unwrap_or("accept");
                lines.extend(vec![(name.to_owned(), value.to_vec()); times]);
            };
            add(provider.id_header(), &id, ids);
            add(provider.timestamp_header(), &timestamp, timestamps);
            for (at, (list, odd)) in lists.iter().enumerate() {
                // The first one has the timestamp, save now and then.
                let list = match provider == Provider::Stripe && (at == 0) != *odd {
                    true => [b"t=", &timestamp[..], b",", list].concat(),
                    false => list.clone(),
                };
                add(Some(provider.signature_header()), &list, 1);
            }
            if upper {
                for (name, _) in &mut lines {
                    name.make_ascii_uppercase();
                }
            }
            lines
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn anything_is_judged_as_the_slow_reference_judges_it(
        (provider, secrets, ends, lines, body) in (provider(), secrets(), vec(0u64..4, 8), body())
            .prop_flat_map(|(provider, secrets, ends, body)| {
                let lines = delivery(provider, secrets[0].clone(), body.clone());
                (Just(provider), Just(secrets), Just(ends), lines, Just(body))
            }),
        now in prop_oneof![12 => NOW - 301..=NOW + 301, 1 => any::<u64>()],
        tolerance in prop_oneof![4 => Just(Some(300)), 1 => Just(None)],
        max_signatures in prop_oneof![3 => Just(32usize), 1 => 1usize..6],
        max_body_bytes in prop_oneof![9 => Just(1024usize), 1 => 1usize..100],
        cuts in vec(any::<Index>(), 0..4),
    ) {
        let mut naive = Naive::new(provider, &secrets);
        for (secret, end) in naive.secrets.iter_mut().zip(ends) {
            secret.not_after = (end == 0).then_some(NOW - 1);
        }
        naive.tolerance = tolerance;
        naive.max_signatures = max_signatures;
        naive.max_body_bytes = max_body_bytes;
        let verifier = as_verifier(&naive);
        let verdict = naive.judge(&lines, &body, now);
        let whole = verifier.verify(&lines[..], &body, now);
        let pieces = in_pieces(&verifier, &lines, &cut(&body, &cuts), now);
        for seen in [whole, pieces] {
            let seen = seen.map(|verified| verified.key_index()).map_err(Reject::code);
            prop_assert!(verdict.allows(seen), "{seen:?}, but {verdict:?}: {}", shown(&lines));
        }
    }

    #[test]
    fn any_bytes_at_all_are_refused_without_a_panic(
        provider in provider(), values in vec(vec(any::<u8>(), 0..200), 3), body in body(), now in any::<u64>(),
    ) {
        let mut lines = provider.lines(&values[0], &values[1], &values[2]);
        let verifier = verifier(provider, &[vec![7; 32]]);
        prop_assert!(verifier.verify(&lines[..], &body, now).is_err());
        lines.reverse();
        prop_assert!(verifier.verify(&lines[..], &body, now).is_err());
    }

    #[test]
    fn any_text_is_a_key_or_an_error(text in "(whsec_|whpk_|whsk_)?\\PC{0,80}", bytes in vec(any::<u8>(), 0..80)) {
        let _ = Key::from_whsec(&text);
        let _ = Key::from_base64(&text);
        let _ = Key::from_text(&text);
        let zeros = bytes.iter().all(|&byte| byte == 0);
        prop_assert_eq!(Key::from_short_bytes(&bytes).is_err(), zeros);
        prop_assert_eq!(Key::from_bytes(&bytes).is_err(), zeros || bytes.len() < 16);
    }
}
