//! The fault plan: which requests, and what happens to them.

mod matching;
mod plan;
mod spec;

pub(crate) use self::matching::Seen;
pub use self::plan::{FaultId, Faults};
pub(crate) use self::spec::Cut;
pub use self::spec::{Fault, FaultError};
