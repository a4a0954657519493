//! Where the provider is, and whose credentials belong there.

use golive_auth_refresh::client_credentials::{
    ClientCredentials, ClientCredentialsBuilder, CredentialSource,
};
use golive_core::Origin;
use http::Uri;
use url::{Host, Url};

use crate::{ConfigError, ForeignCredentials, Outside, Stage, secrets::Admitted};

/// The hosts of the built-in provider, by what they are for.
const HOSTS: [(&str, Stage); 2] = [
    ("api.dinie.com.br", Stage::Production),
    ("sandbox.api.dinie.com.br", Stage::Sandbox),
];
/// Where its API begins; its SDKs use the second.
const BASES: [&str; 2] = ["/v3", "/api/v3"];

/// An environment of a provider: a base URL, and the stage that it is for.
///
/// It refuses what ends an integration before it begins: credentials of the other stage, plain
/// http to another machine, and a base path that got lost.
///
/// ```
/// use golive::Environment;
///
/// let sandbox = Environment::sandbox();
/// // A path is below the base, with or without a slash in front.
/// assert_eq!(sandbox.url("/customers"), "https://sandbox.api.dinie.com.br/v3/customers");
/// // What a provider says is "next" is taken as it is, and judged before it is sent.
/// let next = "https://sandbox.api.dinie.com.br/v3/customers?starting_after=c_9";
/// assert_eq!(sandbox.url(next), next);
///
/// assert!(Environment::custom("http://api.example.com/v1").is_err()); // not without TLS
/// assert!(Environment::custom("https://api.dinie.com.br").is_err()); // it begins at /v3
/// assert!(Environment::custom("http://127.0.0.1:8080/v3").is_ok());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Environment {
    /// Without a slash at its end.
    base: String,
    /// The same, parsed: its parts are looked at with each call.
    url: Url,
    stage: Option<Stage>,
}

// === impl Environment ===

impl Environment {
    /// The sandbox of the built-in provider: `https://sandbox.api.dinie.com.br/v3`.
    #[must_use]
    pub fn sandbox() -> Self {
        Self::known("https://sandbox.api.dinie.com.br/v3", Stage::Sandbox)
    }

    /// The production of the built-in provider: `https://api.dinie.com.br/v3`.
    #[must_use]
    pub fn production() -> Self {
        Self::known("https://api.dinie.com.br/v3", Stage::Production)
    }

    /// Any provider, or a stand-in for one, at this base URL.
    ///
    /// It takes credentials of either stage, until it is [`bound`](Self::only) to one; over plain
    /// http, and at a host of the built-in provider, it is bound already.
    ///
    /// # Errors
    /// - [`ConfigError::BaseUrl`] unless it is an absolute `http` or `https` URL without
    ///   credentials, query, fragment and a way upwards (`..`, however it is written);
    /// - [`ConfigError::PlainHttp`] if it is `http` to another machine than this one;
    /// - [`ConfigError::LostBasePath`] for a host of the built-in provider without `/v3`.
    pub fn custom(base_url: &str) -> Result<Self, ConfigError> {
        let this = Self::parse(base_url)?;
        if this.base.starts_with("http:") && !is_loopback(&this.base) {
            return Err(ConfigError::PlainHttp);
        }
        Ok(this)
    }

    /// As [`custom`](Self::custom), but plain http may go to another machine: in a cluster whose
    /// network encrypts, or through a proxy that does.
    ///
    /// # Errors
    /// As [`custom`](Self::custom), save [`ConfigError::PlainHttp`].
    pub fn danger_custom_over_plain_http(base_url: &str) -> Result<Self, ConfigError> {
        Self::parse(base_url)
    }

    /// Takes credentials of this stage alone, and those that name none; in place of what plain http
    /// has bound it to, for instance if that leads to a proxy on this machine that speaks TLS.
    ///
    /// A host of the built-in provider keeps its own stage besides: bound to the other one, it
    /// takes neither.
    #[must_use]
    pub fn only(mut self, stage: Stage) -> Self {
        self.stage = Some(stage);
        self
    }

    /// What it is for, if that is known.
    #[must_use]
    pub fn stage(&self) -> Option<Stage> {
        self.stage
    }

    /// The base URL, without a slash at its end.
    #[must_use]
    pub fn base_url(&self) -> &str {
        &self.base
    }

    /// The URL of a path, which is always below the base. An absolute URL is taken as it is.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        let scheme = path.split_once("://").map(|(scheme, _)| scheme);
        if scheme.is_some_and(|s| s.eq_ignore_ascii_case("https") || s.eq_ignore_ascii_case("http"))
        {
            return path.to_owned();
        }
        format!("{}/{}", self.base, path.strip_prefix('/').unwrap_or(path))
    }

    /// How a client of this environment asks for a token, at a path below the base URL; for a
    /// [`ClientStack`](crate::ClientStack) over a transport of your own. A
    /// [`Client`](crate::Client) does this itself.
    ///
    /// Credentials are judged whenever they change: those of the other stage are never sent.
    ///
    /// # Errors
    /// - [`ConfigError::TokenPath`] if it leads out of the environment, an absolute URL included;
    /// - [`ConfigError::ForeignCredentials`] if they are of the other stage already.
    pub fn token_requests(
        &self,
        path: &str,
        credentials: impl CredentialSource,
    ) -> Result<ClientCredentialsBuilder, ConfigError> {
        let url = self.url(path);
        // What is no URL is refused by the builder below, which knows how to say so.
        if let Some(uri) = Url::parse(&url)
            .ok()
            .and_then(|u| u.as_str().parse::<Uri>().ok())
        {
            let inside = self.contains(Origin::of(&uri), uri.path());
            inside.map_err(ConfigError::TokenPath)?;
        }
        let credentials = Admitted::new(self.clone(), credentials);
        credentials.check()?;
        Ok(ClientCredentials::builder(url, credentials)
            // Over plain http to another machine only if that was asked for in as many words.
            .danger_allow_plain_http(self.base.starts_with("http:")))
    }

    /// Refuses credentials that name the other stage.
    pub(crate) fn admits(&self, credential: &str) -> Result<(), ForeignCredentials> {
        let Some(seen) = Stage::of(credential) else {
            return Ok(());
        };
        let built_in = self
            .url
            .host_str()
            .and_then(built_in)
            .map(|(_, stage)| stage);
        let mut bound = [self.stage, built_in].into_iter().flatten();
        match bound.find(|here| *here != seen) {
            Some(here) => Err(ForeignCredentials { seen, here }),
            None => Ok(()),
        }
    }

    /// Refuses a request that would leave it.
    pub(crate) fn contains(&self, origin: Option<Origin<'_>>, path: &str) -> Result<(), Outside> {
        let outside = |to: String| Outside {
            to,
            base: self.base.clone(),
        };
        let Some(origin) = origin else {
            return Err(outside("an unknown server".to_owned()));
        };
        let host = self.url.host_str().unwrap_or_default();
        if Origin::new(self.url.scheme(), host, self.url.port()) != Some(origin) {
            return Err(outside(origin.to_string()));
        }
        let below = path.strip_prefix(self.url.path().trim_end_matches('/'));
        if !below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/')) || climbs(path) {
            return Err(outside(format!("{origin} at another path")));
        }
        Ok(())
    }

    fn known(base: &'static str, stage: Stage) -> Self {
        #[allow(clippy::expect_used, reason = "written here, and a test has each")]
        let url = Url::parse(base).expect("a URL");
        Self {
            base: base.to_owned(),
            url,
            stage: Some(stage),
        }
    }

    fn parse(base_url: &str) -> Result<Self, ConfigError> {
        let url = Url::parse(base_url).map_err(|_| ConfigError::BaseUrl)?;
        let plain = url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none();
        if !plain || !matches!(url.scheme(), "http" | "https") {
            return Err(ConfigError::BaseUrl);
        }
        let base = url.as_str().trim_end_matches('/').to_owned();
        let uri: Uri = base.parse().map_err(|_| ConfigError::BaseUrl)?;
        // Nothing would ever be below it.
        if climbs(uri.path()) {
            return Err(ConfigError::BaseUrl);
        }
        let mut stage = None;
        if let Some((host, known)) = url.host_str().and_then(built_in) {
            if !BASES.contains(&url.path().trim_end_matches('/')) {
                return Err(ConfigError::LostBasePath {
                    host,
                    expected: BASES[0],
                });
            }
            stage = Some(known);
        } else if url.scheme() == "http" {
            // What can be read on the way is no place for the real ones.
            stage = Some(Stage::Sandbox);
        }
        Ok(Self { base, url, stage })
    }
}

/// The host of the built-in provider that this one is, and what it is for.
fn built_in(host: &str) -> Option<(&'static str, Stage)> {
    // A dot at the end makes a name absolute, and leads to the same server.
    let host = host.strip_suffix('.').unwrap_or(host);
    let mut known = HOSTS.into_iter();
    known.find(|(known, _)| known.eq_ignore_ascii_case(host))
}

fn is_loopback(base: &str) -> bool {
    let url = Url::parse(base).ok();
    match url.as_ref().and_then(Url::host) {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

/// Whether a segment leads upwards, also if a server decodes it first, and whatever it makes of it.
fn climbs(path: &str) -> bool {
    // Nearly no path has any of these, and each call comes by here.
    if !path.contains(['.', '%', '\\']) {
        return false;
    }
    // The first: what is decoded twice.
    let mut decoded = path.to_ascii_lowercase().replace("%25", "%");
    for (from, to) in [
        ("%2e", "."),
        ("%2f", "/"),
        ("%5c", "/"),
        ("\\", "/"),
        ("%3b", ";"),
    ] {
        decoded = decoded.replace(from, to);
    }
    // And without the parameters of a segment: to some servers `..;x` is `..`.
    let mut segments = decoded.split('/').map(|s| s.split(';').next());
    segments.any(|s| matches!(s, Some("." | "..")))
}

#[cfg(test)]
mod tests;
