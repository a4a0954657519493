//! Bodies as providers and gateways send them.
#![allow(clippy::unwrap_used, reason = "a helper that fails is a failed test")]

use golive_problem::{FieldError, NotAProblem, Problem};
use http::StatusCode;
use serde_json::json;

const UNPROCESSABLE: StatusCode = StatusCode::UNPROCESSABLE_ENTITY;

fn read(body: &serde_json::Value) -> Problem {
    Problem::from_json(UNPROCESSABLE, body.to_string().as_bytes()).unwrap()
}

#[test]
fn every_param_and_detail_is_shown_whatever_the_members_are_called() {
    let problem = read(&json!({
        "title": "Validation failed",
        "errors": [
            {"param": "cpf", "detail": "text-1"},
            {"field": "email", "message": "text-2"},
            {"pointer": "#/address/zip", "detail": "text-3"},
            {"param": "phone", "code": "invalid_format"},
            "text-5",
        ],
    }));
    let shown = problem.to_string();
    for word in [
        "cpf: text-1",
        "email: text-2",
        "#/address/zip: text-3",
        "phone: invalid_format",
        "text-5",
    ] {
        assert!(shown.contains(word), "{word} is not in {shown}");
    }
}

#[test]
fn errors_by_field_are_read_too() {
    let problem = read(&json!({"errors": {"cpf": ["a", "b"], "email": "c"}}));
    let seen: Vec<_> = problem.errors().iter().map(ToString::to_string).collect();
    assert_eq!(seen, ["cpf: a", "cpf: b", "email: c"]);
}

#[test]
fn errors_under_an_empty_name_are_of_no_field_or_of_the_one_that_they_name() {
    let problem = read(&json!({"errors": {"": ["a", {"pointer": "/cpf", "detail": "b"}]}}));
    let seen: Vec<_> = problem.errors().iter().map(ToString::to_string).collect();
    assert_eq!(seen, ["a", "/cpf: b"]);
}

#[test]
fn what_is_not_a_problem_is_named_and_the_status_can_still_be_shown() {
    let read = |body: &[u8]| Problem::from_json(StatusCode::BAD_GATEWAY, body).unwrap_err();
    assert_eq!(read(b""), NotAProblem::NotJson);
    assert_eq!(
        read(b"<html><h1>502 Bad Gateway</h1>"),
        NotAProblem::NotJson
    );
    assert_eq!(read(br#"{"title": "Valid"#), NotAProblem::NotJson);
    assert_eq!(read(b"\xff\xfe"), NotAProblem::NotJson);
    assert_eq!(read("[".repeat(60_000).as_bytes()), NotAProblem::NotJson);
    assert_eq!(read(b"[1]"), NotAProblem::NotAnObject);
    let bytes = Problem::MAX_BYTES + 1;
    assert_eq!(read(&vec![b' '; bytes]), NotAProblem::TooLarge { bytes });
    assert_eq!(
        Problem::new(StatusCode::BAD_GATEWAY).to_string(),
        "Bad Gateway (502)"
    );
}

#[test]
fn members_of_a_wrong_type_are_as_if_absent() {
    let problem = read(&json!({
        "type": 7, "title": null, "detail": ["x"], "code": 3, "param": {}, "request_id": false,
        "status": "200", "errors": [null, 1, [], {}, {"param": 3}, {"detail": "kept"}],
    }));
    assert_eq!(problem.to_string(), "Unprocessable Entity (422)\n  kept");
    assert_eq!(problem.code(), None);
    assert!(problem.members().is_empty());
}

#[test]
fn the_status_of_the_response_is_believed_not_that_of_the_body() {
    let problem = read(&json!({"status": 200}));
    assert_eq!(problem.status(), UNPROCESSABLE);
    assert_eq!(problem.to_response().status(), UNPROCESSABLE);
}

#[test]
fn unknown_members_are_kept_within_a_bound() {
    let problem = read(&json!({"balance": 30, "accounts": ["/a", "/b"]}));
    assert_eq!(problem.members()["balance"], 30);
    let many: serde_json::Map<_, _> = (0..100).map(|i| (format!("m{i}"), json!(i))).collect();
    assert_eq!(read(&many.into()).members().len(), 32);
}

#[test]
fn errors_beyond_the_bound_are_counted_and_said() {
    let many: Vec<_> = (0..300)
        .map(|i| json!({"param": format!("p{i}"), "detail": "d"}))
        .collect();
    let problem = read(&json!({"errors": many}));
    assert_eq!((problem.errors().len(), problem.omitted()), (256, 44));
    assert!(problem.to_string().ends_with("and 44 more"));
}

#[test]
fn a_foreign_text_cannot_forge_a_line_or_steer_a_terminal() {
    let problem = read(&json!({"title": "a\nERROR b\u{1b}[2J", "errors": [{"detail": "c\r\nd"}]}));
    let shown = problem.to_string();
    assert_eq!(shown, "a ERROR b [2J (422)\n  c  d");
}

#[test]
fn a_foreign_text_cannot_break_a_line_or_turn_it_round_by_unicode_either() {
    let steering = [
        '\u{85}', '\u{9b}', '\u{2028}', '\u{2029}', '\u{61c}', '\u{200e}', '\u{200f}', '\u{202a}',
        '\u{202e}', '\u{2066}', '\u{2069}',
    ];
    for c in steering {
        let text = format!("a{c}b");
        let problem = read(&json!({
            "title": text, "detail": text, "param": text, "request_id": text,
            "errors": [{"param": text, "detail": text}],
        }));
        let shown = problem.to_string();
        assert!(!shown.contains(c), "{c:?} is in {shown:?}");
        assert_eq!(shown.matches("a b").count(), 6);
    }
    let plain = "não é válido: 名前 \u{200d}";
    assert!(read(&json!({"title": plain})).to_string().contains(plain));
}

#[test]
fn a_long_field_name_is_not_copied_into_megabytes() {
    let name = "n".repeat(Problem::MAX_BYTES / 2);
    let problem = read(&json!({"errors": {name: vec!["x"; 5000]}}));
    let shown = problem.to_string();
    assert!(shown.len() < 2 * Problem::MAX_BYTES, "{}", shown.len());
    assert_eq!(problem.errors().len(), 1);
    assert_eq!(problem.omitted(), 4999);
}

#[test]
fn an_answer_carries_status_media_type_and_fields() {
    let response = Problem::new(UNPROCESSABLE)
        .with_type("https://d.example/validation-failed")
        .with_title("Validation failed")
        .with_detail("1 field")
        .with_instance("/customers")
        .with_code("validation_failed")
        .with_param("cpf")
        .with_request_id("req_1")
        .with_error(FieldError::new("cpf", "too short").with_code("invalid_cpf"))
        .to_response();
    assert_eq!(response.status(), UNPROCESSABLE);
    assert_eq!(
        response.headers()["content-type"],
        "application/problem+json"
    );
    let seen: serde_json::Value = serde_json::from_slice(response.body()).unwrap();
    let want = json!({
        "type": "https://d.example/validation-failed", "title": "Validation failed",
        "status": 422, "detail": "1 field", "instance": "/customers",
        "code": "validation_failed", "param": "cpf", "request_id": "req_1",
        "errors": [{"param": "cpf", "detail": "too short", "code": "invalid_cpf"}],
    });
    assert_eq!(seen, want);
}
