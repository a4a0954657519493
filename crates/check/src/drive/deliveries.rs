//! From the forgeries of a case to the sandbox's deliveries.

use std::time::Duration;

use golive::webhook_verify::{Key, KeyError, Signer};
use golive_sandbox::{Delivery, Event};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;

use crate::case::Forgery;

/// A key that no subject was ever given.
const OTHER_KEY: &str = "whsec_Z29saXZlLWEta2V5LXRoYXQtd2FzLW5ldmVyLWdpdmVu";
/// 64 bytes of base64, the size of an Ed25519 signature, which `v1a` stands for.
const ASYMMETRIC: &str =
    "hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg==";

/// One delivery of the event, forged as the case wants.
///
/// # Errors
/// If the endpoint's secret cannot sign.
pub(super) fn delivery(
    event: &Event,
    forgery: Forgery,
    secret: &SecretString,
    now: Duration,
) -> Result<Delivery, KeyError> {
    let honest = Delivery::of(event.clone());
    let other = SecretString::from(OTHER_KEY);
    Ok(match forgery {
        Forgery::None => honest,
        Forgery::NoSignature => honest.unsigned(),
        Forgery::WrongKey => honest.signed_with([other]),
        Forgery::Body => honest.tampered_body(),
        Forgery::Id => honest.tampered_id(),
        Forgery::Timestamp => honest.tampered_timestamp(),
        Forgery::Shifted(seconds) => honest.timestamp_offset(seconds),
        Forgery::GoodThenOther => honest.signed_with([secret.clone(), other]),
        Forgery::OtherThenGood => honest.signed_with([other, secret.clone()]),
        Forgery::UnknownVersionsAndGood => {
            let (body, signature) = signed(event, secret, now)?;
            at(honest, now)
                .raw_body(body)
                .unsigned()
                .extra_signature(format!("v1a,{ASYMMETRIC}"))
                .extra_signature(signature)
                .extra_signature(format!("v2,{ASYMMETRIC}"))
        }
        Forgery::UnknownVersionsOnly => {
            // The right bytes under the wrong versions: who does not look at
            // the version takes them.
            let (body, signature) = signed(event, secret, now)?;
            let bytes = signature.strip_prefix("v1,").unwrap_or(&signature);
            at(honest, now)
                .raw_body(body)
                .unsigned()
                .extra_signature(format!("v1a,{bytes}"))
                .extra_signature(format!("v2,{bytes}"))
        }
    })
}

/// Sends the timestamp that was signed, even if the second turns meanwhile.
fn at(delivery: Delivery, now: Duration) -> Delivery {
    delivery.header("webhook-timestamp", now.as_secs().to_string())
}

/// The envelope as the sandbox writes it, and its signature of this second.
fn signed(
    event: &Event,
    secret: &SecretString,
    now: Duration,
) -> Result<(Vec<u8>, String), KeyError> {
    let envelope = json!({
        "id": event.id,
        "type": event.type_,
        "created_at": event.created_at,
        "timestamp": event.created_at,
        "api_version": event.api_version,
        "delivery_id": event.id.replacen("evt_", "dlv_", 1),
        "data": event.data,
    });
    let body = envelope.to_string().into_bytes();
    let key = Key::from_whsec(secret.expose_secret())?;
    let signature = Signer::new(key).sign(&event.id, now.as_secs(), &body);
    Ok((body, signature))
}
