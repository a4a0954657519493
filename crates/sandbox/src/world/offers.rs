//! Credit offers and their simulations: the least that a loan needs.

use serde_json::{Value, json};

use crate::dialect::{Money, Shape};
use crate::ids::Ids;
use crate::refusal::Refusal;
use crate::world::fields::Fields;
use crate::world::{MAX_OBJECTS, push};

const LIFETIME_SECS: i64 = 30 * 24 * 60 * 60;

#[derive(Debug, Default)]
pub(crate) struct Offers {
    offers: Vec<Offer>,
    simulations: Vec<Simulation>,
}

#[derive(Clone, Debug)]
pub(crate) struct Offer {
    pub(crate) id: String,
    pub(crate) customer_id: String,
    external_id: Option<String>,
    pub(crate) accepted: bool,
    min: Money,
    max: Money,
    max_installments: u64,
    /// Hundredths of a percent in a month.
    monthly_rate: i64,
    created_at: i64,
    expires_at: i64,
}

#[derive(Clone, Debug)]
pub(crate) struct Simulation {
    pub(crate) id: String,
    pub(crate) offer_id: String,
    pub(crate) amount: Money,
    pub(crate) installments: u64,
    pub(crate) total: Money,
    created_at: i64,
}

impl Offers {
    pub(crate) fn offer(
        &mut self,
        ids: &mut Ids,
        customer_id: &str,
        external_id: Option<String>,
        now: i64,
    ) -> Result<&Offer, Refusal> {
        if self.offers.len() >= MAX_OBJECTS {
            return Err(Refusal::full("credit offers", MAX_OBJECTS));
        }
        Ok(push(
            &mut self.offers,
            Offer {
                id: ids.next("off_", 24),
                customer_id: customer_id.to_owned(),
                external_id,
                accepted: false,
                min: Money(50_000),
                max: Money(1_000_000),
                max_installments: 12,
                monthly_rate: 250,
                created_at: now,
                expires_at: now + LIFETIME_SECS,
            },
        ))
    }

    pub(crate) fn simulate(
        &mut self,
        ids: &mut Ids,
        offer_id: &str,
        body: &[u8],
        now: i64,
    ) -> Result<&Simulation, Refusal> {
        let offer = self.find(offer_id)?;
        let mut fields = Fields::parse(body)?;
        let amount = fields.required("amount", Fields::money);
        let installments = fields.required("installments", Fields::number);
        if amount.is_some_and(|amount| !(offer.min..=offer.max).contains(&amount)) {
            fields.error(
                "amount",
                "amount_out_of_range",
                "is outside the range of this offer",
            );
        }
        if installments.is_some_and(|n| !(1..=offer.max_installments).contains(&n)) {
            fields.error(
                "installments",
                "invalid_format",
                "must be from 1 to the maximum of this offer",
            );
        }
        fields.finish()?;
        offer.check_open(now)?;
        if self.simulations.len() >= MAX_OBJECTS {
            return Err(Refusal::full("simulations", MAX_OBJECTS));
        }
        let (amount, installments) = (amount.unwrap_or(offer.min), installments.unwrap_or(1));
        // Simple interest: the sandbox is not a calculator, but more months must cost more.
        let months = i64::try_from(installments).unwrap_or(1);
        let total = Money(amount.0 + amount.0 * offer.monthly_rate * months / 10_000);
        let offer_id = offer.id.clone();
        Ok(push(
            &mut self.simulations,
            Simulation {
                id: ids.next("sim_", 24),
                offer_id,
                amount,
                installments,
                total,
                created_at: now,
            },
        ))
    }

    pub(crate) fn find(&self, id: &str) -> Result<&Offer, Refusal> {
        self.offers
            .iter()
            .find(|offer| offer.id == id)
            .ok_or_else(|| Refusal::not_found("this credit offer"))
    }

    pub(crate) fn simulation(&self, id: &str) -> Option<&Simulation> {
        self.simulations
            .iter()
            .find(|simulation| simulation.id == id)
    }

    pub(crate) fn accept(&mut self, id: &str) {
        if let Some(offer) = self.offers.iter_mut().find(|offer| offer.id == id) {
            offer.accepted = true;
        }
    }

    pub(crate) fn all(&self) -> &[Offer] {
        &self.offers
    }
}

impl Offer {
    pub(crate) fn check_open(&self, now: i64) -> Result<(), Refusal> {
        if self.accepted {
            return Err(Refusal::conflict(
                "offer_already_accepted",
                "this offer was accepted with another loan",
            ));
        }
        if now >= self.expires_at {
            return Err(Refusal::invalid_field(
                "offer_id",
                "offer_expired",
                "this offer has expired",
            ));
        }
        Ok(())
    }

    pub(crate) fn write(&self, shape: Shape, now: i64) -> Value {
        let status = match self {
            Self { accepted: true, .. } => "accepted",
            _ if now >= self.expires_at => "expired",
            _ => "available",
        };
        json!({
            "id": self.id,
            "customer_id": self.customer_id,
            "external_id": self.external_id,
            "status": status,
            "min_amount": shape.money(self.min),
            "max_amount": shape.money(self.max),
            "max_installments": self.max_installments,
            "monthly_interest_rate": shape.money(Money(self.monthly_rate)),
            "created_at": shape.date(self.created_at),
            "expires_at": shape.date(self.expires_at),
        })
    }
}

impl Simulation {
    pub(crate) fn write(&self, shape: Shape) -> Value {
        let each = self.total.0 / i64::try_from(self.installments.max(1)).unwrap_or(1);
        json!({
            "id": self.id,
            "offer_id": self.offer_id,
            "amount": shape.money(self.amount),
            "installments": self.installments,
            "installment_amount": shape.money(Money(each)),
            "total_amount": shape.money(self.total),
            "created_at": shape.date(self.created_at),
        })
    }
}
