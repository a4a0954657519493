//! The accepting face: a tower service that stores an event and answers at once.
//!
//! Put it behind a verification of the signature, for instance the layer of
//! `golive-webhook-verify`: it believes whatever key it reads.

mod accept;
mod read;

pub use self::accept::{Accept, AcceptBody, AcceptFuture};
