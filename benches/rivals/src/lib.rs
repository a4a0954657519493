//! Crates of golive beside their rivals.
//!
//! [`retries`] is `golive-backoff`, over the same servers; all else is `golive-webhook-verify`, over
//! the same deliveries.
//!
//! There, every contestant is a [`Contestant`]: it takes a [`Delivery`] with the headers of a real one and
//! says whether it is genuine. `benches/gates` measures them in turns and holds them to what is
//! promised, `benches/verify.rs` is the same for criterion, `benches/count.rs` is what callgrind
//! counts the instructions of.

mod contestant;
mod delivery;
mod floor;
mod hmacs;
pub mod ours;
pub mod retries;
mod webhooks;

pub use self::contestant::{Contestant, contestants, rivals};
pub use self::delivery::{Delivery, ID, SECRETS, TOLERANCE_SECS, now};
pub use self::floor::floors;
