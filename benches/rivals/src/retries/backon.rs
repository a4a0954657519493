//! `backon`, which retries a closure and knows nothing of HTTP.

use std::time::Duration;

use backon::{ExponentialBuilder, Retryable as _};
use golive_sim::{Answer, Caller, FarEnd};
use http::{HeaderMap, StatusCode};

use super::{BASE, CAP, RETRIES, caller};

/// A failure that may pass, and the wait that was asked for.
struct Failed(Option<Duration>);

/// As its documentation shows it.
pub(super) fn plain(far_end: FarEnd, _: u64) -> Caller {
    caller(move || {
        let far_end = far_end.clone();
        let call = move || attempt(far_end.clone());
        async { call.retry(delays()).sleep(tokio::time::sleep).await.is_ok() }
    })
}

/// As somebody uses it who reads the hints themselves: the longer one of what was asked for and of
/// what it would have waited.
pub(super) fn as_told(far_end: FarEnd, _: u64) -> Caller {
    caller(move || {
        let far_end = far_end.clone();
        let call = move || attempt(far_end.clone());
        async {
            let retry = call.retry(delays()).sleep(tokio::time::sleep);
            let told = |Failed(asked): &Failed, own: Option<Duration>| {
                own.map(|own| own.max(asked.unwrap_or_default()))
            };
            retry.adjust(told).await.is_ok()
        }
    })
}

fn delays() -> ExponentialBuilder {
    ExponentialBuilder::default()
        .with_min_delay(BASE)
        .with_max_delay(CAP)
        .with_max_times(RETRIES as usize)
        .with_jitter()
}

async fn attempt(far_end: FarEnd) -> Result<(), Failed> {
    match far_end.answer().await {
        Answer::Response(StatusCode::OK, _) => Ok(()),
        Answer::Response(_, headers) => Err(Failed(asked(&headers))),
        Answer::Refused => Err(Failed(None)),
    }
}

fn asked(headers: &HeaderMap) -> Option<Duration> {
    let value = |name| headers.get(name)?.to_str().ok();
    let seconds = value("retry-after").or_else(|| value("x-ratelimit-reset"));
    if let Some(seconds) = seconds {
        return seconds.parse().ok().map(Duration::from_secs);
    }
    let reset = value("x-ratelimit-reset-requests")?;
    match reset.strip_suffix("ms") {
        Some(ms) => ms.parse().ok().map(Duration::from_millis),
        None => reset
            .strip_suffix('s')?
            .parse()
            .ok()
            .map(Duration::from_secs),
    }
}
