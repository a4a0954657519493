//! Who is stuck: entities that are in a state for longer than they should be.

mod ledger;

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use opentelemetry::{KeyValue, metrics::Meter};

use self::ledger::Ledger;
use crate::{
    ConfigError, WatchError,
    names::{self, ENTITY, STATE},
    observe,
    server::unix,
};

/// Watches how long entities are in a state, fed by events: customers in `pending_kyc`, say.
///
/// It counts, it says since when the longest one waits, and it lists who is stuck. Ids are listed
/// to the caller and never become labels.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use golive_telemetry::EntityWatch;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let day = Duration::from_secs(86_400);
/// let watch = EntityWatch::builder("customer")
///     .state("pending_kyc", 2 * day)
///     .state("under_review", 3 * day)
///     .build()?;
///
/// # let now = SystemTime::UNIX_EPOCH + 100 * day;
/// watch.entered("cus_1", "pending_kyc", now - 5 * day)?;
/// watch.entered("cus_2", "under_review", now - day)?;
/// let stuck = watch.stuck(now, 100);
/// assert_eq!(stuck[0].id, "cus_1");
/// assert_eq!(stuck.len(), 1);
///
/// // Any state that was not named ends the watch.
/// watch.entered("cus_1", "active", now)?;
/// assert!(watch.stuck(now, 100).is_empty());
/// # Ok(()) }
/// ```
///
/// Clones share what they know.
#[derive(Clone)]
pub struct EntityWatch(Arc<Shared>);

/// Sets up an [`EntityWatch`]; start with [`EntityWatch::builder`].
#[derive(Clone, Debug)]
#[must_use]
pub struct EntityBuilder {
    entity: Arc<str>,
    states: Vec<State>,
    capacity: usize,
    memory: Duration,
}

/// One that is in a state for longer than it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stuck {
    /// Its id.
    pub id: String,
    /// The state.
    pub state: String,
    /// When it entered the state.
    pub since: SystemTime,
}

#[derive(Clone, Debug)]
struct State {
    name: Arc<str>,
    limit: Duration,
    labels: [KeyValue; 2],
}

struct Shared {
    entity: Arc<str>,
    states: Vec<State>,
    ledger: Mutex<Ledger>,
}

// === impl EntityWatch ===

impl EntityWatch {
    /// Watches entities of this kind.
    pub fn builder(entity: impl Into<Arc<str>>) -> EntityBuilder {
        EntityBuilder {
            entity: entity.into(),
            states: Vec::new(),
            capacity: 10_000,
            memory: Duration::from_secs(7 * 86_400),
        }
    }

    /// Notes that an entity entered a state at a time, by the clock of whoever says so. Returns
    /// whether that is news: an event that is older than what is known changes nothing, whatever
    /// order events arrive in, and one that repeats the state does not begin it anew.
    ///
    /// # Errors
    /// - [`WatchError::Full`] for an entity that is not yet watched, if the watch is full; it is
    ///   counted in `golive.entity.refused`.
    /// - [`WatchError::LongId`] for an id of more than 128 bytes.
    pub fn entered(&self, id: &str, state: &str, at: SystemTime) -> Result<bool, WatchError> {
        let state = self.0.states.iter().position(|s| *s.name == *state);
        self.0.lock().enter(id, state, at)
    }

    /// Forgets an entity: it was deleted, or it is somebody else's now.
    pub fn forget(&self, id: &str) {
        self.0.lock().forget(id);
    }

    /// Who is stuck at `now`, at most `max` of them: state by state as they were named, and in each
    /// the longest first.
    #[must_use]
    pub fn stuck(&self, now: SystemTime, max: usize) -> Vec<Stuck> {
        let ledger = self.0.lock();
        let mut stuck = Vec::new();
        for (index, state) in self.0.states.iter().enumerate() {
            let Some(before) = now.checked_sub(state.limit) else {
                continue;
            };
            let room = max - stuck.len();
            let found = ledger.since_before(index, before).take(room);
            stuck.extend(found.map(|(since, id)| Stuck {
                id: id.to_string(),
                state: state.name.to_string(),
                since: *since,
            }));
        }
        stuck
    }

    /// Reports to this meter, for as long as a clone of the watch lives: how many are in each
    /// state, since when the longest one is, how long it may be, and how many events were refused.
    pub fn observe(&self, meter: &Meter) {
        let shared = &self.0;
        observe::gauge_f64(meter, names::ENTITY_OLDEST, shared, |shared, report| {
            let ledger = shared.lock();
            for (index, state) in shared.states.iter().enumerate() {
                if let Some(since) = ledger.oldest(index) {
                    report(unix(since), &state.labels);
                }
            }
        });
        observe::gauge_f64(meter, names::ENTITY_LIMIT, shared, |shared, report| {
            for state in &shared.states {
                report(state.limit.as_secs_f64(), &state.labels);
            }
        });
        observe::gauge_u64(meter, names::ENTITY_WATCHED, shared, |shared, report| {
            let ledger = shared.lock();
            for (index, state) in shared.states.iter().enumerate() {
                report(ledger.count(index) as u64, &state.labels);
            }
        });
        observe::counter(meter, names::ENTITY_REFUSED, shared, |shared, report| {
            let entity = KeyValue::new(ENTITY, Arc::clone(&shared.entity));
            report(shared.lock().refused(), &[entity]);
        });
    }
}

impl fmt::Debug for EntityWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EntityWatch")
            .field("entity", &self.0.entity)
            .field("states", &self.0.states)
            .finish_non_exhaustive()
    }
}

// === impl EntityBuilder ===

impl EntityBuilder {
    /// Watches a state, and how long an entity may be in it before it is stuck.
    pub fn state(mut self, name: impl Into<Arc<str>>, limit: Duration) -> Self {
        let name = name.into();
        let labels = [
            KeyValue::new(ENTITY, Arc::clone(&self.entity)),
            KeyValue::new(STATE, Arc::clone(&name)),
        ];
        self.states.push(State {
            name,
            limit,
            labels,
        });
        self
    }

    /// How many entities are watched at once. Default: 10,000. As many that
    /// have left the watched states are remembered.
    pub fn capacity(mut self, entities: usize) -> Self {
        self.capacity = entities;
        self
    }

    /// How long one that has left the watched states is remembered, so that a late event does not
    /// bring it back. Default: 7 days, longer than Standard Webhooks senders go on trying.
    pub fn memory(mut self, memory: Duration) -> Self {
        self.memory = memory;
        self
    }

    /// Builds the watch.
    ///
    /// # Errors
    /// - [`ConfigError::NoStates`] if no state is watched;
    /// - [`ConfigError::RepeatedState`] if one was named twice;
    /// - [`ConfigError::Zero`] for a capacity of 0.
    pub fn build(self) -> Result<EntityWatch, ConfigError> {
        if self.states.is_empty() {
            return Err(ConfigError::NoStates);
        }
        if self.capacity == 0 {
            return Err(ConfigError::Zero { what: "capacity" });
        }
        for (index, state) in self.states.iter().enumerate() {
            if self.states.iter().take(index).any(|s| s.name == state.name) {
                return Err(ConfigError::RepeatedState {
                    state: state.name.to_string(),
                });
            }
        }
        let ledger = Ledger::new(self.states.len(), self.capacity, self.memory);
        Ok(EntityWatch(Arc::new(Shared {
            entity: self.entity,
            states: self.states,
            ledger: Mutex::new(ledger),
        })))
    }
}

// === impl Shared ===

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + 1000 * DAY
    }

    #[test]
    fn those_who_are_stuck_are_listed_longest_first_and_no_more_than_asked_for() {
        let watch = EntityWatch::builder("customer")
            .state("pending_kyc", 2 * DAY)
            .state("under_review", 5 * DAY)
            .build()
            .unwrap();
        for days in 1..=4 {
            let id = format!("cus_{days}");
            watch
                .entered(&id, "pending_kyc", now() - days * DAY)
                .unwrap();
        }
        watch
            .entered("cus_9", "under_review", now() - 9 * DAY)
            .unwrap();
        let ids = |max| {
            let stuck = watch.stuck(now(), max).into_iter();
            stuck.map(|s| s.id).collect::<Vec<_>>()
        };
        assert_eq!(
            ids(9),
            ["cus_4", "cus_3", "cus_9"],
            "2 days are not over 2 days"
        );
        assert_eq!(ids(1), ["cus_4"]);
        assert_eq!(ids(0), [""; 0]);
    }

    #[test]
    fn each_rule_of_build_has_its_error() {
        let watch = || EntityWatch::builder("customer");
        assert_eq!(watch().build().err(), Some(ConfigError::NoStates));
        let zero = watch().state("a", DAY).capacity(0).build().err();
        assert_eq!(zero, Some(ConfigError::Zero { what: "capacity" }));
        let twice = watch().state("a", DAY).state("a", DAY).build().err();
        let state = "a".to_owned();
        assert_eq!(twice, Some(ConfigError::RepeatedState { state }));
    }
}
