//! `golive-backoff` beside its rivals, over the same servers.
//!
//! Everybody has the same settings: [`RETRIES`] retries, delays that begin at [`BASE`], double, and
//! end at [`CAP`], with the jitter that their documentation recommends. Nobody is given a deadline.
//! What a rival leaves to its user is done here as that documentation shows it.

pub mod backon;
pub mod idle;
pub mod reqwest_face;
pub mod tower_face;

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use golive_backoff::{Backoff, Pacing, limits::Limits};
use golive_sim::{Caller, FarEnd};

/// Attempts after the first one.
pub const RETRIES: u32 = 3;
/// The first delay, before jitter.
pub const BASE: Duration = Duration::from_millis(250);
/// The longest delay.
pub const CAP: Duration = Duration::from_secs(8);

/// Who made a contestant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// We, and the figures are promised of it.
    Ours,
    /// We a part of it, for those who keep a rival.
    Mixed,
    /// Others.
    Rival,
}

/// A client with a retry, which all callers of a simulation share.
pub struct Contestant {
    /// Its name in tables.
    pub name: &'static str,
    /// Who made it.
    pub side: Side,
    connect: fn(FarEnd, u64) -> Caller,
}

/// Ours, in both faces and below somebody else's retry, and everything that one would use instead.
#[must_use]
pub fn contestants() -> Vec<Contestant> {
    let contestant = |name, side, connect| Contestant {
        name,
        side,
        connect,
    };
    vec![
        contestant("ours, tower", Side::Ours, tower_face::ours),
        contestant("ours, reqwest", Side::Ours, reqwest_face::ours),
        contestant(
            "Pacing below reqwest-retry",
            Side::Mixed,
            reqwest_face::paced,
        ),
        contestant("reqwest-retry", Side::Rival, reqwest_face::reqwest_retry),
        contestant("tower::retry", Side::Rival, tower_face::without_budget),
        contestant(
            "tower::retry, TpsBudget",
            Side::Rival,
            tower_face::with_budget,
        ),
        contestant("backon", Side::Rival, backon::plain),
        contestant("backon, hints by hand", Side::Rival, backon::as_told),
    ]
}

/// Ours with the settings of everybody, and the random numbers of this seed.
///
/// # Panics
/// Never: the settings are valid.
#[must_use]
pub fn backoff(seed: u64) -> Backoff {
    let backoff = { Backoff::builder() }
        .attempts(1 + RETRIES)
        .base(BASE)
        .cap(CAP)
        .random(seeded(seed))
        .build();
    backoff.expect("valid settings")
}

/// For those who keep another retry, above it.
fn pacing(seed: u64) -> Pacing {
    { Pacing::builder(Limits::new()) }
        .random(seeded(seed))
        .build()
}

fn seeded(seed: u64) -> impl Fn() -> u64 + Send + Sync {
    let random = Mutex::new(fastrand::Rng::with_seed(seed));
    move || {
        let mut random = random.lock().unwrap_or_else(PoisonError::into_inner);
        random.u64(..)
    }
}

// === impl Contestant ===

impl Contestant {
    /// A caller of this server. Ours draw everything from `seed`; the rivals have generators of
    /// their own.
    #[must_use]
    pub fn connect(&self, far_end: &FarEnd, seed: u64) -> Caller {
        (self.connect)(far_end.clone(), seed)
    }
}

impl fmt::Debug for Contestant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Contestant").field(&self.name).finish()
    }
}

/// Makes a caller of an asynchronous function.
fn caller<F: Future<Output = bool> + Send + 'static>(
    call: impl Fn() -> F + Send + Sync + 'static,
) -> Caller {
    Arc::new(move || Box::pin(call()))
}
