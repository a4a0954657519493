//! Moving the subject: its hooks, the steps of a case, and the run.

mod canaries;
mod deliveries;
mod faults;
mod heard;
mod hooks;
mod process;
mod provider;
mod record;
mod run;
mod sink;
mod stage;

pub use self::hooks::{Driver, DriverError, Hook};
pub use self::provider::{Provider, Settings};
pub use self::run::{Plan, Progress, run};
