//! A receiver of webhooks, written down a second time: every header looked up on its own, every
//! place of a signature tried, one HMAC for each key, and the checks in the order in which they are
//! documented.

use std::time::Duration;

use ed25519_dalek::{Signature, Signer as _, SigningKey, Verifier as _};
use golive_webhook_verify::ed25519::SecretKey;
use golive_webhook_verify::{Key, Reject, UnixTime, Verified, Verifier, VerifierBuilder};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::kinds::{Kind, Time};
use crate::naive;

/// Lines of the signature header that are read.
const MAX_LINES: usize = 4;

/// Header lines in their order.
pub(crate) type Lines = Vec<(String, Vec<u8>)>;

/// What may come out of a delivery: the place of the key, or why it was refused.
pub(crate) type Verdict = Result<usize, Reject>;

/// A key, and the last second in which it counts.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    pub(crate) secret: Secret,
    pub(crate) not_after: Option<u64>,
}

/// What signs.
#[derive(Clone, Debug)]
pub(crate) enum Secret {
    Shared(Vec<u8>),
    Pair(SigningKey),
}

/// A receiver with all its settings in the open.
#[derive(Clone, Debug)]
pub(crate) struct Receiver {
    pub(crate) kind: &'static Kind,
    pub(crate) keys: Vec<Held>,
    pub(crate) tolerance: Option<u64>,
    pub(crate) max_body_bytes: usize,
    pub(crate) max_signatures: usize,
    pub(crate) max_signature_bytes: usize,
}

/// What stands in the headers of a delivery.
struct Presented<'a> {
    id: &'a [u8],
    timestamp: &'a [u8],
    seconds: Option<u64>,
    signatures: Vec<&'a [u8]>,
}

impl Receiver {
    /// The same receiver, built of the crate.
    pub(crate) fn builder(&self) -> VerifierBuilder {
        let mut builder = Verifier::builder()
            .scheme(self.kind.scheme())
            .max_body_bytes(self.max_body_bytes)
            .max_signatures(self.max_signatures)
            .max_signature_bytes(self.max_signature_bytes);
        builder = match self.tolerance {
            Some(seconds) => builder.tolerance(Duration::from_secs(seconds)),
            None => builder.without_tolerance(),
        };
        for (at, held) in self.keys.iter().enumerate() {
            let name = at.to_string();
            builder = match &held.secret {
                Secret::Shared(secret) => {
                    let key = Key::from_short_bytes(secret).unwrap().with_id(name);
                    builder.key(match held.not_after {
                        Some(end) => key.with_not_after(end),
                        None => key,
                    })
                }
                Secret::Pair(pair) => {
                    let key = SecretKey::from_bytes(pair.as_bytes()).unwrap();
                    let key = key.public_key().with_id(name);
                    builder.public_key(match held.not_after {
                        Some(end) => key.with_not_after(end),
                        None => key,
                    })
                }
            };
        }
        builder
    }

    /// Every verdict that is right. It is one, save where the list of signatures holds what may be
    /// counted in two ways, or where several keys signed.
    pub(crate) fn judge(&self, lines: &Lines, body: &[u8], now: u64) -> Vec<Verdict> {
        let presented = match self.present(lines) {
            Ok(presented) => presented,
            Err(rejects) => return rejects.into_iter().map(Err).collect(),
        };
        if let Err(reject) = self.judge_age(presented.seconds, now) {
            return vec![Err(reject)];
        }
        let shared = self.shared_items(&presented.signatures);
        let pairs = self.pair_items(&presented.signatures);
        let formed = |items: &[&[u8]], len| items.iter().filter(|item| item.len() == len).count();
        let formed_shared = formed(&shared, self.kind.len());
        let formed_pairs = formed(&pairs, 88);
        let (most, most_pairs) = (self.max_signatures, self.max_signatures.min(4));
        let too_long = Err(Reject::SignatureTooLong);
        if formed_shared > most || formed_pairs > most_pairs {
            return vec![too_long];
        }
        let mut verdicts = Vec::new();
        if shared.len() > most || pairs.len() > most_pairs {
            // `v1,v1,x`: one that is malformed, or two.
            verdicts.push(too_long);
        }
        let limit = self.max_body_bytes;
        if shared.is_empty() && pairs.is_empty() {
            verdicts.push(Err(Reject::NoKnownSignature));
        } else if !self.keys.iter().any(|key| key.is_usable(now)) {
            verdicts.push(Err(Reject::NoUsableKey));
        } else if formed_shared + formed_pairs == 0 || body.len() > limit {
            if formed_shared + formed_pairs == 0 {
                verdicts.push(Err(Reject::Mismatch));
            }
            if body.len() > limit {
                verdicts.push(Err(Reject::BodyTooLarge { limit }));
            }
        } else {
            let content = self.kind.content(presented.id, presented.timestamp, body);
            let usable = self
                .keys
                .iter()
                .enumerate()
                .filter(|(_, key)| key.is_usable(now));
            let signed = usable.filter(|(_, key)| match &key.secret {
                Secret::Shared(secret) => {
                    let text = self.kind.spell(&naive::mac(secret, &content));
                    shared.contains(&text.as_bytes())
                }
                Secret::Pair(pair) => pairs.iter().any(|text| holds(pair, text, &content)),
            });
            let before = verdicts.len();
            verdicts.extend(signed.map(|(at, _)| Ok(at)));
            if verdicts.len() == before {
                verdicts.push(Err(Reject::Mismatch));
            }
        }
        verdicts
    }

    /// The verdict of the crate, which must be among those that are right, and say what is true.
    pub(crate) fn check(
        &self,
        seen: &Result<Verified<'_>, Reject>,
        lines: &Lines,
        body: &[u8],
        now: u64,
    ) {
        let verdict = seen
            .as_ref()
            .map(Verified::key_index)
            .map_err(|reject| *reject);
        let right = self.judge(lines, body, now);
        assert!(right.contains(&verdict), "{verdict:?} instead of {right:?}");
        let Ok(verified) = seen else { return };
        let presented = self.present(lines).unwrap();
        let id = self.kind.id.map(|_| presented.id);
        assert_eq!(verified.id().map(str::as_bytes), id);
        let seconds = verified.timestamp().map(UnixTime::as_secs);
        assert_eq!(seconds, presented.seconds);
        let name = verified.key_index().to_string();
        assert_eq!(verified.key_id(), Some(&name[..]));
    }

    /// The list with a signature of this key, and its label, over what these headers say.
    pub(crate) fn sign(&self, secret: &Secret, lines: &Lines, body: &[u8]) -> String {
        let first = |name: Option<&str>| {
            let line = name.and_then(|name| all(lines, name).first().copied());
            line.unwrap_or_default()
        };
        let time = match self.kind.time {
            Time::Nowhere => b"",
            Time::Header(name) => first(Some(name)),
            Time::List(label) => {
                let lists = all(lines, self.kind.signature);
                let mut times = lists
                    .iter()
                    .flat_map(|line| naive::items(line, label.as_bytes()));
                times.next().unwrap_or_default()
            }
        };
        let content = self.kind.content(first(self.kind.id), time, body);
        match secret {
            Secret::Shared(secret) => {
                let text = self.kind.spell(&naive::mac(secret, &content));
                format!("{}{text}", self.kind.label)
            }
            Secret::Pair(pair) => {
                let text = naive::base64(&pair.sign(&content).to_bytes());
                format!("{}{text}", self.kind.asymmetric.unwrap_or_default())
            }
        }
    }

    /// The headers: missing or repeated ones first, then their form, one after the other.
    fn present<'a>(&self, lines: &'a Lines) -> Result<Presented<'a>, Vec<Reject>> {
        let only = |name| match all(lines, name)[..] {
            [] => Err(vec![Reject::MissingHeader(name)]),
            [one] => Ok(one),
            _ => Err(vec![Reject::RepeatedHeader(name)]),
        };
        let signatures = all(lines, self.kind.signature);
        let mut id = &b""[..];
        if let Some(name) = self.kind.id {
            id = only(name)?;
            let fits =
                |byte: &u8| (b'!'..=b'~').contains(byte) && Some(*byte) != self.kind.ends_id();
            if id.is_empty() || id.len() > 256 || !id.iter().all(fits) {
                return Err(vec![Reject::MalformedId]);
            }
        }
        let bytes: usize = signatures.iter().map(|line| line.len()).sum();
        let too_long = signatures.len() > MAX_LINES || bytes > self.max_signature_bytes;
        let malformed = Reject::MalformedTimestamp;
        let timestamp = match self.kind.time {
            Time::Nowhere => b"",
            Time::Header(name) => only(name)?,
            Time::List(_) if signatures.is_empty() => {
                return Err(vec![Reject::MissingHeader(self.kind.signature)]);
            }
            // What is too long is not searched for a time.
            Time::List(_) if too_long => return Err(vec![Reject::SignatureTooLong]),
            Time::List(label) => {
                let times = signatures
                    .iter()
                    .flat_map(|line| naive::items(line, label.as_bytes()));
                match times.collect::<Vec<_>>()[..] {
                    [one] => one,
                    _ => return Err(vec![malformed]),
                }
            }
        };
        let mut seconds = None;
        if self.kind.time != Time::Nowhere {
            let digits = timestamp.iter().all(u8::is_ascii_digit);
            if !digits || !(1..=12).contains(&timestamp.len()) {
                return Err(vec![malformed]);
            }
            seconds = str::from_utf8(timestamp).unwrap().parse().ok();
        }
        if signatures.is_empty() {
            return Err(vec![Reject::MissingHeader(self.kind.signature)]);
        }
        if too_long {
            return Err(vec![Reject::SignatureTooLong]);
        }
        Ok(Presented {
            id,
            timestamp,
            seconds,
            signatures,
        })
    }

    fn judge_age(&self, seconds: Option<u64>, now: u64) -> Result<(), Reject> {
        let (Some(seconds), Some(tolerance)) = (seconds, self.tolerance) else {
            return Ok(());
        };
        if seconds < now && now - seconds > tolerance {
            return Err(Reject::TooOld {
                by_secs: now - seconds,
            });
        }
        if seconds > now && seconds - now > tolerance {
            return Err(Reject::TooNew {
                by_secs: seconds - now,
            });
        }
        Ok(())
    }

    fn shared_items<'a>(&self, lists: &[&'a [u8]]) -> Vec<&'a [u8]> {
        let is_shared = |key: &Held| matches!(key.secret, Secret::Shared(_));
        let lists = lists.iter().filter(|_| self.keys.iter().any(is_shared));
        lists
            .flat_map(|line| naive::items(line, self.kind.label.as_bytes()))
            .collect()
    }

    fn pair_items<'a>(&self, lists: &[&'a [u8]]) -> Vec<&'a [u8]> {
        let is_pair = |key: &Held| matches!(key.secret, Secret::Pair(_));
        let Some(label) = self
            .kind
            .asymmetric
            .filter(|_| self.keys.iter().any(is_pair))
        else {
            return Vec::new();
        };
        lists
            .iter()
            .flat_map(|line| naive::items(line, label.as_bytes()))
            .collect()
    }
}

impl Held {
    /// To its last second.
    pub(crate) fn is_usable(&self, now: u64) -> bool {
        self.not_after.is_none_or(|end| now <= end)
    }
}

/// The same lines in a map, if HTTP allows them all.
pub(crate) fn as_map(lines: &Lines) -> Option<HeaderMap> {
    let mut map = HeaderMap::new();
    for (name, value) in lines {
        let name: HeaderName = name.parse().ok()?;
        map.try_append(name, HeaderValue::from_bytes(value).ok()?)
            .ok()?;
    }
    Some(map)
}

fn all<'a>(lines: &'a Lines, name: &str) -> Vec<&'a [u8]> {
    let named = lines
        .iter()
        .filter(|(one, _)| one.eq_ignore_ascii_case(name));
    named.map(|(_, value)| &value[..]).collect()
}

fn holds(pair: &SigningKey, text: &[u8], content: &[u8]) -> bool {
    let spelled = naive::unbase64(text).filter(|spelled| spelled.canonical);
    let signature = spelled.and_then(|one| Signature::from_slice(&one.bytes).ok());
    signature.is_some_and(|one| pair.verifying_key().verify(content, &one).is_ok())
}
