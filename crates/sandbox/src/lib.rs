#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod admin;
mod auth;
mod builder;
mod canary;
mod clock;
mod cpf;
mod dialect;
mod door;
mod effects;
mod fault;
mod half;
mod idempotency;
mod ids;
mod limiter;
mod pipeline;
mod process;
mod record;
mod redact;
mod refusal;
mod routes;
mod sandbox;
mod server;
mod shared;
mod state;
mod sync;
mod tasks;
mod webhooks;
mod world;

pub use self::builder::{Builder, StartError};
pub use self::canary::Canary;
pub use self::cpf::{cpf, customer_fixture};
pub use self::dialect::{Dialect, DialectsSeen};
pub use self::fault::{Fault, FaultError, FaultId, Faults};
pub use self::limiter::RateLimit;
pub use self::record::{Answer, Entry, Kind, Mark, Recorder};
pub use self::sandbox::{Credential, Sandbox};
pub use self::state::State;
pub use self::webhooks::{Delivery, Event, Webhooks};
pub use self::world::customers::CustomerStatus;
pub use self::world::loans::LoanStatus;
