//! Creates when the quota is used up.

use std::pin::pin;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{LOOK, Stage};
use crate::trace::HookCall;

/// What is told in an answer is known to the subject by then: the hook that made
/// the request has come back, and this is on top.
const READ: Duration = Duration::from_millis(100);
/// After the reset, what waited for it comes.
const AFTER: Duration = Duration::from_millis(1_500);

/// Creates that are done by then were not held back.
const QUICK: Duration = Duration::from_millis(500);

impl Stage<'_> {
    pub(super) async fn await_quick(&mut self, label: &'static str, n: u32, limit: Duration) {
        // A process for each hook remembers nothing that would hold it back.
        if self.trace.one_process_per_hook {
            return;
        }
        let mark = self.mark(label);
        let deadline = Instant::now() + limit;
        loop {
            let began = Instant::now();
            let calls = self.asked_many(label, &mark, n).await;
            if began.elapsed() <= QUICK || Instant::now() >= deadline {
                self.trace.calls.extend(calls);
                return;
            }
        }
    }

    /// NOTE: the first label's hook has come back before, so whatever is asked
    /// for here was begun when the subject knew.
    pub(super) async fn create_when_used_up(
        &mut self,
        label: &'static str,
        then: &'static str,
        n: u32,
    ) {
        let told_of = self.mark(label);
        let wall_zero = self.provider.wall_zero();
        self.trace.wall_zero = wall_zero;
        let answers = self.creates_of(&told_of);
        let Some((_, reset)) = answers.iter().find_map(|e| self.trace.used_up(e)) else {
            return;
        };
        sleep(READ).await;
        let mark = self.mark(then);
        self.note("asked");
        let calls = {
            let mut asked = pin!(self.asked_many(then, &mark, n));
            let mut calls: Option<Vec<HookCall>> = None;
            loop {
                tokio::select! {
                    came_back = &mut asked, if calls.is_none() => calls = Some(came_back),
                    () = sleep(LOOK) => {}
                }
                let watched = self.provider.elapsed() >= reset + AFTER
                    || self.creates_of(&mark).len() >= n as usize;
                if let Some(calls) = calls.take_if(|_| watched) {
                    break calls;
                }
            }
        };
        self.trace.calls.extend(calls);
    }
}
