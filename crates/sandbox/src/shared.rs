//! What all parts of one running sandbox share.

use std::sync::Mutex;
use std::time::Duration;

use crate::clock::{Clock, Now};
use crate::dialect::{Dialect, Shape};
use crate::fault::Faults;
use crate::idempotency::{CAPACITY, Memory};
use crate::limiter::{Limiter, RateLimit};
use crate::record::Recorder;
use crate::redact::Redactor;
use crate::sync::lock;
use crate::tasks::Tasks;
use crate::webhooks::Outbox;
use crate::world::World;

pub(crate) struct Shared {
    pub(crate) clock: Clock,
    pub(crate) dialect: Dialect,
    pub(crate) seed: u64,
    pub(crate) world: Mutex<World>,
    pub(crate) limiter: Mutex<Limiter>,
    pub(crate) memory: Mutex<Memory>,
    pub(crate) redactor: Redactor,
    pub(crate) recorder: Recorder,
    pub(crate) faults: Faults,
    pub(crate) outbox: Outbox,
    pub(crate) tasks: Tasks,
}

/// What a handler knows of its request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ctx {
    pub(crate) shape: Shape,
    pub(crate) now: Now,
}

pub(crate) struct Settings {
    pub(crate) seed: u64,
    pub(crate) dialect: Dialect,
    pub(crate) rate_limit: RateLimit,
    pub(crate) token_lifetime: Duration,
    pub(crate) webhook_schedule: Vec<Duration>,
}

impl Shared {
    pub(crate) fn new(settings: Settings, tasks: Tasks) -> Result<Self, reqwest::Error> {
        let mut world = World::new(settings.seed, settings.token_lifetime);
        let own_secret = world.ids.next_webhook_secret();
        let redactor = Redactor::default();
        redactor.learn_webhook_secret(&own_secret);
        Ok(Self {
            clock: Clock::start(),
            dialect: settings.dialect,
            seed: settings.seed,
            world: Mutex::new(world),
            limiter: Mutex::new(Limiter::new(settings.rate_limit)),
            memory: Mutex::new(Memory::new(CAPACITY)),
            redactor,
            recorder: Recorder::default(),
            faults: Faults::default(),
            outbox: Outbox::new(own_secret, settings.webhook_schedule)?,
            tasks,
        })
    }

    /// The one lock over all that the provider remembers. Never held across an await.
    pub(crate) fn world(&self) -> std::sync::MutexGuard<'_, World> {
        lock(&self.world)
    }

    /// How the sandbox writes what nobody asked for: events and seeded objects.
    pub(crate) fn own_shape(&self) -> Shape {
        self.dialect.shape("")
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared")
            .field("seed", &self.seed)
            .field("dialect", &self.dialect)
            .finish_non_exhaustive()
    }
}
