//! Extractors for axum, behind a [`VerifyLayer`](crate::tower::VerifyLayer).
//!
//! [`Verified`] says who sent a delivery and when; [`VerifiedJson`] is its body. Both answer 500
//! where the layer is missing, so that a handler which asks for one of them never sees a request
//! that nobody has verified. They may be used together and in any place; axum's own `Json` and
//! `Bytes` work behind the layer too.
//!
//! ```
//! use axum::{Router, http::StatusCode, routing::post};
//! use golive_webhook_verify::{Key, Verified, Verifier, axum::VerifiedJson, tower::VerifyLayer};
//!
//! #[derive(serde::Deserialize)]
//! struct Event {
//!     r#type: String,
//! }
//!
//! async fn receive(verified: Verified<'static>, VerifiedJson(event): VerifiedJson<Event>) -> StatusCode {
//!     println!("{:?}: {}", verified.id(), event.r#type);
//!     StatusCode::OK
//! }
//!
//! let key = Key::from_whsec("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")?;
//! let verifier = Verifier::builder().key(key).build()?;
//! let app: Router = Router::new()
//!     .route("/webhooks", post(receive))
//!     .layer(VerifyLayer::new(verifier));
//! # let _ = app;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use axum_core::{
    body::Body,
    extract::FromRequestParts,
    response::{IntoResponse, Response},
};
use golive_problem::Problem;
use http::{StatusCode, request::Parts};
use serde::de::DeserializeOwned;
use serde_json::error::Category;

use crate::{Verified, tower::VerifiedBytes};

/// The body of a verified delivery, read as JSON.
///
/// It is read from the very bytes that were signed, even if something between the layer and the
/// handler has replaced the body, and leaves the body to another extractor. Their number is what
/// the verifier allows; axum's `DefaultBodyLimit` has no say. The `Content-Type` is not asked for:
/// the signature says whose words these are.
///
/// What `T` does not know, it ignores, as serde does: providers add members without notice.
///
/// `Debug` is that of `T`: derive it there only if the events may be in your logs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VerifiedJson<T>(pub T);

/// Why a handler was not called. As an answer it is a problem that repeats nothing of the body; the
/// value itself is in the extensions of that, for a layer outside that logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExtractError {
    /// There is no layer that verifies. Answered 500.
    #[error("nothing has verified this request: put the route behind a `VerifyLayer`")]
    NotVerified,
    /// The body is no JSON. Answered 400.
    #[error("the body of a genuine delivery is no JSON, see line {line}, column {column}")]
    NotJson {
        /// Counted from 1.
        line: usize,
        /// Counted from 1; 0 is before the first character.
        column: usize,
    },
    /// The body is JSON that the handler's type cannot be read from. Answered 422.
    #[error(
        "the body of a genuine delivery is not of the expected shape, see line {line}, column \
         {column}: the handler expects another event, or the provider has changed this one"
    )]
    Unexpected {
        /// Counted from 1.
        line: usize,
        /// Counted from 1; 0 is before the first character.
        column: usize,
    },
}

// === impl Verified ===

impl<S: Sync> FromRequestParts<S> for Verified<'static> {
    type Rejection = ExtractError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ExtractError> {
        let verified = parts.extensions.get::<Self>().cloned();
        verified.ok_or(ExtractError::NotVerified)
    }
}

// === impl VerifiedJson ===

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for VerifiedJson<T> {
    type Rejection = ExtractError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ExtractError> {
        let VerifiedBytes(bytes) = parts.extensions.get().ok_or(ExtractError::NotVerified)?;
        let read = serde_json::from_slice(bytes);
        read.map(Self)
            .map_err(|error| ExtractError::of_json(&error))
    }
}

// === impl ExtractError ===

impl ExtractError {
    /// The status that it is answered with.
    pub fn status(self) -> u16 {
        self.answered_with().as_u16()
    }

    /// Keeps the place alone: the words of serde repeat what they stumbled over.
    fn of_json(error: &serde_json::Error) -> Self {
        let (line, column) = (error.line(), error.column());
        match error.classify() {
            Category::Data => Self::Unexpected { line, column },
            Category::Syntax | Category::Eof | Category::Io => Self::NotJson { line, column },
        }
    }

    fn answered_with(self) -> StatusCode {
        match self {
            Self::NotVerified => StatusCode::INTERNAL_SERVER_ERROR,
            Self::NotJson { .. } => StatusCode::BAD_REQUEST,
            Self::Unexpected { .. } => StatusCode::UNPROCESSABLE_ENTITY,
        }
    }
}

impl IntoResponse for ExtractError {
    fn into_response(self) -> Response {
        let (code, title) = match self {
            Self::NotVerified => (
                "internal",
                "The webhook receiver cannot verify deliveries now",
            ),
            Self::NotJson { .. } => ("webhook_malformed", "Not a well-formed webhook delivery"),
            Self::Unexpected { .. } => (
                "webhook_unexpected",
                "The webhook is not one that this receiver knows",
            ),
        };
        let problem = Problem::new(self.answered_with());
        let problem = problem.with_code(code).with_title(title);
        let mut response = problem.to_response().map(Body::from);
        response.extensions_mut().insert(self);
        response
    }
}
