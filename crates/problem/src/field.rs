//! One entry of the `errors` array of a 422.

use serde::Serialize;

/// What is wrong with one field of a request.
///
/// Read from `param`, `field`, `name` or `pointer`, and from `detail` or `message`; written as
/// `param` and `detail`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct FieldError {
    /// The field, in the provider's spelling: a name, a path or a JSON pointer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub param: Option<String>,
    /// What is wrong, in words for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// What is wrong, in a word for programs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

impl FieldError {
    /// A field and what is wrong with it.
    pub fn new(param: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            param: Some(param.into()),
            detail: Some(detail.into()),
            code: None,
        }
    }

    /// Adds a word for programs.
    #[must_use]
    pub fn with_code(mut self, code: impl Into<String>) -> Self {
        self.code = Some(code.into());
        self
    }
}
