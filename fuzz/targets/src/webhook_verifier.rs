//! The whole verifier, in every setting, against a naive one: at once, in pieces, and late.
//!
//! Numbers: our own clock, how many seconds the body takes, the scheme, the tolerance (none if it is
//! negative), the longest body, then how the body is cut. Lines: `key` and `pair` for a secret or
//! the seed of a key pair, behind its end or a `-`; `id`, `timestamp` and `signature` stand for what
//! these are called in the scheme. Holes: `{0}` to `{8}` for an item of each key, `{x}` for one of a
//! stranger.

use ed25519_dalek::SigningKey;
use golive_webhook_verify::ed25519::SecretKey;
use golive_webhook_verify::{ConfigError, Key, Reject, Signer, Verified, Verifier};

use crate::kinds::{KINDS, Time};
use crate::message::{Message, fill};
use crate::naive;
use crate::receiver::{Held, Lines, Receiver, Secret};

const LINES: &[&str] = &["key", "pair", "id", "timestamp", "signature"];
const STRANGER: &[u8] = b"a secret of somebody else entirely";
/// One more than a verifier takes.
const MOST_KEYS: usize = 9;
/// A curve is slow.
const MOST_PAIRS: usize = 2;

/// Builds a receiver and puts the delivery of the input, and one of its own, through it.
pub fn one(data: &[u8]) {
    let message = Message::read(data, LINES);
    let receiver = receiver(&message);
    let verifier = match (receiver.builder().build(), fault(&receiver)) {
        (Ok(verifier), None) => verifier,
        (Err(error), Some(expected)) => {
            assert_eq!(error, expected);
            return;
        }
        (built, expected) => panic!("{built:?} instead of {expected:?}"),
    };
    let now = number(&message, 0).unsigned_abs();
    let late = now.saturating_add(number(&message, 1).unsigned_abs());
    let body = message.body;
    let lines = lines(&receiver, &message);
    let pieces = Pieces::new(&message);

    let seen = verifier.verify(&lines[..], body, now);
    receiver.check(&seen, &lines, body, now);
    assert_eq!(pieces.verify(&verifier, &lines, body, now, now), seen);
    slowly(&receiver, &verifier, &pieces, &lines, body, (now, late));
    turned(&receiver, &lines, body, now, seen.is_ok());
    genuine(&receiver, &verifier, &pieces, &message, now);
}

/// A body that is whole only later is judged by what holds then, and held before.
fn slowly(
    receiver: &Receiver,
    verifier: &Verifier,
    pieces: &Pieces,
    lines: &Lines,
    body: &[u8],
    (now, late): (u64, u64),
) {
    let seen = pieces.verify(verifier, lines, body, now, late);
    let (early, right) = (
        receiver.judge(lines, body, now),
        receiver.judge(lines, body, late),
    );
    match seen {
        Ok(verified) => {
            let index = Ok(verified.key_index());
            assert!(early.contains(&index) && right.contains(&index));
        }
        // Nothing else could have been accepted all the time.
        Err(reject) => {
            assert!(early.contains(&Err(reject)) || right.contains(&Err(reject)));
            let all_the_time = |verdict| early.contains(verdict) && right.contains(verdict);
            let mut accepted = right.iter().filter(|verdict| verdict.is_ok());
            assert!(reject == Reject::SignatureTooLong || !accepted.any(all_the_time));
        }
    }
}

/// The order of the keys changes which one is named, and nothing else.
fn turned(receiver: &Receiver, lines: &Lines, body: &[u8], now: u64, accepted: bool) {
    let mut turned = receiver.clone();
    turned.keys.reverse();
    let verifier = turned.builder().build().unwrap();
    let seen = verifier.verify(&lines[..], body, now);
    turned.check(&seen, lines, body, now);
    assert_eq!(seen.is_ok(), accepted);
}

/// What our signer writes is accepted, with any key that has not ended, and over no other body.
fn genuine(
    receiver: &Receiver,
    verifier: &Verifier,
    pieces: &Pieces,
    message: &Message<'_>,
    now: u64,
) {
    let now = now % 1_000_000_000_000;
    let body = &message.body[..message.body.len().min(receiver.max_body_bytes)];
    // Which key it is, is up to the input.
    let at = body.len() % receiver.keys.len();
    let held = &receiver.keys[at];
    let signer = match &held.secret {
        Secret::Shared(secret) => Signer::new(Key::from_short_bytes(secret).unwrap()),
        Secret::Pair(pair) => Signer::ed25519(SecretKey::from_bytes(pair.as_bytes()).unwrap()),
    };
    let signer = signer.with_scheme(receiver.kind.scheme());
    let lines: Lines = signer
        .headers("msg_1", now, body)
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.into_bytes()))
        .collect();
    let seen = verifier.verify(&lines[..], body, now);
    receiver.check(&seen, &lines, body, now);
    // Another key may have the same secret, and another end.
    assert!(seen.is_ok() || !held.is_usable(now), "{seen:?}");
    assert_eq!(pieces.verify(verifier, &lines, body, now, now), seen);
    if let Some((last, rest)) = body.split_last() {
        let other = [rest, &[last ^ 1]].concat();
        for body in [rest, &other] {
            assert!(verifier.verify(&lines[..], body, now).is_err());
            assert!(pieces.verify(verifier, &lines, body, now, now).is_err());
        }
    }
}

/// How a body is cut.
struct Pieces(Vec<usize>);

impl Pieces {
    fn new(message: &Message<'_>) -> Self {
        let numbers = (5..13).map_while(|at| message.number(at));
        let lengths = numbers.map(|number| usize::try_from(number.unsigned_abs()));
        Self(lengths.map(|length| length.unwrap_or(usize::MAX)).collect())
    }

    /// In pieces of these lengths, of which some may be nothing, then all that is left.
    fn verify<'a>(
        &self,
        verifier: &'a Verifier,
        lines: &'a Lines,
        body: &[u8],
        now: u64,
        late: u64,
    ) -> Result<Verified<'a>, Reject> {
        let mut verification = verifier.begin(&lines[..], now)?;
        let (mut rest, mut taken) = (body, 0);
        for length in self.0.iter().copied().chain([usize::MAX]) {
            let (piece, after) = rest.split_at(length.min(rest.len()));
            let seen = verification.update(piece);
            // What is too long is refused at once, not at its end.
            taken += piece.len();
            assert_eq!(seen.is_err(), taken > verifier.max_body_bytes());
            seen?;
            rest = after;
        }
        verification.finish(late)
    }
}

fn receiver(message: &Message<'_>) -> Receiver {
    let most = |at, default| {
        let number = message.number(at).map_or(default, i64::unsigned_abs);
        usize::try_from(number).unwrap_or(usize::MAX)
    };
    let mut keys = Vec::new();
    let mut pairs = 0;
    for (name, value) in &message.lines {
        let Some(space) = value.iter().position(|&byte| byte == b' ') else {
            continue;
        };
        let (end, secret) = (&value[..space], &value[space + 1..]);
        let not_after = str::from_utf8(end).ok().and_then(|end| end.parse().ok());
        let secret = match name.as_str() {
            "key" if Key::from_short_bytes(secret).is_ok() => Secret::Shared(secret.to_vec()),
            "pair" if pairs < MOST_PAIRS => {
                pairs += 1;
                Secret::Pair(SigningKey::from_bytes(&naive::digest(secret)))
            }
            _ => continue,
        };
        keys.push(Held { secret, not_after });
    }
    keys.truncate(MOST_KEYS);
    Receiver {
        kind: &KINDS[most(2, 0) % KINDS.len()],
        keys,
        tolerance: u64::try_from(message.number(3).unwrap_or(300)).ok(),
        max_body_bytes: most(4, 4096),
        max_signatures: 32,
        max_signature_bytes: 4096,
    }
}

/// The first thing in the settings that is refused.
fn fault(receiver: &Receiver) -> Option<ConfigError> {
    let seen = receiver.keys.len();
    let is_pair = |held: &Held| matches!(held.secret, Secret::Pair(_));
    match receiver.tolerance {
        _ if seen == 0 => Some(ConfigError::NoKeys),
        _ if seen > 8 => Some(ConfigError::TooManyKeys { seen }),
        Some(seconds) if !(1..=86_400).contains(&seconds) => Some(ConfigError::Tolerance {
            seen: std::time::Duration::from_secs(seconds),
        }),
        _ if receiver.max_body_bytes == 0 => Some(ConfigError::MaxBody),
        _ if receiver.kind.asymmetric.is_none() && receiver.keys.iter().any(is_pair) => {
            Some(ConfigError::NoAsymmetric)
        }
        _ => None,
    }
}

/// The lines of the delivery, under the names of the scheme.
fn lines(receiver: &Receiver, message: &Message<'_>) -> Lines {
    let kind = receiver.kind;
    let named = message.lines.iter().filter_map(|(name, value)| {
        let name = match (name.as_str(), &kind.time) {
            ("signature", _) => kind.signature,
            ("id", _) => kind.id?,
            ("timestamp", Time::Header(name)) => name,
            _ => return None,
        };
        Some((name.to_owned(), value.to_vec()))
    });
    let lines: Lines = named.collect();
    let asked = |hole: &str| {
        let hole = format!("{{{hole}}}");
        let mut values = lines.iter().map(|(_, value)| value);
        values.any(|value| value.windows(3).any(|window| window == hole.as_bytes()))
    };
    let keys = receiver.keys.iter().enumerate();
    let named = keys.map(|(at, held)| (at.to_string(), held.secret.clone()));
    let stranger = ("x".to_owned(), Secret::Shared(STRANGER.to_vec()));
    let items: Vec<(String, String)> = named
        .chain([stranger])
        .filter(|(name, _)| asked(name))
        .map(|(name, secret)| (name, receiver.sign(&secret, &lines, message.body)))
        .collect();
    let holes: Vec<(&str, &str)> = items
        .iter()
        .map(|(name, item)| (&name[..], &item[..]))
        .collect();
    let filled = lines
        .iter()
        .map(|(name, value)| (name.clone(), fill(value, &holes)));
    filled.collect()
}

fn number(message: &Message<'_>, at: usize) -> i64 {
    message.number(at).unwrap_or_default()
}
