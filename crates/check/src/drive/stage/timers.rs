//! By how much timers that should agree differ on this machine, while the
//! subject waits for its own.

use std::pin::pin;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::{Instant, sleep_until};

use super::Stage;

/// Timers of one round: as many as operations are compared.
const TIMERS: u32 = 8;
/// The shortest of them; each is a little longer than the one before, so that
/// they are woken one by one, as those of the subject are.
const SHORTEST: Duration = Duration::from_millis(40);
const APART: Duration = Duration::from_millis(5);
/// Rounds at least.
const ROUNDS: usize = 10;

impl Stage<'_> {
    pub(super) async fn create_timed(&mut self, label: &'static str, n: u32) {
        let mark = self.mark(label);
        let mut rounds = Vec::new();
        let calls = {
            let mut asked = pin!(self.asked_many(label, &mark, n));
            let mut calls = None;
            loop {
                // Begun with the creates, so that both meet the same load.
                let mut round = pin!(round());
                let differ = loop {
                    tokio::select! {
                        came_back = &mut asked, if calls.is_none() => calls = Some(came_back),
                        differ = &mut round => break differ,
                    }
                };
                rounds.push(differ);
                if let Some(calls) = calls.take_if(|_| rounds.len() >= ROUNDS) {
                    break calls;
                }
            }
        };
        self.trace.calls.extend(calls);
        self.trace.timer_noise = ninth_of_ten(rounds);
    }
}

/// From the least late timer of a round to the latest.
async fn round() -> Duration {
    let timers = (0..TIMERS).map(|n| {
        let due = Instant::now() + SHORTEST + APART * n;
        // A task each, as operations of the subject are.
        tokio::spawn(async move {
            sleep_until(due).await;
            due.elapsed()
        })
    });
    let late: Vec<Duration> = join_all(timers).await.into_iter().flatten().collect();
    let (first, last) = (late.iter().min(), late.iter().max());
    last.zip(first)
        .map_or(Duration::ZERO, |(last, first)| *last - *first)
}

/// What nine of ten rounds stayed within.
fn ninth_of_ten(mut rounds: Vec<Duration>) -> Option<Duration> {
    rounds.sort_unstable();
    let ninth = (rounds.len() * 9).div_ceil(10).checked_sub(1)?;
    rounds.get(ninth).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nine_of_ten_rounds_are_within_the_noise() {
        let ms = |n| Duration::from_millis(n);
        assert_eq!(ninth_of_ten(vec![]), None);
        assert_eq!(ninth_of_ten(vec![ms(7)]), Some(ms(7)));
        let rounds = (1..=10).rev().map(ms).collect();
        assert_eq!(ninth_of_ten(rounds), Some(ms(9)));
        let rounds = (1..=20).map(ms).collect();
        assert_eq!(ninth_of_ten(rounds), Some(ms(18)));
    }

    #[tokio::test]
    async fn timers_that_are_held_up_differ() {
        let holding_up = tokio::spawn(async {
            tokio::time::sleep(SHORTEST + APART).await;
            #[allow(clippy::disallowed_methods, reason = "a task that blocks is the point")]
            std::thread::sleep(Duration::from_millis(80));
        });
        let differ = round().await;
        holding_up.await.unwrap();
        assert!(differ >= Duration::from_millis(25), "{differ:?}");
    }
}
