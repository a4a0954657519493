//! The receiving face: a tower layer that verifies before the inner service sees a request.
//!
//! In order: the headers are judged while the body still waits (and the timestamp once more when it
//! is whole, so that a slow body does not stretch the window); the body is bounded by its
//! `Content-Length`, then while it is read, and buffered once; the signature is verified; and the
//! inner service is called with the very bytes that were verified, as a [`VerifiedBody`], and
//! with [`Verified<'static>`](crate::Verified) in the extensions of the request.
//!
//! The keys are fixed ([`VerifyLayer::new`]) or those of the moment ([`VerifyLayer::following`]);
//! what counts is the moment when the body is whole.
//!
//! A rejection is answered as problem+json and never reaches the inner service. It says no more
//! than its status does; the [`Reject`](crate::Reject) itself is in the extensions of the
//! response, for a layer outside that logs or counts.
//!
//! The instance of the inner service that was polled ready is the one that is called.

mod body;
mod read;
mod rejection;
mod service;
mod source;

pub use self::body::{ResponseBody, VerifiedBody};
pub use self::service::{ResponseFuture, VerifyLayer, VerifyService};
pub use self::source::{SharedVerifier, VerifierSource};
