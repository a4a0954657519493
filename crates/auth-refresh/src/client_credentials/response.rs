//! Reads the answer of a token endpoint.

use std::time::{Duration, Instant, SystemTime};

use golive_core::quota;
use http::{HeaderMap, StatusCode};
use serde_json::Value;

use crate::source::{ErrorCode, Token, TokenError};

/// `safe` says whether an unknown error code of the server may be repeated.
pub(super) fn parse(
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
    sent_at: Instant,
    now: SystemTime,
    safe: impl FnOnce(&str) -> bool,
) -> Result<Token, TokenError> {
    if body.len() > TokenError::MAX_BODY_BYTES {
        return Err(TokenError::TooLarge {
            limit: TokenError::MAX_BODY_BYTES,
        });
    }
    if status.is_success() {
        return token(body, sent_at);
    }
    let unavailable = || TokenError::Unavailable {
        status,
        retry_after: quota::asked_wait(status, headers, now),
    };
    if status.is_server_error() || matches!(status.as_u16(), 408 | 425 | 429) {
        return Err(unavailable());
    }
    let answer: Value = serde_json::from_slice(body).unwrap_or_default();
    match (answer.get("error").and_then(Value::as_str), status) {
        // Words of the authorization endpoint (§4.1.2.1) that some servers use here too.
        (Some("temporarily_unavailable" | "server_error"), _) => Err(unavailable()),
        (Some(word), _) => Err(TokenError::Refused {
            status,
            code: ErrorCode::read(word, safe),
        }),
        //= RFC 6749 §5.2: The authorization server MAY return an HTTP 401 (Unauthorized) status
        //= code to indicate which HTTP authentication schemes are supported
        // That goes with invalid_client, and a server with problem documents says no more.
        (None, StatusCode::UNAUTHORIZED) => Err(TokenError::Refused {
            status,
            code: ErrorCode::InvalidClient,
        }),
        (None, StatusCode::BAD_REQUEST | StatusCode::FORBIDDEN) => Err(TokenError::Refused {
            status,
            code: ErrorCode::Unknown,
        }),
        (None, _) => Err(TokenError::Unexpected { status }),
    }
}

fn token(body: &[u8], sent_at: Instant) -> Result<Token, TokenError> {
    let malformed = |reason| TokenError::Malformed { reason };
    let answer: Value = serde_json::from_slice(body).map_err(|_| malformed("it is not JSON"))?;
    let text = |name| answer.get(name).and_then(Value::as_str);
    //= RFC 6749 §5.1: token_type REQUIRED. Value is case insensitive.
    match text("token_type") {
        Some(kind) if kind.eq_ignore_ascii_case("bearer") => {}
        Some(_) => return Err(malformed("its token_type is not bearer")),
        None => return Err(malformed("it has no token_type")),
    }
    let secret = text("access_token").ok_or_else(|| malformed("it has no access_token"))?;
    Token::new(secret, sent_at, lifetime(answer.get("expires_in")))
}

/// `None` if the server did not say, or nothing that can be used: then a 401 says when it is over.
fn lifetime(expires_in: Option<&Value>) -> Option<Duration> {
    let seconds = match expires_in? {
        Value::Number(number) => number.as_f64()?,
        // Quoted by more than one provider.
        Value::String(text) if text.len() <= 20 => text.trim().parse().ok()?,
        _ => return None,
    };
    // Not a number, negative, and beyond what a clock can hold are all refused here.
    Duration::try_from_secs_f64(seconds)
        .ok()
        .filter(|lifetime| !lifetime.is_zero())
}

#[cfg(test)]
mod tests {
    use golive_testkit::ManualClock;
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn read(status: u16, body: &str) -> Result<Token, TokenError> {
        read_with(status, &HeaderMap::new(), body.as_bytes())
    }

    fn read_with(status: u16, headers: &HeaderMap, body: &[u8]) -> Result<Token, TokenError> {
        let now = golive_core::Clock::now(&ManualClock::at(1_700_000_000));
        let status = StatusCode::from_u16(status).unwrap();
        let at = tokio::time::Instant::now().into_std();
        parse(status, headers, body, at, now, |word| word != "a_secret")
    }

    fn lives(expires_in: &str) -> Option<Duration> {
        let body = format!(r#"{{"access_token":"t","token_type":"BeArEr"{expires_in}}}"#);
        read(200, &body).unwrap().lifetime()
    }

    #[test]
    fn a_lifetime_is_read_in_every_form_that_servers_send() {
        let hour = Some(Duration::from_secs(3600));
        for form in ["3600", "3600.0", r#""3600""#, r#"" 3600 ""#] {
            assert_eq!(lives(&format!(r#","expires_in":{form}"#)), hour, "{form}");
        }
        for form in [
            "0",
            "-1",
            "null",
            "true",
            "[]",
            r#""0""#,
            r#""never""#,
            r#""NaN""#,
            r#""inf""#,
            "1e300",
        ] {
            assert_eq!(lives(&format!(r#","expires_in":{form}"#)), None, "{form}");
        }
        assert_eq!(lives(""), None);
    }

    #[test]
    fn a_success_without_a_usable_token_is_no_token() {
        for body in [
            "",
            "[]",
            "{}",
            r#"{"access_token":"t"}"#,
            r#"{"access_token":"t","token_type":"mac"}"#,
            r#"{"access_token":"","token_type":"bearer"}"#,
            r#"{"access_token":"a b","token_type":"bearer"}"#,
            r#"{"access_token":"a\nb","token_type":"bearer"}"#,
            r#"{"access_token":7,"token_type":"bearer"}"#,
        ] {
            let read = read(200, body);
            assert!(matches!(read, Err(TokenError::Malformed { .. })), "{body}");
        }
    }

    #[test]
    fn a_refusal_is_typed_and_a_foreign_word_is_repeated_only_if_it_is_safe() {
        let code = |status, body: &str| match read(status, body) {
            Err(TokenError::Refused { code, .. }) => code,
            other => panic!("{other:?}"),
        };
        assert_eq!(
            code(400, r#"{"error":"invalid_scope"}"#),
            ErrorCode::InvalidScope
        );
        assert_eq!(
            code(401, r#"{"error":"invalid_client"}"#),
            ErrorCode::InvalidClient
        );
        assert_eq!(code(401, r#"{"code":"x"}"#), ErrorCode::InvalidClient);
        assert_eq!(code(401, "<html>"), ErrorCode::InvalidClient);
        assert_eq!(
            code(400, r#"{"error":"slow_down"}"#),
            ErrorCode::Other("slow_down".into())
        );
        for word in ["a_secret", "Secret1", "", "x y"] {
            let body = serde_json::json!({ "error": word }).to_string();
            assert_eq!(code(400, &body), ErrorCode::Unknown, "{word}");
        }
    }

    #[test]
    fn what_is_temporary_says_how_long_to_wait() {
        let mut headers = HeaderMap::new();
        headers.insert("retry-after", HeaderValue::from_static("7"));
        for status in [408, 425, 429, 500, 503] {
            let error = read_with(status, &headers, b"<html>").unwrap_err();
            assert!(error.is_temporary(), "{status}");
            assert_eq!(error.retry_after(), Some(Duration::from_secs(7)));
        }
        let said = read(400, r#"{"error":"temporarily_unavailable"}"#).unwrap_err();
        assert!(said.is_temporary());
        for status in [301, 307, 404, 405] {
            let error = read_with(status, &headers, b"").unwrap_err();
            assert!(matches!(error, TokenError::Unexpected { .. }), "{status}");
        }
    }

    proptest! {
        #[test]
        fn no_answer_causes_a_panic(status in 100u16..1000, body in any::<Vec<u8>>()) {
            let _ = read_with(status, &HeaderMap::new(), &body);
        }

        #[test]
        fn no_json_causes_a_panic(token in ".*", kind in "(?i)bearer|.*", expires in ".*", n in any::<f64>()) {
            for expires in [serde_json::json!(expires), serde_json::json!(n)] {
                let body = serde_json::json!({
                    "access_token": token, "token_type": kind, "expires_in": expires, "error": expires,
                });
                for status in [200, 400, 401, 503] {
                    let _ = read(status, &body.to_string());
                }
            }
        }
    }
}
