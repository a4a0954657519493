use std::{
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use golive_core::Clock;

/// Wall time that stands still until it is told to move. Copies show the same time.
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<Mutex<SystemTime>>);

impl ManualClock {
    /// Begins at this Unix time, in seconds.
    #[must_use]
    pub fn at(unix_seconds: u64) -> Self {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(unix_seconds);
        Self(Arc::new(Mutex::new(now)))
    }

    /// Moves on.
    pub fn advance(&self, by: Duration) {
        *self.0.lock().unwrap() += by;
    }
}

impl Clock for ManualClock {
    fn now(&self) -> SystemTime {
        *self.0.lock().unwrap()
    }
}
