use std::{fmt, sync::Arc, time::Duration};

use crate::{
    AuthRefresh, Tokens, middleware,
    policy::Leads,
    source::{TokenError, TokenSource},
};

const DEFAULT_ADVISORY: Duration = Duration::from_secs(300);
const DEFAULT_MANDATORY: Duration = Duration::from_secs(30);
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);
const DEFAULT_ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);
const DEFAULT_ATTEMPTS: u32 = 3;
const MAX_TIMEOUT: Duration = Duration::from_secs(3600);
const MAX_ATTEMPTS: u32 = 10;
const MAX_WORDS: usize = 16;

/// Why something was not built.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The client id or the secret is empty.
    #[error("the client id or the client secret is empty: is it configured?")]
    EmptyCredentials,
    /// The URL of the token endpoint cannot be used.
    #[error("the URL of the token endpoint {0}")]
    Url(&'static str),
    /// A parameter of the token request is reserved, or there are more than 16.
    #[error("the token request parameter {0:?} is set by this crate, or there are more than 16")]
    Param(String),
    /// The windows do not leave time for a renewal.
    #[error(
        "the mandatory window ({mandatory:?}) must be at most half the advisory one ({advisory:?})"
    )]
    Windows {
        /// The advisory window.
        advisory: Duration,
        /// The mandatory window.
        mandatory: Duration,
    },
    /// A timeout is zero or above an hour, or one attempt may take longer than all of them.
    #[error(
        "the timeout of one attempt ({attempt:?}) must be above 0 and at most the whole one \
         ({whole:?}), which must be at most an hour"
    )]
    Timeouts {
        /// That of one attempt.
        attempt: Duration,
        /// That of the renewal.
        whole: Duration,
    },
    /// The number of attempts is not 1 to 10.
    #[error("a renewal makes {0} attempts, it must be 1 to 10")]
    Attempts(u32),
    /// There is no code after which a token is renewed, or there are more than 16, or one is empty.
    #[error("1 to 16 codes after which a token is renewed are needed, none of them empty")]
    ExpiredCodes,
    /// The peek is 0 bytes.
    #[error("0 bytes of a 401 are looked at, so that no code could ever be found")]
    PeekLimit,
}

/// Sets up [`Tokens`]; start with [`Tokens::builder`].
#[must_use]
pub struct TokensBuilder {
    source: Box<dyn TokenSource>,
    config: TokensConfig,
}

/// Sets up [`AuthRefresh`]; start with [`AuthRefresh::builder`].
#[derive(Clone, Debug)]
#[must_use]
pub struct AuthRefreshBuilder {
    tokens: Tokens,
    config: middleware::Config,
}

#[derive(Clone)]
pub(crate) struct TokensConfig {
    pub(crate) leads: Leads,
    pub(crate) timeout: Duration,
    pub(crate) attempt_timeout: Duration,
    pub(crate) attempts: u32,
    pub(crate) random: Arc<dyn Fn() -> f64 + Send + Sync>,
    pub(crate) on_renewal: Option<Arc<Observer>>,
}

type Observer = dyn Fn(Result<(), &TokenError>) + Send + Sync;

// === impl TokensBuilder ===

impl TokensBuilder {
    pub(crate) fn new(source: Box<dyn TokenSource>) -> Self {
        Self {
            source,
            config: TokensConfig::default(),
        }
    }

    /// How long before its end a token is renewed in the background, while it is still served.
    /// Default: 5 minutes. Never more than a fifth of the lifetime; up to a quarter less at random,
    /// so that a fleet does not renew at once.
    pub fn advisory(mut self, window: Duration) -> Self {
        self.config.leads.advisory = window;
        self
    }

    /// How long before its end a token is served only if it cannot be renewed. Default: 30 seconds.
    /// Never more than a twentieth of the lifetime; up to a quarter less at random.
    pub fn mandatory(mut self, window: Duration) -> Self {
        self.config.leads.mandatory = window;
        self
    }

    /// How long a renewal may take, all its attempts together. Default: 30 seconds, at most an hour.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.config.timeout = timeout;
        self
    }

    /// How long one attempt of a renewal may take. Default: 10 seconds.
    pub fn attempt_timeout(mut self, timeout: Duration) -> Self {
        self.config.attempt_timeout = timeout;
        self
    }

    /// How often the token endpoint is asked in one renewal, if it is unavailable. Default: 3.
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.config.attempts = attempts;
        self
    }

    /// Where jitter comes from: numbers from 0 to below 1. For tests.
    pub fn random(mut self, random: impl Fn() -> f64 + Send + Sync + 'static) -> Self {
        self.config.random = Arc::new(random);
        self
    }

    /// Is told how each renewal ended, once for each and not once for each attempt; the first fetch
    /// is a renewal too. For a counter: [`TokenError::reason`] is made for its label. Default:
    /// nobody is told.
    ///
    /// It is called on the renewal's task, after those who waited have their token, and must not
    /// block. A panic in it is caught, and changes nothing. A renewal that another one took over
    /// (see [`TokenSource`]) is not reported.
    pub fn on_renewal(
        mut self,
        observer: impl Fn(Result<(), &TokenError>) + Send + Sync + 'static,
    ) -> Self {
        self.config.on_renewal = Some(Arc::new(observer));
        self
    }

    /// Builds the cache. Nothing is fetched before it is asked for.
    ///
    /// # Errors
    /// - [`ConfigError::Windows`] if the mandatory window is more than half the advisory one;
    /// - [`ConfigError::Timeouts`] if one is 0, if an attempt may take longer than the whole, or if
    ///   that is above an hour;
    /// - [`ConfigError::Attempts`] unless there are 1 to 10.
    pub fn build(self) -> Result<Tokens, ConfigError> {
        let config = self.config;
        let Leads {
            advisory,
            mandatory,
        } = config.leads;
        // Half, so that with all the jitter there is still room for an advisory renewal.
        if mandatory > advisory / 2 {
            return Err(ConfigError::Windows {
                advisory,
                mandatory,
            });
        }
        if config.attempt_timeout.is_zero()
            || config.attempt_timeout > config.timeout
            || config.timeout > MAX_TIMEOUT
        {
            return Err(ConfigError::Timeouts {
                attempt: config.attempt_timeout,
                whole: config.timeout,
            });
        }
        if !(1..=MAX_ATTEMPTS).contains(&config.attempts) {
            return Err(ConfigError::Attempts(config.attempts));
        }
        Ok(Tokens::from_parts(self.source, config))
    }
}

impl fmt::Debug for TokensBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokensBuilder")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

// === impl AuthRefreshBuilder ===

impl AuthRefreshBuilder {
    pub(crate) fn new(tokens: Tokens) -> Self {
        Self {
            tokens,
            config: middleware::Config::default(),
        }
    }

    /// The codes of a 401 after which a new token helps, in the member `code` of a problem or as
    /// the last segment of its `type`. Default: `token_expired` alone.
    pub fn expired_codes<C: Into<String>>(mut self, codes: impl IntoIterator<Item = C>) -> Self {
        self.config.expired_codes = codes.into_iter().map(Into::into).collect();
        self
    }

    /// Whether `WWW-Authenticate: Bearer error="invalid_token"` (RFC 6750 §3.1) counts as well.
    /// Default: no, since it means "expired, revoked, malformed, or invalid for other reasons".
    pub fn challenge_means_expired(mut self, yes: bool) -> Self {
        self.config.challenge = yes;
        self
    }

    /// How much of a 401 is looked at, in bytes. Default: 64 KiB.
    pub fn peek_limit(mut self, bytes: usize) -> Self {
        self.config.peek_limit = bytes;
        self
    }

    /// Builds the middleware.
    ///
    /// # Errors
    /// - [`ConfigError::ExpiredCodes`] unless there are 1 to 16 codes, none of them empty;
    /// - [`ConfigError::PeekLimit`] if that is 0.
    pub fn build(self) -> Result<AuthRefresh, ConfigError> {
        let codes = &self.config.expired_codes;
        if !(1..=MAX_WORDS).contains(&codes.len()) || codes.iter().any(String::is_empty) {
            return Err(ConfigError::ExpiredCodes);
        }
        if self.config.peek_limit == 0 {
            return Err(ConfigError::PeekLimit);
        }
        Ok(AuthRefresh::from_parts(self.tokens, self.config))
    }
}

// === impl TokensConfig ===

impl Default for TokensConfig {
    fn default() -> Self {
        Self {
            leads: Leads {
                advisory: DEFAULT_ADVISORY,
                mandatory: DEFAULT_MANDATORY,
            },
            timeout: DEFAULT_TIMEOUT,
            attempt_timeout: DEFAULT_ATTEMPT_TIMEOUT,
            attempts: DEFAULT_ATTEMPTS,
            random: Arc::new(fastrand::f64),
            on_renewal: None,
        }
    }
}

impl fmt::Debug for TokensConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokensConfig")
            .field("leads", &self.leads)
            .field("timeout", &self.timeout)
            .field("attempt_timeout", &self.attempt_timeout)
            .field("attempts", &self.attempts)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Fetching;

    struct Never;

    impl TokenSource for Never {
        fn fetch(&self) -> Fetching<'_> {
            Box::pin(std::future::pending())
        }
    }

    #[test]
    fn each_rule_of_the_cache_has_its_error() {
        const SECOND: Duration = Duration::from_secs(1);
        let builder = || Tokens::builder(Never);
        let windows = builder().advisory(SECOND).mandatory(SECOND).build();
        assert!(matches!(windows, Err(ConfigError::Windows { .. })));
        for (attempt, whole) in [
            (Duration::ZERO, SECOND),
            (SECOND * 2, SECOND),
            (SECOND, SECOND * 3601),
            (SECOND, Duration::MAX),
        ] {
            let timeouts = builder().attempt_timeout(attempt).timeout(whole).build();
            assert!(matches!(timeouts, Err(ConfigError::Timeouts { .. })));
        }
        for attempts in [0, 11] {
            let built = builder().attempts(attempts).build();
            assert_eq!(built.unwrap_err(), ConfigError::Attempts(attempts));
        }
        assert!(builder().build().is_ok());
    }

    #[test]
    fn each_rule_of_the_middleware_has_its_error() {
        let builder = || AuthRefresh::builder(Tokens::builder(Never).build().unwrap());
        for codes in [vec![], vec![""], vec!["x"; 17]] {
            let built = builder().expired_codes(codes).build();
            assert_eq!(built.unwrap_err(), ConfigError::ExpiredCodes);
        }
        let built = builder().peek_limit(0).build();
        assert_eq!(built.unwrap_err(), ConfigError::PeekLimit);
        assert!(builder().build().is_ok());
    }
}
