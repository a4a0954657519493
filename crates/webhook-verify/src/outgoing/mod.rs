//! The sending face: a middleware that signs requests, for tower and for reqwest.
//!
//! [`SignRequests`] puts the headers of a delivery on every request: the id that the request
//! carries, the time, and a signature over both and the body. What was there under these names is
//! replaced, save the id.
//!
//! # Where it goes
//!
//! Below whatever sends again. A signature is good for minutes, so each attempt needs a timestamp
//! and a signature of its own; but all attempts of one delivery need the same id, since that is
//! what the receiver knows a repetition by. So the id is chosen above the retry: by the caller, who
//! puts the id of the event in `webhook-id` (the best one, since it survives a restart), or by
//! [`MessageIds`], which mints one where there is none. A request that reaches the signer without
//! an id is refused, so that a forgotten one shows at the first request and not at the first
//! repetition that a receiver took for another event.
//!
//! And below whatever changes the body, such as a compression: what is signed must be what is sent.
//!
//! ```
//! # #[cfg(feature = "tower")] {
//! # let key = golive_webhook_verify::Key::from_whsec("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
//! # let client = tower::service_fn(|_: http::Request<String>| async {
//! #     Ok::<_, std::convert::Infallible>(http::Response::new(String::new()))
//! # });
//! # use golive_testkit::Thrice as Retry;
//! use golive_core::{Stack, tower::Layer};
//! use golive_webhook_verify::{Signer, outgoing::SignRequests};
//!
//! let sign = SignRequests::new(Signer::new(key));
//! let client = Stack::new().push(sign.message_ids()).push(Retry).push(sign).layer(client);
//! # fn is_client<S: tower::Service<http::Request<String>>>(_: S) {}
//! # is_client(client);
//! # }
//! ```
//!
//! # Bodies
//!
//! To be signed, a body must be there whole: one that streams is read to its end first, and held in
//! memory. One that is longer than the [limit](Builder::max_body_bytes) is refused, and the request
//! is not sent. Trailers are sent, and not signed.
//!
//! # Redirects
//!
//! Let the client follow none (`reqwest::redirect::Policy::none()`). It sends the headers again, and
//! a signature is good for minutes: whoever it is redirected to could pass the delivery off as its
//! own at the receiver. And what a redirect makes a `GET` of has no body any more, which is not what
//! was signed.
//!
//! # One secret or many
//!
//! During a rotation, let one signer sign [with both secrets](crate::Signer::and): the request
//! carries a signature of each. Which secret belongs to which receiver is yours to know; as a
//! `Middleware`, a `SignRequests` can be chosen for each call in a middleware of your own.
//!
//! # Schemes
//!
//! What is put on a request is what the [scheme](crate::Signer::with_scheme) of the signer says. One
//! without an id (GitHub, Slack, Stripe) asks for none.

mod config;
mod error;
mod id;
mod middleware;

pub use self::config::{Builder, ConfigError};
pub use self::error::SignError;
pub use self::middleware::{MessageIds, SignRequests};
