//! Where the provider is, and whose credentials belong there.

use golive_auth_refresh::client_credentials::{
    ClientCredentials, ClientCredentialsBuilder, CredentialSource,
};
use golive_core::Origin;
use http::Uri;
use url::{Host, Url};

use crate::{ConfigError, Outside, Stage, error::ForeignCredentials, secrets::Admitted};

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
    /// The same, parsed.
    uri: Uri,
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
    ///   credentials, query and fragment;
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

    /// Takes credentials of this stage alone, and those that name none.
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
    /// [`ConfigError::ForeignCredentials`] if they are of the other stage already.
    pub fn token_requests(
        &self,
        path: &str,
        credentials: impl CredentialSource,
    ) -> Result<ClientCredentialsBuilder, ConfigError> {
        let credentials = Admitted::new(self.clone(), credentials);
        credentials.check()?;
        Ok(ClientCredentials::builder(self.url(path), credentials)
            // Over plain http to another machine only if that was asked for in as many words.
            .danger_allow_plain_http(self.base.starts_with("http:")))
    }

    /// Refuses credentials that name the other stage.
    pub(crate) fn admits(&self, credential: &str) -> Result<(), ForeignCredentials> {
        match (Stage::of(credential), self.stage) {
            (Some(seen), Some(here)) if seen != here => Err(ForeignCredentials { seen, here }),
            _ => Ok(()),
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
        if Origin::of(&self.uri) != Some(origin) {
            return Err(outside(origin.to_string()));
        }
        let below = path.strip_prefix(self.uri.path().trim_end_matches('/'));
        if !below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/')) || climbs(path) {
            return Err(outside(format!("{origin} at another path")));
        }
        Ok(())
    }

    fn known(base: &'static str, stage: Stage) -> Self {
        Self {
            base: base.to_owned(),
            uri: Uri::from_static(base),
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
        let mut stage = None;
        let host = url.host_str().unwrap_or_default();
        if let Some((host, known)) = HOSTS.into_iter().find(|(known, _)| *known == host) {
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
        Ok(Self { base, uri, stage })
    }
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

/// Whether a segment leads upwards, also if a server decodes it first.
fn climbs(path: &str) -> bool {
    // Nearly no path has any of these, and each call comes by here.
    if !path.contains(['.', '%', '\\']) {
        return false;
    }
    let mut decoded = path.to_ascii_lowercase().replace("%2e", ".");
    for slash in ["%2f", "%5c", "\\"] {
        decoded = decoded.replace(slash, "/");
    }
    decoded.split('/').any(|s| s == "." || s == "..")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn contains(environment: &Environment, uri: &str) -> bool {
        let uri: Uri = uri.parse().unwrap();
        environment.contains(Origin::of(&uri), uri.path()).is_ok()
    }

    #[test]
    fn a_request_stays_at_its_origin_and_below_the_base_path() {
        let production = Environment::production();
        for inside in [
            "https://api.dinie.com.br/v3",
            "https://api.dinie.com.br/v3/customers?limit=1",
            "https://API.dinie.com.br:443/v3/a%20b",
            "https://api.dinie.com.br/v3/a..b/.well-known",
        ] {
            assert!(contains(&production, inside), "{inside}");
        }
        for outside in [
            "https://api.dinie.com.br/customers",
            "https://api.dinie.com.br/v30/customers",
            "http://api.dinie.com.br/v3/customers",
            "https://sandbox.api.dinie.com.br/v3/customers",
            "https://api.dinie.com.br.evil.test/v3/customers",
            "https://api.dinie.com.br:8443/v3/customers",
            "https://api.dinie.com.br/v3/../admin",
            "https://api.dinie.com.br/v3/%2E%2e/admin",
            "https://api.dinie.com.br/v3/x%2f..%2fadmin",
            "/v3/customers",
        ] {
            assert!(!contains(&production, outside), "{outside}");
        }
    }

    #[test]
    fn a_base_url_that_would_hurt_later_is_refused_now() {
        let refused = |url: &str| Environment::custom(url).unwrap_err();
        for url in [
            "",
            "/v3",
            "api.dinie.com.br/v3",
            "ftp://api.example.com/",
            "https://user@api.example.com/",
            "https://api.example.com/v3?x=1",
            "https://api.example.com/v3#x",
        ] {
            assert!(matches!(refused(url), ConfigError::BaseUrl), "{url}");
        }
        for url in ["http://api.example.com/v3", "http://127.0.0.1.evil.test/"] {
            assert!(matches!(refused(url), ConfigError::PlainHttp), "{url}");
        }
        for url in [
            "https://api.dinie.com.br",
            "https://sandbox.api.dinie.com.br/v2",
            "https://API.dinie.com.br/v3/customers",
        ] {
            let lost = refused(url);
            assert!(matches!(lost, ConfigError::LostBasePath { .. }), "{url}");
        }
        for url in [
            "https://api.dinie.com.br/v3/",
            "https://api.dinie.com.br/api/v3",
            "http://localhost:8080",
            "http://[::1]:8080/v3",
            "https://api.example.com",
        ] {
            assert!(Environment::custom(url).is_ok(), "{url}");
        }
    }

    #[test]
    fn credentials_of_the_other_stage_are_refused() {
        let (live, test, unnamed) = ("dinie_cs_live_x", "dinie_cs_test_x", "dinie_ci_8f3a");
        for (environment, takes_live, takes_test) in [
            (Environment::production(), true, false),
            (Environment::sandbox(), false, true),
            (
                Environment::custom("https://api.dinie.com.br/v3").unwrap(),
                true,
                false,
            ),
            (
                Environment::custom("https://a.example.com").unwrap(),
                true,
                true,
            ),
            (
                Environment::custom("http://127.0.0.1:1").unwrap(),
                false,
                true,
            ),
        ] {
            assert_eq!(environment.admits(live).is_ok(), takes_live);
            assert_eq!(environment.admits(test).is_ok(), takes_test);
            assert!(environment.admits(unnamed).is_ok());
        }
    }

    proptest! {
        /// Whatever is appended to a base, the result is inside or is refused; it never counts as
        /// inside while a server would see it elsewhere.
        #[test]
        fn no_path_escapes(path in "[a-z/.%0-9A-F?#\\\\@:]{0,30}") {
            let environment = Environment::production();
            let Ok(url) = Url::parse(&environment.url(&path)) else { return Ok(()) };
            let uri: Uri = url.as_str().parse().unwrap();
            if environment.contains(Origin::of(&uri), uri.path()).is_ok() {
                prop_assert_eq!(url.host_str(), Some("api.dinie.com.br"));
                prop_assert!(url.path() == "/v3" || url.path().starts_with("/v3/"));
            }
        }
    }
}
