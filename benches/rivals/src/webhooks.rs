//! Crates that verify webhooks, as their documentation shows them. They read the clock themselves.

use webhook_verify_rival::{Provider, Secret};

use crate::{Contestant, SECRETS};

pub(crate) fn all() -> [Contestant; 3] {
    let standard = standardwebhooks::Webhook::new(SECRETS[0]).expect("a secret");
    let svix = svix::webhooks::Webhook::new(SECRETS[0]).expect("a secret");
    let secret = Secret::new(SECRETS[0]);
    [
        Contestant::new("standardwebhooks", move |delivery| {
            standard.verify(&delivery.body, &delivery.headers).is_ok()
        }),
        Contestant::new("svix", move |delivery| {
            svix.verify(&delivery.body, &delivery.headers).is_ok()
        }),
        Contestant::new("webhook-verify", move |delivery| {
            let (headers, body) = (&delivery.headers, &delivery.body);
            let provider = Provider::StandardWebhooks;
            let options = Default::default();
            webhook_verify_rival::verify(provider, headers, body, &secret, options).is_ok()
        }),
    ]
}
