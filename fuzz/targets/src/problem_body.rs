//! The body of a failed response, which may be anything.
//!
//! Numbers: the status.

use golive_problem::{NotAProblem, Problem};
use http::StatusCode;
use serde_json::Value;

use crate::message::Message;

/// Reads one body, shows it, and answers with it.
pub fn one(data: &[u8]) {
    let message = Message::read(data, &[]);
    let status = message.status_or(StatusCode::UNPROCESSABLE_ENTITY);
    let body = message.body;
    let problem = match Problem::from_json(status, body) {
        Ok(problem) => problem,
        Err(error) => return refused(error, body),
    };
    assert!(body.len() <= Problem::MAX_BYTES);
    assert_eq!(problem.status(), status, "a status in the body is advice");
    bounds(&problem);
    shown(&problem);
    codes(&problem);
    answered(&problem);
}

fn refused(error: NotAProblem, body: &[u8]) {
    let value: Result<Value, _> = serde_json::from_slice(body);
    match error {
        NotAProblem::TooLarge { bytes } => {
            assert_eq!(bytes, body.len());
            assert!(bytes > Problem::MAX_BYTES);
        }
        NotAProblem::NotJson => assert!(value.is_err(), "this is JSON: {value:?}"),
        NotAProblem::NotAnObject => assert!(!value.unwrap().is_object()),
        _ => {}
    }
    assert!(!error.to_string().is_empty());
}

fn bounds(problem: &Problem) {
    assert!(problem.errors().len() <= 256);
    assert!(problem.members().len() <= 32);
    let texts = problem.errors().iter().flat_map(|error| {
        let texts = [&error.param, &error.detail, &error.code];
        texts.map(|text| text.as_ref().map_or(0, String::len))
    });
    assert!(texts.sum::<usize>() <= Problem::MAX_BYTES);
}

/// No word of the other side makes a line of a log, or steers a terminal.
fn shown(problem: &Problem) {
    let shown = problem.to_string();
    let lines: Vec<&str> = shown.split('\n').collect();
    let more = usize::from(problem.omitted() > 0) + usize::from(problem.request_id().is_some());
    assert_eq!(lines.len(), 1 + problem.errors().len() + more, "{shown:?}");
    let steers = |c: char| {
        c.is_control()
            || matches!(
                c,
                '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
            )
            || matches!(c, '\u{2066}'..='\u{2069}')
    };
    assert!(!lines.iter().any(|line| line.contains(steers)), "{shown:?}");
    for error in problem.errors() {
        assert!(!error.to_string().contains(steers), "{error:?}");
    }
}

fn codes(problem: &Problem) {
    if let Some(code) = problem.code() {
        assert!(problem.has_code(code));
    }
    if problem.is_token_expired() {
        assert_eq!(problem.status(), StatusCode::UNAUTHORIZED);
    }
}

/// What is answered with a problem reads as that problem.
fn answered(problem: &Problem) {
    let response = problem.to_response();
    assert_eq!(response.status(), problem.status());
    let read = match Problem::from_json(problem.status(), response.body()) {
        Ok(read) => read,
        // `1e9` is three bytes, and eleven once it is written out.
        Err(NotAProblem::TooLarge { .. }) => return,
        Err(error) => panic!("an answer that is no problem: {error}"),
    };
    assert_eq!(read.type_uri(), problem.type_uri());
    assert_eq!(read.title(), problem.title());
    assert_eq!(read.detail(), problem.detail());
    assert_eq!(read.instance(), problem.instance());
    assert_eq!(read.code(), problem.code());
    assert_eq!(read.param(), problem.param());
    assert_eq!(read.request_id(), problem.request_id());
    assert_eq!(read.errors(), problem.errors());
    assert_eq!(read.members().len(), problem.members().len());
    for (name, value) in problem.members() {
        assert!(same(&read.members()[name], value), "{name}: {value}");
    }
}

/// Equal, but that a fraction may lose its last digit when it is read.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) if one.is_f64() => other.is_f64(),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            let mut pairs = one.iter().zip(other);
            one.len() == other.len() && pairs.all(|(a, b)| a.0 == b.0 && same(a.1, b.1))
        }
        _ => one == other,
    }
}
