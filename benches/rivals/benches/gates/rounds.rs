//! Contestants in turns over what they verify.

use golive_gates::{many_in_turns, nanoseconds};
use golive_rivals::{Contestant, Delivery};

/// How long one turn is, in nanoseconds: the clock, which takes 30 of them, is no part of it any
/// more, and a machine that does something else is soon noticed by everybody.
const TURN: f64 = 80_000.0;
/// How long all turns of one contestant are together, in nanoseconds.
const TOGETHER: f64 = 160_000_000.0;
/// Of a work that fills several turns.
const ROUNDS: std::ops::RangeInclusive<usize> = 101..=2001;

/// A contestant, what it verifies, and the answer that it must give.
pub(crate) struct Entry {
    pub(crate) contestant: Contestant,
    pub(crate) delivery: Delivery,
    pub(crate) accepts: bool,
}

/// Nanoseconds of one verification, by entry and round.
pub(crate) fn measure(entries: &mut [Entry]) -> Vec<Vec<f64>> {
    let times: Vec<u32> = entries.iter_mut().map(Entry::fill_a_turn).collect();
    let longest = entries.iter_mut().zip(&times);
    let longest = longest.map(|(entry, times)| entry.turn(*times) * f64::from(*times));
    let longest = longest.fold(TURN, f64::max);
    let rounds = ((TOGETHER / longest) as usize).clamp(*ROUNDS.start(), *ROUNDS.end());
    many_in_turns(rounds, entries.len(), |at| entries[at].turn(times[at]))
}

// === impl Entry ===

impl Entry {
    /// Of a genuine delivery.
    pub(crate) fn genuine(contestant: Contestant, delivery: &Delivery) -> Self {
        Self {
            contestant,
            delivery: delivery.clone(),
            accepts: true,
        }
    }

    /// Nanoseconds of one among so many.
    fn turn(&mut self, times: u32) -> f64 {
        let mut accepted = 0;
        let took = nanoseconds(|| accepted = self.contestant.run(&self.delivery, times));
        let expected = if self.accepts { times } else { 0 };
        assert_eq!(accepted, expected, "the answer of {:?}", self.contestant);
        took / f64::from(times)
    }

    /// How many times fill a turn; warms it up meanwhile.
    fn fill_a_turn(&mut self) -> u32 {
        let mut times = 1;
        while self.turn(times) * f64::from(times) < TURN {
            times *= 2;
        }
        times
    }
}
