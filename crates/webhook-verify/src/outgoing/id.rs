//! The id of a delivery: which one a request carries, and where a new one comes from.

use std::fmt::Write as _;
use std::sync::Arc;

use golive_core::BoxError;
use http::HeaderMap;

use super::SignError;
use crate::{Scheme, headers::well_formed_id};

/// Where new ids come from.
pub(super) type Mint = Arc<dyn Fn() -> Result<String, BoxError> + Send + Sync>;

/// The id that is there, if it is one; of the header that the scheme has for it.
pub(super) fn given<'a>(
    headers: &'a HeaderMap,
    name: &'static str,
    scheme: &Scheme,
) -> Result<Option<&'a str>, SignError> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(_), Some(_)) => Err(SignError::RepeatedId(name)),
        (Some(id), None) => check(id.as_bytes(), scheme).map(Some),
    }
}

/// By the receiver's rule, so that nothing is sent that would be refused.
pub(super) fn check<'a>(id: &'a [u8], scheme: &Scheme) -> Result<&'a str, SignError> {
    well_formed_id(id, scheme.after_id).map_err(|_| SignError::MalformedId)?;
    std::str::from_utf8(id).map_err(|_| SignError::MalformedId)
}

/// `msg_` and 128 random bits in hexadecimal.
pub(super) fn random() -> Result<String, getrandom::Error> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)?;
    let mut id = String::with_capacity(4 + 2 * bytes.len());
    id.push_str("msg_");
    for byte in bytes {
        // Writing to a string cannot fail.
        let _ = write!(id, "{byte:02x}");
    }
    Ok(id)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;
    use crate::{Key, Part, Reject, Signer, Verifier};

    const NOW: u64 = 1_800_000_000;

    #[test]
    fn a_random_id_is_well_formed_and_new() {
        let id = random().unwrap();
        assert_eq!(id.len(), 36);
        assert!(id.starts_with("msg_"));
        assert!(check(id.as_bytes(), &Scheme::default()).is_ok());
        assert_ne!(id, random().unwrap());
    }

    #[test]
    fn what_is_signed_here_is_what_a_receiver_takes() {
        let long = "x".repeat(257);
        let ids = [
            "",
            "a",
            "!~",
            "a.b",
            "a:b",
            "a b",
            "\u{e9}",
            &long[..256],
            &long,
        ];
        let with_colon = Scheme::builder("x-signature")
            .id_header("x-id")
            .signed([Part::Id, Part::Text(":".into())])
            .build()
            .unwrap();
        for scheme in [Scheme::default(), Scheme::svix(), with_colon] {
            let name = scheme.id.unwrap();
            let key = Key::from_bytes(&[1; 32]).unwrap();
            let verifier = Verifier::builder().key(key.clone()).scheme(scheme.clone());
            let verifier = verifier.build().unwrap();
            let signer = Signer::new(key).with_scheme(scheme.clone());
            let mut taken = 0;
            for id in ids {
                let mut headers = HeaderMap::new();
                for (name, value) in signer.headers(id, NOW, b"") {
                    let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
                    headers.insert(name, value);
                }
                let verdict = verifier.verify(&headers, b"", NOW);
                match given(&headers, name, &scheme) {
                    Ok(given) => {
                        assert_eq!(given, Some(id));
                        assert_eq!(verdict.unwrap().id(), Some(id));
                        taken += 1;
                    }
                    Err(error) => {
                        assert!(matches!(error, SignError::MalformedId));
                        assert_eq!(verdict.unwrap_err(), Reject::MalformedId, "{id:?}");
                    }
                }
            }
            assert_eq!(taken, 4, "{name}");
        }
    }
}
