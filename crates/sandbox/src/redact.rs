//! What the record may not hold: every secret the sandbox knows, and everything that looks like one.
//!
//! Two nets. The first knows the secrets themselves, so that one without its prefix, in percent
//! encoding or inside a Basic header is found too. The second knows the prefixes, so that a secret
//! of another environment is found although the sandbox never issued it.

use std::borrow::Cow;
use std::sync::RwLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName};

use crate::sync;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Secret {
    Client,
    Webhook,
    Token,
}

/// NOTE: the known secrets are those of credentials and endpoints, whose numbers are bounded where
/// they are kept. Tokens are found by their prefix, and without it by the start of every JWT.
#[derive(Default)]
pub(crate) struct Redactor {
    /// Longest first, so that a prefix is not left standing.
    known: RwLock<Vec<(String, Secret)>>,
}

/// Layers of percent encoding that are looked through.
pub(crate) const MAX_DECODED: usize = 3;

const PREFIXES: [(&str, Secret); 4] = [
    ("dinie_cs_", Secret::Client),
    ("dinie_at_", Secret::Token),
    ("whsec_", Secret::Webhook),
    // The base64url of `{"alg"`: a token whose prefix was cut off.
    ("eyJhbGci", Secret::Token),
];

// === impl Secret ===

impl Secret {
    pub(crate) fn mark(self) -> &'static str {
        match self {
            Self::Client => "[redacted:client_secret]",
            Self::Webhook => "[redacted:webhook_secret]",
            Self::Token => "[redacted:access_token]",
        }
    }
}

// === impl Redactor ===

impl Redactor {
    pub(crate) fn learn_client_secret(&self, client_id: &str, secret: &str) {
        self.learn(secret, Secret::Client);
        self.learn(
            &STANDARD.encode(format!("{client_id}:{secret}")),
            Secret::Client,
        );
    }

    pub(crate) fn learn_webhook_secret(&self, secret: &str) {
        self.learn(secret, Secret::Webhook);
    }

    fn learn(&self, secret: &str, kind: Secret) {
        let bare = PREFIXES
            .iter()
            .find_map(|(prefix, _)| secret.strip_prefix(prefix))
            .unwrap_or(secret);
        let bare = bare.trim_start_matches("test_");
        let mut known = sync::write(&self.known);
        for form in [secret.to_owned(), bare.to_owned()] {
            let encoded: String = url::form_urlencoded::byte_serialize(form.as_bytes()).collect();
            // JSON as PHP (`\/`) and .NET (`\u002B`) write it, and others that escape like it.
            let php = form.replace('/', "\\/");
            let dotnet = form.replace('+', "\\u002B");
            let lower = form.replace('+', "\\u002b");
            for form in [form, encoded, php, dotnet, lower] {
                // Anything this short would turn up by chance.
                if form.len() >= 16 && known.iter().all(|(known, _)| *known != form) {
                    known.push((form, kind));
                }
            }
        }
        known.sort_by_key(|(form, _)| std::cmp::Reverse(form.len()));
    }

    pub(crate) fn text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        // Percent encoding, needed (`%2F`) or not (`%64inie_cs_`), must not hide a secret; nor must
        // a second one over the first, as of a URL within a URL.
        let mut decoded = Cow::Borrowed(text);
        for _ in 0..MAX_DECODED {
            if !decoded.contains('%') {
                break;
            }
            decoded = Cow::Owned(percent_decode(&decoded));
            if let Cow::Owned(found) = self.as_it_stands(&decoded) {
                return Cow::Owned(found);
            }
        }
        self.as_it_stands(text)
    }

    /// The kinds of known secrets that stand in a text, in any form. Unlike [`text`](Self::text) it
    /// goes by the secrets themselves: what only looks like one convicts nobody.
    pub(crate) fn known_in(&self, text: &str) -> Vec<Secret> {
        let known = sync::read(&self.known);
        let mut kinds = Vec::new();
        for (secret, kind) in &*known {
            if !kinds.contains(kind) && text.contains(secret.as_str()) {
                kinds.push(*kind);
            }
        }
        kinds
    }

    /// One header as it goes into the record. Every `Authorization` is a secret, known or not.
    pub(crate) fn header(&self, name: &HeaderName, value: &[u8]) -> String {
        let value = String::from_utf8_lossy(value);
        if *name != http::header::AUTHORIZATION && *name != http::header::PROXY_AUTHORIZATION {
            return self.text(&value).into_owned();
        }
        let scheme = value.split(' ').next().unwrap_or_default();
        if scheme.eq_ignore_ascii_case("basic") {
            format!("Basic {}", Secret::Client.mark())
        } else if scheme.eq_ignore_ascii_case("bearer") {
            format!("Bearer {}", Secret::Token.mark())
        } else {
            "[redacted:authorization]".to_owned()
        }
    }

    pub(crate) fn headers(&self, headers: &HeaderMap) -> Vec<(String, String)> {
        headers
            .iter()
            .map(|(name, value)| {
                (
                    // A name can hold a secret, too, by a mistake of whoever put the two together.
                    self.text(name.as_str()).into_owned(),
                    self.header(name, value.as_bytes()),
                )
            })
            .collect()
    }

    fn as_it_stands<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut text = Cow::Borrowed(text);
        for (secret, kind) in &*sync::read(&self.known) {
            if text.contains(secret.as_str()) {
                text = Cow::Owned(text.replace(secret.as_str(), kind.mark()));
            }
        }
        for (prefix, kind) in PREFIXES {
            if text.contains(prefix) {
                text = Cow::Owned(without_prefixed(&text, prefix, kind.mark()));
            }
        }
        text
    }
}

fn without_prefixed(text: &str, prefix: &str, mark: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(prefix) {
        let (before, found) = rest.split_at(at);
        let end = found
            .find(|c: char| !(c.is_ascii_alphanumeric() || "_-.+/=%~".contains(c)))
            .unwrap_or(found.len());
        out.push_str(before);
        out.push_str(mark);
        rest = found.split_at(end).1;
    }
    out.push_str(rest);
    out
}

pub(crate) fn percent_decode(text: &str) -> String {
    let digit = |byte: Option<&u8>| byte.and_then(|b| char::from(*b).to_digit(16));
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match (byte, digit(bytes.get(at + 1)), digit(bytes.get(at + 2))) {
            (b'%', Some(high), Some(low)) => {
                out.push(u8::try_from(high * 16 + low).unwrap_or(b'?'));
                at += 3;
            }
            _ => {
                out.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CLIENT: &str = "dinie_cs_test_0123456789abcdef0123456789abcdef";
    const WEBHOOK: &str = "whsec_MfKQ9r8GKYqrTwjUPD8I+PZIo2La/aSw";

    fn redactor() -> Redactor {
        let redactor = Redactor::default();
        redactor.learn_client_secret("dinie_ci_test_1", CLIENT);
        redactor.learn_webhook_secret(WEBHOOK);
        redactor
    }

    #[test]
    fn a_secret_is_found_in_every_form_that_a_client_may_leak_it_in() {
        let basic = STANDARD.encode(format!("dinie_ci_test_1:{CLIENT}"));
        for (leak, mark) in [
            (CLIENT.to_owned(), Secret::Client),
            (CLIENT.replace("dinie_cs_test_", ""), Secret::Client),
            (CLIENT.replace('_', "%5F"), Secret::Client),
            (CLIENT.replace("dinie", "%64inie"), Secret::Client),
            (
                WEBHOOK.replace("whsec_", "").replace('/', "%252F"),
                Secret::Webhook,
            ),
            (basic, Secret::Client),
            (WEBHOOK.to_owned(), Secret::Webhook),
            (WEBHOOK.replace("whsec_", ""), Secret::Webhook),
            (WEBHOOK.replace('/', "\\/"), Secret::Webhook),
            (WEBHOOK.replace('/', "%2F"), Secret::Webhook),
            (WEBHOOK.replace('+', "\\u002B"), Secret::Webhook),
            (
                WEBHOOK.replace("whsec_", "").replace('+', "\\u002b"),
                Secret::Webhook,
            ),
            (
                "dinie_cs_live_of_another_environment".to_owned(),
                Secret::Client,
            ),
            (
                "dinie_at_eyJhbGciOiJI.eyJqdGk.c2ln".to_owned(),
                Secret::Token,
            ),
            ("eyJhbGciOiJI.eyJqdGk.c2ln".to_owned(), Secret::Token),
        ] {
            let text = redactor().text(&format!("a={leak}&b=1")).into_owned();
            assert_eq!(text, format!("a={}&b=1", mark.mark()), "{leak}");
        }
    }

    #[test]
    fn text_without_a_secret_is_left_as_it_is() {
        for text in ["", "a=1&b=%41", "dinie_ci_test_1", "100%", "%zz", "é"] {
            assert_eq!(redactor().text(text), text);
        }
    }

    #[test]
    fn a_secret_in_the_name_of_a_header_is_found() {
        let mut headers = HeaderMap::new();
        let name = format!("x-{CLIENT}").parse::<HeaderName>().unwrap();
        headers.insert(name, http::HeaderValue::from_static("1"));
        let name = format!("x-{}", Secret::Client.mark());
        assert_eq!(redactor().headers(&headers), [(name, "1".to_owned())]);
    }

    #[test]
    fn an_authorization_header_is_never_written_down() {
        let redactor = redactor();
        let header = |value: &[u8]| redactor.header(&http::header::AUTHORIZATION, value);
        assert_eq!(
            header(b"basic Zm9vOmJhcg=="),
            "Basic [redacted:client_secret]"
        );
        assert_eq!(
            header(b"Bearer something else"),
            "Bearer [redacted:access_token]"
        );
        assert_eq!(header(b"\xff\xfe"), "[redacted:authorization]");
    }

    proptest! {
        #[test]
        fn no_text_around_a_secret_saves_it(before in ".{0,40}", after in ".{0,40}") {
            let redactor = redactor();
            for secret in [CLIENT, WEBHOOK] {
                let text = redactor.text(&format!("{before}{secret}{after}")).into_owned();
                prop_assert!(!text.contains(secret), "{}", text);
            }
        }
    }
}
