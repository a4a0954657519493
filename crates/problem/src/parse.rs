//! Reading a body that may be anything.

use http::StatusCode;
use serde_json::{Map, Value};

use crate::{FieldError, Problem};

const MAX_ERRORS: usize = 256;
const MAX_MEMBERS: usize = 32;

/// Why a body could not be read as a problem. It repeats nothing of the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotAProblem {
    /// The body has more than [`Problem::MAX_BYTES`].
    #[error("the error body has {bytes} bytes, more than is read of one; go by the status alone")]
    TooLarge {
        /// How long the body is.
        bytes: usize,
    },
    /// The body is not JSON: empty, cut short, or a page of a gateway.
    #[error("the error body is not JSON (empty, cut short, or a gateway's page); go by the status")]
    NotJson,
    /// The body is JSON, but no object.
    #[error("the error body is JSON but no object; go by the status alone")]
    NotAnObject,
}

impl Problem {
    /// Reads the body of a failed response.
    ///
    /// Forgiving: members of a wrong type are passed over, since RFC 9457, 3.1 asks for it ("If a
    /// member's value type does not match the specified type, the member MUST be ignored"), and
    /// the fields of `errors` are taken in every common spelling. The media type is not asked
    /// for, because gateways rewrite it.
    ///
    /// # Errors
    /// [`NotAProblem`] for a body that is too long, no JSON, or no object. Use
    /// [`Problem::new`] with the status then.
    pub fn from_json(status: StatusCode, body: &[u8]) -> Result<Self, NotAProblem> {
        if body.len() > Self::MAX_BYTES {
            return Err(NotAProblem::TooLarge { bytes: body.len() });
        }
        let value = serde_json::from_slice(body).map_err(|_| NotAProblem::NotJson)?;
        let Value::Object(mut object) = value else {
            return Err(NotAProblem::NotAnObject);
        };
        let mut problem = Self::new(status);
        // Not kept among the unknown members either: it would contradict the real one.
        object.remove("status");
        problem.type_uri = take_text(&mut object, &["type"]);
        problem.title = take_text(&mut object, &["title"]);
        problem.detail = take_text(&mut object, &["detail", "message"]);
        problem.instance = take_text(&mut object, &["instance"]);
        problem.code = take_text(&mut object, &["code"]);
        problem.param = take_text(&mut object, &["param", "field"]);
        problem.request_id = take_text(&mut object, &["request_id"]);
        if let Some(errors) = object.remove("errors") {
            problem.read_errors(errors);
        }
        problem.members = object
            .into_iter()
            .filter(is_unknown)
            .take(MAX_MEMBERS)
            .collect();
        Ok(problem)
    }

    /// An array of objects or of words, or an object from field to words.
    fn read_errors(&mut self, errors: Value) {
        // What the kept texts may have together. A field that is named once for many entries could
        // otherwise be copied into megabytes; texts that are not copied always fit.
        let mut budget = Self::MAX_BYTES;
        match errors {
            Value::Array(entries) => {
                for entry in entries {
                    self.keep(read_entry(entry), None, &mut budget);
                }
            }
            Value::Object(fields) => {
                for (param, entry) in fields {
                    let entries = match entry {
                        Value::Array(entries) => entries,
                        one => vec![one],
                    };
                    for entry in entries {
                        self.keep(read_entry(entry), Some(&param), &mut budget);
                    }
                }
            }
            _ => {}
        }
    }

    fn keep(&mut self, entry: Option<FieldError>, param: Option<&str>, budget: &mut usize) {
        let Some(mut entry) = entry else { return };
        // As for every other text: one that is empty says nothing.
        let param = param.filter(|param| !param.is_empty());
        let param_bytes = param.or(entry.param.as_deref()).map_or(0, str::len);
        let texts = [&entry.detail, &entry.code].into_iter().flatten();
        let bytes = param_bytes + texts.map(String::len).sum::<usize>();
        if self.errors.len() >= MAX_ERRORS || bytes > *budget {
            self.omitted += 1;
            return;
        }
        *budget -= bytes;
        if let Some(param) = param {
            entry.param = Some(param.to_owned());
        }
        self.errors.push(entry);
    }
}

/// `None` for an entry that says nothing.
fn read_entry(entry: Value) -> Option<FieldError> {
    let mut object = match entry {
        Value::Object(object) => object,
        Value::String(text) if !text.is_empty() => {
            return Some(FieldError {
                detail: Some(text),
                ..FieldError::default()
            });
        }
        _ => return None,
    };
    let read = FieldError {
        param: take_text(&mut object, &["param", "field", "name", "pointer"]),
        detail: take_text(&mut object, &["detail", "message"]),
        code: take_text(&mut object, &["code"]),
    };
    (read != FieldError::default()).then_some(read)
}

/// The first of these members that is a text and not empty.
fn take_text(object: &mut Map<String, Value>, names: &[&str]) -> Option<String> {
    names.iter().find_map(|name| match object.get_mut(*name)? {
        Value::String(text) if !text.is_empty() => {
            let text = std::mem::take(text);
            object.remove(*name);
            Some(text)
        }
        _ => None,
    })
}

/// A name of ours whose value had a wrong type is ignored, not handed on as an unknown member.
fn is_unknown((name, _): &(String, Value)) -> bool {
    !matches!(
        name.as_str(),
        "type" | "title" | "detail" | "instance" | "code" | "param" | "request_id"
    )
}
