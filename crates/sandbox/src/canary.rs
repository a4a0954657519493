//! Looking for the sandbox's own secrets where none belongs: in a log, in an alert, in an answer.

use crate::redact::{MAX_DECODED, Secret, percent_decode};
use crate::shared::Shared;

/// How every JWT begins: the base64url of `{"alg"`.
const JWT: &str = "eyJhbGci";

/// A kind of secret that was found in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Canary {
    /// The secret of a client.
    ClientSecret,
    /// The secret of a webhook endpoint.
    WebhookSecret,
    /// An access token that was issued.
    AccessToken,
}

// === impl Canary ===

impl Canary {
    /// The kind in words.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::ClientSecret => "client secret",
            Self::WebhookSecret => "webhook secret",
            Self::AccessToken => "access token",
        }
    }
}

pub(crate) fn find(shared: &Shared, text: &str) -> Vec<Canary> {
    let mut found = as_it_stands(shared, text);
    let mut text = text.to_owned();
    for _ in 0..MAX_DECODED {
        if !text.contains('%') {
            break;
        }
        text = percent_decode(&text);
        found.extend(as_it_stands(shared, &text));
    }
    found.sort_unstable();
    found.dedup();
    found
}

fn as_it_stands(shared: &Shared, text: &str) -> Vec<Canary> {
    let known = shared.redactor.known_in(text).into_iter();
    let mut found: Vec<Canary> = known
        .map(|secret| match secret {
            Secret::Client => Canary::ClientSecret,
            Secret::Webhook => Canary::WebhookSecret,
            Secret::Token => Canary::AccessToken,
        })
        .collect();
    if tokens(text).any(|jwt| {
        shared
            .world()
            .tokens
            .find(&format!("dinie_at_{jwt}"))
            .is_some()
    }) {
        found.push(Canary::AccessToken);
    }
    found
}

/// Whatever may be a token, its prefix cut off; without the full stop of a sentence.
fn tokens(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices(JWT).filter_map(|(at, _)| {
        let rest = text.get(at..)?;
        let end = rest
            .find(|c: char| !(c.is_ascii_alphanumeric() || "_-.".contains(c)))
            .unwrap_or(rest.len());
        Some(rest.get(..end)?.trim_end_matches('.'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Sandbox;
    use secrecy::ExposeSecret as _;

    #[tokio::test]
    async fn its_own_secrets_are_found_in_every_form_and_others_are_not() {
        let sandbox = Sandbox::builder().start().await.unwrap();
        let secret = sandbox
            .credential()
            .client_secret
            .expose_secret()
            .to_owned();
        let whsec = sandbox.webhooks().secret().expose_secret().to_owned();
        let token = {
            let world = &mut *sandbox.shared.world();
            let now = sandbox.shared.clock.now().mono;
            world.tokens.issue(&mut world.ids, "c", now).0
        };
        for (text, kind) in [
            (format!("secret={secret}&a=1"), Canary::ClientSecret),
            (secret.replace('_', "%5F"), Canary::ClientSecret),
            (secret.replace("dinie_cs_test_", ""), Canary::ClientSecret),
            (format!("{{\"whsec\":\"{whsec}\"}}"), Canary::WebhookSecret),
            (format!("Bearer {token}."), Canary::AccessToken),
            (token.replace("dinie_at_", "'") + "'", Canary::AccessToken),
        ] {
            assert_eq!(sandbox.secrets_in(&text), [kind], "{text}");
        }
        for harmless in [
            "",
            "dinie_cs_test_****",
            "whsec_...",
            "dinie_at_eyJhbGciOiJI.eyJqdGk.c2ln",
            "client dinie_ci_test_1 renewed its token",
            "[redacted:client_secret]",
        ] {
            assert_eq!(sandbox.secrets_in(harmless), [], "{harmless}");
        }
        let both = format!("{secret} {token}");
        let kinds = [Canary::ClientSecret, Canary::AccessToken];
        assert_eq!(sandbox.secrets_in(&both), kinds);
    }
}
