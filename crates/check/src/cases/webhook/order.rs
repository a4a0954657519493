//! WH-ORD: events that arrive out of order. Still to come.

use crate::boxes::BoxId::W2;
use crate::case::Case;
use crate::case::Level::Should;

pub(in crate::cases) static CASES: &[Case] = &[Case::new("WH-ORD-01", W2, Should).says(
    "customer.active before customer.under_review; the older event last",
    "the final state is the newest",
    "goes backwards",
)];
