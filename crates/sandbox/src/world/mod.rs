//! What the provider remembers: pure, `now` comes in as an argument.

pub(crate) mod credentials;
pub(crate) mod customers;
pub(crate) mod endpoints;
pub(crate) mod fields;
pub(crate) mod loans;
pub(crate) mod offers;
pub(crate) mod page;
pub(crate) mod tokens;

use std::time::Duration;

use self::credentials::Credentials;
use self::customers::Customers;
use self::endpoints::Endpoints;
use self::loans::Loans;
use self::offers::Offers;
use self::tokens::Tokens;
use crate::dialect::DialectsSeen;
use crate::ids::Ids;

/// Objects of one kind that are kept; beyond it creating more is refused with 503.
pub(crate) const MAX_OBJECTS: usize = 100_000;

/// Credentials and endpoints that are kept. Fewer, because every secret is searched for in every
/// recorded text.
pub(crate) const MAX_SECRETS: usize = 1_000;

pub(crate) struct World {
    pub(crate) ids: Ids,
    pub(crate) tokens: Tokens,
    pub(crate) credentials: Credentials,
    pub(crate) customers: Customers,
    pub(crate) offers: Offers,
    pub(crate) loans: Loans,
    pub(crate) endpoints: Endpoints,
    pub(crate) dialects: DialectsSeen,
}

impl World {
    pub(crate) fn new(seed: u64, token_lifetime: Duration) -> Self {
        Self {
            ids: Ids::new(seed),
            tokens: Tokens::new(token_lifetime),
            credentials: Credentials::default(),
            customers: Customers::default(),
            offers: Offers::default(),
            loans: Loans::default(),
            endpoints: Endpoints::default(),
            dialects: DialectsSeen::default(),
        }
    }
}

/// `Vec::push_mut`, which is younger than our minimum Rust version.
fn push<T>(items: &mut Vec<T>, item: T) -> &mut T {
    let at = items.len();
    items.push(item);
    &mut items[at]
}
