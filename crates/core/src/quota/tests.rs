//! The table against what servers send, and a table of one's own.

mod dialects;
mod quotas;
mod structured;
mod waits;

use std::time::UNIX_EPOCH;

use http::{HeaderName, HeaderValue};
use proptest::prelude::*;

use super::*;

const NOW: u64 = 1_700_000_000;

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

fn date(seconds: u64) -> String {
    httpdate::fmt_http_date(at(seconds))
}

/// The headers of a response, in the lines of its head.
fn head(lines: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in lines.lines() {
        let Some((name, value)) = line.trim().split_once(": ") else {
            continue;
        };
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        headers.append(name, HeaderValue::from_str(value).unwrap());
    }
    headers
}

fn asked(status: u16, lines: &str) -> Option<(u128, String)> {
    let status = StatusCode::from_u16(status).unwrap();
    let asked = Hints::default().asked(status, &head(lines), at(NOW))?;
    Some((asked.wait.as_millis(), asked.source.to_string()))
}

fn wait(status: u16, lines: &str) -> Option<u128> {
    asked(status, lines).map(|(wait, _)| wait)
}

fn quotas(lines: &str) -> Quotas {
    Hints::default().quotas(&head(lines), at(NOW))
}

type Row = (Option<u64>, Option<u64>, Option<u64>, Option<u64>);

/// Limit, what remains, milliseconds until the reset, and of the window.
fn rows(quotas: &Quotas) -> Vec<Row> {
    let millis = |span: Duration| u64::try_from(span.as_millis()).unwrap();
    let row = |quota: &Quota| {
        let (reset, window) = (quota.reset.map(millis), quota.window.map(millis));
        (quota.limit, quota.remaining, reset, window)
    };
    quotas.iter().map(row).collect()
}

fn row(
    limit: u64,
    remaining: u64,
    reset: impl Into<Option<u64>>,
    window: impl Into<Option<u64>>,
) -> Row {
    (Some(limit), Some(remaining), reset.into(), window.into())
}

#[test]
fn a_header_that_is_taken_out_is_read_no_more() {
    let name = HeaderName::from_static;
    let lines = head(
        "retry-after: 3\nx-should-retry: false\nratelimit: \"a\";r=5\nx-ratelimit-limit: 5\nx-ratelimit-remaining: 4\ngrpc-retry-pushback-ms: -1",
    );
    let hints = Hints::default()
        .without(&name("retry-after"))
        .without(&name("x-should-retry"))
        .without(&name("grpc-retry-pushback-ms"))
        .without(&name("ratelimit"))
        .without(&name("x-ratelimit-remaining"));
    assert_eq!(
        hints.asked(StatusCode::TOO_MANY_REQUESTS, &lines, at(NOW)),
        None
    );
    assert_eq!(hints.verdict(&lines), None);
    assert_eq!(
        rows(&hints.quotas(&lines, at(NOW))),
        [(Some(5), None, None, None)]
    );
    let window =
        head("x-hubspot-ratelimit-remaining: 0\nx-hubspot-ratelimit-interval-milliseconds: 5");
    let asked = |hints: &Hints| hints.asked(StatusCode::OK, &window, at(NOW));
    assert!(asked(&hints).is_some());
    assert_eq!(
        asked(
            &hints
                .clone()
                .without(&name("x-hubspot-ratelimit-interval-milliseconds"))
        ),
        None
    );
    let hints = hints.without(&name("x-ratelimit-limit"));
    assert!(hints.quotas(&lines, at(NOW)).is_empty() && !hints.mentions_quota(&lines));
    assert!(Hints::default().mentions_quota(&lines) && !Hints::none().mentions_quota(&lines));
}

#[test]
fn a_table_of_ones_own_is_read_like_the_default_one() {
    let name = HeaderName::from_static;
    let hints = Hints::none()
        .wait(name("x-back-in"), Unit::Millis)
        .veto(name("x-final"), "Yes")
        .again(name("x-final"), "no")
        .quota(
            Family::new()
                .limit(name("x-max"))
                .remaining(name("x-left"))
                .reset(name("x-renewed"))
                .unit(Unit::Millis),
        );
    let read = |lines: &str| hints.asked(StatusCode::OK, &head(lines), at(NOW));
    assert_eq!(
        read("x-back-in: 250").map(|asked| asked.wait.as_millis()),
        Some(250)
    );
    assert_eq!(
        read("x-left: 0\nx-renewed: 1500").map(|asked| asked.wait.as_millis()),
        Some(1500)
    );
    let epoch = format!("x-left: 0\nx-renewed: {}", NOW * 1000 + 20);
    assert_eq!(read(&epoch).map(|asked| asked.wait.as_millis()), Some(20));
    assert_eq!(read("retry-after: 3"), None);
    assert_eq!(hints.verdict(&head("x-final: yes")), Some(Verdict::Never));
    assert_eq!(hints.verdict(&head("x-final: NO")), Some(Verdict::Again));
    let quotas = hints.quotas(&head("x-max: 5\nx-left: 4\nx-renewed: 9000000000"), at(NOW));
    assert_eq!(rows(&quotas), [row(5, 4, 9_000_000_000, None)], "104 days");
}

#[test]
fn a_clone_shares_the_table_and_a_change_is_its_own() {
    let hints = Hints::default();
    assert_eq!(hints, Hints::default());
    let other = hints
        .clone()
        .veto(HeaderName::from_static("x-final"), "yes");
    assert_ne!(hints, other);
    assert_eq!(hints, Hints::default());
    assert!(format!("{other:?}").contains("x-final"));
}

#[test]
fn every_header_of_the_default_table_is_found() {
    let debug = format!("{:?}", Hints::default());
    let names = debug
        .split('"')
        .filter(|word| word.contains("ratelimit") || word.contains("rate-limit"));
    let named_by = [
        "ratelimit-name",
        "x-ratelimit-bucket",
        "x-ratelimit-resource",
        "x-ratelimit-retry-after",
    ];
    let mut count = 0;
    for name in names.filter(|name| !named_by.contains(name)) {
        let headers = head(&format!("{name}: 1"));
        assert!(Hints::default().mentions_quota(&headers), "{name}");
        count += 1;
    }
    assert!(count > 50, "{count}");
}

proptest! {
    #[test]
    fn no_headers_make_it_panic_or_wait_for_ever(
        status in 100u16..600,
        now in 0u64..1 << 40,
        lines in proptest::collection::vec((0usize..NAMES.len(), value()), 0..8),
    ) {
        let mut headers = HeaderMap::new();
        for (name, value) in &lines {
            if let Ok(value) = HeaderValue::from_bytes(value) {
                headers.append(HeaderName::from_static(NAMES[*name]), value);
            }
        }
        let hints = Hints::default();
        let status = StatusCode::from_u16(status).unwrap();
        let asked = hints.asked(status, &headers, at(now));
        prop_assert!(asked.is_none_or(|asked| asked.wait <= LONGEST));
        for quota in &hints.quotas(&headers, at(now)) {
            prop_assert!(quota.reset.is_none_or(|reset| reset <= LONGEST));
            prop_assert!(quota.window.is_none_or(|window| window <= LONGEST));
        }
        let _ = hints.verdict(&headers);
    }

    #[test]
    fn what_a_formatter_writes_is_read_back(
        limit in 1u64..1 << 40, left in 0u64..1 << 40, reset in 0u64..1_000_000_000, window in 1u64..1 << 31,
    ) {
        let expected = [row(limit, left, reset * 1000, window * 1000)];
        for lines in [
            format!("RateLimit: \"a b\";r={left};t={reset}\nRateLimit-Policy: \"a b\";q={limit};w={window}"),
            format!("RateLimit: limit={limit}, remaining={left}, reset={reset}\nRateLimit-Policy: {limit};w={window}"),
            format!("RateLimit-Limit: {limit}, {limit};w={window}\nRateLimit-Remaining: {left}\nRateLimit-Reset: {reset}"),
            format!("X-RateLimit-Limit: {limit};w={window}\nX-RateLimit-Remaining: {left}\nX-RateLimit-Reset: {}", NOW + reset),
            format!("X-RateLimit-Limit: {limit};w={window}\nX-RateLimit-Remaining: {left}\nX-RateLimit-Reset: {reset}s"),
        ] {
            prop_assert_eq!(rows(&quotas(&lines)), &expected[..], "{}", lines);
        }
    }
}

const NAMES: [&str; 12] = [
    "retry-after",
    "retry-after-ms",
    "grpc-retry-pushback-ms",
    "date",
    "ratelimit",
    "ratelimit-policy",
    "x-ratelimit-limit",
    "x-ratelimit-remaining",
    "x-ratelimit-reset",
    "x-ratelimit-reset-tokens",
    "x-ratelimit-remaining-tokens",
    "x-hubspot-ratelimit-interval-milliseconds",
];

fn value() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        "([0-9]{1,22}|[;,=. ]|\"a\"|r=0|;t=|;q=|;w=|limit=|remaining=0|reset=|m|s|ms|Z|T|:|-|GMT){0,8}"
            .prop_map(String::into_bytes),
        proptest::collection::vec(any::<u8>(), 0..40),
    ]
}
