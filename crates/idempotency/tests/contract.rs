//! What every middleware keeps, in both faces.

use golive_idempotency::IdempotencyKeys;

golive_testkit::contract!(IdempotencyKeys::new());
