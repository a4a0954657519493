//! Credentials: rotation is create → deploy → watch `last_used_at` of the old one stop → revoke.

use serde_json::{Value, json};

use crate::dialect::Shape;
use crate::ids::Ids;
use crate::refusal::Refusal;
use crate::world::{MAX_SECRETS, push};

#[derive(Debug, Default)]
pub(crate) struct Credentials {
    all: Vec<Record>,
}

pub(crate) struct Record {
    pub(crate) client_id: String,
    pub(crate) secret: String,
    name: String,
    active: bool,
    expires_at: Option<i64>,
    created_at: i64,
    updated_at: i64,
    last_used_at: Option<i64>,
}

impl Credentials {
    pub(crate) fn create(
        &mut self,
        ids: &mut Ids,
        name: String,
        expires_at: Option<i64>,
        now: i64,
    ) -> Result<&Record, Refusal> {
        if self.all.len() >= MAX_SECRETS {
            return Err(Refusal::full("credentials", MAX_SECRETS));
        }
        let record = Record {
            client_id: ids.next("dinie_ci_test_", 24),
            secret: ids.next("dinie_cs_test_", 48),
            name,
            active: true,
            expires_at,
            created_at: now,
            updated_at: now,
            last_used_at: None,
        };
        Ok(push(&mut self.all, record))
    }

    /// Whether a token may be issued; marks the credential as used.
    pub(crate) fn authenticate(&mut self, client_id: &str, secret: &str, now: i64) -> bool {
        let known = self
            .all
            .iter_mut()
            .find(|record| record.client_id == client_id);
        let Some(record) = known.filter(|record| record.secret == secret && record.is_live(now))
        else {
            return false;
        };
        record.last_used_at = Some(now);
        true
    }

    /// Immediate for new tokens; tokens already issued live on. False if there is no such one.
    pub(crate) fn revoke(&mut self, client_id: &str, now: i64) -> bool {
        self.set_active(client_id, false, now)
    }

    /// Takes a revocation back. False if there is no such one.
    pub(crate) fn reinstate(&mut self, client_id: &str, now: i64) -> bool {
        self.set_active(client_id, true, now)
    }

    fn set_active(&mut self, client_id: &str, active: bool, now: i64) -> bool {
        let Some(record) = self
            .all
            .iter_mut()
            .find(|record| record.client_id == client_id)
        else {
            return false;
        };
        if record.active != active {
            record.active = active;
            record.updated_at = now;
        }
        true
    }

    pub(crate) fn all(&self) -> &[Record] {
        &self.all
    }
}

impl Record {
    pub(crate) fn write(&self, shape: Shape, now: i64) -> Value {
        json!({
            "client_id": self.client_id,
            "name": self.name,
            "status": if self.is_live(now) { "active" } else { "revoked" },
            "expires_at": self.expires_at.map(|at| shape.date(at)),
            "created_at": shape.date(self.created_at),
            "updated_at": shape.date(self.updated_at),
            "last_used_at": self.last_used_at.map(|at| shape.date(at)),
        })
    }

    fn is_live(&self, now: i64) -> bool {
        self.active && self.expires_at.is_none_or(|at| now < at)
    }
}

impl std::fmt::Debug for Record {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Record")
            .field("client_id", &self.client_id)
            .field("active", &self.active)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_works_until_it_is_revoked_or_ends() {
        let mut all = Credentials::default();
        let mut ids = Ids::new(1);
        let (id, secret) = {
            let record = all.create(&mut ids, "a".to_owned(), Some(100), 1).unwrap();
            (record.client_id.clone(), record.secret.clone())
        };
        assert!(!all.authenticate(&id, "wrong", 5));
        assert_eq!(
            all.all()[0].write(Shape::Sdk, 5)["last_used_at"],
            Value::Null,
            "a failed try is no use"
        );
        assert!(all.authenticate(&id, &secret, 99));
        assert_eq!(all.all()[0].write(Shape::Sdk, 99)["last_used_at"], 99);
        assert!(
            !all.authenticate(&id, &secret, 100),
            "expires_at enforces itself"
        );
        assert!(all.revoke(&id, 50) && !all.revoke("other", 50));
        assert!(!all.authenticate(&id, &secret, 60));
        assert!(all.reinstate(&id, 70) && !all.reinstate("other", 70));
        assert!(all.authenticate(&id, &secret, 80));
        assert!(!format!("{all:?}").contains(&secret));
    }
}
