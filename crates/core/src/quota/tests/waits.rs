//! How long, and whether at all.

use super::*;

#[test]
fn waits_are_read_in_their_order() {
    let mut lines = vec![
        ("retry-after-ms", "1", 1),
        ("x-ms-retry-after-ms", "2", 2),
        ("grpc-retry-pushback-ms", "3", 3),
        ("retry-after", "4", 4000),
        ("x-ratelimit-retry-after", "5", 5000),
    ];
    while let Some((first, _, millis)) = lines.first() {
        let head = |(name, value, _): &(&str, &str, u128)| format!("{name}: {value}\n");
        let shuffled: String = lines.iter().rev().map(head).collect();
        assert_eq!(asked(503, &shuffled), Some((*millis, (*first).to_owned())));
        lines.remove(0);
    }
}

#[test]
fn retry_after_is_read_as_seconds_and_as_a_date_of_any_form() {
    for value in [
        "3",
        "3.0",
        "03",
        "Tue, 14 Nov 2023 22:13:23 GMT",
        "Tuesday, 14-Nov-23 22:13:23 GMT",
        "Tue Nov 14 22:13:23 2023",
        "2023-11-14T22:13:23Z",
        "3s",
    ] {
        assert_eq!(
            wait(503, &format!("retry-after: {value}")),
            Some(3000),
            "{value}"
        );
    }
}

#[test]
fn dates_are_measured_by_the_clock_of_the_server() {
    let skewed = NOW + 3600;
    let server = date(skewed);
    for (line, expected) in [
        (format!("retry-after: {}", date(skewed + 3)), 3000),
        (format!("x-ratelimit-reset: {}", skewed + 7), 7000),
        (
            format!("x-ratelimit-reset: {}", (skewed + 7) * 1000 + 5),
            7005,
        ),
        ("x-ratelimit-reset: 2023-11-14T23:13:22Z".to_owned(), 2000),
        (format!("ratelimit: \"a\";r=0;t={}", skewed + 9), 9000),
    ] {
        assert_eq!(
            wait(429, &format!("{line}\ndate: {server}")),
            Some(expected),
            "{line}"
        );
    }
    // Without one, and with one that cannot be read, ours has to do.
    for without in ["", "date: today"] {
        let lines = format!("retry-after: {}\n{without}", date(NOW + 3));
        assert_eq!(wait(429, &lines), Some(3000));
    }
}

#[test]
fn what_is_out_of_all_reason_is_a_long_wait_and_not_none() {
    let longest = LONGEST.as_millis();
    let nines = "9".repeat(400);
    for value in ["4294967296", "99999999999999999999999", &nines] {
        assert_eq!(
            wait(429, &format!("retry-after: {value}")),
            Some(longest),
            "{value}"
        );
    }
    assert_eq!(
        wait(429, &format!("retry-after-ms: {nines}")),
        Some(longest)
    );
    let in_9999 = "retry-after: Fri, 31 Dec 9999 23:59:59 GMT";
    assert_eq!(wait(503, in_9999), Some(longest));
    assert_eq!(
        wait(
            503,
            &format!("{in_9999}\ndate: Thu, 01 Jan 1970 00:00:00 GMT")
        ),
        Some(longest)
    );
    for name in ["x-ratelimit-reset", "ratelimit-reset"] {
        let read = wait(429, &format!("{name}: {nines}"));
        assert!(read.is_some_and(|read| read > longest / 2), "{name}");
    }
    assert!(at(NOW).checked_add(LONGEST * 2).is_some());
}

#[test]
fn what_has_passed_means_now_and_what_cannot_be_read_means_nothing() {
    assert_eq!(
        wait(429, &format!("retry-after: {}", date(NOW - 9))),
        Some(0)
    );
    assert_eq!(
        wait(429, &format!("x-ratelimit-reset: {}", NOW - 9)),
        Some(0)
    );
    for nonsense in ["-1", "soon", "1e9", "inf", "NaN", ",", "-5s", "2023-11-14"] {
        for name in [
            "retry-after",
            "retry-after-ms",
            "x-ratelimit-reset",
            "ratelimit-reset",
        ] {
            assert_eq!(
                wait(429, &format!("{name}: {nonsense}")),
                None,
                "{name}: {nonsense}"
            );
        }
    }
    assert_eq!(
        wait(429, "retry-after-ms: soon\nretry-after: 2"),
        Some(2000)
    );
}

#[test]
fn of_several_lines_the_longest_wait_counts() {
    assert_eq!(
        wait(503, "retry-after: 3\nretry-after: 5\nretry-after: x"),
        Some(5000)
    );
    assert_eq!(
        wait(503, "retry-after: 3, 5"),
        Some(5000),
        "combined on the way"
    );
    let date = date(NOW + 9);
    assert_eq!(
        wait(503, &format!("retry-after: {date}\nretry-after: 5")),
        Some(9000)
    );
}

#[test]
fn a_pushback_is_a_wait_or_a_veto() {
    let verdict = |value: &str| {
        let lines = format!("grpc-retry-pushback-ms: {value}");
        (wait(200, &lines), Hints::default().verdict(&head(&lines)))
    };
    assert_eq!(verdict("0"), (Some(0), None));
    assert_eq!(verdict("1500"), (Some(1500), None));
    assert_eq!(verdict("2147483647"), (Some(2_147_483_647), None));
    for no in [
        "-1",
        "-0",
        "+1",
        "05",
        "1.5",
        "soon",
        "2147483648",
        "1\ngrpc-retry-pushback-ms: 1",
    ] {
        assert_eq!(verdict(no), (None, Some(Verdict::Never)), "{no}");
    }
}

#[test]
fn a_verdict_is_read_and_never_goes_before_again() {
    let verdict = |lines: &str| Hints::default().verdict(&head(lines));
    for name in ["x-should-retry", "Stripe-Should-Retry"] {
        assert_eq!(verdict(&format!("{name}: true")), Some(Verdict::Again));
        assert_eq!(verdict(&format!("{name}: FALSE ")), Some(Verdict::Never));
        assert_eq!(verdict(&format!("{name}: maybe")), None);
    }
    assert_eq!(verdict("retry-after: 3"), None);
    for both in [
        "x-should-retry: true\nstripe-should-retry: false",
        "x-should-retry: false\nstripe-should-retry: true",
        "x-should-retry: true\nx-should-retry: false",
        "x-should-retry: true\ngrpc-retry-pushback-ms: -1",
    ] {
        assert_eq!(verdict(both), Some(Verdict::Never), "{both}");
    }
}

#[test]
fn a_reset_counts_only_once_the_quota_is_exhausted() {
    let lines = |left| format!("x-ratelimit-remaining: {left}\nx-ratelimit-reset: 5");
    assert_eq!(wait(500, &lines(3)), None);
    assert_eq!(wait(500, &lines(0)), Some(5000));
    assert_eq!(wait(429, &lines(3)), Some(5000));
    assert_eq!(wait(429, "x-ratelimit-reset: 5"), Some(5000));
    assert_eq!(wait(503, "x-ratelimit-reset: 5"), None);
    assert_eq!(
        wait(429, &(lines(0) + "\nretry-after: 2")),
        Some(2000),
        "goes before"
    );
}

#[test]
fn of_several_windows_the_exhausted_one_that_ends_last_is_waited_for() {
    let a = "RateLimit: \"minute\";r=0;t=30, \"hour\";r=0;t=900, \"day\";r=5;t=7200";
    assert_eq!(asked(429, a), Some((900_000, "ratelimit".to_owned())));
    assert_eq!(wait(500, a), Some(900_000));
    let none = "RateLimit: \"minute\";r=3;t=30, \"day\";r=5;t=7200";
    assert_eq!(wait(429, none), Some(30_000), "the first that may help");
    assert_eq!(wait(500, none), None);
    let unsaid = "RateLimit: \"minute\";r=3;t=30, \"day\";t=7200";
    assert_eq!(
        wait(429, unsaid),
        Some(7_200_000),
        "the only one that may be exhausted"
    );
}

#[test]
fn what_counts_no_requests_is_waited_for_once_it_is_exhausted() {
    let tokens = "x-ratelimit-remaining-requests: 59\nx-ratelimit-reset-requests: 1s\nx-ratelimit-remaining-tokens: 0\nx-ratelimit-reset-tokens: 6m0s";
    assert_eq!(
        asked(429, tokens),
        Some((360_000, "x-ratelimit-reset-tokens".to_owned()))
    );
    let units = "RateLimit: \"b\";r=0;t=9\nRateLimit-Policy: \"b\";q=10;qu=\"content-bytes\"";
    assert_eq!((wait(503, units), quotas(units).len()), (Some(9000), 0));
}

#[test]
fn a_window_stands_for_a_reset_that_nobody_says() {
    let hubspot =
        "X-HubSpot-RateLimit-Interval-Milliseconds: 10000\nX-HubSpot-RateLimit-Remaining: 0";
    assert_eq!(
        asked(429, hubspot),
        Some((10_000, "x-hubspot-ratelimit-remaining".to_owned()))
    );
    let second = Hints::none().quota(
        Family::new()
            .remaining(HeaderName::from_static("x-left"))
            .remaining(HeaderName::from_static("x-remaining"))
            .lasts(Duration::from_secs(1)),
    );
    let asked = second.asked(StatusCode::OK, &head("x-remaining: 0"), at(NOW));
    assert_eq!(
        asked.unwrap().source,
        "x-remaining",
        "the one that is there"
    );
    let kong = "X-RateLimit-Remaining-Minute: 0";
    assert_eq!(wait(429, kong), Some(60_000));
    let said = format!("{kong}\nRateLimit-Remaining: 0\nRateLimit-Reset: 13");
    assert_eq!(
        wait(429, &said),
        Some(13_000),
        "what is said goes before a guess"
    );
    assert_eq!(wait(429, "X-RateLimit-Remaining-Minute: 5"), None);
}
