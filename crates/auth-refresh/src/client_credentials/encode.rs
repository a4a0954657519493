//! Writes the request of a token endpoint.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Uri, header};
use url::form_urlencoded;

use super::{ClientAuth, CredentialError, Credentials};
use crate::source::TokenError;

/// What is sent besides the credentials.
#[derive(Clone)]
pub(super) struct Form {
    pub(super) uri: Uri,
    pub(super) auth: ClientAuth,
    pub(super) scope: Option<String>,
    pub(super) params: Vec<(String, String)>,
}

// === impl Form ===

impl Form {
    /// The request for one token, with these credentials.
    pub(super) fn encode(&self, credentials: &Credentials) -> Result<Request<Bytes>, TokenError> {
        let (headers, body) = self.parts(credentials.client_id(), credentials.client_secret())?;
        let mut request = Request::new(body);
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = headers;
        Ok(request)
    }

    fn parts(&self, id: &str, secret: &str) -> Result<(HeaderMap, Bytes), TokenError> {
        //= RFC 6749 §4.4.2: grant_type REQUIRED. Value MUST be set to "client_credentials".
        let mut pairs = vec![("grant_type", "client_credentials")];
        if self.auth != ClientAuth::Basic {
            pairs.extend([("client_id", id), ("client_secret", secret)]);
        }
        pairs.extend(self.scope.as_deref().map(|scope| ("scope", scope)));
        pairs.extend(self.params.iter().map(|(n, v)| (n.as_str(), v.as_str())));

        let mut headers = HeaderMap::new();
        let json = HeaderValue::from_static("application/json");
        headers.insert(header::ACCEPT, json.clone());
        if self.auth == ClientAuth::Json {
            headers.insert(header::CONTENT_TYPE, json);
            let object: serde_json::Map<_, _> = pairs
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value.into()))
                .collect();
            let body = serde_json::Value::Object(object).to_string();
            return Ok((headers, body.into()));
        }
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        headers.insert(header::CONTENT_TYPE, form);
        if self.auth == ClientAuth::Basic {
            headers.insert(header::AUTHORIZATION, basic(id, secret)?);
        }
        let body = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(pairs)
            .finish();
        Ok((headers, body.into()))
    }
}

fn basic(id: &str, secret: &str) -> Result<HeaderValue, TokenError> {
    //= RFC 6749 §2.3.1: The client identifier is encoded using the
    //= "application/x-www-form-urlencoded" encoding algorithm [...] and the encoded value is used
    //= as the username; the client password is encoded using the same algorithm
    let mut pair = String::new();
    pair.extend(form_urlencoded::byte_serialize(id.as_bytes()));
    pair.push(':');
    pair.extend(form_urlencoded::byte_serialize(secret.as_bytes()));
    let mut value = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(pair)))
        .map_err(|_| CredentialError::new("they do not fit a header"))?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client_credentials::{ClientCredentials, ClientCredentialsBuilder};

    fn builder(url: &str) -> ClientCredentialsBuilder {
        ClientCredentials::builder(url, Credentials::new("id:1 é", "s/e+c&r=t").unwrap())
    }

    fn body(request: &Request<Bytes>) -> &str {
        std::str::from_utf8(request.body()).unwrap()
    }

    #[test]
    fn basic_encodes_id_and_secret_before_it_joins_them() {
        let built = builder("https://a.test/token").scope("a b").build();
        let request = built.unwrap().request().unwrap();
        assert_eq!(request.method(), Method::POST);
        let value = request.headers()[header::AUTHORIZATION].to_str().unwrap();
        let pair = STANDARD.decode(value.strip_prefix("Basic ").unwrap());
        assert_eq!(pair.unwrap(), b"id%3A1+%C3%A9:s%2Fe%2Bc%26r%3Dt");
        assert!(request.headers()[header::AUTHORIZATION].is_sensitive());
        assert_eq!(body(&request), "grant_type=client_credentials&scope=a+b");
    }

    #[test]
    fn form_and_json_carry_the_credentials_in_the_body_alone() {
        let form = builder("https://a.test/token")
            .auth(ClientAuth::Form)
            .param("audience", "x");
        let form = form.build().unwrap().request().unwrap();
        assert!(!form.headers().contains_key(header::AUTHORIZATION));
        assert_eq!(
            body(&form),
            "grant_type=client_credentials&client_id=id%3A1+%C3%A9\
             &client_secret=s%2Fe%2Bc%26r%3Dt&audience=x"
        );
        let json = builder("https://a.test/token").auth(ClientAuth::Json);
        let json = json.build().unwrap().request().unwrap();
        assert!(!json.headers().contains_key(header::AUTHORIZATION));
        assert_eq!(json.headers()[header::CONTENT_TYPE], "application/json");
        let read: serde_json::Value = serde_json::from_slice(json.body()).unwrap();
        let expected = serde_json::json!({
            "grant_type": "client_credentials", "client_id": "id:1 é", "client_secret": "s/e+c&r=t",
        });
        assert_eq!(read, expected);
    }
}
