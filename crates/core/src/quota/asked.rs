//! How long the server asks to stay away.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use super::{
    LONGEST, date,
    number::{self, Unit},
    verdict,
    windows::Window,
};

/// A wait that the server asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Asked {
    /// How long, from now on. Never above 2³² - 1 seconds.
    pub wait: Duration,
    /// The header that says so.
    pub source: HeaderName,
}

/// A header that says how long to wait.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Wait {
    pub(super) name: HeaderName,
    pub(super) unit: Unit,
    /// It may say "never" as well, as gRPC's does.
    pub(super) pushback: bool,
}

impl Wait {
    pub(super) fn read(&self, headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
        if self.pushback {
            let millis = verdict::pushback(&self.name, headers)?.ok()?;
            return Some(Duration::from_millis(u64::from(millis)));
        }
        longest(headers.get_all(&self.name).iter(), |text| {
            //= RFC 9110 §10.2.3: Retry-After = HTTP-date / delay-seconds
            if let Some(number) = number::decimal(text) {
                return Some(number.of(self.unit));
            }
            number::span(text).or_else(|| Some(date::until(date::date(text)?, headers, now)))
        })
    }
}

/// The longest of what the lines of a header say.
///
/// There ought to be one line, and one value in it. If there are more, more than one on the way had
/// reason to say how long, and only the longest keeps to what each of them asked for.
pub(super) fn longest<'h>(
    lines: impl Iterator<Item = &'h HeaderValue>,
    read: impl Fn(&str) -> Option<Duration>,
) -> Option<Duration> {
    //= RFC 9110 §5.3: a sender MUST NOT generate multiple field lines with the same name […] unless
    //= that field's definition allows multiple field line values to be recombined as a
    //= comma-separated list
    let line = |value: &HeaderValue| {
        let text = value.to_str().ok()?.trim();
        //= RFC 9110 §5.3: A recipient MAY combine multiple field lines within a field section that
        //= have the same field name into one field line
        read(text).or_else(|| text.split(',').filter_map(|one| read(one.trim())).max())
    };
    lines.filter_map(line).max()
}

/// Which of the windows of a response is to be waited for.
#[derive(Default)]
pub(super) struct Choice {
    exhausted: Option<Asked>,
    exhausted_by_guess: Option<Asked>,
    unsaid: Option<Asked>,
    left: Option<Asked>,
}

impl Choice {
    pub(super) fn consider(&mut self, window: &Window<'_>) {
        let quota = &window.quota;
        let exhausted = quota.remaining == Some(0);
        let (best, wait, longer) = match quota.reset {
            // Each exhausted window refuses on its own, so the last one to start anew counts.
            Some(reset) if exhausted => (&mut self.exhausted, reset, true),
            Some(reset) if quota.remaining.is_none() => (&mut self.unsaid, reset, false),
            Some(reset) => (&mut self.left, reset, false),
            // It starts anew within its length, nobody says when.
            None => match quota.window {
                Some(length) if exhausted => (&mut self.exhausted_by_guess, length, true),
                _ => return,
            },
        };
        let better = best
            .as_ref()
            .is_none_or(|best| (wait > best.wait) == longer && wait != best.wait);
        if better {
            *best = Some(Asked {
                wait: wait.min(LONGEST),
                source: window.source.clone(),
            });
        }
    }

    /// The wait, after all windows were considered.
    pub(super) fn made(self, status: StatusCode) -> Option<Asked> {
        let exhausted = self.exhausted.or(self.exhausted_by_guess);
        //= RFC 6585 §4: The 429 status code indicates that the user has sent too many requests in a
        //= given amount of time
        //
        // Something is exhausted, then, and if no window says that it is, any of them may be the
        // one: rather one that does not say what is left than one that says there is something.
        // Among several it is the first to start anew, because what has refused may also be none of
        // them (a burst, too many at once). To come too early costs one attempt, which the next 429
        // puts right; to wait for the window of a day costs the call.
        exhausted.or_else(|| {
            let guess = self.unsaid.or(self.left);
            guess.filter(|_| status == StatusCode::TOO_MANY_REQUESTS)
        })
    }
}
