//! The mistakes: each takes the good integration and replaces one part of it,
//! or puts something of the kind that people write in front of it or below it.

mod auth;
mod client;
mod middleware;
mod receiver;

pub(super) use self::client::calls;
pub(super) use self::receiver::Receiving;
