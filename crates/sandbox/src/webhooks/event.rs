//! The envelope of an event.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

const API_VERSION: &str = "v3";

/// Something that happened: the same through all its deliveries.
///
/// On the wire each delivery adds a `delivery_id` of its own and the `timestamp` of that attempt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Event {
    /// `evt_` and 32 hex digits; also the `webhook-id`.
    pub id: String,
    /// For instance `customer.active`.
    #[serde(rename = "type")]
    pub type_: String,
    /// When it happened, in the dialect's form.
    pub created_at: Value,
    /// The version of the API that wrote `data`.
    pub api_version: String,
    /// What it is about.
    pub data: Value,
}

impl Event {
    pub(crate) fn new(id: String, type_: &str, created_at: Value, data: Value) -> Self {
        Self {
            id,
            type_: type_.to_owned(),
            created_at,
            api_version: API_VERSION.to_owned(),
            data,
        }
    }

    /// The body of one delivery.
    pub(crate) fn body(&self, delivery_id: &str, timestamp: &Value) -> Vec<u8> {
        json!({
            "id": self.id,
            "type": self.type_,
            "created_at": self.created_at,
            "timestamp": timestamp,
            "api_version": self.api_version,
            "delivery_id": delivery_id,
            "data": self.data,
        })
        .to_string()
        .into_bytes()
    }
}
