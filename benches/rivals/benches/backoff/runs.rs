//! The runs of a simulation: every contestant with every seed.

use golive_gates::Spread;
use golive_rivals::retries::{Contestant, Side, contestants};
use golive_sim::Arrivals;

use crate::curves::{Chart, Panel};

/// Ours draw everything from these, and so give the same figures in every run; rivals have random
/// generators of their own, and nearly do.
const SEEDS: [u64; 3] = [1, 2, 3];

/// Those of one contestant.
pub(crate) struct Runs<F> {
    pub(crate) contestant: Contestant,
    /// One for each seed.
    pub(crate) figures: Vec<F>,
    /// Of the first.
    arrivals: Arrivals,
}

/// What stands in a column of a table, and what over it.
pub(crate) type Column<F> = (&'static str, fn(&F) -> f64);

/// Runs a simulation with everybody.
pub(crate) fn all<F>(run: impl Fn(&Contestant, u64) -> (F, Arrivals)) -> Vec<Runs<F>> {
    let everybody = contestants().into_iter();
    everybody.map(|one| Runs::of(one, &run)).collect()
}

/// Prints a table of everybody, with what is in the middle of the runs of each.
pub(crate) fn print<F>(all: &[Runs<F>], columns: &[Column<F>]) {
    let heads = columns.iter().map(|(head, _)| format!(" {head:>13}"));
    println!("    {:<26}{}", "", heads.collect::<String>());
    for one in all {
        let values = columns.iter().map(|(_, of)| {
            let value = one.middle(of);
            // Of what is counted there are no parts.
            let digits = if value < 100.0 { 4 } else { 0 };
            format!(" {value:>13.digits$}")
        });
        let name = one.contestant.name;
        println!("    {name:<26}{}", values.collect::<String>());
    }
}

/// Draws the first run of everybody.
pub(crate) fn draw<F>(all: &[Runs<F>], chart: &Chart<'_>, said: impl Fn(&F) -> String) {
    let panels = all.iter().map(|one| Panel {
        caption: format!("{}: {}", one.contestant.name, said(&one.figures[0])),
        arrivals: &one.arrivals,
    });
    chart.draw(&panels.collect::<Vec<_>>());
}

// === impl Runs ===

impl<F> Runs<F> {
    fn of(contestant: Contestant, run: impl Fn(&Contestant, u64) -> (F, Arrivals)) -> Self {
        let mut runs = SEEDS.iter().map(|seed| run(&contestant, *seed));
        let (first, arrivals) = runs.next().expect("a seed");
        let others = runs.map(|(figures, _)| figures);
        let figures = std::iter::once(first).chain(others).collect();
        Self {
            contestant,
            figures,
            arrivals,
        }
    }

    pub(crate) fn is_ours(&self) -> bool {
        self.contestant.side == Side::Ours
    }

    pub(crate) fn is_rival(&self) -> bool {
        self.contestant.side == Side::Rival
    }

    pub(crate) fn spread(&self, of: impl Fn(&F) -> f64) -> Spread {
        Spread::of(self.figures.iter().map(of))
    }

    pub(crate) fn middle(&self, of: impl Fn(&F) -> f64) -> f64 {
        self.spread(of).median
    }
}
