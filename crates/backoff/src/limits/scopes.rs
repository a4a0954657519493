//! The bounded map from keys to scopes. Reading it never waits.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use arc_swap::ArcSwap;
use tokio::time::Instant;

use super::Scope;

/// Copied when a scope is added, which is seldom; read by every call.
pub(super) struct Scopes {
    map: ArcSwap<Map>,
    /// One who writes at a time.
    writing: Mutex<()>,
    max: usize,
    /// Counts the scopes that were added: the clock by which the least recently used is found. So
    /// a look-up writes only if something was added since the last one.
    tick: AtomicU64,
    overflow: Arc<Scope>,
}

type Map = HashMap<u64, Arc<Scope>, BuildHasherDefault<Hashed>>;

/// For keys that are hashes already.
#[derive(Default)]
struct Hashed(u64);

// === impl Scopes ===

impl Scopes {
    pub(super) fn new(max: usize, overflow: Scope) -> Self {
        Self {
            map: ArcSwap::default(),
            writing: Mutex::default(),
            max,
            tick: AtomicU64::new(0),
            overflow: Arc::new(overflow),
        }
    }

    /// The scope of this key, if there is one.
    pub(super) fn find(&self, key: u64) -> Option<Arc<Scope>> {
        let map = self.map.load();
        let scope = map.get(&key)?;
        let tick = self.tick.load(Ordering::Relaxed);
        if scope.gate.used.load(Ordering::Relaxed) != tick {
            scope.gate.used.store(tick, Ordering::Relaxed);
        }
        Some(Arc::clone(scope))
    }

    /// The scope of this key, added if there is none. If there are as many as there may be, one
    /// that is neither in use nor paused makes room, the least recently used first. If there is no
    /// such one either, it is the scope that all share for whom there is no room.
    pub(super) fn find_or_add(
        &self,
        key: u64,
        now: Instant,
        new: impl FnOnce() -> Scope,
    ) -> Arc<Scope> {
        if let Some(found) = self.find(key) {
            return found;
        }
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        // Somebody may have been faster.
        if let Some(found) = self.find(key) {
            return found;
        }
        let old = self.map.load_full();
        let evicted = if old.len() < self.max {
            None
        } else {
            // In the map itself; whoever uses one holds another.
            let unused = old
                .iter()
                .filter(|(_, scope)| Arc::strong_count(scope) == 1 && !scope.is_paused(now));
            let oldest = unused.min_by_key(|(_, scope)| scope.gate.used.load(Ordering::Relaxed));
            match oldest {
                Some((key, _)) => Some(*key),
                None => return Arc::clone(&self.overflow),
            }
        };
        let mut map = Map::clone(&old);
        if let Some(evicted) = evicted {
            // NOTE: somebody may be taking it up at this very moment. Then for once two scopes
            // stand for the same key, until that call ends.
            map.remove(&evicted);
        }
        let tick = self.tick.fetch_add(1, Ordering::Relaxed) + 1;
        let scope = new();
        scope.gate.used.store(tick, Ordering::Relaxed);
        let scope = Arc::new(scope);
        map.insert(key, Arc::clone(&scope));
        self.map.store(Arc::new(map));
        scope
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.map.load().len()
    }
}

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        // NOTE: keys are `u64`, so nobody comes here.
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::StatusCode;

    use super::*;
    use crate::limits::{Answer, Budget, tests::rules};

    fn scopes(max: usize) -> Scopes {
        Scopes::new(max, scope(false))
    }

    fn scope(learns: bool) -> Scope {
        Scope::new(&Budget::new(), &Arc::new(rules()), learns)
    }

    fn of(scopes: &Scopes, key: u64, now: Instant) -> Arc<Scope> {
        scopes.find_or_add(key, now, || scope(true))
    }

    #[test]
    fn the_same_key_has_the_same_scope() {
        let (scopes, now) = (scopes(4), Instant::now());
        assert!(scopes.find(1).is_none());
        let one = of(&scopes, 1, now);
        assert!(Arc::ptr_eq(&one, &of(&scopes, 1, now)));
        assert!(!Arc::ptr_eq(&one, &of(&scopes, 2, now)));
    }

    #[test]
    fn the_least_recently_used_makes_room() {
        let (scopes, now) = (scopes(3), Instant::now());
        for key in [1, 2, 3, 1] {
            of(&scopes, key, now);
        }
        of(&scopes, 4, now);
        assert_eq!(scopes.len(), 3);
        let known: Vec<_> = (1..=4).map(|key| scopes.find(key).is_some()).collect();
        assert_eq!(known, [true, false, true, true]);
    }

    #[test]
    fn neither_one_in_use_nor_one_that_is_paused_is_forgotten() {
        let (scopes, now) = (scopes(2), Instant::now());
        let used = of(&scopes, 1, now);
        let refusal =
            Answer::new(StatusCode::TOO_MANY_REQUESTS).asked(Some(Duration::from_secs(9)));
        let paused = of(&scopes, 2, now);
        paused.try_turn(now).unwrap().answered(now, &refusal);
        drop(paused);

        let shared = of(&scopes, 3, now);
        assert!(
            Arc::ptr_eq(&shared, &of(&scopes, 4, now)),
            "for all without a place"
        );
        assert!(Arc::ptr_eq(&used, &of(&scopes, 1, now)));
        assert!(!of(&scopes, 2, now).paused_for(now).is_zero());
        // It is no origin's own, so that one must not pause the others.
        shared.try_turn(now).unwrap().answered(now, &refusal);
        assert!(shared.paused_for(now).is_zero());
        assert!(shared.try_turn(now).is_some());

        let later = now + Duration::from_secs(10);
        assert!(
            !Arc::ptr_eq(&shared, &of(&scopes, 3, later)),
            "the pause is over"
        );
        assert_eq!(scopes.len(), 2);
    }

    #[test]
    fn threads_that_add_keep_the_bound() {
        let (scopes, now) = (scopes(16), Instant::now());
        std::thread::scope(|threads| {
            for seed in 0..4 {
                let scopes = &scopes;
                threads.spawn(move || {
                    let mut random = fastrand::Rng::with_seed(seed);
                    for _ in 0..2_000 {
                        let key = random.u64(0..40);
                        let _held = of(scopes, key, now);
                        assert!(scopes.len() <= 16);
                    }
                });
            }
        });
    }
}
