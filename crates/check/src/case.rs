//! A case as data: what it rests on, what is done, what is expected, and the
//! pure function that judges it.

mod step;

use serde::Serialize;

pub use self::step::{Answer, Forgery, Page, Step, Times};
use crate::boxes::BoxId;
use crate::drive::Hook;
use crate::trace::Trace;
use crate::verdict::Judgement;

/// Whether a box can be ticked without this case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Level {
    /// Needed to tick the box.
    Must,
    /// A recommendation: a violation is a WARN and never unticks a box.
    Should,
}

impl Level {
    /// The word that reports print.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Must => "MUST",
            Self::Should => "SHOULD",
        }
    }
}

/// One case of the catalogue, built or still to come.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Case {
    /// Its id, such as `IDEM-02`.
    pub id: &'static str,
    /// The box that it belongs to.
    pub in_box: BoxId,
    /// MUST or SHOULD.
    pub level: Level,
    /// What is done to the subject.
    pub stimulus: &'static str,
    /// What should be seen.
    pub expected: &'static str,
    /// What counts as positive evidence of a violation.
    pub fails_when: &'static str,
    /// The rule that it rests on, quoted with its source.
    pub clause: &'static str,
    /// What to do about a failure.
    pub hint: &'static str,
    /// How it is run and judged; `None` while it is still to come.
    pub build: Option<Build>,
    /// When it is run: after all cases of earlier turns; within a turn the
    /// catalogue's order counts. Most have turn 0.
    pub turn: u8,
}

/// The part of a case that makes it run.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Build {
    /// What is done, in order.
    pub steps: &'static [Step],
    /// The pure judge.
    pub judge: fn(&Trace) -> Judgement,
    /// Whether it judges hooks that broke, too. For any other case a driver
    /// that breaks is an ERROR, and says nothing about the subject.
    pub judges_broken_hooks: bool,
}

/// Which offer of the subject a case cannot do without.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Need {
    /// `--drive` with the hook `create`.
    Driver,
    /// `--webhook`.
    Webhook,
    /// A hook beside `create`.
    Hook(Hook),
}

impl Case {
    /// A case that is still to come; [`Self::ready`] builds it.
    pub(crate) const fn new(id: &'static str, in_box: BoxId, level: Level) -> Self {
        Self {
            id,
            in_box,
            level,
            stimulus: "",
            expected: "",
            fails_when: "",
            clause: "",
            hint: "",
            build: None,
            turn: 0,
        }
    }

    /// Stimulus, expectation and the condition of failure.
    pub(crate) const fn says(
        mut self,
        stimulus: &'static str,
        expected: &'static str,
        fails_when: &'static str,
    ) -> Self {
        self.stimulus = stimulus;
        self.expected = expected;
        self.fails_when = fails_when;
        self
    }

    /// The rule and its source, and what to do about a failure.
    pub(crate) const fn rests_on(mut self, clause: &'static str, hint: &'static str) -> Self {
        self.clause = clause;
        self.hint = hint;
        self
    }

    /// Makes the case run.
    pub(crate) const fn ready(
        mut self,
        steps: &'static [Step],
        judge: fn(&Trace) -> Judgement,
    ) -> Self {
        self.build = Some(Build {
            steps,
            judge,
            judges_broken_hooks: false,
        });
        self
    }

    /// Hands hooks that broke to the judge.
    pub(crate) const fn judging_broken_hooks(mut self) -> Self {
        if let Some(build) = &mut self.build {
            build.judges_broken_hooks = true;
        }
        self
    }

    /// Runs the case after all those of earlier turns.
    pub(crate) const fn in_turn(mut self, turn: u8) -> Self {
        self.turn = turn;
        self
    }

    /// What the subject must offer for this case, read off its steps.
    #[must_use]
    pub fn needs(&self) -> Vec<Need> {
        let mut needs = Vec::new();
        for step in self.build.iter().flat_map(|b| b.steps) {
            if let Some(need) = step.need().filter(|need| !needs.contains(need)) {
                needs.push(need);
            }
        }
        needs
    }

    /// The group of the case: the part of its id before the number.
    #[must_use]
    pub fn group(&self) -> &'static str {
        self.id.rsplit_once('-').map_or(self.id, |(group, _)| group)
    }
}
