//! Properties of reading and writing problems.
#![allow(clippy::unwrap_used, reason = "a helper that fails is a failed test")]

use golive_problem::{FieldError, Problem};
use http::StatusCode;
use proptest::prelude::*;

/// JSON that is shaped like a problem, with values of any type in any place.
fn almost_a_problem() -> impl Strategy<Value = String> {
    let value = prop_oneof![
        Just("null".to_owned()),
        Just("{}".to_owned()),
        Just(r#"["a", 1, {"param": "p", "message": 3}]"#.to_owned()),
        Just(r#"{"cpf": ["x", {"detail": "y"}], "z": 1}"#.to_owned()),
        any::<i64>().prop_map(|n| n.to_string()),
        "\\PC{0,12}".prop_map(|s| serde_json::to_string(&s).unwrap()),
    ];
    let name =
        "type|title|status|detail|message|instance|code|param|field|request_id|errors|[a-z]{1,6}";
    proptest::collection::vec((name, value), 0..12).prop_map(|members| {
        let members: Vec<_> = members
            .iter()
            .map(|(n, v)| format!("\"{n}\": {v}"))
            .collect();
        format!("{{{}}}", members.join(", "))
    })
}

fn text() -> impl Strategy<Value = String> {
    ".{1,20}"
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(body in any::<Vec<u8>>(), status in 100u16..1000) {
        let status = StatusCode::from_u16(status).unwrap();
        if let Ok(problem) = Problem::from_json(status, &body) {
            let _ = (problem.to_string(), problem.to_response());
        }
    }

    #[test]
    fn what_was_read_reads_the_same_after_being_written(body in almost_a_problem()) {
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        let once = Problem::from_json(status, body.as_bytes()).unwrap();
        let _ = (once.to_string(), once.code(), once.is_token_expired());
        let again = Problem::from_json(status, once.to_response().body()).unwrap();
        prop_assert_eq!(once, again);
    }

    #[test]
    fn what_was_built_reads_the_same(
        title in text(), detail in text(), code in text(), fields in proptest::collection::vec((text(), text()), 0..5),
    ) {
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        let mut built = Problem::new(status).with_title(title).with_detail(detail).with_code(code);
        for (param, detail) in fields {
            built = built.with_error(FieldError::new(param, detail));
        }
        let read = Problem::from_json(status, built.to_response().body()).unwrap();
        prop_assert_eq!(built, read);
    }
}
