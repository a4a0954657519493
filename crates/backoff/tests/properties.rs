//! What the policy keeps, whatever the server does.

use std::time::Duration;

use golive_backoff::{
    Class,
    policy::{Answer, Curve, Decision, Drawn, Facts, Jitter, Outcome, Policy, Stop, decide},
};
use http::{Method, StatusCode};
use proptest::prelude::*;

fn outcomes() -> impl Strategy<Value = Outcome> {
    let classes = prop_oneof![
        Just(Class::Connect),
        Just(Class::Refused),
        Just(Class::Timeout),
        Just(Class::Tls),
        Just(Class::Reset),
        Just(Class::Body),
        Just(Class::Unsent),
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
    let words = (seldom(), seldom(), seldom(), seldom(), seldom());
    let answers = (statuses, asked, words).prop_map(|(status, asked, words)| {
        let mut answer = Answer::new(StatusCode::from_u16(status).unwrap_or(StatusCode::OK));
        answer.asked = asked;
        (
            answer.vetoed,
            answer.invited,
            answer.used_up,
            answer.broken,
            answer.redirected,
        ) = words;
        Outcome::Answered(answer)
    });
    prop_oneof![3 => answers, 1 => classes.prop_map(Outcome::Failed)]
}

/// Some time for which the server still remembers the key, or no key.
fn keys() -> impl Strategy<Value = Option<Duration>> {
    prop::option::of((0_u64..400_000).prop_map(Duration::from_millis))
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
    let curves = prop::sample::select(vec![Curve::Constant, Curve::Linear, Curve::Exponential]);
    let jitters = prop::sample::select(vec![Jitter::Full, Jitter::Equal, Jitter::Decorrelated]);
    let delays = (1_u64..5_000, 0_u64..20_000, curves, jitters);
    let least = 0_u64..100;
    (1_u32..=32, delays, 0_u64..120_000, 1_u64..300_000, least).prop_map(
        |(attempts, (base, more, curve, jitter), hint_cap, deadline, least)| {
            let mut policy = Policy::default();
            policy.attempts = attempts;
            policy.delays.base = Duration::from_millis(base);
            policy.delays.cap = Duration::from_millis(base + more);
            (policy.delays.curve, policy.delays.jitter) = (curve, jitter);
            policy.hint_cap = Duration::from_millis(hint_cap);
            policy.deadline = Duration::from_millis(deadline);
            policy.least_attempt = Duration::from_millis(least);
            policy
        },
    )
}

/// A provider at its worst: each attempt ends as it likes, after as long as it likes.
fn servers() -> impl Strategy<Value = Vec<(Outcome, u64, u64)>> {
    prop::collection::vec((outcomes(), 0_u64..40_000, any::<u64>()), 40)
}

proptest! {
    #[test]
    fn a_post_without_a_key_is_sent_again_only_if_it_was_provably_not_executed(
        outcome in outcomes(), policy in policies(), random: u64,
        method in prop::sample::select(vec![Method::POST, Method::PATCH]),
    ) {
        let mut facts = Facts::new(&method, None, outcome);
        facts.random = random;
        if let Decision::Retry { .. } = decide(&policy, &facts) {
            let proved = match outcome {
                Outcome::Answered(answer) => {
                    [425, 429].contains(&answer.status.as_u16()) && !answer.redirected
                }
                Outcome::Failed(class) => [Class::Connect, Class::Refused].contains(&class),
            };
            prop_assert!(proved, "{outcome:?}");
        }
    }

    #[test]
    fn a_delay_is_never_below_what_was_asked_nor_above_the_caps(
        outcome in outcomes(), policy in policies(), method in methods(), key in keys(),
        random: u64, attempt in 1_u32..40, previous in 0_u64..20_000,
    ) {
        let mut facts = Facts::new(&method, key, outcome);
        (facts.random, facts.attempt) = (random, attempt);
        facts.previous = Duration::from_millis(previous);
        if let Decision::Retry { after } = decide(&policy, &facts) {
            let asked = match outcome {
                Outcome::Answered(answer) => answer.asked,
                Outcome::Failed(_) => None,
            };
            prop_assert!(asked.unwrap_or_default() <= policy.hint_cap);
            prop_assert!(after >= asked.unwrap_or_default());
            prop_assert!(after - asked.unwrap_or_default() <= policy.delays.cap);
            if policy.delays.jitter != Jitter::Decorrelated {
                let most = policy.delays.ceiling(attempt);
                prop_assert!(after - asked.unwrap_or_default() <= most);
            }
        }
    }

    #[test]
    fn attempts_and_waits_are_bounded_whatever_the_server_does(
        server in servers(), policy in policies(), method in methods(), key in keys(),
        caller in prop::option::of(1_u64..300_000), paused in 0_u64..60_000,
    ) {
        let limit = caller.map_or(policy.deadline, |ms| policy.deadline.min(Duration::from_millis(ms)));
        let (mut elapsed, mut attempts) = (Duration::ZERO, 0);
        let mut previous = Duration::ZERO;
        for (outcome, took, random) in server {
            attempts += 1;
            let remaining = |elapsed| caller.map(|ms| Duration::from_millis(ms).saturating_sub(elapsed));
            let most = policy.attempt_time(attempts, elapsed, remaining(elapsed));
            elapsed += Duration::from_millis(took).min(most);
            prop_assert!(elapsed <= limit, "an attempt outlasts the deadline");
            let mut facts = Facts::new(&method, key, outcome);
            (facts.attempt, facts.elapsed, facts.random) = (attempts, elapsed, random);
            (facts.previous, facts.turn) = (previous, Duration::from_millis(paused));
            facts.remaining = remaining(elapsed);
            match decide(&policy, &facts) {
                Decision::Stop(_) => break,
                Decision::Retry { after } => {
                    prop_assert!(policy.may_retry(attempts, elapsed, facts.remaining), "no copy was kept");
                    elapsed += after.max(facts.turn);
                    previous = after;
                    prop_assert!(elapsed + policy.least_attempt < limit, "no time for an attempt");
                }
            }
        }
        prop_assert!(attempts <= policy.attempts);
    }

    #[test]
    fn nothing_is_sent_again_after_a_veto_or_a_lasting_answer(
        outcome in outcomes(), policy in policies(), method in methods(), random: u64,
    ) {
        let mut facts = Facts::new(&method, Some(Duration::MAX), outcome);
        facts.random = random;
        let decision = decide(&policy, &facts);
        match outcome {
            Outcome::Answered(answer) => {
                let passing = [408, 425, 429, 500, 502, 503, 504].contains(&answer.status.as_u16())
                    || (answer.status == 409 && answer.asked.is_some());
                let again = passing || answer.invited || answer.broken;
                if answer.vetoed || answer.used_up || !again {
                    prop_assert!(matches!(decision, Decision::Stop(_)), "{decision:?}");
                }
            }
            Outcome::Failed(Class::Fatal | Class::Tls | Class::Unsent) => {
                prop_assert_eq!(decision, Decision::Stop(Stop::Lasting));
            }
            Outcome::Failed(_) => {}
        }
    }

    #[test]
    fn nothing_is_sent_again_that_is_not_kept_not_funded_or_retried_by_another(
        outcome in outcomes(), policy in policies(), method in methods(), key in keys(),
        which in 0_u8..4,
    ) {
        let mut facts = Facts::new(&method, key, outcome);
        match which {
            0 => facts.kept = false,
            1 => facts.funded = false,
            2 => facts.nested = true,
            _ => facts.drawn = Drawn::NoMore,
        }
        let decision = decide(&policy, &facts);
        prop_assert!(matches!(decision, Decision::Stop(_)), "{decision:?}");
    }

    #[test]
    fn no_request_is_sent_again_after_its_key_was_forgotten(
        outcome in outcomes(), policy in policies(), left in 0_u64..100_000,
        random: u64, paused in 0_u64..60_000,
    ) {
        let left = Duration::from_millis(left);
        let mut facts = Facts::new(&Method::POST, Some(left), outcome);
        (facts.random, facts.turn) = (random, Duration::from_millis(paused));
        if let Decision::Retry { after } = decide(&policy, &facts) {
            prop_assert!(after.max(facts.turn) < left);
        }
    }

    #[test]
    fn a_wait_above_the_cap_is_not_cut_short(above in 1_u64..1_000_000, random: u64) {
        let policy = Policy::default();
        let asked = policy.hint_cap + Duration::from_millis(above);
        let mut answer = Answer::new(StatusCode::TOO_MANY_REQUESTS);
        answer.asked = Some(asked);
        let mut facts = Facts::new(&Method::GET, None, Outcome::Answered(answer));
        facts.random = random;
        prop_assert_eq!(decide(&policy, &facts), Decision::Stop(Stop::HintTooLong { asked }));
    }
}
