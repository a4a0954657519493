//! How a sandbox is set up and started.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use crate::dialect::Dialect;
use crate::door::door;
use crate::limiter::RateLimit;
use crate::shared::{Settings, Shared};
use crate::state::State;
use crate::tasks::tasks;
use crate::webhooks::{Outbox, Webhooks};
use crate::world::MAX_OBJECTS;
use crate::world::customers::CustomerStatus;
use crate::{Sandbox, admin, routes, server};

/// Settings of a sandbox, from [`Sandbox::builder`].
#[derive(Clone, Debug)]
#[must_use]
pub struct Builder {
    seed: u64,
    bind: SocketAddr,
    admin: Option<SocketAddr>,
    dialect: Dialect,
    rate_limit: RateLimit,
    token_lifetime: Duration,
    webhook_schedule: Vec<Duration>,
    customers: usize,
}

/// Why a sandbox did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The address can be reached from outside.
    #[error(
        "the sandbox serves 127.0.0.0/8 and ::1 alone, and {0} is neither: its secrets are \
         predictable and its admin port has no password"
    )]
    NotLoopback(SocketAddr),
    /// The socket could not be bound.
    #[error("cannot listen on {addr}: is another program there already?")]
    Bind {
        /// Where it was to listen.
        addr: SocketAddr,
        /// What the operating system said.
        source: io::Error,
    },
    /// A setting cannot be.
    #[error("the sandbox cannot be started like this: {0}")]
    Config(&'static str),
    /// The HTTP client for webhook deliveries could not be built.
    #[error("cannot build the client for webhook deliveries")]
    Client(#[source] reqwest::Error),
}

// === impl Builder ===

impl Builder {
    pub(crate) fn new() -> Self {
        Self {
            seed: 1,
            bind: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            admin: None,
            dialect: Dialect::Any,
            rate_limit: RateLimit::default(),
            token_lifetime: Duration::from_secs(3600),
            webhook_schedule: Outbox::standard_schedule(),
            customers: 0,
        }
    }

    /// What all ids and secrets follow from; 1 by default.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Where to listen, on loopback; by default a free port of 127.0.0.1.
    pub fn bind(mut self, addr: SocketAddr) -> Self {
        self.bind = addr;
        self
    }

    /// Where the admin port listens, on loopback; by default there is none.
    pub fn admin(mut self, addr: impl Into<Option<SocketAddr>>) -> Self {
        self.admin = addr.into();
        self
    }

    /// How answers are written; by default as each request asks.
    pub fn dialect(mut self, dialect: Dialect) -> Self {
        self.dialect = dialect;
        self
    }

    /// The rate limit; by default 1000 requests in 60 seconds.
    pub fn rate_limit(mut self, rate_limit: RateLimit) -> Self {
        self.rate_limit = rate_limit;
        self
    }

    /// How long an access token is good for, in whole seconds; 3600 by default.
    pub fn token_lifetime(mut self, lifetime: Duration) -> Self {
        self.token_lifetime = lifetime;
        self
    }

    /// The delay before each attempt of an enqueued delivery; by default that of Standard Webhooks:
    /// 0, 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h, 24 h.
    pub fn webhook_schedule(mut self, schedule: impl Into<Vec<Duration>>) -> Self {
        self.webhook_schedule = schedule.into();
        self
    }

    /// How many customers there are from the beginning, with the external ids `seed-0`, `seed-1`, …
    /// and each status in turn; 0 by default, at most 100,000.
    pub fn customers(mut self, customers: usize) -> Self {
        self.customers = customers;
        self
    }

    /// Starts it, on the tokio runtime of the caller.
    ///
    /// # Errors
    /// [`StartError::NotLoopback`] for an address that others can reach, [`StartError::Bind`] where
    /// the port is taken, [`StartError::Config`] for a limit or window of zero, a token lifetime
    /// under a second, an empty schedule or too many customers.
    pub async fn start(self) -> Result<Sandbox, StartError> {
        self.check()?;
        let listener = bind(self.bind).await?;
        let admin = match self.admin {
            Some(addr) => Some(bind(addr).await?),
            None => None,
        };
        let (tasks, life) = tasks();
        let settings = Settings {
            seed: self.seed,
            dialect: self.dialect,
            rate_limit: self.rate_limit,
            token_lifetime: self.token_lifetime,
            webhook_schedule: self.webhook_schedule,
        };
        let shared = Arc::new(Shared::new(settings, tasks.clone()).map_err(StartError::Client)?);
        let state = State {
            shared: Arc::clone(&shared),
        };
        let webhooks = Webhooks {
            shared: Arc::clone(&shared),
        };
        let credential = state
            .issue_credential("default")
            .ok_or(StartError::Config("no room for a credential"))?;
        seed_customers(&state, self.customers);

        let address = local(&listener, self.bind)?;
        let base_url = format!("http://{address}/v3");
        let (entrance, porter) = door(listener, address);
        let admin_url = match (&admin, self.admin) {
            (Some(listener), Some(addr)) => Some(local(listener, addr)?),
            _ => None,
        };
        if let (Some(listener), Some(address)) = (admin, admin_url) {
            let stage = admin::Stage {
                base_url: base_url.clone(),
                credential: credential.clone(),
                state: state.clone(),
                webhooks: webhooks.clone(),
                porter: porter.clone(),
            };
            let (entrance, _) = door(listener, address);
            tasks.spawn(server::accept(
                entrance,
                admin::router(stage),
                tasks.clone(),
            ));
        }
        tasks.spawn(server::accept(
            entrance,
            routes::router(Arc::clone(&shared)),
            tasks.clone(),
        ));
        Ok(Sandbox {
            base_url,
            admin_url: admin_url.map(|address| format!("http://{address}")),
            porter,
            credential,
            shared,
            state,
            webhooks,
            life,
        })
    }

    fn check(&self) -> Result<(), StartError> {
        for addr in [Some(self.bind), self.admin].into_iter().flatten() {
            if !addr.ip().is_loopback() {
                return Err(StartError::NotLoopback(addr));
            }
        }
        let wrong = if self.rate_limit.limit == 0 || self.rate_limit.window.is_zero() {
            "a rate limit needs at least one request and a window longer than zero"
        } else if self.token_lifetime < Duration::from_secs(1) {
            "a token lives at least one second"
        } else if self.webhook_schedule.is_empty() {
            "the webhook schedule needs at least one attempt"
        } else if self.customers > MAX_OBJECTS {
            "at most 100000 customers can be seeded"
        } else {
            return Ok(());
        };
        Err(StartError::Config(wrong))
    }
}

async fn bind(addr: SocketAddr) -> Result<tokio::net::TcpListener, StartError> {
    server::bind(addr)
        .await
        .map_err(|source| StartError::Bind { addr, source })
}

fn local(listener: &tokio::net::TcpListener, addr: SocketAddr) -> Result<SocketAddr, StartError> {
    listener
        .local_addr()
        .map_err(|source| StartError::Bind { addr, source })
}

fn seed_customers(state: &State, customers: usize) {
    const STATUSES: [CustomerStatus; 4] = [
        CustomerStatus::Active,
        CustomerStatus::PendingKyc,
        CustomerStatus::UnderReview,
        CustomerStatus::Denied,
    ];
    for (n, status) in (0..customers).zip(STATUSES.into_iter().cycle()) {
        state.seed_customer(&format!("seed-{n}"), status);
    }
}
