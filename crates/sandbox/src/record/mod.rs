//! The record: every request and every delivery, with what it was answered, without its secrets.

mod entry;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

pub use self::entry::{Answer, Entry, Kind};
pub(crate) use self::entry::{body_text, field_text};
use crate::sync::lock;

/// Entries kept; older ones are dropped and counted in [`Recorder::dropped`].
const MAX_ENTRIES: usize = 100_000;
/// Text kept in all entries together, in bytes.
const MAX_TEXT: usize = 256 * 1024 * 1024;

/// Reads the record. Clones read the same one.
///
/// Bounded: the last 100,000 entries and at most 256 MiB of text are kept.
#[derive(Clone, Debug, Default)]
pub struct Recorder(Arc<Inner>);

/// A position in the record, from [`Recorder::mark`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Mark(u64);

#[derive(Debug, Default)]
struct Inner {
    ring: Mutex<Ring>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Ring {
    entries: VecDeque<Entry>,
    /// `seq` of the oldest entry, which is also how many were dropped.
    first: u64,
    text: usize,
}

/// An entry whose answer is not known yet. Dropping it says that none will come.
#[derive(Debug)]
pub(crate) struct Open {
    recorder: Recorder,
    seq: u64,
    clock: crate::clock::Clock,
    done: bool,
}

// === impl Recorder ===

impl Recorder {
    /// The position after the newest entry.
    pub fn mark(&self) -> Mark {
        let ring = lock(&self.0.ring);
        Mark(ring.first + ring.entries.len() as u64)
    }

    /// The entries that began at or after `mark` and are still kept.
    pub fn since(&self, Mark(mark): Mark) -> Vec<Entry> {
        let ring = lock(&self.0.ring);
        let skip = usize::try_from(mark.saturating_sub(ring.first)).unwrap_or(usize::MAX);
        ring.entries.iter().skip(skip).cloned().collect()
    }

    /// All entries that are still kept.
    pub fn all(&self) -> Vec<Entry> {
        self.since(Mark(0))
    }

    /// How many entries were dropped to make room.
    pub fn dropped(&self) -> u64 {
        lock(&self.0.ring).first
    }

    /// Waits until the entries since `mark` satisfy `enough`, at most `timeout`, and returns them
    /// either way.
    pub async fn wait_for(
        &self,
        mark: Mark,
        timeout: Duration,
        enough: impl Fn(&[Entry]) -> bool,
    ) -> Vec<Entry> {
        let waiting = async {
            loop {
                let changed = self.0.changed.notified();
                tokio::pin!(changed);
                // Listen before looking, so that no change falls between the two.
                changed.as_mut().enable();
                let entries = self.since(mark);
                if enough(&entries) {
                    return entries;
                }
                changed.await;
            }
        };
        match tokio::time::timeout(timeout, waiting).await {
            Ok(entries) => entries,
            Err(_) => self.since(mark),
        }
    }

    pub(crate) fn begin(&self, mut entry: Entry, clock: crate::clock::Clock) -> Open {
        let seq = {
            let mut ring = lock(&self.0.ring);
            entry.seq = ring.first + ring.entries.len() as u64;
            let seq = entry.seq;
            ring.text += entry.text();
            ring.entries.push_back(entry);
            while ring.entries.len() > MAX_ENTRIES || ring.text > MAX_TEXT {
                let Some(oldest) = ring.entries.pop_front() else {
                    break;
                };
                ring.first += 1;
                ring.text -= oldest.text();
            }
            seq
        };
        self.0.changed.notify_waiters();
        Open {
            recorder: self.clone(),
            seq,
            clock,
            done: false,
        }
    }

    fn end(&self, seq: u64, done_at: Duration, answer: Answer) -> Option<Entry> {
        let entry = {
            let mut ring = lock(&self.0.ring);
            let at = usize::try_from(seq.checked_sub(ring.first)?).ok()?;
            let entry = ring.entries.get_mut(at)?;
            entry.answer = answer;
            entry.done_at = Some(done_at);
            let entry = entry.clone();
            ring.text += entry.answer.text();
            entry
        };
        self.0.changed.notify_waiters();
        Some(entry)
    }
}

// === impl Open ===

impl Open {
    pub(crate) fn seq(&self) -> u64 {
        self.seq
    }

    /// Names the fault that is about to take effect.
    pub(crate) fn fault(&self, words: &str) {
        let mut ring = lock(&self.recorder.0.ring);
        let at = self
            .seq
            .checked_sub(ring.first)
            .and_then(|at| usize::try_from(at).ok());
        if let Some(entry) = at.and_then(|at| ring.entries.get_mut(at)) {
            entry.fault = Some(words.to_owned());
        }
    }

    /// Closes the entry; `None` if it was dropped from the ring meanwhile.
    pub(crate) fn end(mut self, answer: Answer) -> Option<Entry> {
        self.done = true;
        self.recorder.end(self.seq, self.clock.now().mono, answer)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if !self.done {
            let reason =
                "the other side went away, or the sandbox stopped, before there was an answer"
                    .to_owned();
            self.recorder
                .end(self.seq, self.clock.now().mono, Answer::NoAnswer { reason });
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(super) fn entry() -> Entry {
        Entry {
            seq: 0,
            at: Duration::from_micros(1500),
            done_at: None,
            kind: Kind::Request,
            method: "GET".to_owned(),
            path: "/api/v3/customers".to_owned(),
            query: None,
            headers: vec![],
            body_digest: String::new(),
            body: String::new(),
            answer: Answer::Pending,
            fault: None,
            webhook_id: None,
            client_id: None,
            token: None,
            connection: None,
        }
    }

    #[tokio::test]
    async fn a_mark_divides_the_record() {
        let (recorder, clock) = (Recorder::default(), crate::clock::Clock::start());
        recorder
            .begin(entry(), clock)
            .end(Answer::Cut { processed: true });
        let mark = recorder.mark();
        assert_eq!(recorder.since(mark), []);
        let open = recorder.begin(entry(), clock);
        assert_eq!(recorder.since(mark)[0].answer, Answer::Pending);
        drop(open);
        assert!(matches!(
            recorder.since(mark)[0].answer,
            Answer::NoAnswer { .. }
        ));
        assert_eq!(
            recorder
                .all()
                .iter()
                .map(|entry| entry.seq)
                .collect::<Vec<_>>(),
            [0, 1]
        );
    }

    #[tokio::test]
    async fn the_ring_drops_its_oldest_and_a_late_answer_to_it_changes_nothing() {
        let (recorder, clock) = (Recorder::default(), crate::clock::Clock::start());
        let first = recorder.begin(entry(), clock);
        for _ in 0..MAX_ENTRIES {
            recorder
                .begin(entry(), clock)
                .end(Answer::Cut { processed: false });
        }
        assert_eq!(recorder.dropped(), 1);
        assert_eq!(first.end(Answer::Cut { processed: true }), None);
        assert!(
            recorder
                .all()
                .iter()
                .all(|entry| entry.answer == Answer::Cut { processed: false })
        );
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_ends_when_there_is_enough_or_the_time_is_up() {
        let (recorder, clock) = (Recorder::default(), crate::clock::Clock::start());
        let mark = recorder.mark();
        let waiting =
            recorder.wait_for(mark, Duration::from_secs(60), |entries| !entries.is_empty());
        let (seen, ()) = tokio::join!(waiting, async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            recorder.begin(entry(), clock).end(Answer::Pending);
        });
        assert_eq!(seen.len(), 1);
        let seen = recorder
            .wait_for(mark, Duration::from_secs(60), |entries| entries.len() > 1)
            .await;
        assert_eq!(seen.len(), 1);
    }
}
