//! What the policy keeps, whatever the server does.

use std::time::Duration;

use golive_backoff::{
    Class,
    policy::{Decision, Facts, Outcome, Policy, Stop, decide},
};
use http::{Method, StatusCode};
use proptest::prelude::*;

fn outcomes() -> impl Strategy<Value = Outcome> {
    let classes = prop_oneof![
        Just(Class::Connect),
        Just(Class::Refused),
        Just(Class::Timeout),
        Just(Class::Ambiguous),
        Just(Class::Fatal),
    ];
    // The statuses that matter often, the others sometimes.
    let statuses = prop_oneof![
        prop::sample::select(vec![
            200, 401, 408, 409, 422, 425, 429, 500, 501, 502, 503, 504
        ]),
        100_u16..1000,
    ];
    let asked = prop::option::of((0_u64..200_000).prop_map(Duration::from_millis));
    let seldom = || prop::bool::weighted(0.1);
    let answers =
        (statuses, asked, seldom(), seldom()).prop_map(|(status, asked, vetoed, redirected)| {
            Outcome::Answered {
                status: StatusCode::from_u16(status).unwrap_or(StatusCode::OK),
                asked,
                vetoed,
                redirected,
            }
        });
    prop_oneof![3 => answers, 1 => classes.prop_map(Outcome::Failed)]
}

fn methods() -> impl Strategy<Value = Method> {
    prop::sample::select(vec![
        Method::GET,
        Method::HEAD,
        Method::PUT,
        Method::DELETE,
        Method::POST,
        Method::PATCH,
    ])
}

fn policies() -> impl Strategy<Value = Policy> {
    (
        1_u32..=32,
        1_u64..5_000,
        0_u64..20_000,
        0_u64..120_000,
        1_u64..300_000,
    )
        .prop_map(|(attempts, base, more, hint_cap, deadline)| {
            let mut policy = Policy::default();
            policy.attempts = attempts;
            policy.base = Duration::from_millis(base);
            policy.cap = Duration::from_millis(base + more);
            policy.hint_cap = Duration::from_millis(hint_cap);
            policy.deadline = Duration::from_millis(deadline);
            policy
        })
}

/// A provider at its worst: each attempt ends as it likes, after as long as it likes.
fn servers() -> impl Strategy<Value = Vec<(Outcome, u64, u64)>> {
    prop::collection::vec((outcomes(), 0_u64..40_000, any::<u64>()), 40)
}

proptest! {
    #[test]
    fn a_post_without_a_key_is_sent_again_only_if_it_was_provably_not_executed(
        outcome in outcomes(), policy in policies(), random: u64, method in prop::sample::select(vec![Method::POST, Method::PATCH]),
    ) {
        let mut facts = Facts::new(&method, false, outcome);
        facts.random = random;
        if let Decision::Retry { .. } = decide(&policy, &facts) {
            let proved = match outcome {
                Outcome::Answered {
                    status, redirected, ..
                } => [425, 429].contains(&status.as_u16()) && !redirected,
                Outcome::Failed(class) => [Class::Connect, Class::Refused].contains(&class),
            };
            prop_assert!(proved, "{outcome:?}");
        }
    }

    #[test]
    fn a_delay_is_never_below_what_was_asked_nor_above_the_caps(
        outcome in outcomes(), policy in policies(), method in methods(), random: u64, attempt in 1_u32..40,
    ) {
        let mut facts = Facts::new(&method, true, outcome);
        (facts.random, facts.attempt) = (random, attempt);
        if let Decision::Retry { after } = decide(&policy, &facts) {
            let asked = match outcome {
                Outcome::Answered { asked, .. } => asked.unwrap_or_default(),
                Outcome::Failed(_) => Duration::ZERO,
            };
            prop_assert!(asked <= policy.hint_cap);
            prop_assert!(after >= asked);
            prop_assert!(after - asked <= policy.cap);
            prop_assert!(after - asked <= policy.base.saturating_mul(2_u32.saturating_pow(attempt - 1)));
        }
    }

    #[test]
    fn attempts_and_waits_are_bounded_whatever_the_server_does(
        server in servers(), policy in policies(), method in methods(), has_key: bool,
        caller in prop::option::of(1_u64..300_000),
    ) {
        let limit = caller.map_or(policy.deadline, |ms| policy.deadline.min(Duration::from_millis(ms)));
        let (mut elapsed, mut attempts) = (Duration::ZERO, 0);
        for (outcome, took, random) in server {
            attempts += 1;
            elapsed += Duration::from_millis(took);
            let mut facts = Facts::new(&method, has_key, outcome);
            (facts.attempt, facts.elapsed, facts.random) = (attempts, elapsed, random);
            facts.remaining = caller.map(|ms| Duration::from_millis(ms).saturating_sub(elapsed));
            match decide(&policy, &facts) {
                Decision::Stop(_) => break,
                Decision::Retry { after } => {
                    prop_assert!(policy.may_retry(attempts, elapsed, facts.remaining), "no copy was kept");
                    elapsed += after;
                    prop_assert!(elapsed < limit, "the wait outlasts the deadline");
                }
            }
        }
        prop_assert!(attempts <= policy.attempts);
    }

    #[test]
    fn nothing_is_sent_again_after_a_veto_or_a_lasting_answer(
        outcome in outcomes(), policy in policies(), method in methods(), random: u64,
    ) {
        let mut facts = Facts::new(&method, true, outcome);
        facts.random = random;
        let decision = decide(&policy, &facts);
        if let Outcome::Answered { status, vetoed, .. } = outcome {
            let passing = [408, 425, 429, 500, 502, 503, 504].contains(&status.as_u16());
            if vetoed || !passing {
                prop_assert!(matches!(decision, Decision::Stop(_)), "{decision:?}");
            }
        }
        if outcome == Outcome::Failed(Class::Fatal) {
            prop_assert_eq!(decision, Decision::Stop(Stop::Lasting));
        }
    }

    #[test]
    fn a_wait_above_the_cap_is_not_cut_short(above in 1_u64..1_000_000, random: u64) {
        let policy = Policy::default();
        let asked = policy.hint_cap + Duration::from_millis(above);
        let outcome = Outcome::Answered {
            status: StatusCode::TOO_MANY_REQUESTS,
            asked: Some(asked),
            vetoed: false,
            redirected: false,
        };
        let mut facts = Facts::new(&Method::GET, false, outcome);
        facts.random = random;
        prop_assert_eq!(decide(&policy, &facts), Decision::Stop(Stop::HintTooLong { asked }));
    }
}

#[test]
fn delays_are_spread_over_the_whole_range() {
    let policy = Policy::default();
    let delay = |random: u64| {
        let mut facts = Facts::new(&Method::GET, false, Outcome::Failed(Class::Timeout));
        facts.random = random;
        match decide(&policy, &facts) {
            Decision::Retry { after } => after,
            Decision::Stop(stop) => unreachable!("{stop:?}"),
        }
    };
    assert_eq!(delay(0), Duration::ZERO);
    assert_eq!(delay(1 << 63), policy.base / 2);
    assert!(delay(u64::MAX) < policy.base);
    assert!(delay(u64::MAX) > policy.base - Duration::from_micros(1));
}
