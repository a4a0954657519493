//! The plan as a whole, against a server that counts: pure, without a runtime.

use std::{collections::BinaryHeap, time::Duration};

use golive_core::quota::Quota;
use http::StatusCode;
use proptest::prelude::*;
use tokio::time::Instant;

use super::{
    LimitsBuilder, Rules,
    pacer::{Ask, Flight, Pacer},
};

/// Later than anything here.
const HOUR: Duration = Duration::from_secs(3600);

/// The defaults.
pub(super) fn rules() -> Rules {
    LimitsBuilder::new().rules
}

pub(super) fn quota(policy: u64, limit: u64, remaining: u64, reset: Duration) -> Quota {
    let mut quota = Quota::default();
    quota.policy = policy;
    quota.limit = Some(limit);
    quota.remaining = Some(remaining);
    quota.reset = Some(reset);
    quota
}

/// One client and one server in microseconds.
struct Model {
    rules: Rules,
    begin: Instant,
    pacer: Pacer,
    ended: u64,
    /// Ordered by when they happen, the first one first.
    events: BinaryHeap<(std::cmp::Reverse<u64>, u64)>,
    flights: Vec<Way>,
    in_air: usize,
    windows: Vec<Allowed>,
    /// Until when the client has heard that nothing is left.
    closed_until: u64,
    served: u64,
    refused: u64,
    too_early: u64,
}

/// A window of the server's.
struct Allowed {
    length: u64,
    limit: u64,
    current: u64,
    used: u64,
}

/// A request under way.
struct Way {
    sent: u64,
    ended_before: u64,
    probe: Option<u64>,
    back: u64,
    answer: Option<(StatusCode, Vec<Quota>, u64)>,
}

impl Model {
    fn new(rules: Rules, windows: &[(u64, u64)]) -> Self {
        Self {
            begin: Instant::now(),
            pacer: Pacer::new(&rules),
            rules,
            ended: 0,
            events: BinaryHeap::new(),
            flights: Vec::new(),
            in_air: 0,
            windows: windows
                .iter()
                .map(|&(length, limit)| Allowed {
                    length,
                    limit,
                    current: 0,
                    used: 0,
                })
                .collect(),
            closed_until: 0,
            served: 0,
            refused: 0,
            too_early: 0,
        }
    }

    fn at(&self, time: u64) -> Instant {
        self.begin + Duration::from_micros(time)
    }

    /// Sends as much as it may until `end`, with at most `callers` at once.
    fn run(&mut self, end: u64, callers: usize, mut latency: impl FnMut() -> u64) {
        let mut time = 0;
        loop {
            let mut next = end;
            while self.in_air < callers {
                let in_flight = self.pacer.sent().saturating_sub(self.ended);
                let now = self.at(time);
                match self
                    .pacer
                    .ask(&self.rules, now, in_flight, callers, now + HOUR, time)
                {
                    Ask::Go(probe) => {
                        self.too_early += u64::from(time < self.closed_until);
                        let id = self.flights.len() as u64;
                        self.in_air += 1;
                        let (there, back) = (latency(), latency());
                        self.flights.push(Way {
                            sent: time,
                            ended_before: self.ended,
                            probe,
                            back,
                            answer: None,
                        });
                        self.events.push((std::cmp::Reverse(time + there), id));
                    }
                    Ask::Wait { until, .. } => {
                        let wait = until - now;
                        next = time + u64::try_from(wait.as_nanos().div_ceil(1000)).unwrap();
                        assert!(next > time, "a wait that is none");
                        break;
                    }
                }
            }
            if let Some((at, _)) = self.events.peek() {
                next = next.min(at.0);
            }
            time = next;
            if time >= end {
                return;
            }
            while self.events.peek().is_some_and(|(at, _)| at.0 <= time) {
                let (_, id) = self.events.pop().unwrap();
                self.happen(time, id);
            }
        }
    }

    fn happen(&mut self, time: u64, id: u64) {
        let id = usize::try_from(id).unwrap();
        if self.flights[id].answer.is_none() {
            let answer = self.serve(time);
            let way = &mut self.flights[id];
            way.answer = Some(answer);
            self.events
                .push((std::cmp::Reverse(time + way.back.max(1)), id as u64));
            return;
        }
        let now = self.at(time);
        self.ended += 1;
        self.in_air -= 1;
        let way = &mut self.flights[id];
        let (status, quotas, closed_until) = way.answer.take().unwrap();
        let flight = Flight {
            sent: self.begin + Duration::from_micros(way.sent),
            uncounted: self.pacer.sent().saturating_sub(way.ended_before + 1),
            probe: way.probe,
        };
        let refused = status == StatusCode::TOO_MANY_REQUESTS;
        let asked = refused.then(|| quotas.iter().filter_map(|q| q.reset).max().unwrap());
        let rules = &self.rules;
        self.pacer
            .answered(rules, now, &flight, status, asked, &quotas);
        self.closed_until = self.closed_until.max(closed_until);
    }

    fn serve(&mut self, time: u64) -> (StatusCode, Vec<Quota>, u64) {
        for window in &mut self.windows {
            let current = time / window.length;
            if window.current != current {
                window.current = current;
                window.used = 0;
            }
        }
        let allowed = self.windows.iter().all(|w| w.used < w.limit);
        let mut closed_until = 0;
        let quotas = self.windows.iter_mut().zip(0..).map(|(window, policy)| {
            window.used += u64::from(allowed);
            let end = (window.current + 1) * window.length;
            let left = window.limit - window.used;
            if left == 0 {
                closed_until = closed_until.max(end);
            }
            quota(
                policy,
                window.limit,
                left,
                Duration::from_micros(end - time),
            )
        });
        let quotas = quotas.collect();
        if allowed {
            self.served += 1;
            return (StatusCode::OK, quotas, closed_until);
        }
        self.refused += 1;
        (StatusCode::TOO_MANY_REQUESTS, quotas, closed_until)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_sole_client_is_never_refused_and_never_sends_once_it_knows_that_nothing_is_left(
        seed in any::<u64>(),
        length in 200_000u64..5_000_000,
        limit in 1u64..200,
        second in prop::option::of((5_000_000u64..20_000_000, 1u64..600)),
        callers in 1usize..100,
        slowest in 1u64..60_000,
    ) {
        let mut random = fastrand::Rng::with_seed(seed);
        let windows: Vec<_> = [(length, limit)].into_iter().chain(second).collect();
        // Alone until the first answer has come: nobody can know before.
        let rules = Rules { first_at_once: Some(1), ..rules() };
        let mut model = Model::new(rules, &windows);
        model.run(20_000_000, callers, || random.u64(slowest / 4..=slowest));
        prop_assert_eq!(model.refused, 0);
        prop_assert_eq!(model.too_early, 0);
        prop_assert!(model.served > 0);
    }
}

#[test]
fn nearly_all_of_a_quota_is_used() {
    for (length, limit, callers) in [
        (1_000_000, 50, 200),
        (1_000_000, 1000, 400),
        (10_000_000, 100, 20),
        (500_000, 7, 50),
    ] {
        let mut random = fastrand::Rng::with_seed(1);
        let mut model = Model::new(rules(), &[(length, limit)]);
        model.run(60_000_000, callers, || random.u64(10_000..=25_000));
        let allowed = 60_000_000 / length * limit;
        let share = model.served as f64 / allowed as f64;
        assert!(share >= 0.95, "{limit} per {length} µs: {share}");
    }
}

proptest! {
    /// Numbers that make no sense, at times that stand still or go backwards.
    #[test]
    fn no_answer_makes_it_panic_or_wait_for_ever(
        answers in prop::collection::vec(
            (
                0u64..3_000,
                prop_oneof![Just(200u16), Just(429), Just(503)],
                prop::option::of(any::<u64>()),
                prop::option::of(prop_oneof![0u64..100, any::<u64>()]),
                prop::option::of(prop_oneof![0u64..10_000, Just(u64::from(u32::MAX) * 1000)]),
                prop::option::of(prop_oneof![0u64..10_000, Just(u64::from(u32::MAX) * 1000)]),
                0u64..6,
            ),
            0..40,
        ),
        back in 0u64..1_000,
    ) {
        let rules = rules();
        let mut pacer = Pacer::new(&rules);
        let mut now = Instant::now();
        for (later, status, limit, remaining, reset, window, policy) in answers {
            now += Duration::from_millis(later);
            let mut quota = Quota::default();
            quota.policy = policy;
            quota.limit = limit;
            quota.remaining = remaining;
            quota.reset = reset.map(Duration::from_millis);
            quota.window = window.map(Duration::from_millis);
            let sent = now.checked_sub(Duration::from_millis(back)).unwrap_or(now);
            let flight = Flight { sent, uncounted: limit.unwrap_or(0), probe: Some(1) };
            let status = StatusCode::from_u16(status).unwrap();
            pacer.answered(&rules, now, &flight, status, quota.reset, &[quota]);
            for at in [now, sent, now] {
                let _ = pacer.estimate(&rules, at, policy, 1000);
                if let Ask::Wait { soonest, until } = pacer.ask(&rules, at, policy, 3, at + HOUR, limit.unwrap_or(7)) {
                    prop_assert!(until > at);
                    prop_assert!(soonest <= until);
                }
            }
        }
        // Whatever was said, after the longest time that can be said somebody goes.
        now += Duration::from_secs(u64::from(u32::MAX) * 2);
        let went = (0..5).any(|step| {
            let at = now + Duration::from_secs(step * 60);
            matches!(pacer.ask(&rules, at, 0, 0, at + HOUR, 0), Ask::Go(_))
        });
        prop_assert!(went);
    }
}
