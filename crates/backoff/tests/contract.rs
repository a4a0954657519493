//! What every middleware keeps, in both faces.

use golive_backoff::Backoff;

golive_testkit::contract!(Backoff::new());
