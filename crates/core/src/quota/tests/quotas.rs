//! What holds for windows in every dialect.

use super::*;

#[test]
fn of_several_lines_the_least_that_is_left_counts() {
    let twice = "x-ratelimit-limit: 100\nx-ratelimit-remaining: 50\nx-ratelimit-remaining: 3\nx-ratelimit-reset: 5\nx-ratelimit-reset: 60";
    assert_eq!(rows(&quotas(twice)), [row(100, 3, 60_000, None)]);
    assert_eq!(
        rows(&quotas("x-ratelimit-remaining: 50, 3")),
        [(None, Some(3), None, None)]
    );
}

#[test]
fn a_count_that_cannot_be_read_says_nothing() {
    for nonsense in ["-1", "many", "18446744073709551616", "1e3"] {
        let lines = format!("x-ratelimit-remaining: {nonsense}\nx-ratelimit-limit: 5");
        assert_eq!(
            rows(&quotas(&lines)),
            [(Some(5), None, None, None)],
            "{nonsense}"
        );
    }
    assert!(
        quotas("x-ratelimit-reset: 5").is_empty(),
        "a reset of what?"
    );
}

#[test]
fn a_window_keeps_its_identity_and_shares_it_with_no_other() {
    let id = |lines: &str| {
        let quotas = quotas(lines);
        quotas.iter().map(|quota| quota.policy).collect::<Vec<_>>()
    };
    for (one, later) in [
        (
            "x-ratelimit-remaining: 5\nx-ratelimit-limit: 10",
            "x-ratelimit-remaining: 4\nx-ratelimit-reset: 5",
        ),
        (
            "ratelimit: \"a\";r=5",
            "ratelimit: a;r=4;t=1\nratelimit-policy: \"a\";q=5",
        ),
        (
            "ratelimit: limit=10, remaining=1",
            "ratelimit: limit=20, remaining=1",
        ),
        (
            "ratelimit: \"a\";r=5, \"b\";r=6",
            "ratelimit: \"a\";r=4, \"b\";r=5",
        ),
        (
            "ratelimit: limit=10, remaining=1\nratelimit-policy: 10;w=1, 50;w=60",
            "ratelimit: limit=10, remaining=0\nratelimit-policy: 10;w=1, 50;w=60",
        ),
    ] {
        assert_eq!(id(one), id(later), "{one}");
    }
    let mut all = Vec::new();
    for other in [
        "x-ratelimit-remaining: 5",
        "x-ratelimit-remaining: 5\nx-ratelimit-resource: core",
        "x-ratelimit-remaining: 5\nx-ratelimit-resource: search",
        "x-ratelimit-remaining: 5\nx-ratelimit-bucket: ab\nx-ratelimit-resource: c",
        "x-ratelimit-remaining: 5\nx-ratelimit-bucket: a\nx-ratelimit-resource: bc",
        "x-rate-limit-remaining: 5",
        "ratelimit-remaining: 5",
        "ratelimit: \"a\";r=5, \"b\";r=5",
        "ratelimit: \"a\";r=5;pk=:eA==:, \"a\";r=5;pk=:eQ==:",
        "ratelimit: limit=10, remaining=1\nratelimit-policy: 10;w=1, 50;w=60",
        "ratelimit: limit=50, remaining=1\nratelimit-policy: 10;w=1, 50;w=60",
    ] {
        all.extend(id(other));
    }
    let count = all.len();
    all.sort_unstable();
    all.dedup();
    assert_eq!((count, all.len()), (13, 13));
}

#[test]
fn there_are_four_windows_at_most_and_the_exhausted_one_is_waited_for_all_the_same() {
    let members: Vec<_> = (1..=9)
        .map(|i| format!("\"w{i}\";r={};t={i}", 9 - i))
        .collect();
    let lines = format!("ratelimit: {}", members.join(", "));
    assert_eq!(quotas(&lines).len(), 4);
    assert_eq!(quotas(&lines).into_iter().count(), 4);
    assert_eq!(wait(503, &lines), Some(9000));
    let many = ["\"x\";r=0;t=1"; 5000].join(",");
    assert_eq!(
        wait(503, &format!("ratelimit: {many}\nratelimit-policy: {many}")),
        Some(1000)
    );
}

#[test]
fn the_tightest_window_is_the_one_with_the_smallest_share_left() {
    let tightest = |lines: &str| quotas(lines).tightest().map(|quota| quota.limit);
    let lines = "ratelimit: \"a\";r=50, \"b\";r=60, \"c\"\nratelimit-policy: \"a\";q=100, \"b\";q=1000, \"c\";q=1";
    assert_eq!(tightest(lines), Some(Some(1000)));
    assert_eq!(
        tightest("ratelimit: \"a\";r=1, \"b\";r=0\nratelimit-policy: \"a\";q=100"),
        Some(None)
    );
    assert_eq!(tightest("server: x"), None);
}
