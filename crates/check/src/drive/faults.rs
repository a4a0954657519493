//! From the faults of a case to the sandbox's fault plan.

use std::time::{Duration, UNIX_EPOCH};

use golive_sandbox::Fault;
use http::Method;

use crate::case::{Answer, Page, Times};

/// A planned fault, and the wall time before which the next attempt must not
/// come, if it says one.
pub(super) struct Planned {
    pub(super) fault: Fault,
    pub(super) not_before: Option<Duration>,
}

/// The texts of a planned 422: field and message, unique to the run and made
/// of letters that no escaping touches.
pub(super) fn error_texts(mark: &str) -> Vec<(String, String)> {
    let tail: String = mark.chars().filter(char::is_ascii_alphanumeric).collect();
    ["tax", "mail", "birth"]
        .iter()
        .enumerate()
        .map(|(n, field)| (format!("{field}_{tail}"), format!("message {n} of {tail}")))
        .collect()
}

/// The fault of a create whose body contains the mark.
pub(super) fn on_create(mark: &str, times: Times, answer: Answer, now: Duration) -> Planned {
    let fault = Fault::on(Method::POST, "/customers").containing(mark);
    let fault = match times {
        Times::Once => fault.times(1),
        Times::First(n) => fault.times(u64::from(n)),
        Times::Always => fault.always(),
    };
    let mut not_before = None;
    let fault = match answer {
        Answer::Problem(status, code) => {
            fault.status(status).problem(code, "planned by golive", &[])
        }
        Answer::TooMany => too_many(fault),
        Answer::RetryAfterSeconds(s) => too_many(fault).header("retry-after", s.to_string()),
        Answer::RetryAfterDate(s) => {
            let at = whole_seconds_from(now, s);
            not_before = Some(at);
            too_many(fault).header("retry-after", httpdate::fmt_http_date(UNIX_EPOCH + at))
        }
        Answer::RateLimitReset(s) => {
            let at = whole_seconds_from(now, s);
            not_before = Some(at);
            too_many(fault)
                .header("x-ratelimit-remaining", "0")
                .header("x-ratelimit-reset", at.as_secs().to_string())
        }
        Answer::CutAfterProcessing => fault.cut_after(),
        Answer::TokenExpired => fault.expire_token(),
        Answer::ThreeErrors => {
            let texts = error_texts(mark);
            let errors: Vec<(&str, &str)> = texts
                .iter()
                .map(|(param, detail)| (param.as_str(), detail.as_str()))
                .collect();
            fault
                .status(422)
                .problem("missing_required_field", "planned by golive", &errors)
        }
        Answer::Late(by) => fault.latency(by),
        Answer::Page(status, page) => in_front(fault.status(status), page),
        Answer::Reset => fault.reset(),
        Answer::HalfAnswer => fault.cut_halfway(),
    };
    Planned { fault, not_before }
}

/// NOTE: a limit header of ours leaves out the sandbox's own ones, whose
/// `X-RateLimit-Reset` would be a hint that the case does not mean.
fn too_many(fault: Fault) -> Fault {
    fault
        .status(429)
        .problem("rate_limit_exceeded", "planned by golive", &[])
        .header("x-ratelimit-limit", "100")
}

/// What a proxy in front of the provider says.
fn in_front(fault: Fault, page: Page) -> Fault {
    let (kind, body) = match page {
        Page::Html => (
            "text/html",
            "<html>\r\n<head><title>Bad Gateway</title></head>\r\n<body><center><h1>Bad Gateway</h1></center><hr></body>\r\n</html>",
        ),
        Page::Empty => ("application/json", ""),
        Page::Truncated => (
            "application/problem+json",
            r#"{"type":"about:blank","title":"Gatew"#,
        ),
    };
    fault.header("content-type", kind).body(body)
}

/// Dates and epochs have whole seconds; rounding down never asks for too much.
fn whole_seconds_from(now: Duration, seconds: u32) -> Duration {
    Duration::from_secs(now.as_secs() + u64::from(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_planned_can_be_sent() {
        let now = Duration::from_millis(1_790_000_000_700);
        for answer in [
            Answer::Problem(500, "internal"),
            Answer::TooMany,
            Answer::RetryAfterSeconds(3),
            Answer::RetryAfterDate(4),
            Answer::RateLimitReset(3),
            Answer::CutAfterProcessing,
            Answer::TokenExpired,
            Answer::ThreeErrors,
            Answer::Late(Duration::from_secs(1)),
            Answer::Page(502, Page::Html),
            Answer::Page(503, Page::Empty),
            Answer::Page(504, Page::Truncated),
            Answer::Reset,
            Answer::HalfAnswer,
        ] {
            let planned = on_create("m", Times::Once, answer, now);
            assert_eq!(planned.fault.check(), Ok(()), "{answer:?}");
        }
        let dated = on_create("m", Times::Once, Answer::RetryAfterDate(4), now);
        assert_eq!(dated.not_before, Some(Duration::from_secs(1_790_000_004)));
    }

    #[test]
    fn the_texts_of_a_422_differ_and_need_no_escaping() {
        let texts = error_texts("glv-1-val-01-a");
        assert_eq!(texts.len(), 3);
        let all: Vec<_> = texts.iter().flat_map(|(a, b)| [a, b]).collect();
        assert!(all.iter().all(|t| {
            t.chars()
                .all(|c| c.is_ascii_alphanumeric() || c == ' ' || c == '_')
        }));
    }
}
