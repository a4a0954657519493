//! What a run found, and its two faces: a terminal and JSON.

mod json;
pub mod terminal;
mod wire;

use std::time::Duration;

use serde::Serialize;

use crate::boxes::{BOXES, BoxId, BoxState};
use crate::case::{Case, Level};
use crate::trace::Entry;
use crate::verdict::{Judgement, Verdict};

/// The version of the JSON report.
pub const SCHEMA: &str = "golive-check/1";

/// The report of one run. As JSON it is the document that `--json` writes.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: &'static str,
    /// What wrote it.
    pub tool: Tool,
    /// The provider that was played.
    pub profile: &'static str,
    /// The dialect that the provider spoke.
    pub dialect: String,
    /// The seed of the run.
    pub seed: u64,
    /// When it started, RFC 3339, UTC.
    pub started: String,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// Who was checked.
    pub subject: String,
    /// The checklist.
    pub boxes: Vec<BoxResult>,
    /// The cases that were selected, in the order of the catalogue.
    pub cases: Vec<CaseResult>,
}

/// Name and version of the checker.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Tool {
    /// `golive`.
    pub name: &'static str,
    /// Its version.
    pub version: &'static str,
}

/// One line of the checklist.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct BoxResult {
    /// Its id.
    pub id: BoxId,
    /// Its title.
    pub title: &'static str,
    /// Its state.
    pub state: BoxState,
    /// MUST cases that passed.
    pub passed: usize,
    /// MUST cases that this version has.
    pub existing: usize,
    /// MUST cases that are still to come.
    pub to_come: usize,
    /// Whether any of its cases was selected.
    pub selected: bool,
    /// Why it is not ticked, if so.
    pub reason: String,
}

/// One case and what came of it.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct CaseResult {
    /// Its id.
    pub id: &'static str,
    /// Its box.
    #[serde(rename = "box")]
    pub in_box: BoxId,
    /// MUST or SHOULD.
    pub level: Level,
    /// How it ended.
    pub verdict: Verdict,
    /// What was done.
    pub stimulus: &'static str,
    /// What should be seen.
    pub expected: &'static str,
    /// What was seen.
    pub observed: String,
    /// Why this is the verdict.
    pub reason: String,
    /// The rule.
    pub clause: &'static str,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// The records that decided it, redacted.
    pub evidence: Vec<Entry>,
}

/// What a [`Report`] is made from.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    pub(crate) dialect: String,
    pub(crate) seed: u64,
    pub(crate) started: Duration,
    pub(crate) took: Duration,
    pub(crate) subject: String,
    pub(crate) cases: Vec<CaseResult>,
}

// === impl Report ===

impl Report {
    pub(crate) fn of(facts: Facts) -> Self {
        let boxes = BOXES
            .iter()
            .map(|b| box_result(b.id, &facts.cases))
            .collect();
        Self {
            schema: SCHEMA,
            tool: Tool {
                name: "golive",
                version: env!("CARGO_PKG_VERSION"),
            },
            profile: "dinie",
            dialect: facts.dialect,
            seed: facts.seed,
            started: json::rfc3339(facts.started),
            seconds: facts.took.as_secs_f64(),
            subject: facts.subject,
            boxes,
            cases: facts.cases,
        }
    }

    /// The result of a case.
    #[must_use]
    pub fn case(&self, id: &str) -> Option<&CaseResult> {
        self.cases.iter().find(|c| c.id == id)
    }

    /// The ids of the cases with this verdict.
    #[must_use]
    pub fn with(&self, verdict: Verdict) -> Vec<&'static str> {
        self.cases
            .iter()
            .filter(|c| c.verdict == verdict)
            .map(|c| c.id)
            .collect()
    }

    /// The report as JSON, one document.
    ///
    /// # Errors
    /// Never for the reports of this crate; the type is serde's.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(self)
    }
}

// === impl CaseResult ===

impl CaseResult {
    pub(crate) fn new(case: &Case, judgement: Judgement, took: Duration) -> Self {
        // A SHOULD that was not met is a warning.
        let verdict = match (case.level, judgement.verdict) {
            (Level::Should, Verdict::Fail) => Verdict::Warn,
            (_, verdict) => verdict,
        };
        Self {
            id: case.id,
            in_box: case.in_box,
            level: case.level,
            verdict,
            stimulus: case.stimulus,
            expected: case.expected,
            observed: judgement.observed,
            reason: judgement.reason,
            clause: case.clause,
            seconds: took.as_secs_f64(),
            evidence: judgement.evidence,
        }
    }
}

fn box_result(id: BoxId, cases: &[CaseResult]) -> BoxResult {
    let info = id.info();
    let tally = info.tally(|case| cases.iter().find(|c| c.id == case).map(|c| c.verdict));
    let of_box: Vec<_> = cases.iter().filter(|c| c.in_box == id).collect();
    let musts = || {
        of_box
            .iter()
            .filter(|c| c.level == Level::Must && c.verdict > Verdict::Warn)
    };
    let gravest = musts().map(|c| c.verdict).max();
    let worst = musts().find(|c| Some(c.verdict) == gravest);
    let reason = match (tally.state, worst) {
        (BoxState::Ticked | BoxState::Attested, _) => String::new(),
        (_, Some(c)) => format!("{} {}: {}", c.id, c.verdict.word(), c.reason),
        (_, None) if tally.existing == 0 => "no case yet".to_owned(),
        (_, None) if of_box.is_empty() => "not selected".to_owned(),
        (_, None) if tally.passed < tally.existing => "judged in part".to_owned(),
        (_, None) => info.not_provable_because.unwrap_or_default().to_owned(),
    };
    BoxResult {
        id,
        title: info.title,
        state: tally.state,
        passed: tally.passed,
        existing: tally.existing,
        to_come: tally.to_come,
        selected: !of_box.is_empty(),
        reason,
    }
}
