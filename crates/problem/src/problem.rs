//! The problem itself: what can be said about it and asked of it.

use http::StatusCode;
use serde_json::{Map, Value};

use crate::FieldError;

/// Why a request failed, as RFC 9457 tells it. See the crate documentation.
///
/// `Display` is made for people: the title, the detail, every field with what is wrong with it,
/// and the id to quote to the provider's support.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    pub(crate) status: StatusCode,
    pub(crate) type_uri: Option<String>,
    pub(crate) title: Option<String>,
    pub(crate) detail: Option<String>,
    pub(crate) instance: Option<String>,
    pub(crate) code: Option<String>,
    pub(crate) param: Option<String>,
    pub(crate) request_id: Option<String>,
    pub(crate) errors: Vec<FieldError>,
    pub(crate) members: Map<String, Value>,
    pub(crate) omitted: usize,
}

impl Problem {
    /// The media type of RFC 9457, section 3.
    pub const CONTENT_TYPE: &str = "application/problem+json";

    /// The longest body that is read, in bytes: 64 KiB. A peek of an error body needs no more.
    pub const MAX_BYTES: usize = 64 * 1024;

    /// A problem of which only the status is known: what remains of a failed response without a
    /// readable body.
    pub fn new(status: StatusCode) -> Self {
        Self {
            status,
            type_uri: None,
            title: None,
            detail: None,
            instance: None,
            code: None,
            param: None,
            request_id: None,
            errors: Vec::new(),
            members: Map::new(),
            omitted: 0,
        }
    }

    /// Sets `type`, a URI reference that names the kind of problem.
    #[must_use]
    pub fn with_type(mut self, uri: impl Into<String>) -> Self {
        self.type_uri = Some(uri.into());
        self
    }

    /// Sets `title`, the same words for every problem of this type.
    #[must_use]
    pub fn with_title(mut self, title: impl Into<String>) -> Self {
        self.title = Some(title.into());
        self
    }

    /// Sets `detail`, words about this one occurrence.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Sets `instance`, a URI reference that names this one occurrence.
    #[must_use]
    pub fn with_instance(mut self, uri: impl Into<String>) -> Self {
        self.instance = Some(uri.into());
        self
    }

    /// Sets `code`, a word for programs.
    #[must_use]
    pub fn with_code(mut self, code: impl Into<String>) -> Self {
        self.code = Some(code.into());
        self
    }

    /// Sets `param`, the one field that the problem is about.
    #[must_use]
    pub fn with_param(mut self, param: impl Into<String>) -> Self {
        self.param = Some(param.into());
        self
    }

    /// Sets `request_id`: for instance the `X-Request-Id` header, where the body names none.
    #[must_use]
    pub fn with_request_id(mut self, id: impl Into<String>) -> Self {
        self.request_id = Some(id.into());
        self
    }

    /// Adds one entry to `errors`.
    #[must_use]
    pub fn with_error(mut self, error: FieldError) -> Self {
        self.errors.push(error);
        self
    }

    /// The status of the response. A `status` in the body is advice only (RFC 9457, 3.1.2) and is
    /// not looked at.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// `type`, if it says more than `about:blank`.
    pub fn type_uri(&self) -> Option<&str> {
        self.type_uri.as_deref().filter(|uri| *uri != "about:blank")
    }

    /// `title`.
    pub fn title(&self) -> Option<&str> {
        self.title.as_deref()
    }

    /// `detail`, or `message` where the provider calls it so.
    pub fn detail(&self) -> Option<&str> {
        self.detail.as_deref()
    }

    /// `instance`.
    pub fn instance(&self) -> Option<&str> {
        self.instance.as_deref()
    }

    /// `param`: the one field that the problem is about.
    pub fn param(&self) -> Option<&str> {
        self.param.as_deref()
    }

    /// `request_id`: what the provider's support will ask for.
    pub fn request_id(&self) -> Option<&str> {
        self.request_id.as_deref()
    }

    /// The word for programs: the member `code`, or else the last segment of `type`
    /// (`…/errors/token_expired`), where some providers put it.
    pub fn code(&self) -> Option<&str> {
        self.code.as_deref().or_else(|| self.type_slug())
    }

    /// Whether `code` or the last segment of `type` is this word; `-` and `_` are one.
    pub fn has_code(&self, word: &str) -> bool {
        [self.code.as_deref(), self.type_slug()]
            .into_iter()
            .flatten()
            .any(|seen| same(seen, word))
    }

    /// Whether this is the 401 after which a new token helps.
    pub fn is_token_expired(&self) -> bool {
        self.status == StatusCode::UNAUTHORIZED && self.has_code("token_expired")
    }

    /// What is wrong, field by field. At most 256 are kept, see [`omitted`](Self::omitted).
    pub fn errors(&self) -> &[FieldError] {
        &self.errors
    }

    /// Members that no accessor here names, as they came. At most 32 are kept.
    pub fn members(&self) -> &Map<String, Value> {
        &self.members
    }

    /// How many entries of `errors` were beyond the bound and left out.
    pub fn omitted(&self) -> usize {
        self.omitted
    }

    fn type_slug(&self) -> Option<&str> {
        let uri = self.type_uri()?;
        let path = uri.split(['?', '#']).next()?.trim_end_matches('/');
        path.rsplit(['/', ':'])
            .next()
            .filter(|slug| !slug.is_empty())
    }
}

fn same(a: &str, b: &str) -> bool {
    let fold = |byte| if byte == b'-' { b'_' } else { byte };
    a.bytes().map(fold).eq(b.bytes().map(fold))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expired_token_is_found_in_the_code_and_in_the_type() {
        let p = || Problem::new(StatusCode::UNAUTHORIZED);
        assert!(p().with_code("token_expired").is_token_expired());
        assert!(
            p().with_type("https://docs.example/errors/token_expired")
                .is_token_expired()
        );
        assert!(
            p().with_type("/errors/token-expired/?x=1#y")
                .is_token_expired()
        );
        assert!(
            p().with_type("urn:example:token_expired")
                .is_token_expired()
        );
        let both = p().with_type("https://d.example/authentication-failed");
        assert!(both.with_code("token_expired").is_token_expired());
    }

    #[test]
    fn another_401_and_another_status_are_not_an_expired_token() {
        let p = || Problem::new(StatusCode::UNAUTHORIZED);
        assert!(!p().is_token_expired());
        assert!(!p().with_code("invalid_token").is_token_expired());
        assert!(
            !p().with_detail("token_expired")
                .with_title("token_expired")
                .is_token_expired()
        );
        assert!(
            !p().with_type("https://d.example/token_expired/other")
                .is_token_expired()
        );
        assert!(
            !Problem::new(StatusCode::FORBIDDEN)
                .with_code("token_expired")
                .is_token_expired()
        );
    }

    #[test]
    fn the_code_is_the_member_before_the_slug() {
        let p = Problem::new(StatusCode::CONFLICT).with_type("https://d.example/conflict");
        assert_eq!(p.code(), Some("conflict"));
        assert_eq!(
            p.with_code("offer_already_accepted").code(),
            Some("offer_already_accepted")
        );
        for uri in ["about:blank", "", "/", "#x"] {
            assert_eq!(
                Problem::new(StatusCode::CONFLICT).with_type(uri).code(),
                None,
                "{uri:?}"
            );
        }
    }
}
