//! IDEM: one key for one operation, on every attempt of it.

use crate::boxes::BoxId::R1;
use crate::case::Level::{Must, Should};
use crate::case::{Answer, Case, Step, Times};
use crate::trace::{Entry, Outcome, Reply, Trace};
use crate::verdict::{Judgement, counted};

const BOX_R1: &str =
    "checklist R1: \"an Idempotency-Key on every POST, the same one on its retries\"";
const SAME_KEY: &str =
    "mint the key once, outside the retry, and send the very same body bytes with it";

pub(super) static CASES: &[Case] = &[
    Case::new("IDEM-01", R1, Must)
        .says(
            "one create of each kind",
            "a key on every POST, 1 to 255 visible ASCII characters",
            "it is missing on a creating POST",
        )
        .rests_on(BOX_R1, "put the key in a layer that every POST goes through, not at call sites")
        .ready(&[Step::Create("a")], every_post_has_a_key),
    Case::new("IDEM-02", R1, Must)
        .says(
            "500, 500, 201",
            "the same key and the same body bytes on all three",
            "the key or the body changes",
        )
        .rests_on(BOX_R1, SAME_KEY)
        .ready(
            &[
                Step::FailCreate("a", Times::First(2), Answer::Problem(500, "internal")),
                Step::Create("a"),
            ],
            the_key_survives_retries,
        ),
    Case::new("IDEM-03", R1, Must)
        .says(
            "the create is processed, then the connection is cut",
            "retried with the same key; exactly one resource",
            "two resources, another key, or given up and reported as failed while the resource exists",
        )
        .rests_on(
            BOX_R1,
            "treat a lost answer as \"unknown\", never as \"failed\": retry it with the same key",
        )
        .ready(
            &[
                Step::FailCreate("a", Times::Once, Answer::CutAfterProcessing),
                Step::Create("a"),
                Step::CountCustomers("a"),
            ],
            a_lost_answer_is_retried,
        ),
    Case::new("IDEM-04", R1, Must).says(
        "the create is processed, the answer comes after the client's timeout",
        "as IDEM-03",
        "as IDEM-03",
    ),
    Case::new("IDEM-05", R1, Must)
        .says(
            "two different operations; also two intended identical ones",
            "distinct keys (two creations of one external id may share a key that was derived from it)",
            "a key is reused for another operation",
        )
        .rests_on(
            BOX_R1,
            "a key belongs to one operation: take a fresh random one for each, or derive it from the operation's own id",
        )
        .ready(
            &[Step::Create("a"), Step::Create("b"), Step::Create("c"), Step::Create("c")],
            operations_have_their_own_keys,
        ),
    Case::new("IDEM-06", R1, Should).says(
        "the process is killed between attempts, restarted, and resumes",
        "the same key after the restart",
        "a second resource",
    ),
    Case::new("IDEM-07", R1, Should).says(
        "409 \"key in progress\" with Retry-After",
        "waits, then retries with the same key",
        "a new key at once",
    ),
    Case::new("IDEM-08", R1, Must).says(
        "422 or 409 \"key reused with another payload\"",
        "not retried, surfaced",
        "loops or mints a new key",
    ),
    Case::new("IDEM-09", R1, Should).says(
        "a replayed 200 with Idempotent-Replayed: true",
        "treated as success",
        "an error or a second create",
    ),
];

fn every_post_has_a_key(trace: &Trace) -> Judgement {
    let posts: Vec<&Entry> = trace.posts().collect();
    if posts.is_empty() {
        return Judgement::inconclusive("no POST was seen", "a creating POST");
    }
    let bad: Vec<_> = posts
        .iter()
        .filter(|e| !e.key().is_some_and(is_a_key))
        .copied()
        .collect();
    match bad.first() {
        Some(first) => Judgement::fail(
            format!("{} of {} POSTs carry no usable key", bad.len(), posts.len()),
            match first.key() {
                None => format!("POST {} carries no Idempotency-Key", first.path),
                Some(key) => format!(
                    "the key of POST {} has {} characters, or some that are not visible ASCII",
                    first.path,
                    key.chars().count()
                ),
            },
        )
        .because_of(bad),
        None => {
            let example = posts.first().and_then(|e| e.key()).unwrap_or_default();
            Judgement::pass(format!(
                "{} of {} POSTs carry a key, such as {example}",
                posts.len(),
                posts.len()
            ))
        }
    }
}

fn is_a_key(key: &str) -> bool {
    (1..=255).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic())
}

fn the_key_survives_retries(trace: &Trace) -> Judgement {
    let attempts = trace.attempts("a");
    let Some((first, retries)) = attempts.split_first() else {
        return Judgement::inconclusive("no create was seen", "a creating POST");
    };
    let observed = format!(
        "{}, {} with the key of the first, {} with its body",
        counted(attempts.len(), "attempt"),
        attempts
            .iter()
            .filter(|e| e.key().is_some() && e.key() == first.key())
            .count(),
        attempts
            .iter()
            .filter(|e| e.body_digest == first.body_digest)
            .count(),
    );
    if retries.iter().any(|e| e.key() != first.key()) {
        Judgement::fail(
            observed,
            "the key changed between attempts of one operation",
        )
    } else if retries.iter().any(|e| e.body_digest != first.body_digest) {
        Judgement::fail(
            observed,
            "the body changed between attempts of one operation",
        )
    } else if !retries.is_empty() && first.key().is_none() {
        Judgement::fail(observed, "the create was retried without any key")
    } else if retries.len() < 2 {
        Judgement::inconclusive(observed, "three attempts: the create was not retried twice")
    } else {
        Judgement::pass(observed)
    }
    .because_of(attempts)
}

fn a_lost_answer_is_retried(trace: &Trace) -> Judgement {
    let attempts = trace.attempts("a");
    let cut = attempts
        .iter()
        .position(|e| e.answer == Reply::Cut { processed: true });
    let Some((cut, lost)) = cut.and_then(|i| attempts.get(i).map(|e| (i, *e))) else {
        return Judgement::inconclusive("no answer was cut", "a create whose answer is lost");
    };
    let resources = trace.resources.get("a").copied();
    let said = trace.call("create", "a");
    let retries: Vec<_> = attempts.iter().skip(cut + 1).copied().collect();
    let observed = format!(
        "{}, {}, the subject {}",
        counted(attempts.len(), "attempt"),
        resources.map_or("resources not counted".to_owned(), |n| counted(
            n, "resource"
        )),
        said.map_or("said nothing".to_owned(), Outcome::words),
    );
    if resources.is_some_and(|n| n > 1) {
        Judgement::fail(observed, "one operation made two resources")
    } else if retries.iter().any(|e| e.key() != lost.key()) {
        Judgement::fail(observed, "the retry of a lost answer carried another key")
    } else if retries.is_empty()
        && resources == Some(1)
        && said.and_then(Outcome::ok) == Some(false)
    {
        Judgement::fail(observed, "reported as failed while the resource exists")
    } else if retries.is_empty() || resources != Some(1) {
        Judgement::inconclusive(
            observed,
            "a retry with the same key and exactly one resource",
        )
    } else if lost.key().is_none() {
        Judgement::fail(
            observed,
            "a create whose answer was lost was retried without any key",
        )
    } else if said.and_then(Outcome::ok) == Some(false) {
        Judgement::fail(observed, "reported as failed while the resource exists")
    } else {
        Judgement::pass(observed)
    }
    .because_of(attempts)
}

fn operations_have_their_own_keys(trace: &Trace) -> Judgement {
    let (a, b, c) = (
        trace.attempts("a"),
        trace.attempts("b"),
        trace.attempts("c"),
    );
    let first_key = |entries: &[&Entry]| entries.first().and_then(|e| e.key()).map(str::to_owned);
    let (Some(key_a), Some(key_b)) = (first_key(&a), first_key(&b)) else {
        return Judgement::inconclusive(
            "fewer than two creates with a key were seen",
            "two creates with keys",
        );
    };
    let mut others = c.iter().filter_map(|e| e.key());
    let shared = key_a == key_b || others.clone().any(|k| k == key_a || k == key_b);
    let entries: Vec<_> = a.into_iter().chain(b).chain(c.iter().copied()).collect();
    if shared {
        return Judgement::fail(
            format!("two different operations carried the key {key_a}"),
            "a key was reused for another operation",
        )
        .because_of(entries);
    }
    let first = others.next();
    let identical = match (first, others.next_back()) {
        (Some(first), Some(last)) if first == last => {
            "the two identical ones share a key, so it is derived from the operation"
        }
        (Some(_), Some(_)) => "the two identical ones have their own",
        _ => "the identical pair was not seen on the wire",
    };
    Judgement::pass(format!(
        "different operations have different keys; {identical}"
    ))
    .because_of(entries)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::Verdict;

    fn verdict_of(judge: fn(&Trace) -> Judgement, trace: &Trace) -> Verdict {
        judge(trace).verdict
    }

    fn create(at: u64, status: u16, key: &str) -> Entry {
        Entry::create("m-a", at, status, key)
    }

    #[test]
    fn a_post_without_a_key_fails_and_the_token_request_needs_none() {
        let good = Trace::default()
            .push(Entry::token_request(0))
            .push(create(1, 201, "k1"));
        assert_eq!(verdict_of(every_post_has_a_key, &good), Verdict::Pass);
        let mut bare = create(2, 201, "k");
        bare.headers.clear();
        let judgement = every_post_has_a_key(&good.push(bare));
        assert_eq!(judgement.verdict, Verdict::Fail);
        assert_eq!(judgement.evidence.len(), 1, "only the bare one is evidence");
    }

    #[test]
    fn a_key_is_1_to_255_visible_ascii_characters_under_either_name() {
        for bad in ["", "two words", "clé", &"k".repeat(256)] {
            let trace = Trace::default().push(create(0, 201, bad));
            assert_eq!(
                verdict_of(every_post_has_a_key, &trace),
                Verdict::Fail,
                "{bad:?}"
            );
        }
        let mut other_name = create(0, 201, "");
        other_name.headers = vec![("X-Idempotency-Key".into(), "k".repeat(255))];
        let trace = Trace::default().push(other_name);
        assert_eq!(verdict_of(every_post_has_a_key, &trace), Verdict::Pass);
    }

    fn three(keys: [&str; 3], digests: [&str; 3]) -> Trace {
        let mut trace = Trace::default().with_mark("a");
        for (i, status) in [500, 500, 201].into_iter().enumerate() {
            let mut entry = create(i as u64 * 100, status, keys[i]);
            entry.body_digest = digests[i].to_owned();
            trace = trace.push(entry);
        }
        trace
    }

    #[test]
    fn the_same_key_and_body_on_all_three_passes() {
        let judge = the_key_survives_retries;
        assert_eq!(verdict_of(judge, &three(["k"; 3], ["d"; 3])), Verdict::Pass);
        assert_eq!(
            verdict_of(judge, &three(["k", "k", "l"], ["d"; 3])),
            Verdict::Fail
        );
        assert_eq!(
            verdict_of(judge, &three(["k"; 3], ["d", "e", "d"])),
            Verdict::Fail
        );
    }

    #[test]
    fn too_few_attempts_prove_nothing_about_the_key() {
        let trace = Trace::default().with_mark("a").push(create(0, 500, "k"));
        assert_eq!(
            verdict_of(the_key_survives_retries, &trace),
            Verdict::Inconclusive
        );
        let trace = trace.push(create(9, 500, "k"));
        assert_eq!(
            verdict_of(the_key_survives_retries, &trace),
            Verdict::Inconclusive
        );
    }

    fn lost(retry_key: Option<&str>, resources: usize, ok: bool) -> Trace {
        let mut first = create(0, 0, "k");
        first.answer = Reply::Cut { processed: true };
        let mut trace = Trace::default().with_mark("a").push(first);
        if let Some(key) = retry_key {
            trace = trace.push(create(200, 200, key));
        }
        trace.resources.insert("a", resources);
        trace.called("create", "a", ok, "")
    }

    #[test]
    fn a_lost_answer_wants_the_same_key_and_one_resource() {
        let judge = a_lost_answer_is_retried;
        assert_eq!(verdict_of(judge, &lost(Some("k"), 1, true)), Verdict::Pass);
        assert_eq!(verdict_of(judge, &lost(Some("l"), 1, true)), Verdict::Fail);
        assert_eq!(verdict_of(judge, &lost(Some("k"), 2, true)), Verdict::Fail);
        assert_eq!(verdict_of(judge, &lost(None, 1, false)), Verdict::Fail);
        assert_eq!(verdict_of(judge, &lost(Some("k"), 1, false)), Verdict::Fail);
    }

    #[test]
    fn a_lost_answer_that_is_neither_retried_nor_called_a_failure_is_not_decided() {
        let judge = a_lost_answer_is_retried;
        assert_eq!(
            verdict_of(judge, &lost(None, 1, true)),
            Verdict::Inconclusive
        );
        let never_cut = Trace::default().with_mark("a").push(create(0, 201, "k"));
        assert_eq!(verdict_of(judge, &never_cut), Verdict::Inconclusive);
    }

    fn operations(keys: [&str; 4]) -> Trace {
        ["m-a", "m-b", "m-c", "m-c"].into_iter().zip(keys).fold(
            Trace::default()
                .with_mark("a")
                .with_mark("b")
                .with_mark("c"),
            |trace, (mark, key)| trace.push(Entry::create(mark, 0, 201, key)),
        )
    }

    #[test]
    fn a_key_reused_for_another_operation_fails_a_derived_one_does_not() {
        let judge = operations_have_their_own_keys;
        assert_eq!(
            verdict_of(judge, &operations(["1", "2", "3", "4"])),
            Verdict::Pass
        );
        assert_eq!(
            verdict_of(judge, &operations(["1", "2", "3", "3"])),
            Verdict::Pass
        );
        assert_eq!(
            verdict_of(judge, &operations(["1", "1", "3", "4"])),
            Verdict::Fail
        );
        assert_eq!(
            verdict_of(judge, &operations(["1", "2", "3", "2"])),
            Verdict::Fail
        );
    }
}
