//! What makes a delivery the same event again.

use golive_webhook_inbox::Fingerprint;
use serde_json::Value;

/// The fingerprint of a body without the members that differ from attempt to attempt.
///
/// It is taken of what the JSON says, not of how it is written: a sender that builds the body anew
/// for each attempt may write it in another way. What is no JSON object counts as it is.
pub(super) fn of(body: &[u8], varying: &[Box<str>]) -> Fingerprint {
    match serde_json::from_slice(body) {
        Ok(Value::Object(mut event)) => {
            event.retain(|name, _| !varying.iter().any(|one| **one == **name));
            let mut event = Value::Object(event);
            // They are in this order already, unless another crate has turned on serde_json's
            // `preserve_order`: then what is kept would depend on who else is in the build.
            event.sort_all_objects();
            Fingerprint::of(event.to_string().as_bytes())
        }
        _ => Fingerprint::of(body),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_of_one_event_are_alike_and_other_events_are_not() {
        let varying = ["delivery_id".into(), "timestamp".into()];
        let of = |body: &str| of(body.as_bytes(), &varying);
        let first = of(r#"{"id":"e1","data":{"a":1,"b":2},"delivery_id":"d1","timestamp":1}"#);
        let again = r#"{ "timestamp":2,"delivery_id":"d2","data":{"b":2,"a":1},"id":"e1" }"#;
        assert_eq!(first, of(again));
        for other in [
            r#"{"id":"e2","data":{"a":1,"b":2}}"#,
            r#"{"id":"e1","data":{"a":1,"b":3}}"#,
            // What varies does so at the top alone.
            r#"{"id":"e1","data":{"a":1,"b":2,"delivery_id":"d1"}}"#,
            "not JSON",
            "[]",
        ] {
            assert_ne!(first, of(other), "{other}");
        }
        assert_ne!(of("one"), of("two"));
    }
}
