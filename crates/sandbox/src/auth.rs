//! Who is calling: the three styles of a token request, and the bearer token.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, StatusCode, header};
use secrecy::SecretString;
use serde_json::Value;

use crate::refusal::Refusal;

/// A token request that is well formed; whether the secret is right is another question.
#[derive(Debug)]
pub(crate) struct TokenRequest {
    pub(crate) client_id: String,
    pub(crate) secret: SecretString,
    grant_type: Option<String>,
    json: bool,
}

impl TokenRequest {
    /// HTTP Basic with a form, a form with both credentials, or a JSON object with both.
    pub(crate) fn parse(headers: &HeaderMap, body: &[u8]) -> Result<Self, Refusal> {
        let json = content_type(headers) == Some("application/json");
        let members = if json {
            json_members(body)?
        } else {
            form_members(body)
        };
        let member = |name: &str| {
            members
                .iter()
                .find(|(known, _)| known == name)
                .map(|(_, value)| value.clone())
        };
        let in_body = member("client_id").zip(member("client_secret"));
        let in_header = basic(headers)?;
        let (client_id, secret) = match (in_header, in_body) {
            // RFC 6749 §2.3: the client MUST NOT use more than one authentication method.
            (Some(_), Some(_)) => {
                return Err(invalid_request(
                    "credentials both in the header and in the body",
                ));
            }
            (Some(pair), None) | (None, Some(pair)) => pair,
            (None, None) => return Err(invalid_client("no client credentials in the request")),
        };
        Ok(Self {
            client_id,
            secret: SecretString::from(secret),
            grant_type: member("grant_type"),
            json,
        })
    }

    /// RFC 6749 §4.4.2 requires `grant_type`; the SDK that sends JSON leaves it out.
    pub(crate) fn check_grant(&self) -> Result<(), Refusal> {
        match self.grant_type.as_deref() {
            Some("client_credentials") => Ok(()),
            None if self.json => Ok(()),
            None => Err(invalid_request("grant_type is missing")),
            Some(_) => Err(Refusal::oauth(
                StatusCode::BAD_REQUEST,
                "unsupported_grant_type",
                "grant_type must be client_credentials",
            )),
        }
    }
}

pub(crate) fn invalid_client(detail: &str) -> Refusal {
    Refusal::oauth(StatusCode::UNAUTHORIZED, "invalid_client", detail)
}

pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// What a token request holds in the place of a secret, whatever its content type says.
pub(crate) fn secrets_in_body(body: &[u8]) -> Vec<String> {
    let members = form_members(body)
        .into_iter()
        .chain(json_members(body).unwrap_or_default());
    members
        .filter(|(name, _)| name == "client_secret")
        .map(|(_, secret)| secret)
        .collect()
}

/// RFC 6749 §2.3.1: id and secret are form-urlencoded before they are put together.
fn basic(headers: &HeaderMap) -> Result<Option<(String, String)>, Refusal> {
    let Some(value) = headers.get(header::AUTHORIZATION) else {
        return Ok(None);
    };
    let malformed = || invalid_client("the Authorization header is not HTTP Basic");
    let (scheme, encoded) = value
        .to_str()
        .ok()
        .and_then(|value| value.split_once(' '))
        .ok_or_else(malformed)?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(malformed());
    }
    let pair = STANDARD
        .decode(encoded.trim())
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok());
    let (id, secret) = pair
        .as_deref()
        .and_then(|pair| pair.split_once(':'))
        .ok_or_else(malformed)?;
    Ok(Some((form_decode(id), form_decode(secret))))
}

fn form_decode(text: &str) -> String {
    // As the value of a nameless pair: `&` and `=` of a client that encodes nothing stay as they are.
    let pair = format!("={}", text.replace('&', "%26"));
    url::form_urlencoded::parse(pair.as_bytes())
        .next()
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}

fn form_members(body: &[u8]) -> Vec<(String, String)> {
    url::form_urlencoded::parse(body).into_owned().collect()
}

fn json_members(body: &[u8]) -> Result<Vec<(String, String)>, Refusal> {
    let Ok(Value::Object(map)) = serde_json::from_slice(body) else {
        return Err(invalid_request("the body is not a JSON object"));
    };
    Ok(map
        .into_iter()
        .filter_map(|(name, value)| value.as_str().map(|value| (name, value.to_owned())))
        .collect())
}

fn content_type(headers: &HeaderMap) -> Option<&str> {
    headers
        .get(header::CONTENT_TYPE)?
        .to_str()
        .ok()?
        .split(';')
        .next()
        .map(str::trim)
}

fn invalid_request(detail: &str) -> Refusal {
    Refusal::oauth(StatusCode::BAD_REQUEST, "invalid_request", detail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret as _;

    fn headers(pairs: &[(&'static str, String)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect()
    }

    fn parse(
        authorization: Option<&str>,
        content: &str,
        body: &str,
    ) -> Result<(String, String), u16> {
        let mut pairs = vec![("content-type", content.to_owned())];
        pairs.extend(
            authorization.map(|pair| ("authorization", format!("Basic {}", STANDARD.encode(pair)))),
        );
        let request = TokenRequest::parse(&headers(&pairs), body.as_bytes())
            .map_err(|refusal| refusal.status.as_u16())?;
        request
            .check_grant()
            .map_err(|refusal| refusal.status.as_u16())?;
        Ok((request.client_id, request.secret.expose_secret().to_owned()))
    }

    const FORM: &str = "application/x-www-form-urlencoded";
    const GRANT: &str = "grant_type=client_credentials";

    #[test]
    fn all_three_styles_are_understood() {
        let pair = Ok(("id".to_owned(), "s+e c:r%".to_owned()));
        assert_eq!(parse(Some("id:s%2Be+c%3Ar%25"), FORM, GRANT), pair);
        assert_eq!(
            parse(
                None,
                FORM,
                "client_id=id&client_secret=s%2Be+c%3Ar%25&grant_type=client_credentials"
            ),
            pair
        );
        assert_eq!(
            parse(
                None,
                "application/json; charset=utf-8",
                r#"{"client_id":"id","client_secret":"s+e c:r%"}"#
            ),
            pair
        );
    }

    #[test]
    fn a_malformed_request_is_told_what_is_wrong() {
        assert_eq!(parse(None, FORM, GRANT), Err(401));
        assert_eq!(parse(Some("no colon"), FORM, GRANT), Err(401));
        assert_eq!(parse(Some("id:s"), FORM, ""), Err(400));
        assert_eq!(parse(Some("id:s"), FORM, "grant_type=password"), Err(400));
        assert_eq!(
            parse(
                Some("id:s"),
                FORM,
                "client_id=id&client_secret=s&grant_type=client_credentials"
            ),
            Err(400)
        );
        assert_eq!(parse(None, "application/json", "[1]"), Err(400));
    }

    #[test]
    fn a_bearer_token_is_read_whatever_the_case_of_its_scheme() {
        assert_eq!(
            bearer(&headers(&[("authorization", "bearer abc".to_owned())])),
            Some("abc")
        );
        assert_eq!(
            bearer(&headers(&[("authorization", "Basic abc".to_owned())])),
            None
        );
    }
}
