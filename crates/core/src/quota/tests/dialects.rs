//! The drafts of the IETF, and what providers send.

use super::*;

#[test]
fn all_drafts_of_the_ietf_are_read() {
    for (draft, lines, expected) in [
        (
            "00",
            "RateLimit-Limit: 100\nRateLimit-Remaining: 50\nRateLimit-Reset: 5",
            vec![row(100, 50, 5000, None)],
        ),
        (
            "00, with its window",
            "RateLimit-Limit: 100, 100;w=60\nRateLimit-Remaining: 50\nRateLimit-Reset: 5",
            vec![row(100, 50, 5000, 60_000)],
        ),
        (
            "00, with several",
            "RateLimit-Limit: 10, 10;w=1;burst=1000, 1000;w=3600\nRateLimit-Remaining: 9\nRateLimit-Reset: 1",
            vec![row(10, 9, 1000, 1000)],
        ),
        (
            "00, on two lines",
            "RateLimit-Limit: 10\nRateLimit-Limit: 10;w=1, 50;w=60\nRateLimit-Remaining: 9",
            vec![row(10, 9, None, 1000)],
        ),
        (
            "03",
            "RateLimit-Limit: 10\nRateLimit-Policy: 10;w=1, 50;w=60;comment=\"a, b\"\nRateLimit-Remaining: 9\nRateLimit-Reset: 1",
            vec![row(10, 9, 1000, 1000)],
        ),
        (
            "07",
            "RateLimit: limit=100, remaining=50, reset=5\nRateLimit-Policy: 100;w=60",
            vec![row(100, 50, 5000, 60_000)],
        ),
        (
            "07, without a limit",
            "RateLimit: remaining=50, reset=5",
            vec![(None, Some(50), Some(5000), None)],
        ),
        (
            "08",
            "RateLimit: \"100-in-1min\"; r=50; t=30\nRateLimit-Policy: \"100-in-1min\"; q=100; w=60; pk=:Y2Vj:",
            vec![row(100, 50, 30_000, 60_000)],
        ),
        (
            "10",
            "RateLimit: \"default\";r=50;t=30\nRateLimit-Policy: \"default\";q=100;w=60",
            vec![row(100, 50, 30_000, 60_000)],
        ),
        (
            "10, several",
            "RateLimit: \"minute\";r=0;t=30, \"day\";r=999;t=7200\nRateLimit-Policy: \"day\";q=1000;w=86400\nRateLimit-Policy: \"minute\";q=10;w=60",
            vec![
                row(10, 0, 30_000, 60_000),
                row(1000, 999, 7_200_000, 86_400_000),
            ],
        ),
        (
            "10, without a policy",
            "RateLimit: default;r=50",
            vec![(None, Some(50), None, None)],
        ),
        (
            "10, the policy alone",
            "RateLimit-Policy: \"default\";q=100;w=60",
            vec![(Some(100), None, None, Some(60_000))],
        ),
        (
            "10, in another unit",
            "RateLimit: \"bytes\";r=50;t=30, \"calls\";r=7;t=9\nRateLimit-Policy: \"bytes\";q=65535;qu=\"content-bytes\", \"calls\";q=8;qu=\"requests\"",
            vec![row(8, 7, 9000, None)],
        ),
        (
            "07, in another unit",
            "RateLimit: limit=100, remaining=50, reset=5\nRateLimit-Policy: 100;w=60;qu=\"content-bytes\"",
            vec![],
        ),
        (
            "06, in another unit",
            "RateLimit-Limit: 100\nRateLimit-Remaining: 50\nRateLimit-Policy: 100;w=60;qu=\"content-bytes\"",
            vec![],
        ),
        (
            "GitLab",
            "RateLimit-Limit: 60\nRateLimit-Name: throttle_authenticated_web\nRateLimit-Observed: 67\nRateLimit-Remaining: 0\nRateLimit-Reset: 1700000007\nRateLimit-ResetTime: Tue, 14 Nov 2023 22:13:27 GMT",
            vec![row(60, 0, 7000, None)],
        ),
    ] {
        assert_eq!(rows(&quotas(lines)), expected, "draft {draft}");
    }
}

#[test]
fn a_structured_field_that_is_broken_says_nothing_and_leaves_the_word_to_the_others() {
    let plain = "\nRateLimit-Limit: 10\nRateLimit-Remaining: 9";
    for broken in [
        "\"a\";r=5,",
        "\"a;r=5",
        "100",
        "a",
        "limit=1",
        "\"a\";r=-1",
        "é",
    ] {
        let lines = format!("RateLimit: {broken}");
        assert_eq!(rows(&quotas(&lines)), [], "{broken}");
        assert_eq!(
            rows(&quotas(&(lines + plain))),
            [row(10, 9, None, None)],
            "{broken}"
        );
    }
    // One broken line breaks the field.
    assert_eq!(rows(&quotas("RateLimit: \"a\";r=5\nRateLimit: ,")), []);
    assert_eq!(
        rows(&quotas("RateLimit: \"a\";r=5\nRateLimit-Policy: \"a\";q=,")),
        [(None, Some(5), None, None)]
    );
}

#[test]
fn the_dialects_of_providers_are_read() {
    for (who, lines, expected) in [
        (
            "GitHub",
            "x-ratelimit-limit: 5000\nx-ratelimit-remaining: 4987\nx-ratelimit-reset: 1700000085\nx-ratelimit-used: 13\nx-ratelimit-resource: core",
            vec![row(5000, 4987, 85_000, None)],
        ),
        (
            "Discord",
            "X-RateLimit-Limit: 5\nX-RateLimit-Remaining: 0\nX-RateLimit-Reset: 1700000001\nX-RateLimit-Reset-After: 1.25\nX-RateLimit-Bucket: abcd1234",
            vec![row(5, 0, 1250, None)],
        ),
        (
            "Reddit",
            "x-ratelimit-used: 2\nx-ratelimit-remaining: 598.0\nx-ratelimit-reset: 334",
            vec![(None, Some(598), Some(334_000), None)],
        ),
        (
            "WHOOP",
            "X-RateLimit-Limit: 100, 100;window=60, 10000;window=86400\nX-RateLimit-Remaining: 98\nX-RateLimit-Reset: 3",
            vec![row(100, 98, 3000, 60_000)],
        ),
        (
            "Jira",
            "X-RateLimit-Limit: 350\nX-RateLimit-Remaining: 0\nX-RateLimit-Reset: 2023-11-14T22:14Z",
            vec![row(350, 0, 40_000, None)],
        ),
        (
            "milliseconds of Unix time",
            "X-RateLimit-Limit: 5\nX-RateLimit-Remaining: 4\nX-RateLimit-Reset: 1700000001500",
            vec![row(5, 4, 1500, None)],
        ),
        (
            "X",
            "x-rate-limit-limit: 2000\nx-rate-limit-remaining: 1999\nx-rate-limit-reset: 1700000060",
            vec![row(2000, 1999, 60_000, None)],
        ),
        (
            "Zendesk",
            "x-rate-limit: 700\nratelimit-limit: 700\nx-rate-limit-remaining: 699\nratelimit-remaining: 699\nratelimit-reset: 41",
            vec![row(700, 699, 41_000, None), row(700, 699, None, None)],
        ),
        (
            "OpenAI",
            "x-ratelimit-limit-requests: 60\nx-ratelimit-limit-tokens: 150000\nx-ratelimit-remaining-requests: 59\nx-ratelimit-remaining-tokens: 149984\nx-ratelimit-reset-requests: 1s\nx-ratelimit-reset-tokens: 6m0s",
            vec![row(60, 59, 1000, None)],
        ),
        (
            "Anthropic",
            "anthropic-ratelimit-requests-limit: 50\nanthropic-ratelimit-requests-remaining: 49\nanthropic-ratelimit-requests-reset: 2023-11-14T22:14:20Z\nanthropic-ratelimit-tokens-limit: 50000\nanthropic-ratelimit-tokens-remaining: 49500\nanthropic-ratelimit-tokens-reset: 2023-11-14T22:14:20Z",
            vec![row(50, 49, 60_000, None)],
        ),
        (
            "Linear",
            "X-RateLimit-Requests-Limit: 5000\nX-RateLimit-Requests-Remaining: 4999\nX-RateLimit-Requests-Reset: 1700000003000\nX-RateLimit-Complexity-Limit: 250000\nX-RateLimit-Complexity-Remaining: 249999",
            vec![row(5000, 4999, 3000, None)],
        ),
        (
            "HubSpot",
            "X-HubSpot-RateLimit-Daily: 250000\nX-HubSpot-RateLimit-Daily-Remaining: 249937\nX-HubSpot-RateLimit-Interval-Milliseconds: 10000\nX-HubSpot-RateLimit-Max: 100\nX-HubSpot-RateLimit-Remaining: 98",
            vec![
                row(100, 98, None, 10_000),
                row(250_000, 249_937, None, 86_400_000),
            ],
        ),
        (
            "HighLevel",
            "X-RateLimit-Limit-Daily: 200000\nX-RateLimit-Daily-Remaining: 199000\nX-RateLimit-Interval-Milliseconds: 10000\nX-RateLimit-Max: 100\nX-RateLimit-Remaining: 99",
            vec![
                row(100, 99, None, 10_000),
                row(200_000, 199_000, None, 86_400_000),
            ],
        ),
        (
            "Brevo",
            "x-sib-ratelimit-limit: 1000\nx-sib-ratelimit-remaining: 999\nx-sib-ratelimit-reset: 60",
            vec![row(1000, 999, 60_000, None)],
        ),
        (
            "Kong",
            "RateLimit-Limit: 10\nRateLimit-Remaining: 4\nRateLimit-Reset: 47\nX-RateLimit-Limit-Minute: 10\nX-RateLimit-Remaining-Minute: 4",
            vec![row(10, 4, 47_000, None), row(10, 4, None, 60_000)],
        ),
    ] {
        assert_eq!(rows(&quotas(lines)), expected, "{who}");
    }
}
