//! The receiving face: a tower layer that verifies before the inner service sees a request.
//!
//! In order:
//!
//! 1. The headers are judged while the body still waits: their form, the age, whether the list has
//!    anything that could be a signature, and what `Content-Length` announces.
//! 2. The body is read into one buffer and hashed as it arrives, within a bound and within a time.
//! 3. When it is whole, the time is judged once more, so that a slow body does not stretch the
//!    window, and the signature is compared.
//! 4. The inner service is made ready and called, with the very bytes that were verified as a
//!    [`VerifiedBody`], and with [`Verified<'static>`](crate::Verified) in the extensions of the
//!    request.
//!
//! # The keys
//! They are fixed ([`VerifyLayer::new`]) or those of the moment ([`VerifyLayer::following`]). What
//! counts is the moment when the body is whole: if the source then hands out another verifier than
//! it did at the headers, that one judges the whole delivery anew. A source should hand out the
//! same `Arc` for as long as nothing has changed, or every body is hashed twice.
//!
//! # Rejections
//! A rejection is answered as problem+json and never reaches the inner service. It says no more
//! than its status does, and is the same for every reason behind that. The
//! [`Reject`](crate::Reject) itself is in the extensions of the response, for a layer outside that
//! logs, and goes to [`VerifyLayer::on_verdict`], for one's metrics.
//!
//! | status | when |
//! |---|---|
//! | 400 | the headers are no delivery's, or the body broke off |
//! | 401 | forged, altered, old, or signed with a key that has ended |
//! | 408 | the body was not whole in time |
//! | 413 | the body is too long, by its announcement or by what came |
//! | 500 | every key is past its end |
//!
//! Where the answer comes before the body was read to its end, an HTTP/1 connection is closed after
//! it, so that the server need not swallow the rest. On HTTP/2 only the stream ends.
//!
//! # What a sender can hold
//! `poll_ready` is always ready, and the inner service is not asked before the verdict: who sends
//! slowly, or forges, holds nothing behind this layer, no permit of a concurrency limit and no
//! connection of a pool. The price: whether the inner service is ready is known only inside the
//! future, so a load shedder outside of this layer does not see that it is busy. Put what limits
//! verified work inside, and what limits unverified requests (how many at once, how many from one
//! address) outside.
//!
//! A request that waits for its body holds what has arrived of it, in a buffer that grows by
//! doubling, and less than three kilobytes; never what it announced. A first frame is kept as the
//! server gave it, so that it holds the server's own buffer until a second one comes.
//!
//! # The runtime
//! The time for the body is told by tokio's timer, so the future must run on a tokio runtime that
//! has it, as under axum, hyper-util and tonic; on others switch it off by name
//! ([`VerifyLayer::without_body_timeout`]).

mod body;
mod layer;
mod read;
mod rejection;
mod service;
mod verify;

pub use self::body::{ResponseBody, VerifiedBody};
pub use self::layer::VerifyLayer;
pub use self::service::{ResponseFuture, VerifyService};
#[cfg(feature = "axum")]
pub(crate) use self::verify::VerifiedBytes;
pub use crate::shared::{SharedVerifier, VerifierSource};
