use std::{fmt, sync::Arc};

use http::{HeaderName, Method};

use crate::{IdempotencyKeys, Key, MintError, policy::Policy};

/// Makes a key.
pub(crate) type Mint = Arc<dyn Fn() -> Result<Key, MintError> + Send + Sync>;

/// Sets up [`IdempotencyKeys`]; start with [`IdempotencyKeys::builder`].
#[derive(Clone)]
#[must_use]
pub struct Builder {
    policy: Policy,
    mint: Mint,
}

/// Why [`IdempotencyKeys`] was not built.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// There is no method that gets a key.
    #[error("no method gets an idempotency key: name at least one")]
    NoMethods,
    /// A method that changes nothing needs no key.
    #[error("{method} changes nothing, so it needs no idempotency key: leave it out")]
    SafeMethod {
        /// The method.
        method: Method,
    },
}

// === impl Builder ===

impl Builder {
    pub(crate) fn new() -> Self {
        Self {
            policy: Policy {
                methods: vec![Method::POST],
                header: HeaderName::from_static("idempotency-key"),
            },
            mint: Arc::new(Key::random),
        }
    }

    /// The methods whose requests get a key. Default: `POST` alone.
    ///
    /// PUT and DELETE are idempotent as they are (RFC 9110 §9.2.2); PATCH is not, and some servers
    /// take a key with it.
    pub fn methods(mut self, methods: impl IntoIterator<Item = Method>) -> Self {
        self.policy.methods = methods.into_iter().collect();
        self
    }

    /// The header that carries the key. Default: `Idempotency-Key`; some servers want
    /// `X-Idempotency-Key`. A key that the caller puts under one of these two names is copied to it.
    pub fn header(mut self, name: HeaderName) -> Self {
        self.policy.header = name;
        self
    }

    /// Where new keys come from. Default: [`Key::random`].
    ///
    /// Each call must give a key that was never given before: a key that comes twice makes two
    /// operations one.
    pub fn mint_with(
        mut self,
        mint: impl Fn() -> Result<Key, MintError> + Send + Sync + 'static,
    ) -> Self {
        self.mint = Arc::new(mint);
        self
    }

    /// Builds the middleware.
    ///
    /// # Errors
    /// - [`ConfigError::NoMethods`] if no method is left;
    /// - [`ConfigError::SafeMethod`] for GET, HEAD, OPTIONS or TRACE.
    pub fn build(self) -> Result<IdempotencyKeys, ConfigError> {
        if self.policy.methods.is_empty() {
            return Err(ConfigError::NoMethods);
        }
        if let Some(method) = self.policy.methods.iter().find(|m| m.is_safe()) {
            return Err(ConfigError::SafeMethod {
                method: method.clone(),
            });
        }
        let (policy, mint) = self.into_parts();
        Ok(IdempotencyKeys::from_parts(policy, mint))
    }

    pub(crate) fn into_parts(self) -> (Policy, Mint) {
        (self.policy, self.mint)
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_of_build_has_its_error() {
        let error = |methods: &[Method]| Builder::new().methods(methods.to_vec()).build().err();
        assert_eq!(error(&[]), Some(ConfigError::NoMethods));
        let method = Method::GET;
        assert_eq!(
            error(&[Method::POST, method.clone()]),
            Some(ConfigError::SafeMethod { method })
        );
        assert_eq!(error(&[Method::POST, Method::PATCH]), None);
    }
}
