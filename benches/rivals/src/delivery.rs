//! What a sender sends.

use std::time::{SystemTime, UNIX_EPOCH};

use http::{HeaderMap, HeaderName, HeaderValue, header};
use standardwebhooks::Webhook;

/// What the deliveries are signed with: the first, unless it says otherwise.
pub const SECRETS: [&str; 4] = [
    "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
    "whsec_c2Vjb25kLXNlY3JldC1vZi10aGUtcmluZw==",
    "whsec_bGFzdC1zZWNyZXQtb2YtdGhlLXJpbmctMDQ=",
];

/// 31 characters, as long as those that Svix makes.
pub const ID: &str = "msg_2KWPBgLlAfxdpx2AI54pPJ85f4W";

/// How far a timestamp may lie from now in every crate here.
pub const TOLERANCE_SECS: u64 = 300;

const SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");

/// A request of a sender, as far as a verifier sees it.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Those of HTTP, and the three of the scheme.
    pub headers: HeaderMap,
    /// JSON, as long as was asked for.
    pub body: Vec<u8>,
    /// When it is received, in seconds since 1970.
    pub now: u64,
}

/// The time that the rivals read: whole seconds since 1970.
#[allow(
    clippy::disallowed_methods,
    reason = "most rivals know no other clock, so deliveries are of this moment"
)]
#[must_use]
pub fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

// === impl Delivery ===

impl Delivery {
    /// A genuine one of this moment, with a body of so many bytes.
    #[must_use]
    pub fn genuine(bytes: usize) -> Self {
        Self::signed(bytes, 0, now())
    }

    /// One that was signed with this one of the [`SECRETS`] in this second.
    ///
    /// # Panics
    /// If there is no such secret, or the body cannot be so short.
    #[must_use]
    pub fn signed(bytes: usize, secret: usize, at: u64) -> Self {
        let body = body(bytes);
        // Signed by a rival: whoever accepts it agrees with them.
        let signer = Webhook::new(SECRETS[secret]).expect("a secret");
        let second = i64::try_from(at).expect("a time of ours");
        let signature = signer.sign(ID, second, &body).expect("a body of text");
        let mut headers = HeaderMap::new();
        let mut insert = |name: HeaderName, value: &str| {
            let value = HeaderValue::from_str(value).expect("visible characters");
            headers.insert(name, value);
        };
        insert(header::HOST, "api.example.com");
        insert(
            header::USER_AGENT,
            "Svix-Webhooks/1.62.0 (sender-9YMgn; +https://www.svix.com/http-sender/)",
        );
        insert(header::CONTENT_LENGTH, &bytes.to_string());
        insert(header::ACCEPT, "*/*");
        insert(header::CONTENT_TYPE, "application/json");
        insert(HeaderName::from_static("webhook-id"), ID);
        insert(
            HeaderName::from_static("webhook-timestamp"),
            &at.to_string(),
        );
        insert(SIGNATURE, &signature);
        Self {
            headers,
            body,
            now: at,
        }
    }

    /// The value of its signature header.
    #[must_use]
    pub fn signature(&self) -> &str {
        let value = self.headers.get(SIGNATURE);
        value
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

    /// The same with another value there.
    ///
    /// # Panics
    /// If it is no value of a header.
    #[must_use]
    pub fn with_signature(mut self, value: &str) -> Self {
        let value = HeaderValue::from_str(value).expect("visible characters");
        self.headers.insert(SIGNATURE, value);
        self
    }

    /// The same with `count` signatures, of which the last is the genuine one.
    #[must_use]
    pub fn among_bogus(self, count: usize) -> Self {
        let genuine = self.signature().to_owned();
        let mut list = String::new();
        for seed in 1..count {
            // Each another one, and well-formed: rivals refuse a list for one that is not, and the
            // spare bits of the last letter are zero in `c`.
            let text: String = (0..42).map(|at| letter(seed * 31 + at * 7)).collect();
            list += &format!("v1,{text}c= ");
        }
        self.with_signature(&(list + &genuine))
    }

    /// The same, its signature wrong in one character, counted from 0 up to 42.
    ///
    /// # Panics
    /// If there is no such character.
    #[must_use]
    pub fn mismatching_at(self, place: usize) -> Self {
        let mut text = self.signature().as_bytes().to_vec();
        // Four letters of base64 lie between the two, so that the spare bits of the last one stay.
        let at = "v1,".len() + place;
        text[at] = if text[at] == b'A' { b'E' } else { b'A' };
        let text = String::from_utf8(text).expect("it was text");
        self.with_signature(&text)
    }

    /// The same, received when it is too old.
    #[must_use]
    pub fn received_too_late(mut self) -> Self {
        self.now += TOLERANCE_SECS + 1;
        self
    }
}

/// JSON of exactly so many bytes.
fn body(bytes: usize) -> Vec<u8> {
    let (start, end) = (br#"{"type":"loan.created","data":""#, br#""}"#);
    let filled = bytes.checked_sub(start.len() + end.len());
    let filled = filled.expect("room for what every body has");
    let filling = (0..filled).map(|at| u8::try_from(letter(at)).unwrap_or(b'a'));
    let body = start.iter().copied().chain(filling);
    body.chain(end.iter().copied()).collect()
}

fn letter(at: usize) -> char {
    char::from(b'a' + u8::try_from(at % 26).unwrap_or(0))
}
