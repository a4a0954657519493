//! A time limit that costs nothing as long as it is not needed.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep, sleep_until};

pin_project! {
    /// Gives a future until then. As `tokio::time::timeout_at`, but the timer is made only when the
    /// future is not ready at once, and in a box: it is larger than most of what else a call holds.
    pub(crate) struct Timed<F> {
        #[pin]
        inner: F,
        timer: Option<Pin<Box<Sleep>>>,
        until: Instant,
    }
}

/// The time was over first.
#[derive(Debug)]
pub(crate) struct Elapsed {
    /// When it was.
    pub(crate) until: Instant,
}

pub(crate) fn timed<F: Future>(until: Instant, inner: F) -> Timed<F> {
    Timed {
        inner,
        timer: None,
        until,
    }
}

// === impl Timed ===

impl<F: Future> Future for Timed<F> {
    type Output = Result<F::Output, Elapsed>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if let Poll::Ready(output) = this.inner.poll(cx) {
            return Poll::Ready(Ok(output));
        }
        let until = *this.until;
        let timer = this
            .timer
            .get_or_insert_with(|| Box::pin(sleep_until(until)));
        ready!(timer.as_mut().poll(cx));
        Poll::Ready(Err(Elapsed { until }))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_late_is_cut_off_at_its_time() {
        let started = Instant::now();
        let limit = Duration::from_secs(5);
        let late = timed(started + limit, std::future::pending::<()>()).await;
        assert!(late.is_err());
        assert_eq!(started.elapsed(), limit);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_ready_in_time_is_handed_on() {
        let until = Instant::now() + Duration::from_secs(5);
        let early = async {
            tokio::time::sleep(Duration::from_secs(4)).await;
            7
        };
        assert_eq!(timed(until, early).await.ok(), Some(7));
        // It would have panicked for want of a runtime if it had made a timer.
        let at_once = std::thread::spawn(move || {
            let mut ready = std::pin::pin!(timed(until, std::future::ready(7)));
            let mut cx = Context::from_waker(std::task::Waker::noop());
            matches!(ready.as_mut().poll(&mut cx), Poll::Ready(Ok(7)))
        });
        assert!(at_once.join().unwrap());
    }
}
