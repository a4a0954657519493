//! What every middleware keeps, in both faces.
#![allow(clippy::unwrap_used, reason = "a helper that fails is a failed test")]

use golive_core::Stack;
use golive_webhook_verify::outgoing::SignRequests;
use golive_webhook_verify::{Key, Signer};

fn sign() -> SignRequests {
    let signer = Signer::new(Key::from_bytes(&[1; 32]).unwrap());
    SignRequests::builder(signer).mint_ids().build().unwrap()
}

golive_testkit::contract!(sign());

mod message_ids {
    use super::*;

    golive_testkit::contract!(sign().message_ids());
}

mod both {
    use super::*;

    golive_testkit::contract!(Stack::new().push(sign().message_ids()).push(sign()));
}
