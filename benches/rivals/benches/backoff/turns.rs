//! Short works in turns.

use golive_gates::many_in_turns;

/// A work and its name. It does one turn, and says how many nanoseconds it took for each time.
pub(crate) struct Work {
    pub(crate) name: &'static str,
    turn: Box<dyn FnMut() -> f64>,
}

// === impl Work ===

impl Work {
    pub(crate) fn new(name: &'static str, turn: impl FnMut() -> f64 + 'static) -> Self {
        let turn = Box::new(turn);
        Self { name, turn }
    }
}

/// Nanoseconds, by work and round: enough rounds that a machine that does other things leaves some of
/// them alone.
pub(crate) fn measure(rounds: usize, works: &mut [Work]) -> Vec<Vec<f64>> {
    // Whatever is set up once, for all times to come, is no part of any.
    for work in &mut *works {
        (work.turn)();
    }
    many_in_turns(rounds, works.len(), |at| (works[at].turn)())
}
