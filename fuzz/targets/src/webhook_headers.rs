//! The headers of a delivery in every scheme, against a slow reading of the same lines.
//!
//! Numbers: our own clock, the scheme, how many signatures are read, and how many bytes of them;
//! then `1` for a public key beside the secrets, or `2` for secrets that have ended. Lines: `id`,
//! `timestamp` and `signature` stand for what these are called in the scheme, `other` for another
//! header. Holes: `{current}`, `{previous}`, `{foreign}` and `{pair}` for an item of the list,
//! `{label}` and `{time}` for parts of one.

use std::sync::LazyLock;

use ed25519_dalek::SigningKey;
use golive_webhook_verify::{Reject, Verified, Verifier};

use crate::kinds::{KINDS, Time};
use crate::message::{Message, fill};
use crate::receiver::{Held, Lines, Receiver, Secret, as_map};

const LINES: &[&str] = &["id", "timestamp", "signature", "other"];
const CURRENT: &[u8] = b"fuzz-current-secret-of-32-bytes.";
const PREVIOUS: &[u8] = b"fuzz-previous-secret-of-32-bytes";
const FOREIGN: &[u8] = b"fuzz-foreign-secret-of-32-bytes.";
/// When the previous secret ends.
const END: u64 = 1_700_000_000;
const MAX_BODY_BYTES: usize = 512;

static PAIR: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::from_bytes(&[7; 32]));

/// Verifies the delivery from a slice and from a map, at once and in two steps.
pub fn one(data: &[u8]) {
    let message = Message::read(data, LINES);
    let now = unsigned(&message, 0, 0);
    let receiver = receiver(&message);
    let (verifier, room) = (receiver.builder().build(), has_room(&receiver));
    let Ok(verifier) = verifier else {
        assert!(!room, "{verifier:?}");
        return;
    };
    assert!(room);
    let lines = lines(&receiver, &message);
    let body = message.body;
    let seen = verifier.verify(&lines[..], body, now);
    receiver.check(&seen, &lines, body, now);
    if let Err(reject) = seen {
        refused(reject);
    }
    assert_eq!(in_two_steps(&verifier, &lines, body, now), seen);
    if let Some(map) = as_map(&lines) {
        assert_eq!(verifier.verify(&map, body, now), seen);
    }
}

fn receiver(message: &Message<'_>) -> Receiver {
    let most = |at, default| usize::try_from(unsigned(message, at, default)).unwrap_or(usize::MAX);
    let kind = &KINDS[most(1, 0) % KINDS.len()];
    let which = unsigned(message, 4, 0);
    let shared = |secret: &[u8], not_after| Held {
        secret: Secret::Shared(secret.to_vec()),
        not_after,
    };
    let current = shared(CURRENT, (which & 2 != 0).then_some(END - 1));
    let mut keys = vec![current, shared(PREVIOUS, Some(END))];
    if which & 1 != 0 && kind.asymmetric.is_some() {
        keys.push(Held {
            secret: Secret::Pair(PAIR.clone()),
            not_after: None,
        });
    }
    Receiver {
        kind,
        keys,
        tolerance: Some(300),
        max_body_bytes: MAX_BODY_BYTES,
        max_signatures: most(2, 32),
        max_signature_bytes: most(3, 4096),
    }
}

/// Whether the list may hold one signature, behind a time of ten digits if that is in it.
fn has_room(receiver: &Receiver) -> bool {
    let kind = receiver.kind;
    let time = match kind.time {
        Time::List(label) => format!("{label}1700000000,").len(),
        _ => 0,
    };
    receiver.max_signatures > 0
        && receiver.max_signature_bytes >= time + kind.label.len() + kind.len()
}

/// The lines under the names of the scheme, every second one in another case.
fn lines(receiver: &Receiver, message: &Message<'_>) -> Lines {
    let kind = receiver.kind;
    let now = unsigned(message, 0, 0).to_string();
    let mut lines: Lines = Vec::new();
    for (at, (name, value)) in message.lines.iter().enumerate() {
        let name = match (name.as_str(), &kind.time) {
            ("signature", _) => kind.signature,
            ("id", _) => kind.id.unwrap_or("webhook-id"),
            ("timestamp", Time::Header(name)) => name,
            ("timestamp", _) => "webhook-timestamp",
            _ => "webhook-signaturf",
        };
        let name = if at % 2 == 0 {
            name.to_owned()
        } else {
            name.to_ascii_uppercase()
        };
        lines.push((name, fill(value, &[("label", kind.label), ("time", &now)])));
    }
    let signed = |secret| receiver.sign(&secret, &lines, message.body);
    let shared = |secret: &[u8]| signed(Secret::Shared(secret.to_vec()));
    let (current, previous, foreign) = (shared(CURRENT), shared(PREVIOUS), shared(FOREIGN));
    // A curve is slow, so only where it is asked for.
    let has_pair = receiver.keys.len() > 2;
    let pair = has_pair.then(|| signed(Secret::Pair(PAIR.clone())));
    let holes = [
        ("current", &current[..]),
        ("previous", &previous),
        ("foreign", &foreign),
        ("pair", pair.as_deref().unwrap_or_default()),
    ];
    let filled = lines
        .iter()
        .map(|(name, value)| (name.clone(), fill(value, &holes)));
    filled.collect()
}

fn in_two_steps<'a>(
    verifier: &'a Verifier,
    lines: &'a Lines,
    body: &[u8],
    now: u64,
) -> Result<Verified<'a>, Reject> {
    let mut verification = verifier.begin(&lines[..], now)?;
    verification.update(body)?;
    verification.finish(now)
}

fn refused(reject: Reject) {
    assert!(matches!(reject.status(), 400 | 401 | 413 | 500));
    let said = format!("{reject} {reject:?} {}", reject.code());
    assert!(
        said.len() < 400 && !said.contains("-secret-of-32-bytes"),
        "{said}"
    );
}

fn unsigned(message: &Message<'_>, at: usize, default: u64) -> u64 {
    message.number(at).map_or(default, i64::unsigned_abs)
}
