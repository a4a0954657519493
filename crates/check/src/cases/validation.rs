//! VAL: what a user sees of a 422.

use crate::boxes::BoxId::R4;
use crate::case::Level::{Must, Should};
use crate::case::{Answer, Case, Step, Times};
use crate::trace::{MAX_OUTPUT, Outcome, Trace};
use crate::verdict::Judgement;

pub(super) static CASES: &[Case] = &[
    Case::new("VAL-01", R4, Must)
        .says(
            "422 with 3 errors whose texts are unique",
            "every param and every detail in what the user sees",
            "any of them is missing",
        )
        .rests_on(
            "checklist R4: \"422: show the errors array to the user, field and message\"; RFC 9457 §3.2 extension members",
            "read `errors` of the problem and show each entry's field and message, not only the title",
        )
        .ready(
            &[
                Step::FailCreate("a", Times::Always, Answer::ThreeErrors),
                Step::Create("a"),
            ],
            every_error_is_shown,
        ),
    Case::new("VAL-02", R4, Must).says(
        "422 without errors, with field and message, with an unknown code, with extra members",
        "no crash, something is shown",
        "a crash or a blank",
    ),
    Case::new("VAL-03", R4, Should).says(
        "a detail that contains a <script> canary",
        "escaped",
        "raw in HTML",
    ),
];

fn every_error_is_shown(trace: &Trace) -> Judgement {
    let attempts = trace.attempts("a");
    if !attempts.iter().any(|e| e.status() == Some(422)) || trace.error_texts.is_empty() {
        return Judgement::inconclusive("no 422 was answered", "a create that is answered 422");
    }
    let Some(Outcome::Done { output, .. }) = trace.call("create", "a") else {
        return Judgement::inconclusive("the hook said nothing", "the output of the create hook")
            .because_of(attempts);
    };
    let wanted: Vec<&str> = trace
        .error_texts
        .iter()
        .flat_map(|(param, detail)| [param.as_str(), detail])
        .collect();
    let missing: Vec<_> = wanted
        .iter()
        .filter(|text| !output.contains(**text))
        .copied()
        .collect();
    let observed = format!(
        "{} of {} texts shown",
        wanted.len() - missing.len(),
        wanted.len()
    );
    if missing.is_empty() {
        Judgement::pass(observed)
    } else if output.len() + 4 > MAX_OUTPUT {
        Judgement::inconclusive(observed, "a shorter output: only its start was kept")
    } else {
        let shown: String = output.chars().take(200).collect();
        Judgement::fail(
            observed,
            format!("not shown: {}; the user saw {shown:?}", missing.join(", ")),
        )
    }
    .because_of(attempts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::Entry;
    use crate::verdict::Verdict;

    fn trace(output: &str) -> Trace {
        let mut trace = Trace::default()
            .with_mark("a")
            .push(Entry::create("m-a", 0, 422, "k"));
        trace.error_texts = vec![
            ("cpf".into(), "bad number".into()),
            ("name".into(), "too short".into()),
        ];
        trace.called("create", "a", false, output)
    }

    #[test]
    fn every_field_and_message_must_be_shown() {
        let full = trace("cpf: bad number\nname: too short");
        assert_eq!(every_error_is_shown(&full).verdict, Verdict::Pass);
        let partial = every_error_is_shown(&trace("cpf: bad number"));
        assert_eq!(partial.verdict, Verdict::Fail);
        assert!(
            partial.reason.contains("name, too short"),
            "{}",
            partial.reason
        );
        assert_eq!(every_error_is_shown(&trace("")).verdict, Verdict::Fail);
        let cut = trace(&"x".repeat(MAX_OUTPUT));
        assert_eq!(every_error_is_shown(&cut).verdict, Verdict::Inconclusive);
    }

    #[test]
    fn without_output_nothing_is_decided() {
        let mut silent = trace("");
        silent.calls.clear();
        assert_eq!(every_error_is_shown(&silent).verdict, Verdict::Inconclusive);
    }
}
