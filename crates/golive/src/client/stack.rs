//! The whole stack, in its order.

use std::{fmt, sync::Arc, time::Duration};

use golive_auth_refresh::{AuthRefresh, Tokens};
use golive_backoff::Backoff;
use golive_core::{Call, Chain, Exchange, Middleware, Request, Stack};
use golive_idempotency::IdempotencyKeys;
use golive_telemetry::{AttemptTelemetry, CallTelemetry, Telemetry};

use crate::{ConfigError, Environment, boundary::Boundary, deadline::Deadline};

const DEFAULT_DEADLINE: Duration = Duration::from_secs(60);
const MAX_DEADLINE: Duration = Duration::from_secs(3600);

/// Every box of the sending side as one middleware, in the order of golive's architecture:
/// environment, telemetry of the call, deadline, idempotency key, backoff, token, telemetry of the
/// attempt.
///
/// It is a tower layer (feature `tower`) and a reqwest middleware (feature `reqwest`), for a
/// transport of your own. [`Client`](crate::Client) is this over reqwest. Clones share everything.
///
/// The transport must not follow redirects: a POST that was executed and answered 303 may end in an
/// error of another URL, and would be sent again.
#[derive(Clone)]
pub struct ClientStack(Parts);

/// Sets up a [`ClientStack`]; start with [`ClientStack::builder`].
#[derive(Clone, Debug)]
#[must_use]
pub struct ClientStackBuilder {
    environment: Environment,
    tokens: Tokens,
    parts: Settings,
}

/// What both builders set.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) deadline: Duration,
    pub(crate) telemetry: Option<Telemetry>,
    pub(crate) keys: IdempotencyKeys,
    pub(crate) backoff: Option<Backoff>,
}

// NOTE: this type is the order, outermost first. Why it is this one stands in ARCHITECTURE.md, and
// `tests/order.rs` would notice another one.
type Parts = Stack<
    Over<
        Over<
            Over<
                Over<Over<Over<Boundary, Option<CallTelemetry>>, Deadline>, IdempotencyKeys>,
                Backoff,
            >,
            AuthRefresh,
        >,
        Option<AttemptTelemetry>,
    >,
>;
type Over<Outer, Inner> = Chain<Outer, Inner>;

golive_core::faces!(ClientStack);

// === impl ClientStack ===

impl ClientStack {
    /// Stays in this environment, and sends these tokens.
    pub fn builder(environment: Environment, tokens: Tokens) -> ClientStackBuilder {
        ClientStackBuilder {
            environment,
            tokens,
            parts: Settings::default(),
        }
    }
}

impl Middleware for ClientStack {
    fn handle<Req: Request, X: Exchange<Req>>(
        &self,
        call: &mut Call,
        req: Req,
        below: X,
    ) -> impl Future<Output = Result<X::Response, X::Error>> + Send {
        self.0.handle(call, req, below)
    }
}

impl fmt::Debug for ClientStack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ClientStack").field(&self.0).finish()
    }
}

// === impl ClientStackBuilder ===

impl ClientStackBuilder {
    /// The time for a call with all its attempts and waits. Default: 60 seconds, at most an hour.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.parts.deadline = deadline;
        self
    }

    /// Traces and measures calls and attempts. Default: neither.
    pub fn telemetry(mut self, telemetry: &Telemetry) -> Self {
        self.parts.telemetry = Some(telemetry.clone());
        self
    }

    /// Mints idempotency keys in another way. Default: [`IdempotencyKeys::new`].
    pub fn keys(mut self, keys: IdempotencyKeys) -> Self {
        self.parts.keys = keys;
        self
    }

    /// Retries in another way. Default: [`Backoff::new`] with the deadline of the call. It tells a
    /// connection that was never made from one that broke only for transports that it knows: see
    /// the `classify` of its builder.
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.parts.backoff = Some(backoff);
        self
    }

    /// Builds the stack.
    ///
    /// # Errors
    /// [`ConfigError::Deadline`] if that is zero or above an hour.
    pub fn build(self) -> Result<ClientStack, ConfigError> {
        let auth = AuthRefresh::new(self.tokens);
        self.parts.stack(self.environment, auth, |backoff| backoff)
    }
}

// === impl Settings ===

impl Settings {
    pub(crate) fn stack(
        self,
        environment: Environment,
        auth: AuthRefresh,
        classify: impl FnOnce(golive_backoff::Builder) -> golive_backoff::Builder,
    ) -> Result<ClientStack, ConfigError> {
        if self.deadline.is_zero() || self.deadline > MAX_DEADLINE {
            return Err(ConfigError::Deadline);
        }
        let (call, attempt) = match &self.telemetry {
            Some(telemetry) => (Some(telemetry.call()), Some(telemetry.attempt())),
            None => (None, None),
        };
        let backoff = match self.backoff {
            Some(backoff) => backoff,
            // One deadline for both: no attempt is cut off before the call is.
            None => classify(Backoff::builder().deadline(self.deadline)).build()?,
        };
        let parts = Stack::new()
            .push(Boundary::new(Arc::new(environment)))
            .push(call)
            .push(Deadline(self.deadline))
            .push(self.keys)
            .push(backoff)
            .push(auth)
            .push(attempt);
        Ok(ClientStack(parts))
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            deadline: DEFAULT_DEADLINE,
            telemetry: None,
            keys: IdempotencyKeys::new(),
            backoff: None,
        }
    }
}
