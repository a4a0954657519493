//! Loans: `awaiting_signatures` → `processing` → `active` → `finished`, `cancelled` or `error`.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::dialect::{Money, Shape};
use crate::refusal::Refusal;
use crate::world::customers::CustomerStatus;
use crate::world::fields::Fields;
use crate::world::{MAX_OBJECTS, World, push};

/// Where a loan stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LoanStatus {
    /// The contract is not signed yet.
    AwaitingSignatures,
    /// Signed; the money is on its way.
    Processing,
    /// Being paid back.
    Active,
    /// Paid back.
    Finished,
    /// Given up before it was paid out.
    Cancelled,
    /// Failed at the provider.
    Error,
}

#[derive(Debug, Default)]
pub(crate) struct Loans {
    all: Vec<Loan>,
}

#[derive(Clone, Debug)]
pub(crate) struct Loan {
    pub(crate) id: String,
    pub(crate) customer_id: String,
    /// The customer's, so that events can be matched by content.
    pub(crate) external_id: Option<String>,
    pub(crate) status: LoanStatus,
    offer_id: String,
    simulation_id: String,
    amount: Money,
    total: Money,
    installments: u64,
    created_at: i64,
    updated_at: i64,
}

// === impl LoanStatus ===

impl LoanStatus {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::AwaitingSignatures => "awaiting_signatures",
            Self::Processing => "processing",
            Self::Active => "active",
            Self::Finished => "finished",
            Self::Cancelled => "cancelled",
            Self::Error => "error",
        }
    }

    /// The event that announces it.
    pub(crate) fn event(self) -> &'static str {
        match self {
            Self::AwaitingSignatures => "loan.created",
            Self::Processing => "loan.processing",
            Self::Active => "loan.active",
            Self::Finished => "loan.finished",
            Self::Cancelled => "loan.cancelled",
            Self::Error => "loan.error",
        }
    }
}

// === impl World ===

impl World {
    /// Accepts the offer behind a simulation.
    pub(crate) fn create_loan(&mut self, body: &[u8], now: i64) -> Result<&Loan, Refusal> {
        let mut fields = Fields::parse(body)?;
        let simulation_id = fields.required("simulation_id", Fields::text);
        let (offer_id, customer_id) = (fields.text("offer_id"), fields.text("customer_id"));
        fields.finish()?;
        let mismatch = |param| {
            Refusal::invalid_field(
                param,
                "simulation_mismatch",
                "does not belong to this simulation",
            )
        };
        let simulation = simulation_id.and_then(|id| self.offers.simulation(&id));
        let simulation = simulation.ok_or_else(|| {
            Refusal::invalid_field(
                "simulation_id",
                "simulation_mismatch",
                "there is no such simulation",
            )
        })?;
        let offer = self.offers.find(&simulation.offer_id)?;
        if offer_id.is_some_and(|id| id != offer.id) {
            return Err(mismatch("offer_id"));
        }
        if customer_id.is_some_and(|id| id != offer.customer_id) {
            return Err(mismatch("customer_id"));
        }
        let customer = self.customers.find(&offer.customer_id)?;
        if customer.status != CustomerStatus::Active {
            return Err(Refusal::invalid_field(
                "customer_id",
                "kyc_incomplete",
                "the customer is not active yet",
            ));
        }
        offer.check_open(now)?;
        if self.loans.all.len() >= MAX_OBJECTS {
            return Err(Refusal::full("loans", MAX_OBJECTS));
        }
        let loan = Loan {
            id: self.ids.next("loan_", 24),
            customer_id: customer.id.clone(),
            external_id: customer.external_id.clone(),
            status: LoanStatus::AwaitingSignatures,
            offer_id: offer.id.clone(),
            simulation_id: simulation.id.clone(),
            amount: simulation.amount,
            total: simulation.total,
            installments: simulation.installments,
            created_at: now,
            updated_at: now,
        };
        self.offers.accept(&loan.offer_id);
        Ok(push(&mut self.loans.all, loan))
    }
}

// === impl Loans ===

impl Loans {
    pub(crate) fn find(&self, id: &str) -> Result<&Loan, Refusal> {
        self.all
            .iter()
            .find(|loan| loan.id == id)
            .ok_or_else(|| Refusal::not_found("this loan"))
    }

    pub(crate) fn set_status(&mut self, id: &str, status: LoanStatus, now: i64) -> Option<&Loan> {
        let loan = self.all.iter_mut().find(|loan| loan.id == id)?;
        loan.status = status;
        loan.updated_at = now;
        Some(loan)
    }

    pub(crate) fn all(&self) -> &[Loan] {
        &self.all
    }
}

// === impl Loan ===

impl Loan {
    pub(crate) fn write(&self, shape: Shape) -> Value {
        json!({
            "id": self.id,
            "customer_id": self.customer_id,
            "external_id": self.external_id,
            "offer_id": self.offer_id,
            "simulation_id": self.simulation_id,
            "status": self.status,
            "amount": shape.money(self.amount),
            "total_amount": shape.money(self.total),
            "installments": self.installments,
            "created_at": shape.date(self.created_at),
            "updated_at": shape.date(self.updated_at),
        })
    }
}
