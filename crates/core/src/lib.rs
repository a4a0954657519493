#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![warn(missing_docs)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod body;
mod call;
mod clock;
mod error;
mod exchange;
mod faces;
#[cfg(any(feature = "tower", feature = "reqwest"))]
mod held;
mod kept;
mod message;
mod middleware;
mod origin;
pub mod quota;
mod read_ahead;
mod remade;
mod replay;
mod replay_body;
#[cfg(any(feature = "tower", feature = "reqwest"))]
mod session;
mod stack;

#[cfg(feature = "reqwest")]
pub mod reqwest;
#[cfg(feature = "tower")]
pub mod tower;

pub use body::Body;
pub use call::{Attempt, Call, CallHandle, Disposition, Outcome};
pub use clock::{Clock, SystemClock};
pub use error::{BoxError, Failure, Own, caused_by};
pub use exchange::Exchange;
pub use message::{Peeked, Request, Response};
pub use middleware::Middleware;
pub use origin::Origin;
pub use read_ahead::ReadAheadError;
pub use remade::Remade;
pub use replay::Replay;
pub use replay_body::{ReplayBody, ReplayError};
pub use stack::{Chain, Stack};
