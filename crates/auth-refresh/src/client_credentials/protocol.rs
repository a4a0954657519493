use std::{
    fmt,
    sync::Arc,
    time::{Instant, SystemTime},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use golive_core::{Clock, SystemClock};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri, header};
use url::{Host, Url, form_urlencoded};

use super::{Credentials, response};
use crate::{
    ConfigError,
    source::{Token, TokenError},
};

const MAX_PARAMS: usize = 16;
/// What this crate sets itself.
const RESERVED: [&str; 4] = ["grant_type", "client_id", "client_secret", "scope"];

/// The client credentials grant (RFC 6749 §4.4) as a protocol without I/O: a request to be sent,
/// and an answer to be read.
#[derive(Clone)]
pub struct ClientCredentials {
    credentials: Credentials,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
    clock: Arc<dyn Clock>,
}

/// How the client says who it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientAuth {
    /// HTTP Basic, with id and secret form-urlencoded first (RFC 6749 §2.3.1). Every server must
    /// support it, so it is the default.
    #[default]
    Basic,
    /// `client_id` and `client_secret` in the form.
    Form,
    /// Everything in a JSON object. No standard, but some providers want it.
    Json,
}

/// Sets up [`ClientCredentials`]; start with [`ClientCredentials::builder`].
#[derive(Clone)]
#[must_use]
pub struct ClientCredentialsBuilder {
    url: String,
    credentials: Credentials,
    auth: ClientAuth,
    scope: Option<String>,
    params: Vec<(String, String)>,
    plain_http: bool,
    clock: Arc<dyn Clock>,
}

// === impl ClientCredentials ===

impl ClientCredentials {
    /// Takes the URL of the token endpoint and the credentials.
    pub fn builder(
        token_url: impl Into<String>,
        credentials: Credentials,
    ) -> ClientCredentialsBuilder {
        ClientCredentialsBuilder {
            url: token_url.into(),
            credentials,
            auth: ClientAuth::default(),
            scope: None,
            params: Vec::new(),
            plain_http: false,
            clock: Arc::new(SystemClock),
        }
    }

    /// The request for one token.
    ///
    /// With [`ClientAuth::Form`] and [`ClientAuth::Json`] its body holds the secret, and `Debug` of
    /// an `http::Request` prints its body.
    #[must_use]
    pub fn request(&self) -> Request<Bytes> {
        let mut request = Request::new(self.body.clone());
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = self.headers.clone();
        request
    }

    /// Reads the answer. `sent_at` is when the request was sent, `now` is for a `Retry-After` that
    /// is a date.
    ///
    /// A lifetime is taken as a number or as digits in a string. 0, none, or one that cannot be
    /// read means that the server did not say.
    ///
    /// # Errors
    /// Why there is no token. The text of the server is not repeated, save a known code.
    pub fn parse(
        &self,
        status: StatusCode,
        headers: &HeaderMap,
        body: &[u8],
        sent_at: Instant,
        now: SystemTime,
    ) -> Result<Token, TokenError> {
        response::parse(status, headers, body, sent_at, now, |word| {
            !self.credentials.overlap(word)
        })
    }

    /// The time on the clock that it was given, for [`parse`](Self::parse).
    #[must_use]
    pub fn now(&self) -> SystemTime {
        self.clock.now()
    }
}

impl fmt::Debug for ClientCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientCredentials")
            .field("host", &self.uri.host())
            .field("credentials", &self.credentials)
            .finish_non_exhaustive()
    }
}

// === impl ClientCredentialsBuilder ===

impl ClientCredentialsBuilder {
    /// How the client says who it is. Default: [`ClientAuth::Basic`].
    pub fn auth(mut self, auth: ClientAuth) -> Self {
        self.auth = auth;
        self
    }

    /// The scope to ask for (RFC 6749 §3.3). Default: none, the server decides.
    pub fn scope(mut self, scope: impl Into<String>) -> Self {
        self.scope = Some(scope.into());
        self
    }

    /// One more parameter of the request, such as `audience`. At most 16.
    pub fn param(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.params.push((name.into(), value.into()));
        self
    }

    /// Whether credentials may be sent without TLS to another machine. Default: no (RFC 6749
    /// §3.2). Loopback is always allowed.
    pub fn danger_allow_plain_http(mut self, yes: bool) -> Self {
        self.plain_http = yes;
        self
    }

    /// The wall clock, against which a `Retry-After` date is measured if the server sends no
    /// `Date`. Default: that of the machine.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Builds it.
    ///
    /// # Errors
    /// - [`ConfigError::Url`] unless it is an `https` URL (`http` for loopback) without
    ///   credentials and without a fragment;
    /// - [`ConfigError::Param`] for a parameter that this crate sets itself, or the 17th.
    pub fn build(self) -> Result<ClientCredentials, ConfigError> {
        let uri = check_url(&self.url, self.plain_http)?;
        let reserved = |(i, (name, _)): &(usize, &(String, String))| {
            *i >= MAX_PARAMS || RESERVED.contains(&name.as_str())
        };
        if let Some((_, (name, _))) = self.params.iter().enumerate().find(reserved) {
            return Err(ConfigError::Param(name.clone()));
        }
        let (headers, body) = self.encode()?;
        Ok(ClientCredentials {
            credentials: self.credentials,
            uri,
            headers,
            body,
            clock: self.clock,
        })
    }

    fn encode(&self) -> Result<(HeaderMap, Bytes), ConfigError> {
        let (id, secret) = (
            self.credentials.client_id(),
            self.credentials.client_secret(),
        );
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

impl fmt::Debug for ClientCredentialsBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Neither the URL nor the parameters: a secret may have been put there by mistake.
        f.debug_struct("ClientCredentialsBuilder")
            .field("auth", &self.auth)
            .field("credentials", &self.credentials)
            .finish_non_exhaustive()
    }
}

fn basic(id: &str, secret: &str) -> Result<HeaderValue, ConfigError> {
    //= RFC 6749 §2.3.1: The client identifier is encoded using the
    //= "application/x-www-form-urlencoded" encoding algorithm [...] and the encoded value is used
    //= as the username; the client password is encoded using the same algorithm
    let mut pair = String::new();
    pair.extend(form_urlencoded::byte_serialize(id.as_bytes()));
    pair.push(':');
    pair.extend(form_urlencoded::byte_serialize(secret.as_bytes()));
    let mut value = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(pair)))
        .map_err(|_| ConfigError::EmptyCredentials)?;
    value.set_sensitive(true);
    Ok(value)
}

fn check_url(url: &str, plain_http: bool) -> Result<Uri, ConfigError> {
    let url = Url::parse(url).map_err(|_| ConfigError::Url("is no URL"))?;
    let loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => return Err(ConfigError::Url("names no host")),
    };
    //= RFC 6749 §3.2: the authorization server MUST require the use of TLS
    match url.scheme() {
        "https" => {}
        "http" if loopback || plain_http => {}
        "http" => return Err(ConfigError::Url("would send the secret without TLS")),
        _ => return Err(ConfigError::Url("is neither https nor http")),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(ConfigError::Url("holds credentials, which end up in logs"));
    }
    //= RFC 6749 §3.2: The endpoint URI MUST NOT include a fragment component.
    if url.fragment().is_some() {
        return Err(ConfigError::Url("has a fragment"));
    }
    url.as_str()
        .parse()
        .map_err(|_| ConfigError::Url("cannot be sent in a request"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn builder(url: &str) -> ClientCredentialsBuilder {
        ClientCredentials::builder(url, Credentials::new("id:1 é", "s/e+c&r=t").unwrap())
    }

    fn body(request: &Request<Bytes>) -> &str {
        std::str::from_utf8(request.body()).unwrap()
    }

    #[test]
    fn basic_encodes_id_and_secret_before_it_joins_them() {
        let built = builder("https://a.test/token").scope("a b").build();
        let request = built.unwrap().request();
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
        let form = form.build().unwrap().request();
        assert!(!form.headers().contains_key(header::AUTHORIZATION));
        assert_eq!(
            body(&form),
            "grant_type=client_credentials&client_id=id%3A1+%C3%A9\
             &client_secret=s%2Fe%2Bc%26r%3Dt&audience=x"
        );
        let json = builder("https://a.test/token").auth(ClientAuth::Json);
        let json = json.build().unwrap().request();
        assert!(!json.headers().contains_key(header::AUTHORIZATION));
        assert_eq!(json.headers()[header::CONTENT_TYPE], "application/json");
        let read: serde_json::Value = serde_json::from_slice(json.body()).unwrap();
        let expected = serde_json::json!({
            "grant_type": "client_credentials", "client_id": "id:1 é", "client_secret": "s/e+c&r=t",
        });
        assert_eq!(read, expected);
    }

    #[test]
    fn a_url_that_would_leak_the_secret_is_refused() {
        for url in [
            "http://a.test/token",
            "ftp://a.test/token",
            "https://id:secret@a.test/token",
            "https://a.test/token#x",
            "/token",
            "data:text/plain,x",
        ] {
            let built = builder(url).build();
            assert!(matches!(built, Err(ConfigError::Url(_))), "{url}");
        }
        for url in [
            "https://a.test/token",
            "http://127.0.0.1:80/token",
            "http://[::1]/token",
            "http://localhost/token",
        ] {
            assert!(builder(url).build().is_ok(), "{url}");
        }
        let allowed = builder("http://sandbox:8080/token").danger_allow_plain_http(true);
        assert!(allowed.build().is_ok());
    }

    #[test]
    fn a_parameter_of_ours_is_refused_and_so_is_the_seventeenth() {
        let built = builder("https://a.test")
            .param("client_secret", "x")
            .build();
        assert_eq!(
            built.unwrap_err(),
            ConfigError::Param("client_secret".into())
        );
        let many = (0..17).fold(builder("https://a.test"), |b, i| {
            b.param(format!("p{i}"), "x")
        });
        assert_eq!(many.build().unwrap_err(), ConfigError::Param("p16".into()));
    }
}
