use std::{fmt, sync::Arc, time::SystemTime};

use bytes::Bytes;
use golive_core::{Clock, SystemClock};
use http::{Request, Uri};
use url::{Host, Url};

use super::{CredentialSource, encode::Form};
use crate::{ConfigError, source::TokenError};

const MAX_PARAMS: usize = 16;
/// What this crate sets itself.
const RESERVED: [&str; 4] = ["grant_type", "client_id", "client_secret", "scope"];

/// The client credentials grant (RFC 6749 §4.4) as a protocol without I/O: what is sent, and how
/// the answer is read.
///
/// Each request is made with the credentials of the moment.
#[derive(Clone)]
pub struct ClientCredentials {
    source: Arc<dyn CredentialSource>,
    form: Form,
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
    source: Arc<dyn CredentialSource>,
    auth: ClientAuth,
    scope: Option<String>,
    params: Vec<(String, String)>,
    plain_http: bool,
    clock: Arc<dyn Clock>,
}

// === impl ClientCredentials ===

impl ClientCredentials {
    /// Takes the URL of the token endpoint and the [`Credentials`](super::Credentials), or a source
    /// of credentials that change.
    pub fn builder(
        token_url: impl Into<String>,
        credentials: impl CredentialSource,
    ) -> ClientCredentialsBuilder {
        ClientCredentialsBuilder {
            url: token_url.into(),
            source: Arc::new(credentials),
            auth: ClientAuth::default(),
            scope: None,
            params: Vec::new(),
            plain_http: false,
            clock: Arc::new(SystemClock),
        }
    }

    /// The request for one token with the current credentials, as [`fetch`](Self::fetch) sends it
    /// first.
    ///
    /// With [`ClientAuth::Form`] and [`ClientAuth::Json`] its body holds the secret, and `Debug` of
    /// an `http::Request` prints its body.
    ///
    /// # Errors
    /// [`TokenError::Credentials`] if none are usable now.
    pub fn request(&self) -> Result<Request<Bytes>, TokenError> {
        self.form.encode(self.source.load()?.current())
    }

    /// Which credentials are in use: it changes with them. For
    /// [`TokenSource::version`](crate::source::TokenSource::version).
    #[must_use]
    pub fn version(&self) -> u64 {
        self.source.version()
    }

    pub(super) fn source(&self) -> &dyn CredentialSource {
        &*self.source
    }

    pub(super) fn form(&self) -> &Form {
        &self.form
    }

    /// The time against which a `Retry-After` date is measured.
    pub(super) fn now(&self) -> SystemTime {
        self.clock.now()
    }
}

impl fmt::Debug for ClientCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientCredentials")
            .field("host", &self.form.uri.host())
            .field("version", &self.version())
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
        Ok(ClientCredentials {
            source: self.source,
            form: Form {
                uri,
                auth: self.auth,
                scope: self.scope,
                params: self.params,
            },
            clock: self.clock,
        })
    }
}

impl fmt::Debug for ClientCredentialsBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Neither the URL nor the parameters: a secret may have been put there by mistake.
        f.debug_struct("ClientCredentialsBuilder")
            .field("auth", &self.auth)
            .finish_non_exhaustive()
    }
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
    use crate::client_credentials::Credentials;

    fn builder(url: &str) -> ClientCredentialsBuilder {
        ClientCredentials::builder(url, Credentials::new("id", "secret").unwrap())
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
