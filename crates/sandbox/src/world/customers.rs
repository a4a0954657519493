//! Customers: the states of KYC, and the rules about duplicates.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::cpf;
use crate::dialect::Shape;
use crate::ids::Ids;
use crate::refusal::Refusal;
use crate::world::fields::Fields;
use crate::world::{MAX_OBJECTS, push};

/// Where a customer stands: `pending_kyc` → `under_review` → `active` or `denied`; a bounced
/// document goes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CustomerStatus {
    /// Documents are missing.
    PendingKyc,
    /// Documents are being looked at.
    UnderReview,
    /// May take credit.
    Active,
    /// May not.
    Denied,
}

#[derive(Debug, Default)]
pub(crate) struct Customers {
    all: Vec<Customer>,
    by_id: HashMap<String, usize>,
    by_cpf: HashMap<String, usize>,
    by_external_id: HashMap<String, usize>,
}

#[derive(Clone, Debug)]
pub(crate) struct Customer {
    pub(crate) id: String,
    pub(crate) external_id: Option<String>,
    pub(crate) cpf: String,
    pub(crate) status: CustomerStatus,
    name: String,
    email: Option<String>,
    phone: Option<String>,
    created_at: i64,
    updated_at: i64,
}

/// A customer as asked for, with every field already checked.
#[derive(Clone, Debug)]
pub(crate) struct NewCustomer {
    name: String,
    cpf: String,
    email: Option<String>,
    phone: Option<String>,
    external_id: Option<String>,
}

// === impl CustomerStatus ===

impl CustomerStatus {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::PendingKyc => "pending_kyc",
            Self::UnderReview => "under_review",
            Self::Active => "active",
            Self::Denied => "denied",
        }
    }

    /// The event that announces it. `pending_kyc` again means that a document bounced.
    pub(crate) fn event(self) -> &'static str {
        match self {
            Self::PendingKyc => "customer.kyc_updated",
            Self::UnderReview => "customer.under_review",
            Self::Active => "customer.active",
            Self::Denied => "customer.denied",
        }
    }
}

// === impl NewCustomer ===

impl NewCustomer {
    pub(crate) fn parse(body: &[u8]) -> Result<Self, Refusal> {
        let mut fields = Fields::parse(body)?;
        let name = fields.required("name", Fields::text);
        let cpf = fields.required("cpf", Fields::text).and_then(|text| {
            let normal = cpf::normalize(&text);
            if normal.is_none() {
                fields.error("cpf", "invalid_cpf", "is not a valid CPF");
            }
            normal
        });
        let email = fields.text("email");
        if email
            .as_deref()
            .is_some_and(|email| !looks_like_email(email))
        {
            fields.error("email", "invalid_format", "is not an e-mail address");
        }
        let phone = fields.text("phone");
        let external_id = fields.text("external_id");
        fields.finish()?;
        match (name, cpf) {
            (Some(name), Some(cpf)) => Ok(Self {
                name,
                cpf,
                email,
                phone,
                external_id,
            }),
            // Never: whatever is missing was an error above.
            _ => Err(Refusal::invalid(vec![])),
        }
    }
}

// === impl Customers ===

impl Customers {
    /// The customer, and whether it is new.
    ///
    /// "Same CPF and same `external_id` returns the existing one, other `external_id` is 409."
    pub(crate) fn create(
        &mut self,
        ids: &mut Ids,
        new: NewCustomer,
        now: i64,
    ) -> Result<(&Customer, bool), Refusal> {
        if let Some(&at) = self.by_cpf.get(&new.cpf) {
            let known = &self.all[at];
            return if known.external_id == new.external_id {
                Ok((known, false))
            } else {
                Err(Refusal::conflict(
                    "customer_already_exists",
                    "a customer with this CPF exists under another external_id",
                ))
            };
        }
        if new
            .external_id
            .as_ref()
            .is_some_and(|id| self.by_external_id.contains_key(id))
        {
            return Err(Refusal::invalid_field(
                "external_id",
                "already_exists",
                "belongs to a customer with another CPF",
            ));
        }
        if self.all.len() >= MAX_OBJECTS {
            return Err(Refusal::full("customers", MAX_OBJECTS));
        }
        let at = self.all.len();
        let customer = Customer {
            id: ids.next("cus_", 24),
            external_id: new.external_id,
            cpf: new.cpf,
            status: CustomerStatus::PendingKyc,
            name: new.name,
            email: new.email,
            phone: new.phone,
            created_at: now,
            updated_at: now,
        };
        self.by_id.insert(customer.id.clone(), at);
        self.by_cpf.insert(customer.cpf.clone(), at);
        if let Some(id) = &customer.external_id {
            self.by_external_id.insert(id.clone(), at);
        }
        Ok((push(&mut self.all, customer), true))
    }

    pub(crate) fn find(&self, id: &str) -> Result<&Customer, Refusal> {
        self.by_id
            .get(id)
            .map(|at| &self.all[*at])
            .ok_or_else(|| Refusal::not_found("this customer"))
    }

    pub(crate) fn with_external_id(&self, external_id: &str) -> usize {
        self.all
            .iter()
            .filter(|customer| customer.external_id.as_deref() == Some(external_id))
            .count()
    }

    /// Changes what a PATCH names.
    pub(crate) fn update(&mut self, id: &str, body: &[u8], now: i64) -> Result<&Customer, Refusal> {
        let mut fields = Fields::parse(body)?;
        let (name, email, phone) = (
            fields.text("name"),
            fields.text("email"),
            fields.text("phone"),
        );
        if email
            .as_deref()
            .is_some_and(|email| !looks_like_email(email))
        {
            fields.error("email", "invalid_format", "is not an e-mail address");
        }
        fields.finish()?;
        let customer = self
            .find_mut(id)
            .ok_or_else(|| Refusal::not_found("this customer"))?;
        if let Some(name) = name {
            customer.name = name;
        }
        customer.email = email.or(customer.email.take());
        customer.phone = phone.or(customer.phone.take());
        customer.updated_at = now;
        Ok(customer)
    }

    pub(crate) fn set_status(
        &mut self,
        id: &str,
        status: CustomerStatus,
        now: i64,
    ) -> Option<&Customer> {
        let customer = self.find_mut(id)?;
        customer.status = status;
        customer.updated_at = now;
        Some(customer)
    }

    /// Makes a customer look as old as that.
    pub(crate) fn backdate(&mut self, id: &str, at: i64) -> Option<&Customer> {
        let customer = self.find_mut(id)?;
        customer.created_at = at;
        customer.updated_at = at;
        Some(customer)
    }

    pub(crate) fn all(&self) -> &[Customer] {
        &self.all
    }

    fn find_mut(&mut self, id: &str) -> Option<&mut Customer> {
        self.by_id.get(id).map(|at| &mut self.all[*at])
    }
}

// === impl Customer ===

impl Customer {
    pub(crate) fn write(&self, shape: Shape) -> Value {
        json!({
            "id": self.id,
            "external_id": self.external_id,
            "name": self.name,
            "cpf": self.cpf,
            "email": self.email,
            "phone": self.phone,
            "status": self.status,
            "created_at": shape.date(self.created_at),
            "updated_at": shape.date(self.updated_at),
        })
    }
}

fn looks_like_email(text: &str) -> bool {
    text.split_once('@').is_some_and(|(name, host)| {
        !name.is_empty()
            && host.contains('.')
            && !host.starts_with('.')
            && !host.ends_with('.')
            && !host.contains('@')
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpf::cpf;

    fn body(n: u64, external_id: Option<&str>) -> Vec<u8> {
        json!({ "name": "Ana", "cpf": cpf(n), "external_id": external_id })
            .to_string()
            .into_bytes()
    }

    #[test]
    fn a_duplicate_is_the_existing_one_a_conflict_or_an_error_of_its_field() {
        let mut all = Customers::default();
        let mut ids = Ids::new(1);
        let mut create = |n, external_id| {
            let new = NewCustomer::parse(&body(n, external_id)).unwrap();
            all.create(&mut ids, new, 0)
                .map(|(customer, new)| (customer.id.clone(), new))
        };
        let (id, new) = create(1, Some("a")).unwrap();
        assert!(new);
        assert_eq!(create(1, Some("a")).unwrap(), (id, false));
        assert_eq!(
            create(1, Some("b")).unwrap_err().code.as_deref(),
            Some("customer_already_exists")
        );
        assert_eq!(create(1, None).unwrap_err().status, 409);
        assert_eq!(
            create(2, Some("a")).unwrap_err().code.as_deref(),
            Some("already_exists")
        );
        assert_eq!(all.with_external_id("a"), 1);
    }

    #[test]
    fn all_errors_of_a_body_are_told_at_once() {
        let refusal =
            NewCustomer::parse(br#"{"cpf": "111.111.111-11", "email": "nobody", "phone": 5}"#)
                .unwrap_err();
        let errors: Vec<_> = refusal
            .errors
            .iter()
            .map(|e| (e.param.as_str(), e.code.as_deref().unwrap()))
            .collect();
        assert_eq!(
            errors,
            [
                ("name", "missing_required_field"),
                ("cpf", "invalid_cpf"),
                ("email", "invalid_format"),
                ("phone", "invalid_format")
            ]
        );
        assert_eq!(NewCustomer::parse(b"[]").unwrap_err().status, 400);
    }
}
