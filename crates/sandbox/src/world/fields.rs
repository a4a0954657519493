//! The members of a request body, read one by one, so that all errors are told at once.

use serde_json::{Map, Value};

use crate::dialect::{Money, parse_date};
use crate::refusal::{FieldError, Refusal};

/// Longest text that a member may hold, in characters.
const MAX_TEXT: usize = 1_000;

#[derive(Debug)]
pub(crate) struct Fields {
    map: Map<String, Value>,
    errors: Vec<FieldError>,
}

impl Fields {
    /// # Errors
    /// 400 for a body that is not a JSON object.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, Refusal> {
        match serde_json::from_slice(body) {
            Ok(Value::Object(map)) => Ok(Self {
                map,
                errors: vec![],
            }),
            Ok(_) => Err(Refusal::invalid_request("the body must be a JSON object")),
            Err(error) => Err(Refusal::invalid_request(format!(
                "the body is not JSON: {error}"
            ))),
        }
    }

    /// As [`parse`](Self::parse), but no body at all is an empty object.
    pub(crate) fn parse_optional(body: &[u8]) -> Result<Self, Refusal> {
        if body.is_empty() {
            Ok(Self {
                map: Map::new(),
                errors: vec![],
            })
        } else {
            Self::parse(body)
        }
    }

    pub(crate) fn required<T>(
        &mut self,
        name: &str,
        read: impl Fn(&mut Self, &str) -> Option<T>,
    ) -> Option<T> {
        if self.value(name).is_none() {
            self.error(name, "missing_required_field", "is required");
            return None;
        }
        read(self, name)
    }

    pub(crate) fn text(&mut self, name: &str) -> Option<String> {
        let wrong = match self.value(name)? {
            Value::String(text) if text.trim().is_empty() => "must not be empty",
            Value::String(text) if text.chars().count() > MAX_TEXT => {
                "must not be longer than 1000 characters"
            }
            Value::String(text) => return Some(text.clone()),
            _ => "must be a string",
        };
        self.error(name, "invalid_format", wrong);
        None
    }

    pub(crate) fn texts(&mut self, name: &str) -> Option<Vec<String>> {
        let texts = match self.value(name)? {
            Value::Array(items) if items.len() <= 100 => items
                .iter()
                .map(|item| item.as_str().map(str::to_owned))
                .collect::<Option<Vec<_>>>(),
            _ => None,
        };
        if texts.is_none() {
            self.error(
                name,
                "invalid_format",
                "must be a list of at most 100 strings",
            );
        }
        texts
    }

    pub(crate) fn number(&mut self, name: &str) -> Option<u64> {
        let number = self.value(name)?.as_u64();
        if number.is_none() {
            self.error(name, "invalid_format", "must be a whole number");
        }
        number
    }

    pub(crate) fn money(&mut self, name: &str) -> Option<Money> {
        let money = Money::parse(self.value(name)?);
        if money.is_none() {
            self.error(
                name,
                "invalid_format",
                "must be an amount with at most two decimals",
            );
        }
        money
    }

    pub(crate) fn date(&mut self, name: &str) -> Option<i64> {
        let date = parse_date(self.value(name)?);
        if date.is_none() {
            self.error(
                name,
                "invalid_format",
                "must be an ISO 8601 timestamp or seconds since 1970",
            );
        }
        date
    }

    pub(crate) fn error(&mut self, param: &str, code: &str, detail: &str) {
        self.errors.push(FieldError::new(param, code, detail));
    }

    /// # Errors
    /// 422 with every error found.
    pub(crate) fn finish(self) -> Result<(), Refusal> {
        if self.errors.is_empty() {
            Ok(())
        } else {
            Err(Refusal::invalid(self.errors))
        }
    }

    fn value(&self, name: &str) -> Option<&Value> {
        self.map.get(name).filter(|value| !value.is_null())
    }
}
