//! What every middleware keeps, in both faces.

use golive_backoff::Backoff;

golive_testkit::contract!(Backoff::new());

mod pacing {
    use golive_backoff::{Pacing, limits::Limits};

    golive_testkit::contract!(Pacing::new(Limits::new()));
}
