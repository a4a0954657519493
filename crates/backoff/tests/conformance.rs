//! Every row of `conformance/table.md`, against the policy and against both faces.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests, outside of what clippy takes for one"
)]

mod common;
#[path = "conformance/table.rs"]
mod table;

use std::{collections::BTreeSet, time::Duration};

use common::{
    Ask, AskBody, Ended, FACES, Face, Forgets, HIGHEST, LOWEST, MIDDLE, Outside, Random, Refuse,
    Reply, Server, call, drawing, fail, ms, status,
};
use golive_backoff::{
    Backoff, Class, Said, insufficient_quota, limits,
    policy::{Answer, Decision, Facts, Outcome, Policy, Stop, decide},
};
use golive_core::{
    Disposition, Stack,
    quota::{Hints, Verdict},
};
use http::{HeaderMap, StatusCode};
use table::{Ending, Kept, Key, Known, Nested, Row, Then};
use tokio::time::{Instant, timeout};

const TABLE: &str = include_str!("conformance/table.md");

const USED_UP: &str = r#"{"error":{"message":"You exceeded your current quota, please check your plan and billing details.","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}"#;

/// How long the server remembers a key.
const DAY: Duration = Duration::from_secs(24 * 3600);

const MANY: usize = 120;

fn rows() -> Vec<Row> {
    table::read(TABLE).unwrap()
}

/// Says of every row that is wrong what is wrong with it.
fn judge(wrong: &[String]) {
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[test]
fn the_table_covers_every_reason_and_every_way_to_fail() {
    let rows = rows();
    assert!(rows.len() >= MANY, "{} rows", rows.len());
    let stops: BTreeSet<_> = rows.iter().filter_map(|row| why(&row.then)).collect();
    let all = [
        Stop::Success,
        Stop::Vetoed,
        Stop::UsedUp,
        Stop::Lasting,
        Stop::Unsafe,
        Stop::Nested,
        Stop::Attempts,
        Stop::NotKept,
        Stop::HintTooLong { asked: DAY },
        Stop::Deadline,
        Stop::KeyExpired,
        Stop::Budget,
    ];
    assert_eq!(stops, all.map(Stop::as_str).into());
    let failed = rows.iter().filter_map(|row| match row.ending {
        Ending::Failed(class) => Some(class.as_str()),
        Ending::Answered(_) | Ending::CutOff(_) => None,
    });
    let all = [
        Class::Connect,
        Class::Tls,
        Class::Refused,
        Class::Timeout,
        Class::Reset,
        Class::Body,
        Class::Ambiguous,
        Class::Fatal,
        Class::Unsent,
    ];
    assert_eq!(
        failed.collect::<BTreeSet<_>>(),
        all.map(Class::as_str).into()
    );
    let retried = rows.iter().filter(|row| why(&row.then).is_none()).count();
    assert!(
        retried >= MANY / 3,
        "{retried} rows in which it is sent again"
    );
}

#[test]
fn a_table_with_a_mistake_in_it_is_refused() {
    let first = TABLE
        .lines()
        .find(|line| line.starts_with("| GET"))
        .unwrap();
    let line = |from: &str, to: &str| {
        assert!(first.contains(from), "{from} is not in {first}");
        TABLE.replacen(first, &first.replacen(from, to, 1), 1)
    };
    for (mistake, table) in [
        ("a column", TABLE.replacen("| situation", "| conditions", 1)),
        ("a method", line("GET", "get")),
        ("a key", line("none", "some")),
        ("an end", line(" 200 ", " ok ")),
        ("a decision", line("stop: success", "stop: succeed")),
        ("a delay", line("stop: success", "retry after 3s")),
        ("a unit", line("stop: success", "retry after 3s to 4y")),
        ("a range", line("stop: success", "retry after 4s to 3s")),
        ("a hint", line("stop: success", "stop: hint too long")),
        ("a disposition", line("executed", "maybe")),
        ("a face", line("both", "hyper")),
        ("a face too few", line("both", "tower")),
        ("a cell too many", line("both", "both | both")),
        (
            "a row twice",
            TABLE.replacen(first, &format!("{first}\n{first}"), 1),
        ),
        (
            "a situation",
            TABLE.replacen("attempt 2 of 3", "attempt 4 of 3", 1),
        ),
        ("a situation", TABLE.replacen("paused 10s", "weekend", 1)),
        (
            "a header",
            TABLE.replacen("`Retry-After: 3`", "Retry-After: 3", 1),
        ),
        (
            "no clause",
            TABLE.replacen("\n> RFC 9110 §15.3", "\nRFC 9110 §15.3", 1),
        ),
    ] {
        assert_ne!(table, TABLE, "{mistake}");
        let refused = table::read(&table);
        assert!(refused.is_err(), "{mistake} was taken");
    }
    let twice = TABLE.replacen(first, &format!("{first}\n{first}"), 1);
    let why = table::read(&twice).unwrap_err();
    assert!(why.contains("row 2") && why.contains("row 1"), "{why}");
}

#[test]
fn the_policy_decides_as_the_table_says() {
    let mut wrong = Vec::new();
    for row in rows() {
        for random in [LOWEST, MIDDLE, HIGHEST] {
            let decision = decide_on(&row, random);
            if !agrees(decision, &row.then, random) {
                wrong.push(format!("{}: {decision:?}, not {:?}", row.name, row.then));
                break;
            }
        }
    }
    judge(&wrong);
}

#[tokio::test(start_paused = true)]
async fn both_faces_do_as_the_table_says() {
    let mut wrong = Vec::new();
    let mut runs = 0;
    for row in rows() {
        for face in FACES {
            if !row.faces.contains(&face) {
                continue;
            }
            runs += 1;
            if let Err(why) = run(&row, face).await {
                wrong.push(format!("{} in {face:?}: {why}", row.name));
            }
        }
    }
    judge(&wrong);
    assert!(runs >= 2 * MANY, "{runs} runs");
}

/// What the policy makes of the row.
fn decide_on(row: &Row, random: u64) -> Decision {
    let mut policy = Policy::default();
    policy.attempts = row.situation.attempts;
    let key = match row.key {
        Key::None | Key::Empty => None,
        Key::Held => Some(DAY),
        Key::HeldFor(left) => Some(left),
    };
    let mut facts = Facts::new(&row.method, key, outcome(row));
    facts.attempt = row.situation.attempt;
    facts.remaining = row.situation.left;
    facts.turn = row.situation.paused;
    facts.kept = row.situation.kept == Kept::Yes;
    facts.nested = row.situation.nested.is_some();
    facts.funded = !row.situation.spent || waits_for_a_pause(&facts.outcome);
    facts.random = random;
    decide(&policy, &facts)
}

/// What there is to be read of the row, read as the middleware does.
fn outcome(row: &Row) -> Outcome {
    let (status, broken) = match row.ending {
        Ending::Answered(status) => (status, false),
        Ending::CutOff(status) => (status, true),
        Ending::Failed(class) => return Outcome::Failed(class),
    };
    let mut answer = Answer::new(status);
    answer.broken = broken;
    answer.redirected = row.situation.redirected;
    if status.as_u16() >= 400 {
        let hints = Hints::default();
        let verdict = hints.verdict(&row.headers);
        let said = insufficient_quota(status, &row.headers, body(row).as_bytes());
        answer.asked = asked(row, status);
        answer.vetoed = verdict == Some(Verdict::Never) || is_replayed(&row.headers);
        answer.invited = verdict == Some(Verdict::Again);
        answer.used_up = said == Some(Said::UsedUp);
    }
    Outcome::Answered(answer)
}

fn asked(row: &Row, status: StatusCode) -> Option<Duration> {
    let now = std::time::UNIX_EPOCH + Duration::from_secs(common::NOW);
    let asked = Hints::default().asked(status, &row.headers, now);
    asked.map(|asked| asked.wait)
}

/// Who was refused, and waits until the pause is over, pays nothing.
fn waits_for_a_pause(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Answered(answer) if answer.status == StatusCode::TOO_MANY_REQUESTS => true,
        Outcome::Answered(answer) if answer.status == StatusCode::SERVICE_UNAVAILABLE => {
            answer.asked.is_some()
        }
        Outcome::Answered(_) | Outcome::Failed(_) => false,
    }
}

fn is_replayed(headers: &HeaderMap) -> bool {
    let replayed = headers.get("idempotent-replayed");
    replayed.is_some_and(|value| value == "true")
}

fn body(row: &Row) -> &'static str {
    if row.situation.used_up { USED_UP } else { "{}" }
}

fn why(then: &Then) -> Option<&'static str> {
    match then {
        Then::Retry { .. } => None,
        Then::Stop { why, .. } => Some(why),
    }
}

fn agrees(decision: Decision, then: &Then, random: u64) -> bool {
    match (decision, then) {
        (Decision::Retry { after }, Then::Retry { after: range, .. }) => {
            // Of full jitter the highest is not reached, but by the last nanosecond.
            let expected = drawn(*range, random);
            after <= expected && expected - after <= Duration::from_nanos(1)
        }
        (Decision::Stop(stop), Then::Stop { why, asked }) => {
            let long = match stop {
                Stop::HintTooLong { asked } => Some(asked),
                _ => None,
            };
            stop.as_str() == *why && long == *asked
        }
        _ => false,
    }
}

fn drawn((from, to): (Duration, Duration), random: u64) -> Duration {
    match random {
        LOWEST => from,
        MIDDLE => (from + to) / 2,
        _ => to,
    }
}

/// Makes the call of the row, and says what is wrong with what came of it.
async fn run(row: &Row, face: Face) -> Result<(), String> {
    let Then::Retry { sent, .. } = row.then else {
        return stops(row, &Scene::set(row, LOWEST, None).play(row, face).await);
    };
    for random in [LOWEST, MIDDLE, HIGHEST] {
        let played = Scene::set(row, random, Some(status(200)))
            .play(row, face)
            .await;
        retries(row, random, &played).map_err(|why| format!("random {random:x}: {why}"))?;
    }
    leaves(row, face, drawn(sent, HIGHEST) / 2).await
}

/// A call, all that lies around it, and the server at its other end.
struct Scene {
    server: Server,
    backoff: Backoff,
}

struct Played {
    ended: Ended,
    server: Server,
    /// From the end of the attempt to the next one, or to the end of the call.
    waited: Duration,
}

// === impl Scene ===

impl Scene {
    /// The attempts before that of the row, that one, and `next`.
    fn set(row: &Row, random: u64, next: Option<Reply>) -> Self {
        // Those before wait for nothing.
        let draws = Random::new(LOWEST);
        let backoff = drawing(&draws)
            .attempts(row.situation.attempts)
            .classify_body(insufficient_quota)
            .read_bodies(1024)
            .build()
            .unwrap();
        let limits = backoff.limits().clone();
        let (paused, spent) = (row.situation.paused, row.situation.spent);
        let meanwhile = move || {
            draws.set(random);
            let now = Instant::now();
            let request = http::Request::get(common::URL).body(String::new()).unwrap();
            let scope = limits.scope(&request, now);
            // More than there are.
            for _ in 0..if spent { 1000 } else { 0 } {
                if let Some(token) = scope.withdraw(now) {
                    token.spend();
                }
            }
            if !paused.is_zero() {
                let refused = limits::Answer::new(StatusCode::TOO_MANY_REQUESTS);
                let turn = scope.try_turn(now).unwrap();
                turn.answered(now, &refused.asked(Some(paused)));
            }
        };
        let server = Server::default();
        for attempt in 1..row.situation.attempt {
            let lost = attempt == 1 && row.situation.lost;
            server.then(fail(if lost { Class::Timeout } else { Class::Connect }));
        }
        server.then(reply(row).meanwhile(meanwhile));
        next.into_iter().for_each(|next| server.then(next));
        Self { server, backoff }
    }

    async fn play(self, row: &Row, face: Face) -> Played {
        let Self { server, backoff } = self;
        let inside = (row.situation.nested == Some(Nested::In)).then(|| {
            let random = Random::new(LOWEST);
            let once = drawing(&random).attempts(1).build().unwrap();
            Stack::new().push(Forgets).push(once)
        });
        let stack = Stack::new()
            .push(outside(row))
            .push(backoff)
            .push(inside)
            .push(Refuse(server.clone()));
        let ended = call(face, stack, &server, ask(row)).await;
        let before = row.situation.attempt as usize - 1;
        let waited = ended.took - server.waits().iter().take(before).sum::<Duration>();
        Played {
            ended,
            server,
            waited,
        }
    }
}

fn outside(row: &Row) -> Outside {
    Outside {
        left: row.situation.left,
        key_left: match row.key {
            Key::HeldFor(left) => Some(left),
            Key::None | Key::Empty | Key::Held => None,
        },
        retried: row.situation.nested == Some(Nested::Out),
    }
}

fn ask(row: &Row) -> Ask {
    let ask = Ask::new(row.method.clone());
    let mut ask = match row.key {
        Key::None => ask,
        Key::Empty => ask.header("idempotency-key", ""),
        Key::Held | Key::HeldFor(_) => ask.keyed(),
    };
    ask.body = match row.situation.kept {
        Kept::Yes => AskBody::Whole,
        Kept::Streams => AskBody::Streams,
        Kept::Outgrows => AskBody::Outgrows,
    };
    ask
}

fn reply(row: &Row) -> Reply {
    let reply = match row.ending {
        Ending::Answered(code) => status(code.as_u16()).headers(&row.headers).body(body(row)),
        Ending::CutOff(code) => status(code.as_u16()).headers(&row.headers).body("{").cut(),
        Ending::Failed(class) => fail(class),
    };
    if row.situation.redirected {
        reply.elsewhere()
    } else {
        reply
    }
}

/// How often the row's request reached the server by the end of its attempt.
fn sends(row: &Row) -> usize {
    let unsent = row.ending == Ending::Failed(Class::Unsent);
    row.situation.attempt as usize - usize::from(unsent)
}

#[allow(
    clippy::needless_pass_by_value,
    reason = "so that it reads like `assert_eq!`"
)]
fn expect<T: PartialEq + std::fmt::Debug>(what: &str, seen: T, expected: T) -> Result<(), String> {
    if seen == expected {
        return Ok(());
    }
    Err(format!("{what}: {seen:?}, not {expected:?}"))
}

/// Whether the call has ended with the attempt of the row.
fn stops(row: &Row, played: &Played) -> Result<(), String> {
    let Played {
        ended,
        server,
        waited,
    } = played;
    let why = why(&row.then).unwrap();
    expect("sends", server.sends(), sends(row))?;
    expect("waited", *waited, Duration::ZERO)?;
    handed_on(row, ended)?;
    // What is nothing to retry is not recorded, nor what another retry looks after.
    let by_other = row.situation.nested.is_some();
    let recorded = ended.call.attempts().len();
    let stopped = match (why, row.situation.nested) {
        ("success", _) | (_, Some(Nested::Out)) => None,
        (_, Some(Nested::In)) => Some("attempts"),
        _ => Some(why),
    };
    expect("stopped", ended.call.stopped(), stopped)?;
    let before = row.situation.attempt as usize - 1;
    let own = usize::from(stopped.is_some());
    expect("attempts in the history", recorded, before + own)?;
    if own == 1 {
        let last = ended.call.attempts().last().unwrap();
        expect("delay", last.delay, None)?;
        expect("outcome", &last.outcome, &told(row))?;
        expect("hint", last.hint, hint(row))?;
    }
    expect(
        "marked as retried",
        ended.call.is_retried(),
        by_other && own == 0,
    )?;
    let disposition = match row.known {
        Known::NotJudged => {
            expect("attempts in the history", recorded, 0)?;
            Disposition::Unknown
        }
        _ => disposition(row),
    };
    expect("executed?", ended.call.disposition(), disposition)
}

/// Whether the attempt of the row was followed by another one, in its time.
fn retries(row: &Row, random: u64, played: &Played) -> Result<(), String> {
    let Then::Retry { after, sent } = row.then else {
        return Err("no retry is expected".into());
    };
    let Played {
        ended,
        server,
        waited,
    } = played;
    expect("sends", server.sends(), sends(row) + 1)?;
    let last = ended.call.attempts().last().unwrap();
    let delay = last.delay.unwrap_or_default();
    let decision = Decision::Retry { after: delay };
    if !agrees(decision, &row.then, random) {
        return Err(format!("delay: {delay:?}, not from {after:?}"));
    }
    // Tokio's timer counts in milliseconds, up.
    let (from, to) = if sent == after {
        let sent = drawn(sent, random);
        (sent, sent + ms(1))
    } else {
        (sent.0, sent.1 + ms(1))
    };
    if !(from..=to).contains(waited) {
        return Err(format!(
            "sent after {waited:?}, not after {from:?} to {to:?}"
        ));
    }
    expect(
        "status",
        ended.result.as_ref().map(|r| r.status).ok(),
        Some(200),
    )?;
    expect("outcome", &last.outcome, &told(row))?;
    expect("hint", last.hint, hint(row))?;
    expect("resends", ended.call.attempt(), row.situation.attempt)?;
    expect(
        "history",
        ended.call.attempts().len(),
        row.situation.attempt as usize,
    )?;
    expect("stopped", ended.call.stopped(), None)?;
    expect(
        "in the end",
        ended.call.disposition(),
        Disposition::Executed,
    )?;
    let bodies = server.seen().iter().all(|seen| seen.body == "amount=12");
    expect("the same body each time", bodies, true)?;
    let keys: BTreeSet<_> = server
        .seen()
        .iter()
        .map(|seen| seen.headers.get("idempotency-key").cloned())
        .map(|key| key.map(|key| key.to_str().unwrap().to_owned()))
        .collect();
    expect("keys", keys.len(), 1)
}

/// What a caller is told who leaves before the next attempt.
async fn leaves(row: &Row, face: Face, after: Duration) -> Result<(), String> {
    let scene = Scene::set(row, HIGHEST, None);
    let server = scene.server.clone();
    let stack = Stack::new().push(outside(row)).push(scene.backoff);
    let ask = ask(row);
    let handle = ask.handle.clone().unwrap();
    let left = timeout(after, call(face, stack, &server, ask)).await;
    expect("left", left.is_err(), true)?;
    expect("sends before it left", server.sends(), sends(row))?;
    expect("executed?", handle.call().disposition(), disposition(row))
}

/// Whether the last answer came to the caller as it was.
fn handed_on(row: &Row, ended: &Ended) -> Result<(), String> {
    let (code, whole) = match row.ending {
        Ending::Answered(code) => (code, true),
        Ending::CutOff(code) => (code, false),
        Ending::Failed(class) => {
            let fault = ended.result.as_ref().err().and_then(|failed| failed.fault);
            return expect("error", fault.map(|fault| fault.0), Some(class));
        }
    };
    let answered = ended
        .result
        .as_ref()
        .map_err(|failed| failed.error.to_string())?;
    expect("status", answered.status, code.as_u16())?;
    expect("headers", &answered.headers, &row.headers)?;
    expect("whole", answered.body.is_ok(), whole)?;
    match &answered.body {
        Ok(seen) => expect("body", &seen[..], body(row).as_bytes()),
        Err(_) => Ok(()),
    }
}

fn told(row: &Row) -> golive_core::Outcome {
    match row.ending {
        Ending::Answered(code) | Ending::CutOff(code) => golive_core::Outcome::Answered(code),
        Ending::Failed(class) => golive_core::Outcome::Failed(class.as_str()),
    }
}

fn hint(row: &Row) -> Option<Duration> {
    match row.ending {
        Ending::Answered(code) if code.as_u16() >= 400 => asked(row, code),
        _ => None,
    }
}

fn disposition(row: &Row) -> Disposition {
    match row.known {
        Known::Executed => Disposition::Executed,
        Known::NotExecuted => Disposition::NotExecuted,
        Known::Unknown | Known::NotJudged => Disposition::Unknown,
    }
}
