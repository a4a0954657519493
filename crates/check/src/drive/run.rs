//! The run: controls first, then the cases one at a time.

use std::time::Duration;

use tokio::time::Instant;

use super::hooks::Driver;
use super::provider::{Provider, wall};
use super::stage::Stage;
use crate::case::{Answer, Case, Need, Step, Times};
use crate::cases;
use crate::report::{CaseResult, Facts, Report};
use crate::trace::{Outcome, Trace};
use crate::verdict::{Judgement, Verdict};

/// The control of all webhook cases.
const WEBHOOK_CONTROL: &str = "WH-SIG-01";
/// How long the control's create may take to reach the provider.
const CONTROL: Duration = Duration::from_secs(5);

/// What is run against whom.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Plan {
    /// The subject in words.
    pub subject: String,
    /// The cases, in the order of the catalogue.
    pub cases: Vec<&'static Case>,
    /// How its hooks are called.
    pub driver: Option<Driver>,
    /// Where it takes webhooks.
    pub webhook: Option<String>,
    /// A word that no other run against this subject uses.
    pub run: String,
}

/// What happens during a run.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Progress<'r> {
    /// The controls have begun.
    Controls,
    /// A case has begun: its place, of how many.
    Begun(usize, usize, &'static Case),
    /// A case has ended.
    Ended(&'r CaseResult),
}

/// Why cases cannot count.
struct Controls {
    create: Result<(), Judgement>,
    webhook: Result<(), Judgement>,
}

impl Plan {
    /// A run of all cases that exist.
    #[must_use]
    pub fn new(subject: impl Into<String>, run: impl Into<String>) -> Self {
        Self {
            subject: subject.into(),
            cases: cases::built().collect(),
            driver: None,
            webhook: None,
            run: run.into(),
        }
    }
}

/// Runs the plan and reports. Never fails: what cannot be run is an ERROR of
/// its case.
pub async fn run(
    provider: &Provider,
    plan: &Plan,
    progress: &mut (dyn FnMut(Progress<'_>) + Send),
) -> Report {
    let (started, clock) = (wall(), Instant::now());
    progress(Progress::Controls);
    let controls = Controls::run(provider, plan).await;
    let mut results = Vec::with_capacity(plan.cases.len());
    // The report has the order of the catalogue, whoever's turn it was first.
    let mut in_turn: Vec<_> = plan.cases.iter().enumerate().collect();
    in_turn.sort_by_key(|(place, case)| (case.turn, *place));
    for (n, (place, case)) in (1..).zip(in_turn) {
        progress(Progress::Begun(n, plan.cases.len(), case));
        let began = Instant::now();
        let judgement = match controls.stand_in_the_way_of(case, plan) {
            Some(judgement) => judgement,
            None => judge(provider, plan, case).await,
        };
        let result = CaseResult::new(case, judgement, began.elapsed());
        progress(Progress::Ended(&result));
        results.push((place, result));
    }
    results.sort_by_key(|(place, _)| *place);
    let settings = provider.settings();
    Report::of(Facts {
        dialect: format!("{:?}", settings.dialect).to_ascii_lowercase(),
        seed: settings.seed,
        started,
        took: clock.elapsed(),
        subject: plan.subject.clone(),
        cases: results.into_iter().map(|(_, result)| result).collect(),
    })
}

async fn judge(provider: &Provider, plan: &Plan, case: &Case) -> Judgement {
    let Some(build) = case.build else {
        return Judgement::skip("this case is still to come");
    };
    let trace = play(provider, plan, case, build.steps).await;
    if let Some(reason) = a_hook_broke(&trace).filter(|_| !build.judges_broken_hooks) {
        return Judgement::error("the driver failed", reason);
    }
    (build.judge)(&trace)
}

async fn play(provider: &Provider, plan: &Plan, case: &Case, steps: &[Step]) -> Trace {
    Stage::new(
        provider,
        plan.driver.as_ref(),
        plan.webhook.as_deref(),
        &plan.run,
        case,
    )
    .play(steps)
    .await
}

/// A driver that breaks says nothing about the subject.
fn a_hook_broke(trace: &Trace) -> Option<String> {
    trace.calls.iter().find_map(|call| match &call.outcome {
        Outcome::Broken(reason) => Some(format!("hook {}: {reason}", call.hook)),
        _ => None,
    })
}

// === impl Controls ===

impl Controls {
    async fn run(provider: &Provider, plan: &Plan) -> Self {
        let needed = |need| plan.cases.iter().any(|c| c.needs().contains(&need));
        let create = match &plan.driver {
            None => Err(Judgement::skip(
                "give --drive: this case needs the hook `create`",
            )),
            Some(_) if !needed(Need::Driver) => Ok(()),
            Some(_) => create_control(provider, plan).await,
        };
        let webhook = match &plan.webhook {
            None => Err(Judgement::skip(
                "give --webhook: this case delivers webhooks",
            )),
            Some(_) if !needed(Need::Webhook) => Ok(()),
            Some(_) => webhook_control(provider, plan).await,
        };
        Self { create, webhook }
    }

    fn stand_in_the_way_of(&self, case: &Case, plan: &Plan) -> Option<Judgement> {
        case.needs().into_iter().find_map(|need| match need {
            Need::Driver => self.create.clone().err(),
            // The control itself is shown with its own judgement.
            Need::Webhook if case.id == WEBHOOK_CONTROL && plan.webhook.is_some() => None,
            Need::Webhook => self.webhook.clone().err(),
            // Asked for when it is needed; alerts may do instead.
            Need::Hook(_) => None,
        })
    }
}

/// One create without any fault must succeed, or no case that drives the
/// subject can count.
///
/// A subject that outlives a run still holds a token of the provider before
/// this one, which this one does not know. So if the create was answered 401,
/// the token is called expired, and the subject gets a second chance.
async fn create_control(provider: &Provider, plan: &Plan) -> Result<(), Judgement> {
    const FIRST: &[Step] = &[Step::Create("first")];
    const AGAIN: &[Step] = &[
        Step::FailCreate("again", Times::Once, Answer::Problem(401, "token_expired")),
        Step::Create("again"),
    ];
    let Some(case) = cases::find("IDEM-01") else {
        return Ok(());
    };
    let plan = Plan {
        run: format!("{}-control", plan.run),
        ..plan.clone()
    };
    let trace = play(provider, &plan, case, FIRST).await;
    let first = created(provider, &trace, "first").await;
    let unknown_token = trace.requests.iter().any(|e| e.status() == Some(401));
    if first.is_ok() || !unknown_token {
        return first;
    }
    let trace = play(provider, &plan, case, AGAIN).await;
    created(provider, &trace, "again").await.or(first)
}

/// Whether the control's customer was created and is there.
async fn created(provider: &Provider, trace: &Trace, label: &str) -> Result<(), Judgement> {
    match trace.call("create", label) {
        Some(Outcome::NotOffered) => {
            return Err(Judgement::skip(
                "the driver does not offer the hook `create`",
            ));
        }
        Some(Outcome::Done { ok: true, .. }) => {}
        other => {
            let words = other.map_or("said nothing".to_owned(), Outcome::words);
            let reason = format!("control failed: a create without any fault {words}");
            return Err(Judgement::error(words, reason).because_of(&trace.requests));
        }
    }
    let mark = trace.marks.get(label).cloned().unwrap_or_default();
    let deadline = Instant::now() + CONTROL;
    while provider.sandbox().state().customers_with_external_id(&mark) == 0 {
        if Instant::now() >= deadline {
            let reason = format!(
                "control failed: the provider has no customer with external_id {mark}; does the \
                 subject use GOLIVE_BASE_URL and the mark?"
            );
            return Err(Judgement::error("reported success", reason).because_of(&trace.requests));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

/// A valid delivery must be accepted, or no rejection can count.
async fn webhook_control(provider: &Provider, plan: &Plan) -> Result<(), Judgement> {
    let Some(case) = cases::find(WEBHOOK_CONTROL) else {
        return Ok(());
    };
    let plan = Plan {
        run: format!("{}-control", plan.run),
        ..plan.clone()
    };
    let judgement = judge(provider, &plan, case).await;
    if judgement.verdict == Verdict::Pass {
        return Ok(());
    }
    let reason = format!("control {WEBHOOK_CONTROL} failed: {}", judgement.reason);
    Err(Judgement::error(judgement.observed, reason).because_of(&judgement.evidence))
}
