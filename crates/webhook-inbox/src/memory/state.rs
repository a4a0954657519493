//! The rows and the queue: every transition, as a plain function of the time.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::ops::Bound;
use std::time::Duration;

use tokio::time::Instant;

use super::MemoryStoreBuilder;
use crate::{
    Accepted, Claim, DeadLetter, Event, EventKey, Fenced, Fingerprint, Owner, Release, Stats,
    StoreError,
};

#[derive(Debug)]
pub(super) struct State {
    bounds: MemoryStoreBuilder,
    rows: HashMap<EventKey, Row>,
    /// Waiting events by due time; the number keeps the order of arrival among equals.
    queue: BTreeSet<(Instant, u64, EventKey)>,
    /// Running events by the end of their lease, and by their owner.
    leases: BTreeSet<(Instant, EventKey)>,
    owners: HashMap<Owner, EventKey>,
    /// Done rows in the order in which they are forgotten.
    forget: VecDeque<(Instant, EventKey)>,
    dead: BTreeSet<EventKey>,
    parked: BTreeMap<(EventKey, [u8; 32]), Event>,
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
    Running(Event, Owner, Instant),
    Dead(DeadLetter),
    Done,
}

impl State {
    pub(super) fn new(bounds: MemoryStoreBuilder) -> Self {
        Self {
            bounds,
            rows: HashMap::new(),
            queue: BTreeSet::new(),
            leases: BTreeSet::new(),
            owners: HashMap::new(),
            forget: VecDeque::new(),
            dead: BTreeSet::new(),
            parked: BTreeMap::new(),
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
            let place = place(&event);
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
        let waiting = self.queue.first().map(|(due, ..)| *due);
        let running = self.leases.first().map(|(until, _)| *until);
        waiting.into_iter().chain(running).min()
    }

    pub(super) fn claim(&mut self, owner: Owner, lease: Duration, now: Instant) -> Option<Claim> {
        if let Some(key) = self.owners.get(&owner).cloned() {
            let event = self.take_running(&key, owner)?;
            return Some(self.run(event, owner, lease, now));
        }
        let event = self.take_ended(now).or_else(|| self.take_due(now))?;
        let attempt = event.attempt().saturating_add(1);
        Some(self.run(event.at_attempt(attempt), owner, lease, now))
    }

    pub(super) fn renew(
        &mut self,
        key: &EventKey,
        owner: Owner,
        lease: Duration,
        now: Instant,
    ) -> Fenced {
        let Some(event) = self.take_running(key, owner) else {
            return Fenced::Lost;
        };
        let _ = self.run(event, owner, lease, now);
        Fenced::Applied
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
                self.dead.insert(key.clone());
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
        let from = (key.clone(), [0; 32]);
        let under = |(place, _): &(&(EventKey, [u8; 32]), &Event)| place.0 == *key;
        let places = self.parked.range(from..).take_while(under);
        for place in places.map(|(place, _)| place.clone()).collect::<Vec<_>>() {
            if let Some(event) = self.parked.remove(&place) {
                self.free(&event);
                self.stats.parked -= 1;
                found = true;
            }
        }
        found
    }

    pub(super) fn stats(&self) -> Stats {
        self.stats
    }

    pub(super) fn dead_letters(&self, after: Option<&EventKey>, limit: usize) -> Vec<DeadLetter> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let keys = self.dead.range::<EventKey, _>((from, Bound::Unbounded));
        let letter = |key| match &self.rows.get(key)?.step {
            Step::Dead(letter) => Some(letter.clone()),
            _ => None,
        };
        keys.filter_map(letter).take(limit).collect()
    }

    pub(super) fn parked(&self, after: Option<&Event>, limit: usize) -> Vec<Event> {
        let from = after.map_or(Bound::Unbounded, |event| Bound::Excluded(place(event)));
        let parked = self.parked.range((from, Bound::Unbounded));
        parked.take(limit).map(|(_, event)| event.clone()).collect()
    }

    fn make_room(&mut self, event: &Event) -> Result<(), StoreError> {
        let room = self.bounds.max_bytes - self.stats.bytes;
        if self.stats.kept() >= self.bounds.max_events || event.body().len() > room {
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
        let due = self.later(now, after);
        let key = event.key().clone();
        self.set(&key, Step::Waiting(event));
        self.enqueue(key, due);
    }

    /// A wait beyond what the clock can hold is as good as one of the longest memory.
    fn later(&self, now: Instant, after: Duration) -> Instant {
        now.checked_add(after).unwrap_or(now + self.bounds.remember)
    }

    fn run(&mut self, event: Event, owner: Owner, lease: Duration, now: Instant) -> Claim {
        let (key, until) = (event.key().clone(), self.later(now, lease));
        self.set(&key, Step::Running(event.clone(), owner, until));
        self.leases.insert((until, key.clone()));
        self.owners.insert(owner, key);
        self.stats.running += 1;
        Claim::new(event, owner)
    }

    fn take_due(&mut self, now: Instant) -> Option<Event> {
        if self.queue.first()?.0 > now {
            return None;
        }
        let (_, _, key) = self.queue.pop_first()?;
        self.stats.waiting -= 1;
        match &self.rows.get(&key)?.step {
            Step::Waiting(event) => Some(event.clone()),
            _ => None,
        }
    }

    /// The event whose lease ended first, if one has.
    fn take_ended(&mut self, now: Instant) -> Option<Event> {
        let (until, key) = self.leases.first()?;
        if *until > now {
            return None;
        }
        let key = key.clone();
        let Step::Running(_, owner, _) = self.rows.get(&key)?.step else {
            return None;
        };
        self.take_running(&key, owner)
    }

    /// The event, if this owner has it. Its row must be given its next step by the caller.
    fn take_running(&mut self, key: &EventKey, owner: Owner) -> Option<Event> {
        match &self.rows.get(key)?.step {
            Step::Running(event, holder, until) if *holder == owner => {
                self.leases.remove(&(*until, key.clone()));
                self.owners.remove(&owner);
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
                self.dead.remove(key);
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

fn place(event: &Event) -> (EventKey, [u8; 32]) {
    (event.key().clone(), *event.fingerprint().as_bytes())
}
