//! The client side: the stack, and a client over reqwest that has it.

#[cfg(feature = "reqwest")]
mod answer;
#[cfg(feature = "reqwest")]
mod config;
mod stack;

#[cfg(feature = "reqwest")]
mod reqwest;

pub use self::stack::{ClientStack, ClientStackBuilder};
#[cfg(feature = "reqwest")]
pub use self::{
    answer::{CallError, accepted},
    config::ClientBuilder,
    reqwest::Client,
};
