use std::{fmt, sync::Arc};

use golive_core::{Call, Exchange, Middleware, Own, Request};

use crate::{
    Builder, InvalidKey, MintError,
    config::Mint,
    policy::{Decision, Policy, decide},
};

/// Puts an idempotency key on every request that needs one; see the [crate] documentation.
///
/// Cheap to clone: the clones share their configuration.
#[derive(Clone)]
pub struct IdempotencyKeys(Arc<Shared>);

struct Shared {
    policy: Policy,
    mint: Mint,
}

golive_core::faces!(IdempotencyKeys);

// === impl IdempotencyKeys ===

impl IdempotencyKeys {
    /// A random `Idempotency-Key` on every POST: the [builder](Self::builder)'s defaults.
    #[must_use]
    pub fn new() -> Self {
        let (policy, mint) = Self::builder().into_parts();
        Self::from_parts(policy, mint)
    }

    /// Sets up something else than the defaults.
    pub fn builder() -> Builder {
        Builder::new()
    }

    pub(crate) fn from_parts(policy: Policy, mint: Mint) -> Self {
        Self(Arc::new(Shared { policy, mint }))
    }

    /// Makes sure that the request carries a key if it needs one; says whether it does.
    fn put<Req: Request>(&self, req: &mut Req) -> Result<bool, Refusal> {
        let Shared { policy, mint } = &*self.0;
        match decide(policy, req.method(), req.headers())? {
            Decision::Leave => Ok(false),
            Decision::Keep => Ok(true),
            Decision::CopyFrom(name) => {
                // Clones the value with its mark, should the caller have called it sensitive.
                if let Some(key) = req.headers().get(name).cloned() {
                    req.headers_mut().insert(&policy.header, key);
                }
                Ok(true)
            }
            Decision::Mint => {
                let key = mint()?;
                req.headers_mut().insert(&policy.header, key.into());
                Ok(true)
            }
        }
    }
}

impl Middleware for IdempotencyKeys {
    async fn handle<Req: Request, X: Exchange<Req>>(
        &self,
        call: &mut Call,
        mut req: Req,
        mut below: X,
    ) -> Result<X::Response, X::Error> {
        match self.put(&mut req) {
            // A call without a key stays untouched, so that it costs nothing.
            Ok(false) => {}
            Ok(true) => call.set_idempotency_key(),
            Err(refusal) => {
                call.set_unsent();
                return Err(refusal.into_own().into());
            }
        }
        below.send(call, req).await
    }
}

impl Default for IdempotencyKeys {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for IdempotencyKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdempotencyKeys")
            .field("policy", &self.0.policy)
            .finish_non_exhaustive()
    }
}

/// Why a request is not sent.
enum Refusal {
    Invalid(InvalidKey),
    Mint(MintError),
}

// === impl Refusal ===

impl Refusal {
    fn into_own(self) -> Own {
        match self {
            Self::Invalid(error) => Own::new(error),
            Self::Mint(error) => Own::new(error),
        }
    }
}

impl From<InvalidKey> for Refusal {
    fn from(error: InvalidKey) -> Self {
        Self::Invalid(error)
    }
}

impl From<MintError> for Refusal {
    fn from(error: MintError) -> Self {
        Self::Mint(error)
    }
}
