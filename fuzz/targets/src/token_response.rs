//! The answer of a token endpoint.
//!
//! Numbers: the status, our own clock. Holes: `{id}`, `{secret}` and `{old}` of the client, for a
//! server that repeats what it was sent, and `{token}`.

use std::error::Error;
use std::fmt::Write as _;
use std::sync::LazyLock;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use golive_auth_refresh::client_credentials::{
    ClientCredentials, CredentialError, CredentialSet, CredentialSource, Credentials,
};
use golive_auth_refresh::source::{ErrorCode, Token, TokenError};
use golive_core::Clock;
use http::{Response, StatusCode};
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};

use crate::message::{Message, fill};
use crate::quota_headers;

// Letters and `_` alone, so that each would pass for an error code.
const ID: &str = "canary_of_the_client_id";
const SECRET: &str = "canary_in_the_client_secret";
const OLD: &str = "canary_that_was_the_secret";
const TOKEN: &str = "canary-that-is-the-access-token";

/// Nothing is waited for: every answer is there at once.
static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_current_thread().enable_time().build().unwrap());

/// Asks for a token, and gets one answer, whatever is sent.
pub fn one(data: &[u8]) {
    let message = Message::read(data, quota_headers::HEADERS);
    let status = message.status_or(StatusCode::OK);
    let holes = [
        ("id", ID),
        ("secret", SECRET),
        ("old", OLD),
        ("token", TOKEN),
    ];
    let headers = message.headers(&holes);
    let body = Bytes::from(fill(message.body, &holes));
    let client = client(message.time(1));
    let mut sent = Vec::new();
    let fetch = client.fetch(|request| {
        sent.push(request.headers()["authorization"].clone());
        let mut response = Response::new(body.clone());
        *response.status_mut() = status;
        *response.headers_mut() = headers.clone();
        std::future::ready(Ok(response))
    });
    let fetched = RUNTIME.block_on(fetch);
    match &fetched {
        Ok(token) => issued(token, status, &body),
        Err(error) => refused(error, status, &body),
    }
    silent(&format!("{client:?}"));
    // The old secret has its turn where the new one is unknown, and neither is sent twice.
    let unknown = matches!(
        fetched,
        Err(TokenError::Refused {
            code: ErrorCode::InvalidClient,
            ..
        })
    );
    assert_eq!(sent.len(), if unknown { 2 } else { 1 });
    assert_ne!(sent.first(), sent.get(1));
}

fn issued(token: &Token, status: StatusCode, body: &[u8]) {
    assert!(status.is_success());
    assert!(body.len() <= TokenError::MAX_BODY_BYTES);
    silent(&format!("{token:?}"));

    let answer: Value = serde_json::from_slice(body).unwrap();
    let kind = answer["token_type"].as_str().unwrap();
    assert!(kind.eq_ignore_ascii_case("bearer"));
    let secret = answer["access_token"].as_str().unwrap();
    assert!(!secret.is_empty() && secret.bytes().all(|byte| byte.is_ascii_graphic()));
    assert_ne!(
        token.lifetime(),
        Some(Duration::ZERO),
        "no token ends as it begins"
    );
    // Above that, a number of seconds is longer than any token lives.
    if let Some(seconds @ 1..=0xffff_ffff) = answer["expires_in"].as_u64() {
        assert_eq!(token.lifetime(), Some(Duration::from_secs(seconds)));
    }
    if answer.get("expires_in").is_none() {
        assert_eq!(token.lifetime(), None, "the server did not say");
    }
}

fn refused(error: &TokenError, status: StatusCode, body: &[u8]) {
    let mut said = format!("{error:?}");
    let mut cause: Option<&dyn Error> = Some(error);
    while let Some(one) = cause {
        let _ = write!(said, "\n{one}");
        cause = one.source();
    }
    silent(&said);
    let retry_after = error.retry_after().unwrap_or_default();
    assert!(retry_after <= quota_headers::LONGEST, "{retry_after:?}");
    match error {
        TokenError::TooLarge { limit } => {
            assert!(body.len() > *limit);
            return;
        }
        TokenError::Malformed { .. } => assert!(status.is_success()),
        TokenError::Refused { code, .. } => {
            assert!(!error.is_temporary());
            if let ErrorCode::Other(word) = code {
                assert!((1..=40).contains(&word.len()));
                for own in [ID, SECRET, OLD] {
                    assert!(!own.contains(&**word), "`{word}` is a part of `{own}`");
                }
            }
        }
        TokenError::Unexpected { .. } => assert!(!error.is_temporary()),
        TokenError::Unavailable { .. } => assert!(error.is_temporary()),
        other => panic!("no answer causes {other:?}"),
    }
    // RFC 9110, 15.6, and the three codes that say "later" outside of 5xx.
    if status.is_server_error() || matches!(status.as_u16(), 408 | 425 | 429) {
        assert!(error.is_temporary(), "{status} passes");
    }
}

/// Nothing that anybody would print holds a secret of this run.
fn silent(said: &str) {
    for canary in [ID, SECRET, OLD, TOKEN] {
        assert!(!said.contains(canary), "{said}");
    }
}

fn client(now: SystemTime) -> ClientCredentials {
    ClientCredentials::builder("https://provider.test/token", Rotated)
        .clock(At(now))
        .build()
        .unwrap()
}

/// Credentials in the middle of a rotation.
struct Rotated;

impl CredentialSource for Rotated {
    fn version(&self) -> u64 {
        1
    }

    fn load(&self) -> Result<CredentialSet, CredentialError> {
        let with = |secret| Credentials::new(ID, secret).unwrap();
        Ok(CredentialSet::new(1, with(SECRET)).with_previous(with(OLD)))
    }
}

struct At(SystemTime);

impl Clock for At {
    fn now(&self) -> SystemTime {
        self.0
    }
}
