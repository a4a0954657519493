use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::{Duration, SystemTime},
};

use crate::WatchError;

/// The longest id that is kept, in bytes.
pub(super) const MAX_ID: usize = 128;

/// Who is in which state, and since when. Pure: time comes with the events.
#[derive(Debug)]
pub(super) struct Ledger {
    capacity: usize,
    memory: Duration,
    entities: HashMap<Arc<str>, Place>,
    /// By watched state: who is in it, longest first.
    states: Vec<BTreeSet<Since>>,
    /// Who left the watched states, longest ago first. They are remembered for a while, so that an
    /// event that comes late does not bring them back.
    gone: BTreeSet<Since>,
    refused: u64,
}

type Since = (SystemTime, Arc<str>);

#[derive(Clone, Copy, Debug)]
struct Place {
    /// The watched state; `None` for any other.
    state: Option<usize>,
    since: SystemTime,
    /// The latest event, which may have said the same again.
    last: SystemTime,
}

// === impl Ledger ===

impl Ledger {
    pub(super) fn new(states: usize, capacity: usize, memory: Duration) -> Self {
        Self {
            capacity,
            memory,
            entities: HashMap::new(),
            states: vec![BTreeSet::new(); states],
            gone: BTreeSet::new(),
            refused: 0,
        }
    }

    /// Notes that an entity entered a state, and says whether that is news: an event older than
    /// what is known, or one that repeats it, changes nothing.
    pub(super) fn enter(
        &mut self,
        id: &str,
        state: Option<usize>,
        since: SystemTime,
    ) -> Result<bool, WatchError> {
        if id.len() > MAX_ID {
            return Err(WatchError::LongId {
                length: id.len(),
                max: MAX_ID,
            });
        }
        let place = Place {
            state,
            since,
            last: since,
        };
        if let Some(known) = self.entities.get_mut(id) {
            if since < known.last {
                return Ok(false);
            }
            if state == known.state {
                known.last = since;
                return Ok(false);
            }
        }
        match self.entities.get_key_value(id) {
            Some((id, known)) => {
                let (id, known) = (Arc::clone(id), *known);
                if state.is_some() && known.state.is_none() {
                    self.room()?;
                }
                self.set_of(known.state)
                    .remove(&(known.since, Arc::clone(&id)));
                self.insert(id, place);
            }
            None => {
                if state.is_some() {
                    self.room()?;
                }
                self.insert(id.into(), place);
            }
        }
        self.prune(since);
        Ok(true)
    }

    /// Forgets an entity altogether.
    pub(super) fn forget(&mut self, id: &str) {
        if let Some((id, place)) = self.entities.remove_entry(id) {
            self.set_of(place.state).remove(&(place.since, id));
        }
    }

    /// Who is in a state since before `before`, longest first.
    pub(super) fn since_before(
        &self,
        state: usize,
        before: SystemTime,
    ) -> impl Iterator<Item = &Since> {
        let all = self.states.get(state).into_iter().flatten();
        all.take_while(move |(since, _)| *since < before)
    }

    pub(super) fn oldest(&self, state: usize) -> Option<SystemTime> {
        Some(self.states.get(state)?.first()?.0)
    }

    pub(super) fn count(&self, state: usize) -> usize {
        self.states.get(state).map_or(0, BTreeSet::len)
    }

    pub(super) fn refused(&self) -> u64 {
        self.refused
    }

    fn room(&mut self) -> Result<(), WatchError> {
        if self.entities.len() - self.gone.len() < self.capacity {
            return Ok(());
        }
        self.refused += 1;
        Err(WatchError::Full {
            capacity: self.capacity,
        })
    }

    fn insert(&mut self, id: Arc<str>, place: Place) {
        self.set_of(place.state)
            .insert((place.since, Arc::clone(&id)));
        self.entities.insert(id, place);
    }

    /// Bounds what is remembered of those who are gone, by age and by number. One that is forgotten
    /// too early may be reported once more than it should: an alarm too many, none too few.
    fn prune(&mut self, now: SystemTime) {
        while let Some((since, id)) = self.gone.first() {
            let old = now
                .duration_since(*since)
                .is_ok_and(|age| age > self.memory);
            if !old && self.gone.len() <= self.capacity {
                break;
            }
            self.entities.remove(id);
            self.gone.pop_first();
        }
    }

    fn set_of(&mut self, state: Option<usize>) -> &mut BTreeSet<Since> {
        // A state is an index that the watch itself gave.
        match state.and_then(|state| self.states.get_mut(state)) {
            Some(set) => set,
            None => &mut self.gone,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KYC: Option<usize> = Some(0);
    const REVIEW: Option<usize> = Some(1);
    const DONE: Option<usize> = None;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn ledger(capacity: usize) -> Ledger {
        Ledger::new(2, capacity, Duration::from_secs(1000))
    }

    #[test]
    fn an_entity_is_in_one_state_since_it_entered_it() {
        let mut ledger = ledger(9);
        assert_eq!(ledger.enter("a", KYC, at(5)), Ok(true));
        assert_eq!(ledger.enter("a", KYC, at(9)), Ok(false), "it stays since 5");
        assert_eq!(ledger.oldest(0), Some(at(5)));
        assert_eq!(ledger.enter("a", REVIEW, at(12)), Ok(true));
        assert_eq!((ledger.oldest(0), ledger.oldest(1)), (None, Some(at(12))));
        assert_eq!(ledger.enter("a", DONE, at(13)), Ok(true));
        assert_eq!((ledger.count(0), ledger.count(1)), (0, 0));
    }

    #[test]
    fn an_event_that_comes_late_does_not_bring_back_who_is_done() {
        let mut ledger = ledger(9);
        ledger.enter("a", DONE, at(10)).unwrap();
        assert_eq!(ledger.enter("a", REVIEW, at(5)), Ok(false));
        assert_eq!(ledger.count(1), 0);
        assert_eq!(ledger.enter("a", REVIEW, at(11)), Ok(true), "again, later");
    }

    #[test]
    fn a_full_watch_refuses_and_keeps_what_it_has() {
        let mut ledger = ledger(2);
        ledger.enter("a", KYC, at(1)).unwrap();
        ledger.enter("b", KYC, at(2)).unwrap();
        let full = Err(WatchError::Full { capacity: 2 });
        assert_eq!(ledger.enter("c", KYC, at(3)), full);
        assert_eq!((ledger.count(0), ledger.refused()), (2, 1));
        assert_eq!(ledger.enter("a", REVIEW, at(4)), Ok(true), "it is known");
        assert_eq!(ledger.enter("b", DONE, at(4)), Ok(true));
        assert_eq!(ledger.enter("c", KYC, at(5)), Ok(true), "there is room");
    }

    #[test]
    fn who_is_gone_is_forgotten_after_a_while() {
        let mut ledger = ledger(9);
        ledger.enter("a", DONE, at(10)).unwrap();
        ledger.enter("b", KYC, at(1010)).unwrap();
        assert_eq!(ledger.entities.len(), 2);
        ledger.enter("c", KYC, at(1011)).unwrap();
        assert_eq!(ledger.entities.len(), 2);
    }

    #[test]
    fn a_long_id_is_refused() {
        let id = "x".repeat(MAX_ID + 1);
        let long = WatchError::LongId {
            length: 129,
            max: 128,
        };
        assert_eq!(ledger(9).enter(&id, KYC, at(1)), Err(long));
    }

    proptest! {
        #[test]
        fn the_order_of_events_does_not_matter_and_the_bound_holds(
            events in proptest::collection::vec((0u8..6, 0usize..3, 0u64..900), 0..60),
        ) {
            // Two states at the same second have no order.
            let mut events = events;
            events.sort_by_key(|(id, _, at)| (*id, *at));
            events.dedup_by_key(|(id, _, at)| (*id, *at));
            let state = |n: usize| (n < 2).then_some(n);
            let last = |id: u8| events.iter().filter(|e| e.0 == id).max_by_key(|e| e.2);

            let mut shuffled = events.clone();
            shuffled.sort_by_key(|(id, n, at)| (at.wrapping_mul(7919) % 97, *n, *id));
            let mut ledger = ledger(6);
            for (id, n, second) in &shuffled {
                prop_assert!(ledger.enter(&id.to_string(), state(*n), at(*second)).is_ok());
                prop_assert!(ledger.entities.len() <= 12);
                let sets = ledger.count(0) + ledger.count(1) + ledger.gone.len();
                prop_assert_eq!(sets, ledger.entities.len());
            }
            for id in 0..6 {
                let known = ledger.entities.get(id.to_string().as_str()).map(|p| p.state);
                prop_assert_eq!(known, last(id).map(|e| state(e.1)));
            }
        }
    }
}
