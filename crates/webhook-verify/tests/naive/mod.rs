//! What a delivery is and when it is genuine, written down once more and as plainly as possible:
//! split, decode, one HMAC of the `hmac` crate for each signature and key. It shares no code with
//! the crate; the tests hold the two against each other.
#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "every test takes what it needs, and a helper that fails is a failed test"
)]

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use golive_webhook_verify::Scheme;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// Header lines in their order.
pub(crate) type Lines = Vec<(String, Vec<u8>)>;

pub(crate) const SQUARE_URL: &str = "https://example.com/webhook?a=b";

/// More lines of signatures are refused.
pub(crate) const MAX_LINES: usize = 4;

/// Every scheme of the crate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Provider {
    StandardWebhooks,
    Svix,
    Stripe,
    Github,
    Slack,
    Shopify,
    Square,
}

use Provider::{Github, Shopify, Slack, Square, StandardWebhooks, Stripe, Svix};

pub(crate) const PROVIDERS: [Provider; 7] = [
    StandardWebhooks,
    Svix,
    Stripe,
    Github,
    Slack,
    Shopify,
    Square,
];

/// A secret, and the last second in which it counts.
#[derive(Clone, Debug)]
pub(crate) struct Secret {
    pub(crate) bytes: Vec<u8>,
    pub(crate) not_after: Option<u64>,
}

/// A receiver with all its settings in the open.
#[derive(Clone, Debug)]
pub(crate) struct Naive {
    pub(crate) provider: Provider,
    pub(crate) secrets: Vec<Secret>,
    pub(crate) tolerance: Option<u64>,
    pub(crate) max_body_bytes: usize,
    pub(crate) max_signatures: usize,
    pub(crate) max_signature_bytes: usize,
}

/// What may be answered to a delivery.
#[derive(Clone, Debug)]
pub(crate) struct Verdict {
    /// Which key made it genuine, if nothing is wrong with it.
    key: Option<usize>,
    /// Everything that is wrong with it, in the words of `Reject::code`. Which of several faults is
    /// named is a matter of the order of work.
    faults: BTreeSet<&'static str>,
    /// Whether it may be refused for too many signatures too.
    may_be_too_many: bool,
}

impl Provider {
    pub(crate) fn scheme(self) -> Scheme {
        match self {
            StandardWebhooks => Scheme::standard_webhooks(),
            Svix => Scheme::svix(),
            Stripe => Scheme::stripe(),
            Github => Scheme::github(),
            Slack => Scheme::slack(),
            Shopify => Scheme::shopify(),
            Square => Scheme::square(SQUARE_URL),
        }
    }

    pub(crate) fn id_header(self) -> Option<&'static str> {
        match self {
            StandardWebhooks => Some("webhook-id"),
            Svix => Some("svix-id"),
            _ => None,
        }
    }

    pub(crate) fn timestamp_header(self) -> Option<&'static str> {
        match self {
            StandardWebhooks => Some("webhook-timestamp"),
            Svix => Some("svix-timestamp"),
            Slack => Some("x-slack-request-timestamp"),
            _ => None,
        }
    }

    pub(crate) fn signature_header(self) -> &'static str {
        match self {
            StandardWebhooks => "webhook-signature",
            Svix => "svix-signature",
            Stripe => "stripe-signature",
            Github => "x-hub-signature-256",
            Slack => "x-slack-signature",
            Shopify => "x-shopify-hmac-sha256",
            Square => "x-square-hmacsha256-signature",
        }
    }

    pub(crate) fn signs_id(self) -> bool {
        self.id_header().is_some()
    }

    pub(crate) fn signs_time(self) -> bool {
        self == Stripe || self.timestamp_header().is_some()
    }

    /// How one signature stands in the list.
    pub(crate) fn label(self) -> &'static str {
        match self {
            StandardWebhooks | Svix => "v1,",
            Stripe => "v1=",
            Github => "sha256=",
            Slack => "v0=",
            Shopify | Square => "",
        }
    }

    pub(crate) fn content(self, id: &[u8], timestamp: &[u8], body: &[u8]) -> Vec<u8> {
        match self {
            StandardWebhooks | Svix => [id, b".", timestamp, b".", body].concat(),
            Stripe => [timestamp, b".", body].concat(),
            Slack => [b"v0:", timestamp, b":", body].concat(),
            Github | Shopify => body.to_vec(),
            Square => [SQUARE_URL.as_bytes(), body].concat(),
        }
    }

    pub(crate) fn spell(self, mac: &[u8]) -> String {
        match self {
            StandardWebhooks | Svix | Shopify | Square => STANDARD.encode(mac),
            Stripe | Github | Slack => hex(mac),
        }
    }

    /// The bytes that this text spells, if it does so in the one way that counts.
    fn read(self, text: &[u8]) -> Option<Vec<u8>> {
        match self {
            StandardWebhooks | Svix | Shopify | Square => STANDARD.decode(text).ok(),
            Stripe | Github | Slack => unhex(text),
        }
    }

    /// One item of the signature list: label and signature.
    pub(crate) fn item(self, secret: &[u8], id: &[u8], timestamp: &[u8], body: &[u8]) -> String {
        let content = self.content(id, timestamp, body);
        format!("{}{}", self.label(), self.spell(&mac(secret, &content)))
    }

    /// The header lines around a list of signatures.
    pub(crate) fn lines(self, id: &[u8], timestamp: &[u8], list: &[u8]) -> Lines {
        let mut lines = Vec::new();
        if let Some(name) = self.id_header() {
            lines.push((name.to_owned(), id.to_vec()));
        }
        if let Some(name) = self.timestamp_header() {
            lines.push((name.to_owned(), timestamp.to_vec()));
        }
        let list = match self {
            Stripe => [b"t=", timestamp, b",", list].concat(),
            _ => list.to_vec(),
        };
        lines.push((self.signature_header().to_owned(), list));
        lines
    }

    /// The header lines of a delivery with one signature.
    pub(crate) fn sign(self, secret: &[u8], id: &str, timestamp: u64, body: &[u8]) -> Lines {
        let (id, timestamp) = (id.as_bytes(), timestamp.to_string());
        let timestamp = timestamp.as_bytes();
        let item = self.item(secret, id, timestamp, body);
        self.lines(id, timestamp, item.as_bytes())
    }

    /// What stands behind each label, well-formed or not.
    fn signatures(self, lines: &[&[u8]]) -> Vec<Vec<u8>> {
        let mut found = Vec::new();
        for line in lines {
            match self {
                StandardWebhooks | Svix => {
                    // Between white space `v1,…`, or several that were folded: `v1,…,v1,…`.
                    for item in line.split(|&b| b == b' ' || b == b'\t') {
                        let fields: Vec<&[u8]> = item.split(|&b| b == b',').collect();
                        let pairs = fields.windows(2).filter(|pair| pair[0] == b"v1");
                        found.extend(pairs.map(|pair| pair[1].to_vec()));
                    }
                }
                Shopify | Square => {
                    found.extend(tokens(line).filter(|t| !t.is_empty()).map(<[u8]>::to_vec));
                }
                Stripe | Github | Slack => {
                    let label = self.label().as_bytes();
                    let labelled = tokens(line).filter_map(|t| t.strip_prefix(label));
                    found.extend(labelled.map(<[u8]>::to_vec));
                }
            }
        }
        found
    }
}

impl Naive {
    pub(crate) fn new(provider: Provider, secrets: &[Vec<u8>]) -> Self {
        let secret = |bytes: &Vec<u8>| Secret {
            bytes: bytes.clone(),
            not_after: None,
        };
        Self {
            provider,
            secrets: secrets.iter().map(secret).collect(),
            tolerance: Some(300),
            max_body_bytes: 1024 * 1024,
            max_signatures: 32,
            max_signature_bytes: 4096,
        }
    }

    pub(crate) fn judge(&self, headers: &Lines, body: &[u8], now: u64) -> Verdict {
        let provider = self.provider;
        let mut faults = BTreeSet::new();
        let all = |name: &str| -> Vec<&[u8]> {
            let named = headers
                .iter()
                .filter(|(other, _)| other.eq_ignore_ascii_case(name));
            named.map(|(_, value)| value.as_slice()).collect()
        };
        let lists = all(provider.signature_header());

        let mut id: &[u8] = b"";
        if let Some(name) = provider.id_header() {
            match all(name)[..] {
                [] => drop(faults.insert("missing_header")),
                [one] => id = one,
                _ => drop(faults.insert("repeated_header")),
            }
            let visible = |b: &u8| (0x21..=0x7e).contains(b) && *b != b'.';
            if id.is_empty() || id.len() > 256 || !id.iter().all(visible) {
                faults.insert("malformed_id");
            }
        }

        let mut timestamp: &[u8] = b"";
        if let Some(name) = provider.timestamp_header() {
            match all(name)[..] {
                [] => drop(faults.insert("missing_header")),
                [one] => timestamp = one,
                _ => drop(faults.insert("repeated_header")),
            }
        } else if provider == Stripe {
            let tokens = lists.iter().flat_map(|line| tokens(line));
            let times: Vec<&[u8]> = tokens.filter_map(|t| t.strip_prefix(b"t=")).collect();
            match times[..] {
                [one] => timestamp = one,
                _ => drop(faults.insert("malformed_timestamp")),
            }
        }
        if provider.signs_time() {
            let digits = (1..=12).contains(&timestamp.len());
            if !digits || !timestamp.iter().all(u8::is_ascii_digit) {
                faults.insert("malformed_timestamp");
            } else if let Some(tolerance) = self.tolerance {
                let at: u64 = std::str::from_utf8(timestamp).unwrap().parse().unwrap();
                if at < now && now - at > tolerance {
                    faults.insert("too_old");
                }
                if at > now && at - now > tolerance {
                    faults.insert("too_new");
                }
            }
        }

        let signatures = provider.signatures(&lists);
        // What has not the length of a signature may count or not: telling the pieces of such
        // rubbish apart takes a look at every byte.
        let len = provider.spell(&[0; 32]).len();
        let formed = signatures.iter().filter(|text| text.len() == len).count();
        let may_be_too_many =
            formed <= self.max_signatures && signatures.len() > self.max_signatures;
        let bytes: usize = lists.iter().map(|line| line.len()).sum();
        if lists.is_empty() {
            faults.insert("missing_header");
        }
        if lists.len() > MAX_LINES
            || bytes > self.max_signature_bytes
            || formed > self.max_signatures
        {
            faults.insert("signature_too_long");
        }
        if lists.len() > MAX_LINES && provider == Stripe {
            // The timestamp may stand in a line that nobody reads any more.
            faults.insert("malformed_timestamp");
        }
        if body.len() > self.max_body_bytes {
            faults.insert("body_too_large");
        }

        let usable = |secret: &Secret| secret.not_after.is_none_or(|end| now <= end);
        if !self.secrets.iter().any(usable) {
            faults.insert("no_usable_key");
        }
        let content = provider.content(id, timestamp, body);
        let matching = self.secrets.iter().position(|secret| {
            usable(secret)
                && signatures.iter().any(|text| {
                    let seen = provider.read(text);
                    seen.is_some_and(|seen| seen == mac(&secret.bytes, &content))
                })
        });
        if matching.is_none() {
            // Whether what is there looks like a signature at all is a matter of wording.
            faults.extend(["no_known_signature", "mismatch"]);
        }
        Verdict {
            key: matching.filter(|_| faults.is_empty()),
            faults,
            may_be_too_many,
        }
    }
}

impl Verdict {
    /// Whether this is an answer: the index of the key, or the code of the reject.
    pub(crate) fn allows(&self, answer: Result<usize, &str>) -> bool {
        match answer {
            Ok(index) => self.key == Some(index),
            Err("signature_too_long") if self.may_be_too_many => true,
            Err(code) => self.faults.contains(code),
        }
    }
}

pub(crate) fn mac(secret: &[u8], content: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).unwrap();
    mac.update(content);
    mac.finalize().into_bytes().to_vec()
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Lower case, two digits for each byte.
pub(crate) fn unhex(text: &[u8]) -> Option<Vec<u8>> {
    let digit = |b: u8| match b {
        b'0'..=b'9' => Some(b - b'0'),
        b'a'..=b'f' => Some(b - b'a' + 10),
        _ => None,
    };
    let pairs = text.chunks(2);
    pairs
        .map(|pair| match *pair {
            [high, low] => Some(digit(high)? << 4 | digit(low)?),
            _ => None,
        })
        .collect()
}

/// What stands between white space and commas.
fn tokens(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(|&b| matches!(b, b' ' | b'\t' | b','))
}
