//! AUTH: one token for many calls, one renewal for one expiry.

use std::time::Duration;

use crate::boxes::BoxId::R3;
use crate::case::Level::{Must, Should};
use crate::case::{Answer, Case, Step, Times};
use crate::trace::{Entry, Outcome, Trace};
use crate::verdict::{Judgement, counted};

const BOX_R3: &str = "checklist R3: \"renew the token on 401 with code token_expired\"";

/// Calls of AUTH-01 and AUTH-03.
const CALLS: u32 = 20;
/// More renewals than this for one expiry are a storm or a loop.
const RENEWALS: usize = 2;

pub(super) static CASES: &[Case] = &[
    Case::new("AUTH-01", R3, Must)
        .says("20 calls", "one token request", "one token request for each call")
        .rests_on(
            "provider, Authentication: a token lives expires_in seconds (3600) and serves every call until then",
            "keep the token in one place that every call shares, until it expires",
        )
        .ready(&[Step::Create("a"), Step::CreateMany("b", CALLS)], one_token_serves_many),
    Case::new("AUTH-02", R3, Must)
        .says(
            "401 token_expired in the middle of a token's life (expired by the provider, expires_in said 3600)",
            "one renewal, then the same request again with the same key",
            "the error is surfaced, or the replay carries another key",
        )
        .rests_on(BOX_R3, "on 401 token_expired renew once and replay the request once, inside the retry that owns the key")
        .ready(
            &[
                Step::Create("warm"),
                Step::FailCreate("a", Times::Once, Answer::TokenExpired),
                Step::Create("a"),
            ],
            an_expired_token_is_renewed,
        ),
    Case::new("AUTH-03", R3, Should)
        .says(
            "20 calls at once, all answered 401 token_expired",
            "at most 2 renewals",
            "more than 2 renewals",
        )
        .rests_on(BOX_R3, "let concurrent callers wait for one renewal, and invalidate only the token that was sent")
        .ready(
            &[
                Step::Create("warm"),
                Step::ExpireTokens,
                Step::FailCreate(
                    "a",
                    Times::First(CALLS),
                    Answer::Late(Duration::from_millis(300)),
                ),
                Step::CreateMany("a", CALLS),
            ],
            many_401s_one_renewal,
        ),
    Case::new("AUTH-04", R3, Must)
        .says(
            "401 token_expired for ever",
            "at most 2 renewals, then an error",
            "more than 2 renewals: a loop",
        )
        .rests_on(BOX_R3, "replay once for each call; a second 401 with a fresh token is an error to surface")
        .ready(
            &[
                Step::Create("warm"),
                Step::FailCreate("a", Times::Always, Answer::Problem(401, "token_expired")),
                Step::Create("a"),
                Step::Settle(Duration::from_millis(500)),
            ],
            a_lasting_401_ends,
        ),
    Case::new("AUTH-05", R3, Must).says(
        "401 invalid_token and missing_token, 403",
        "no storm of renewals; surfaced",
        "more than 2 renewals",
    ),
    Case::new("AUTH-06", R3, Must).says(
        "the token endpoint answers 429, 503 or nothing, once",
        "retried with back-off",
        "the operation fails",
    ),
    Case::new("AUTH-07", R3, Should).says(
        "expires_in 60, 300, 0, absent, \"3600\"",
        "works, no token request for each call",
        "unusable, or one token request for each call",
    ),
    Case::new("AUTH-08", R3, Should).says(
        "expires_in 20, steady calls",
        "renewed before expiry, no 401 seen",
        "relies on the 401 alone",
    ),
];

fn one_token_serves_many(trace: &Trace) -> Judgement {
    let tokens: Vec<&Entry> = trace.token_requests().collect();
    let calls: usize = trace.operations("b").len();
    let observed = format!(
        "{} for {calls} calls",
        counted(tokens.len(), "token request")
    );
    if calls < CALLS as usize {
        return Judgement::inconclusive(observed, format!("{CALLS} calls"));
    }
    // Where each hook is a process of its own, the first call and the many each
    // begin without a token; what counts is that the many shared one.
    let many = matches!(trace.call("create-many", "b"), Some(Outcome::Done { .. }));
    let allowed = if trace.one_process_per_hook && many {
        2
    } else {
        1
    };
    if tokens.len() <= allowed {
        Judgement::pass(observed)
    } else if tokens.len() >= calls && !trace.one_process_per_hook {
        Judgement::fail(observed, "a token was fetched for each call")
            .because_of(trace.requests.iter().take(6))
    } else {
        Judgement::inconclusive(
            observed,
            "a driver over HTTP on one long-running process: several processes fetch one token each",
        )
        .because_of(tokens)
    }
}

fn an_expired_token_is_renewed(trace: &Trace) -> Judgement {
    let attempts = trace.attempts("a");
    let rejected = attempts.iter().position(|e| e.status() == Some(401));
    let Some((at, first)) = rejected.and_then(|i| attempts.get(i).map(|e| (i, *e))) else {
        return Judgement::inconclusive("no call was answered 401", "a call with an expired token");
    };
    let renewals: Vec<_> = trace
        .token_requests()
        .filter(|t| t.seq > first.seq)
        .collect();
    let replays: Vec<_> = attempts.iter().skip(at + 1).copied().collect();
    let said = trace.call("create", "a");
    let observed = format!(
        "401, then {} and {}; the subject {}",
        counted(renewals.len(), "renewal"),
        counted(replays.len(), "replay"),
        said.map_or("said nothing".to_owned(), Outcome::words),
    );
    let evidence: Vec<_> = attempts
        .iter()
        .copied()
        .chain(renewals.iter().copied())
        .collect();
    let replayed = replays.iter().any(|e| e.succeeded());
    if replays.iter().any(|e| e.key() != first.key()) {
        Judgement::fail(observed, "the replay carried another idempotency key")
    } else if replays.iter().any(|e| e.body_digest != first.body_digest) {
        Judgement::fail(observed, "the replay carried another body")
    } else if replays.is_empty() && said.and_then(Outcome::ok) == Some(false) {
        Judgement::fail(observed, "an expired token was surfaced as an error")
    } else if !replayed {
        Judgement::inconclusive(observed, "a replay that succeeds")
    } else if renewals.len() > RENEWALS {
        Judgement::inconclusive(
            observed,
            "a single renewal: other traffic may have caused these",
        )
    } else {
        Judgement::pass(observed)
    }
    .because_of(evidence)
}

fn many_401s_one_renewal(trace: &Trace) -> Judgement {
    let rejected: Vec<_> = trace
        .operations("a")
        .into_iter()
        .flatten()
        .filter(|e| e.status() == Some(401))
        .collect();
    let Some(first) = rejected.iter().map(|e| e.seq).min() else {
        return Judgement::inconclusive("no call was answered 401", "calls with an expired token");
    };
    let renewals: Vec<_> = trace.token_requests().filter(|t| t.seq > first).collect();
    let observed = format!(
        "{} answered 401, {}",
        counted(rejected.len(), "call"),
        counted(renewals.len(), "renewal")
    );
    if renewals.len() > RENEWALS {
        Judgement::fail(observed, "concurrent callers each renewed the token")
            .because_of(rejected.iter().take(3).copied().chain(renewals))
    } else if rejected.len() < CALLS as usize / 2 || renewals.is_empty() {
        Judgement::inconclusive(observed, "at least ten 401 at once, and a renewal")
    } else {
        Judgement::pass(observed).because_of(rejected.iter().take(3).copied().chain(renewals))
    }
}

fn a_lasting_401_ends(trace: &Trace) -> Judgement {
    let attempts = trace.attempts("a");
    let Some(first) = attempts.first() else {
        return Judgement::inconclusive("no call was seen", "a call that is answered 401");
    };
    let renewals: Vec<_> = trace
        .token_requests()
        .filter(|t| t.seq > first.seq)
        .collect();
    let said = trace.call("create", "a");
    let observed = format!(
        "{}, {}; the subject {}",
        counted(attempts.len(), "attempt"),
        counted(renewals.len(), "renewal"),
        said.map_or("said nothing".to_owned(), Outcome::words),
    );
    let evidence = attempts
        .iter()
        .take(6)
        .copied()
        .chain(renewals.iter().take(6).copied());
    if renewals.len() > RENEWALS {
        Judgement::fail(
            observed,
            "the token was renewed again and again on a lasting 401",
        )
    } else if renewals.is_empty() {
        Judgement::inconclusive(observed, "a renewal: AUTH-02 tells whether there is any")
    } else if said.and_then(Outcome::ok) != Some(false) {
        Judgement::inconclusive(observed, "an error reported by the subject")
    } else {
        Judgement::pass(observed)
    }
    .because_of(evidence)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::Verdict;

    fn calls(tokens: usize) -> Trace {
        let mut trace = Trace::default().with_mark("b");
        for i in 0..CALLS as usize {
            if i < tokens {
                trace = trace.push(Entry::token_request(i as u64));
            }
            trace = trace.push(Entry::create(&format!("m-b-{i}"), i as u64, 201, "k"));
        }
        trace
    }

    #[test]
    fn one_token_for_all_passes_and_one_for_each_fails() {
        assert_eq!(one_token_serves_many(&calls(0)).verdict, Verdict::Pass);
        assert_eq!(one_token_serves_many(&calls(1)).verdict, Verdict::Pass);
        assert_eq!(
            one_token_serves_many(&calls(4)).verdict,
            Verdict::Inconclusive
        );
        assert_eq!(one_token_serves_many(&calls(20)).verdict, Verdict::Fail);
    }

    #[test]
    fn a_process_for_each_hook_cannot_be_blamed_for_its_tokens() {
        let one_each = |tokens| {
            let mut trace = calls(tokens);
            trace.one_process_per_hook = true;
            trace
        };
        let judge = one_token_serves_many;
        assert_eq!(judge(&one_each(20)).verdict, Verdict::Inconclusive);
        assert_eq!(judge(&one_each(2)).verdict, Verdict::Inconclusive);
        let in_one = |tokens| one_each(tokens).called("create-many", "b", true, "");
        assert_eq!(judge(&in_one(2)).verdict, Verdict::Pass);
        assert_eq!(judge(&in_one(3)).verdict, Verdict::Inconclusive);
    }

    fn expired(renewals: u64, replay_key: Option<&str>, ok: bool) -> Trace {
        let mut trace = Trace::default()
            .with_mark("a")
            .push(Entry::create("m-a", 0, 401, "k"));
        for i in 0..renewals {
            trace = trace.push(Entry::token_request(2 + i));
        }
        if let Some(key) = replay_key {
            trace = trace.push(Entry::create("m-a", 50, 201, key));
        }
        trace.called("create", "a", ok, "")
    }

    #[test]
    fn an_expired_token_wants_a_renewal_and_a_replay_with_the_same_key() {
        let judge = an_expired_token_is_renewed;
        assert_eq!(judge(&expired(1, Some("k"), true)).verdict, Verdict::Pass);
        assert_eq!(judge(&expired(1, Some("l"), true)).verdict, Verdict::Fail);
        assert_eq!(judge(&expired(0, None, false)).verdict, Verdict::Fail);
        assert_eq!(
            judge(&expired(1, None, true)).verdict,
            Verdict::Inconclusive
        );
        assert_eq!(
            judge(&expired(5, Some("k"), true)).verdict,
            Verdict::Inconclusive
        );
    }

    fn storm(rejected: usize, renewals: u64) -> Trace {
        let mut trace = Trace::default().with_mark("a");
        for i in 0..rejected {
            trace = trace.push(Entry::create(&format!("m-a-{i}"), 0, 401, "k"));
        }
        for i in 0..renewals {
            trace = trace.push(Entry::token_request(300 + i));
        }
        trace
    }

    #[test]
    fn concurrent_401s_allow_two_renewals() {
        assert_eq!(many_401s_one_renewal(&storm(20, 1)).verdict, Verdict::Pass);
        assert_eq!(many_401s_one_renewal(&storm(20, 2)).verdict, Verdict::Pass);
        assert_eq!(many_401s_one_renewal(&storm(20, 3)).verdict, Verdict::Fail);
        assert_eq!(
            many_401s_one_renewal(&storm(3, 1)).verdict,
            Verdict::Inconclusive
        );
        assert_eq!(
            many_401s_one_renewal(&storm(20, 0)).verdict,
            Verdict::Inconclusive
        );
    }

    fn lasting(renewals: u64, ok: bool) -> Trace {
        let mut trace = Trace::default()
            .with_mark("a")
            .push(Entry::create("m-a", 0, 401, "k"));
        for i in 0..renewals {
            trace = trace
                .push(Entry::token_request(10 * i + 2))
                .push(Entry::create("m-a", 10 * i + 4, 401, "k"));
        }
        trace.called("create", "a", ok, "expired")
    }

    #[test]
    fn a_lasting_401_is_an_error_after_at_most_two_renewals() {
        assert_eq!(
            a_lasting_401_ends(&lasting(1, false)).verdict,
            Verdict::Pass
        );
        assert_eq!(
            a_lasting_401_ends(&lasting(2, false)).verdict,
            Verdict::Pass
        );
        assert_eq!(
            a_lasting_401_ends(&lasting(3, false)).verdict,
            Verdict::Fail
        );
        assert_eq!(
            a_lasting_401_ends(&lasting(0, false)).verdict,
            Verdict::Inconclusive
        );
        assert_eq!(
            a_lasting_401_ends(&lasting(1, true)).verdict,
            Verdict::Inconclusive
        );
    }
}
