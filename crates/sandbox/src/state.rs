//! What a judge may ask, and what a stage may set up.

use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use serde_json::Value;

use crate::Credential;
use crate::cpf::customer_fixture;
use crate::dialect::DialectsSeen;
use crate::limiter::{Limiter, RateLimit};
use crate::shared::Shared;
use crate::sync::lock;
use crate::world::customers::{CustomerStatus, NewCustomer};
use crate::world::loans::LoanStatus;

/// The state of the provider. Clones see the same one.
///
/// What is asked for here is answered as it is: no fault, no limit and no token stands before it,
/// and nothing of it is in the record.
#[derive(Clone, Debug)]
pub struct State {
    pub(crate) shared: Arc<Shared>,
}

impl State {
    /// How many customers have this `external_id`.
    pub fn customers_with_external_id(&self, external_id: &str) -> usize {
        self.shared.world().customers.with_external_id(external_id)
    }

    /// How many customers there are, seeded ones included.
    pub fn customers(&self) -> usize {
        self.shared.world().customers.all().len()
    }

    /// How many loans there are.
    pub fn loans(&self) -> usize {
        self.shared.world().loans.all().len()
    }

    /// How many access tokens were issued.
    pub fn tokens_issued(&self) -> u64 {
        self.shared.world().tokens.issued()
    }

    /// How many requests spoke which dialect.
    pub fn dialects_seen(&self) -> DialectsSeen {
        self.shared.world().dialects
    }

    /// Expires every token issued so far, on the server's side alone: `expires_in` was 3600 and the
    /// next call is answered 401 `token_expired`.
    pub fn expire_tokens(&self) {
        self.shared.world().tokens.expire_all();
    }

    /// Another rate limit from now on; its window begins with the next request.
    ///
    /// False, and no change, for a limit or a window of zero.
    pub fn limit_rate(&self, rate_limit: RateLimit) -> bool {
        let can_be = rate_limit.limit > 0 && !rate_limit.window.is_zero();
        if can_be {
            *lock(&self.shared.limiter) = Limiter::new(rate_limit);
        }
        can_be
    }

    /// Makes sure that there is a customer with this `external_id` in this state, and returns it as
    /// the API would. An active one has a credit offer. No event is sent.
    ///
    /// `None` if the `external_id` belongs to a customer that is not of
    /// [`customer_fixture`], or the sandbox is full.
    pub fn seed_customer(&self, external_id: &str, status: CustomerStatus) -> Option<Value> {
        let now = self.shared.clock.now().unix_secs();
        let body = customer_fixture(external_id).to_string();
        let new = NewCustomer::parse(body.as_bytes()).ok()?;
        let world = &mut *self.shared.world();
        let id = world
            .customers
            .create(&mut world.ids, new, now)
            .ok()?
            .0
            .id
            .clone();
        let customer = world.customers.set_status(&id, status, now)?;
        if status == CustomerStatus::Active {
            world
                .offers
                .offer(&mut world.ids, &id, customer.external_id.clone(), now)
                .ok()?;
        }
        Some(customer.write(self.shared.own_shape()))
    }

    /// As [`seed_customer`](Self::seed_customer), but created and last changed so long ago: a
    /// customer who has been in this state for `age`.
    pub fn seed_aged_customer(
        &self,
        external_id: &str,
        status: CustomerStatus,
        age: Duration,
    ) -> Option<Value> {
        let seeded = self.seed_customer(external_id, status)?;
        let age = i64::try_from(age.as_secs()).unwrap_or(i64::MAX);
        let at = self.shared.clock.now().unix_secs().saturating_sub(age);
        let id = seeded.get("id")?.as_str()?;
        let mut world = self.shared.world();
        let customer = world.customers.backdate(id, at)?;
        Some(customer.write(self.shared.own_shape()))
    }

    /// Moves a customer, and sends the event. Who becomes active gets a credit offer, with its own
    /// event. False if there is no such customer.
    pub fn set_customer_status(&self, id: &str, status: CustomerStatus) -> bool {
        let now = self.shared.clock.now().unix_secs();
        let shape = self.shared.own_shape();
        let (data, offer) = {
            let world = &mut *self.shared.world();
            let Some(customer) = world.customers.set_status(id, status, now) else {
                return false;
            };
            let (data, external_id) = (customer.write(shape), customer.external_id.clone());
            let offer = if status == CustomerStatus::Active {
                // A full sandbox has no more offers; the customer is active nonetheless.
                world
                    .offers
                    .offer(&mut world.ids, id, external_id, now)
                    .ok()
                    .map(|offer| offer.write(shape, now))
            } else {
                None
            };
            (data, offer)
        };
        self.shared.emit(status.event(), data);
        if let Some(offer) = offer {
            self.shared.emit("credit_offer.available", offer);
        }
        true
    }

    /// Moves a loan, and sends the event. False if there is no such loan.
    pub fn set_loan_status(&self, id: &str, status: LoanStatus) -> bool {
        let now = self.shared.clock.now().unix_secs();
        let shape = self.shared.own_shape();
        let data = self
            .shared
            .world()
            .loans
            .set_status(id, status, now)
            .map(|loan| loan.write(shape));
        let Some(data) = data else { return false };
        self.shared.emit(status.event(), data);
        true
    }

    /// A further credential, as `POST /auth/credentials` gives; `None` if the sandbox is full.
    pub fn issue_credential(&self, name: &str) -> Option<Credential> {
        let now = self.shared.clock.now().unix_secs();
        let world = &mut *self.shared.world();
        let record = world
            .credentials
            .create(&mut world.ids, name.to_owned(), None, now)
            .ok()?;
        self.shared
            .redactor
            .learn_client_secret(&record.client_id, &record.secret);
        Some(Credential {
            client_id: record.client_id.clone(),
            client_secret: SecretString::from(record.secret.clone()),
        })
    }

    /// Ends a credential for new tokens, as `DELETE /auth/credentials/{client_id}` does. False if
    /// there is no such one.
    pub fn revoke_credential(&self, client_id: &str) -> bool {
        let now = self.shared.clock.now().unix_secs();
        self.shared.world().credentials.revoke(client_id, now)
    }

    /// Takes a revocation back. No provider does that; a stage does, to leave an integration as it
    /// was found. False if there is no such one.
    pub fn reinstate_credential(&self, client_id: &str) -> bool {
        let now = self.shared.clock.now().unix_secs();
        self.shared.world().credentials.reinstate(client_id, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_customer_can_have_been_in_a_state_for_days() {
        let sandbox = crate::Sandbox::builder()
            .dialect(crate::Dialect::Sdk)
            .start()
            .await
            .unwrap();
        let days = |n: u64| Duration::from_secs(n * 86_400);
        let state = sandbox.state();
        let old = state
            .seed_aged_customer("old", CustomerStatus::UnderReview, days(10))
            .unwrap();
        let new = state
            .seed_customer("new", CustomerStatus::UnderReview)
            .unwrap();
        let at = |customer: &Value, member: &str| customer[member].as_i64().unwrap();
        for member in ["created_at", "updated_at"] {
            let apart = at(&new, member) - at(&old, member);
            assert!((864_000..864_010).contains(&apart), "{apart}");
        }
        assert_eq!(old["status"], "under_review");
    }
}
