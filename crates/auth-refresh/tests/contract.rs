//! What every middleware keeps, in both faces.

mod common;

use common::Counter;
use golive_auth_refresh::{AuthRefresh, Tokens};

golive_testkit::contract!(AuthRefresh::new(Tokens::new(Counter::default())));
