//! Who calls, and how often.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    task::JoinSet,
    time::{Instant, sleep, sleep_until},
};

/// Does one operation through a client, with all the attempts that the client makes of it, and says
/// whether it succeeded.
pub type Caller = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = bool> + Send>> + Send + Sync>;

/// What one caller wanted done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operation {
    /// When it was begun, since the load began.
    pub begun: Duration,
    /// When it was over.
    pub ended: Duration,
    /// Whether it succeeded.
    pub succeeded: bool,
}

/// Those that are over.
#[derive(Clone, Debug, Default)]
pub struct Operations(Arc<Mutex<Vec<Operation>>>);

/// So many callers who do one operation after the other, and breathe for `between` after each,
/// until `end`. What is then under way is dropped. They share the clients as evenly as can be.
pub async fn closed(
    callers: usize,
    between: Duration,
    end: Duration,
    clients: &[Caller],
) -> Operations {
    let begun = Instant::now();
    let operations = Operations::default();
    let mut tasks = JoinSet::new();
    for call in clients.iter().cycle().take(callers) {
        let (call, operations) = (Arc::clone(call), operations.clone());
        tasks.spawn(async move {
            while begun.elapsed() < end {
                operations.take_in(begun, &call).await;
                sleep(between).await;
            }
        });
    }
    sleep_until(begun + end).await;
    tasks.shutdown().await;
    operations
}

/// Operations that come one by one, so many in a second on average, whatever becomes of those
/// before them, until `end`. Then all are awaited.
///
/// They come as independent users do: the times between them are exponentially distributed, drawn
/// from `seed`.
pub async fn open(per_second: f64, end: Duration, seed: u64, call: Caller) -> Operations {
    let begun = Instant::now();
    let operations = Operations::default();
    let mut random = fastrand::Rng::with_seed(seed);
    let mut tasks = JoinSet::new();
    let mut next = Duration::ZERO;
    loop {
        next += Duration::from_secs_f64(-(1.0 - random.f64()).ln() / per_second);
        if next >= end {
            break;
        }
        sleep_until(begun + next).await;
        let (call, operations) = (Arc::clone(&call), operations.clone());
        tasks.spawn(async move { operations.take_in(begun, &call).await });
        // Kept small: what has ended is of no more use.
        while tasks.try_join_next().is_some() {}
    }
    while tasks.join_next().await.is_some() {}
    operations
}

// === impl Operations ===

impl Operations {
    /// A copy of the list, in the order in which they ended.
    #[must_use]
    pub fn list(&self) -> Vec<Operation> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.clone()
    }

    async fn take_in(&self, load: Instant, call: &Caller) {
        let begun = load.elapsed();
        let succeeded = call().await;
        let ended = load.elapsed();
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(Operation {
            begun,
            ended,
            succeeded,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::virtually;

    fn caller(takes: Duration) -> Caller {
        Arc::new(move || {
            Box::pin(async move {
                sleep(takes).await;
                true
            })
        })
    }

    #[test]
    fn in_a_closed_loop_a_caller_waits_for_each_operation() {
        let (takes, between) = (Duration::from_millis(90), Duration::from_millis(10));
        let end = Duration::from_secs(1);
        let done = virtually(closed(3, between, end, &[caller(takes)])).list();
        assert_eq!(done.len(), 3 * 10);
        assert!(done.iter().all(|one| one.ended - one.begun == takes));
    }

    #[test]
    fn in_an_open_loop_operations_come_whatever_becomes_of_the_others() {
        let end = Duration::from_secs(10);
        let run = |seed| virtually(open(500.0, end, seed, caller(end))).list();
        let done = run(1);
        assert!((4800..5200).contains(&done.len()), "{}", done.len());
        assert!(done.iter().all(|one| one.begun < end && one.succeeded));
        assert_eq!(done, run(1));
        assert_ne!(done, run(2));
    }
}
