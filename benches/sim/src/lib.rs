//! Servers, callers and figures for simulations on virtual time: whatever calls a server can be
//! put between the two.
//!
//! A package of its own, so that its tests run with those of the product, though the clients that
//! are compared by it (`benches/rivals`) lie outside. The clock is tokio's, paused: a minute takes
//! as long as its work, and no machine is too busy to keep it. Everything here that is drawn is
//! drawn from a seed.

#![forbid(unsafe_code)]

mod arrivals;
mod far_end;
mod figures;
mod load;
mod outage;
mod quota;
mod spelling;

use tokio::runtime::Builder;

pub use self::arrivals::{Arrival, Arrivals, Fate};
pub use self::far_end::{Answer, FarEnd};
pub use self::figures::{Storm, Throttling};
pub use self::load::{Caller, Operation, Operations, closed, open};
pub use self::outage::{Failing, Outage};
pub use self::quota::{Counting, Quota, Throttled};
pub use self::spelling::Spelling;

/// Runs `work` on one thread with a clock that stands still while anything can be done, and jumps
/// to the next timer when nothing can.
///
/// # Panics
/// If there can be no runtime.
#[allow(
    clippy::expect_used,
    reason = "a runtime without sockets needs nothing"
)]
pub fn virtually<T>(work: impl Future<Output = T>) -> T {
    let runtime = { Builder::new_current_thread() }
        .enable_time()
        .start_paused(true)
        .build();
    runtime.expect("a runtime").block_on(work)
}
