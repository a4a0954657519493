//! The rows and the queue: every transition, as a plain function of the time.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use super::MemoryStoreBuilder;
use crate::{Accepted, Claim, Event, EventKey, Fenced, Fingerprint, Owner, Release, StoreError};

/// How much of what is in a [`MemoryStore`](super::MemoryStore).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Events that wait for a worker, or for the time of their next attempt.
    pub waiting: usize,
    /// Events that a worker has.
    pub running: usize,
    /// Events that were given up.
    pub dead: usize,
    /// Events whose key came before with other content.
    pub parked: usize,
    /// Handled events that are remembered for deduplication.
    pub done: usize,
    /// Bytes of all bodies kept.
    pub bytes: usize,
}

/// An event that was given up.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DeadLetter {
    /// The event; [`Event::attempt`] is the number of the last attempt.
    pub event: Event,
    /// Why it was given up.
    pub reason: Box<str>,
}

#[derive(Debug)]
pub(super) struct State {
    bounds: MemoryStoreBuilder,
    rows: HashMap<EventKey, Row>,
    /// Waiting events by due time; the number keeps the order of arrival among equals.
    queue: BTreeSet<(Instant, u64, EventKey)>,
    /// Done rows in the order in which they are forgotten.
    forget: VecDeque<(Instant, EventKey)>,
    parked: HashMap<(EventKey, Fingerprint), Event>,
    stats: Stats,
    arrivals: u64,
}

#[derive(Debug)]
struct Row {
    fingerprint: Fingerprint,
    step: Step,
}

#[derive(Debug)]
enum Step {
    Waiting(Event),
    Running(Event, Owner),
    Dead(DeadLetter),
    Done,
}

impl State {
    pub(super) fn new(bounds: MemoryStoreBuilder) -> Self {
        Self {
            bounds,
            rows: HashMap::new(),
            queue: BTreeSet::new(),
            forget: VecDeque::new(),
            parked: HashMap::new(),
            stats: Stats::default(),
            arrivals: 0,
        }
    }

    pub(super) fn accept(&mut self, event: Event, now: Instant) -> Result<Accepted, StoreError> {
        self.forget_expired(now);
        if let Some(row) = self.rows.get(event.key()) {
            if row.fingerprint == event.fingerprint() {
                return Ok(Accepted::Duplicate);
            }
            let place = (event.key().clone(), event.fingerprint());
            if !self.parked.contains_key(&place) {
                self.make_room(&event)?;
                self.stats.parked += 1;
                self.parked.insert(place, event);
            }
            return Ok(Accepted::Conflict);
        }
        if self.rows.len() >= self.bounds.max_keys {
            return Err(StoreError::Full);
        }
        self.make_room(&event)?;
        let (key, fingerprint) = (event.key().clone(), event.fingerprint());
        self.enqueue(key.clone(), now);
        self.rows.insert(
            key,
            Row {
                fingerprint,
                step: Step::Waiting(event),
            },
        );
        Ok(Accepted::New)
    }

    pub(super) fn next_due(&self) -> Option<Instant> {
        self.queue.first().map(|(due, ..)| *due)
    }

    pub(super) fn claim(&mut self, owner: Owner, now: Instant) -> Option<Claim> {
        if self.next_due()? > now {
            return None;
        }
        let (_, _, key) = self.queue.pop_first()?;
        self.stats.waiting -= 1;
        let row = self.rows.get_mut(&key)?;
        let Step::Waiting(event) = &row.step else {
            return None;
        };
        let event = event.clone().at_attempt(event.attempt().saturating_add(1));
        row.step = Step::Running(event.clone(), owner);
        self.stats.running += 1;
        Some(Claim::new(event, owner))
    }

    pub(super) fn complete(&mut self, key: &EventKey, owner: Owner, now: Instant) -> Fenced {
        let Some(event) = self.take_running(key, owner) else {
            return Fenced::Lost;
        };
        self.free(&event);
        self.remember(key, now);
        Fenced::Applied
    }

    pub(super) fn release(
        &mut self,
        key: &EventKey,
        owner: Owner,
        how: Release,
        now: Instant,
    ) -> Fenced {
        let Some(event) = self.take_running(key, owner) else {
            return Fenced::Lost;
        };
        match how {
            Release::Retry { after } => self.put_back(event, now, after),
            Release::Undo => {
                let attempt = event.attempt().saturating_sub(1);
                self.put_back(event.at_attempt(attempt), now, Duration::ZERO);
            }
            Release::Dead { reason } => {
                self.stats.dead += 1;
                self.set(key, Step::Dead(DeadLetter { event, reason }));
            }
        }
        Fenced::Applied
    }

    pub(super) fn redrive(&mut self, key: &EventKey, now: Instant) -> bool {
        let Some(letter) = self.take_dead(key) else {
            return false;
        };
        self.put_back(letter.event.at_attempt(0), now, Duration::ZERO);
        true
    }

    pub(super) fn discard(&mut self, key: &EventKey, now: Instant) -> bool {
        let mut found = false;
        if let Some(letter) = self.take_dead(key) {
            self.free(&letter.event);
            self.remember(key, now);
            found = true;
        }
        let (stats, before) = (&mut self.stats, self.parked.len());
        self.parked.retain(|(parked, _), event| {
            if parked == key {
                stats.bytes -= event.body().len();
            }
            parked != key
        });
        stats.parked = self.parked.len();
        found || self.parked.len() < before
    }

    pub(super) fn stats(&self) -> Stats {
        self.stats
    }

    pub(super) fn dead_letters(&self) -> Vec<DeadLetter> {
        let dead = |row: &Row| match &row.step {
            Step::Dead(letter) => Some(letter.clone()),
            _ => None,
        };
        self.rows.values().filter_map(dead).collect()
    }

    pub(super) fn parked(&self) -> Vec<Event> {
        self.parked.values().cloned().collect()
    }

    fn make_room(&mut self, event: &Event) -> Result<(), StoreError> {
        let Stats {
            waiting,
            running,
            dead,
            parked,
            bytes,
            ..
        } = self.stats;
        let room = self.bounds.max_bytes - bytes;
        if waiting + running + dead + parked >= self.bounds.max_events || event.body().len() > room
        {
            return Err(StoreError::Full);
        }
        self.stats.bytes += event.body().len();
        Ok(())
    }

    fn free(&mut self, event: &Event) {
        self.stats.bytes -= event.body().len();
    }

    fn enqueue(&mut self, key: EventKey, due: Instant) {
        self.arrivals += 1;
        self.stats.waiting += 1;
        self.queue.insert((due, self.arrivals, key));
    }

    fn put_back(&mut self, event: Event, now: Instant, after: Duration) {
        // A wait beyond what the clock can hold is as good as one of the longest memory.
        let due = now.checked_add(after).unwrap_or(now + self.bounds.remember);
        let key = event.key().clone();
        self.set(&key, Step::Waiting(event));
        self.enqueue(key, due);
    }

    /// The event, if this owner has it. Its row must be given its next step by the caller.
    fn take_running(&mut self, key: &EventKey, owner: Owner) -> Option<Event> {
        match &self.rows.get(key)?.step {
            Step::Running(event, holder) if *holder == owner => {
                self.stats.running -= 1;
                Some(event.clone())
            }
            _ => None,
        }
    }

    /// As [`take_running`](Self::take_running), for a dead letter.
    fn take_dead(&mut self, key: &EventKey) -> Option<DeadLetter> {
        match &self.rows.get(key)?.step {
            Step::Dead(letter) => {
                self.stats.dead -= 1;
                Some(letter.clone())
            }
            _ => None,
        }
    }

    fn set(&mut self, key: &EventKey, step: Step) {
        if let Some(row) = self.rows.get_mut(key) {
            row.step = step;
        }
    }

    fn remember(&mut self, key: &EventKey, now: Instant) {
        self.set(key, Step::Done);
        self.stats.done += 1;
        self.forget
            .push_back((now + self.bounds.remember, key.clone()));
    }

    fn forget_expired(&mut self, now: Instant) {
        while self.forget.front().is_some_and(|(until, _)| *until <= now) {
            if let Some((_, key)) = self.forget.pop_front() {
                self.rows.remove(&key);
                self.stats.done -= 1;
            }
        }
    }
}
