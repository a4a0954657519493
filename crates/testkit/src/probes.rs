//! The probes: what every middleware keeps, whatever it does. Each runs in both faces; `contract!`
//! makes a test of each.

use std::{
    pin::{Pin, pin},
    task::{Context, Poll},
    time::Duration,
};

use crate::{Answer, Ask, Face, Leaf, Thrice, face::Probed, leaf};

/// Nothing that works takes longer than this, in virtual time.
const STUCK: Duration = Duration::from_secs(3600);

/// A server that fails twice, one that lets a token expire twice, one that refuses, one that is
/// not there.
fn scripts() -> Vec<Vec<Answer>> {
    vec![
        vec![],
        vec![Answer::Status(503, "busy"), Answer::Status(503, "busy")],
        vec![
            Answer::Status(401, "token_expired"),
            Answer::Status(401, "token_expired"),
        ],
        vec![Answer::Status(422, "validation_failed"); 3],
        vec![Answer::Fail, Answer::Fail],
    ]
}

/// Every face of `middleware`: alone, below three attempts as a layer, and in one stack with them.
fn shapes<F: Face, M: Probed>(middleware: &M, leaf: &Leaf) -> Vec<F> {
    vec![
        F::alone(middleware.clone(), leaf),
        F::layers(Thrice, middleware.clone(), leaf),
        F::stack(Thrice, middleware.clone(), leaf),
    ]
}

/// Each attempt follows a `poll_ready` of the instance that is called, has the extensions of the
/// caller and nothing of the attempt before, and the same whole body. The leaf panics otherwise.
pub async fn every_attempt_is_ready_and_alone<F: Face, M: Probed>(make: impl Fn() -> M) {
    let mut most = 0;
    for script in scripts() {
        for shape in 0..3 {
            for ask in [Ask::put("amount=12"), Ask::buffered(&["amount", "=12"])] {
                let leaf = Leaf::new(script.clone());
                let mut face = shapes::<F, M>(&make(), &leaf).swap_remove(shape);
                let _ = within(face.call(ask)).await;
                let seen = leaf.seen();
                most = most.max(seen.len());
                assert!(!seen.is_empty(), "nothing was sent");
                for attempt in seen {
                    assert_eq!(attempt.body, "amount=12");
                }
            }
        }
    }
    assert!(most >= 3, "the probe did not see three attempts");
}

/// An error of the transport reaches the caller as it came.
pub async fn errors_are_handed_on_untouched<F: Face, M: Probed>(make: impl Fn() -> M) {
    for shape in 0..3 {
        let leaf = Leaf::new(vec![Answer::Fail; 64]);
        let mut face = shapes::<F, M>(&make(), &leaf).swap_remove(shape);
        let failed = within(face.call(Ask::put("x"))).await.unwrap_err();
        assert!(failed.untouched, "wrapped: {}", failed.text);
    }
}

/// A response reaches the caller whole: status, version, headers, extensions, URL, body.
pub async fn responses_are_handed_on_whole<F: Face, M: Probed>(make: impl Fn() -> M) {
    for (status, code) in [
        (200, "ok"),
        (401, "token_expired"),
        (422, "validation_failed"),
        (503, "busy"),
    ] {
        let leaf = Leaf::new(vec![Answer::Status(status, code); 64]);
        let mut face = F::alone(make(), &leaf);
        let answered = within(face.call(Ask::put("x"))).await.unwrap();
        assert_eq!(answered.status, status);
        assert_eq!(answered.version, http::Version::HTTP_2);
        assert_eq!(answered.content_type, "application/problem+json");
        assert!(
            answered.extensions,
            "the extensions of the response are lost"
        );
        assert_eq!(answered.body, leaf::problem(status, code));
        if let Some(url) = answered.url {
            assert_eq!(url, "http://probe.test/v3/things?q=1");
        }
    }
}

/// A body that cannot be cloned is sent once, and whole; that is an error neither before nor after.
pub async fn a_body_that_cannot_be_cloned_is_sent_once_and_whole<F: Face, M: Probed>(
    make: impl Fn() -> M,
) {
    for script in scripts() {
        let fails = matches!(script.first(), Some(Answer::Fail));
        let leaf = Leaf::new(script);
        let mut face = F::alone(make(), &leaf);
        let result = within(face.call(Ask::stream(&["one ", "two ", "three"]))).await;
        let seen = leaf.seen();
        assert_eq!(seen.len(), 1, "sent {} times", seen.len());
        assert_eq!(seen[0].body, "one two three");
        match result {
            Ok(_) => assert!(!fails),
            Err(failed) => assert!(fails && failed.untouched, "{}", failed.text),
        }
    }
}

/// A failed response is dropped before anybody sleeps, so that its connection is free.
pub async fn a_failed_response_is_released_before_a_sleep<F: Face, M: Probed>(
    make: impl Fn() -> M,
) {
    for script in scripts() {
        let leaf = Leaf::new(script.clone());
        let mut face = F::alone(make(), &leaf);
        let _ = within(face.call(Ask::put("x"))).await;
        let seen = leaf.seen();
        for (one, next) in seen.iter().zip(&seen[1..]) {
            // The clock moves only while everybody sleeps.
            if let Some(released) = one.released.at() {
                assert!(released <= next.at, "held while the next attempt was sent");
                assert_eq!(
                    released,
                    one.at,
                    "held for {:?} of sleep",
                    released - one.at
                );
            }
        }
    }
}

/// Dropping the future at any of its polls leaves nothing behind: the next call works as if the
/// dropped one had never been.
pub async fn cancellation_leaves_nothing_behind<F: Face, M: Probed>(make: impl Fn() -> M) {
    for script in scripts() {
        for shape in 0..3 {
            for polls in 1..200 {
                let leaf = Leaf::new(script.clone());
                let mut face = shapes::<F, M>(&make(), &leaf).swap_remove(shape);
                let done = after_polls(polls, face.call(Ask::put("x"))).await;
                assert_eq!(
                    leaf.under_way(),
                    0,
                    "an attempt goes on after its caller left"
                );
                // The script may fail a few more calls; once it is at its end, all is well again.
                let mut last = None;
                for _ in 0..4 {
                    last = within(face.call(Ask::put("x"))).await.ok();
                }
                assert_eq!(last.expect("the client no longer works").status, 200);
                assert_eq!(leaf.under_way(), 0);
                if done {
                    break;
                }
                assert!(polls < 199, "did not end in 199 polls");
            }
        }
    }
}

/// Fails, with a word on why, if a future is stuck.
async fn within<T>(future: impl Future<Output = T>) -> T {
    let timed = tokio::time::timeout(STUCK, future).await;
    timed.expect("stuck: an hour of virtual time has passed")
}

/// Polls a future so many times at most, then drops it; says whether it was done.
async fn after_polls<T>(polls: usize, future: impl Future<Output = T>) -> bool {
    struct Counted<'a, F> {
        future: Pin<&'a mut F>,
        left: usize,
    }
    impl<F: Future> Future for Counted<'_, F> {
        type Output = bool;
        fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<bool> {
            if self.future.as_mut().poll(cx).is_ready() {
                return Poll::Ready(true);
            }
            self.left -= 1;
            if self.left == 0 {
                return Poll::Ready(false);
            }
            Poll::Pending
        }
    }
    let future = pin!(future);
    let counted = Counted {
        future,
        left: polls,
    };
    within(counted).await
}
