//! What to do with a request: no randomness, no I/O.

use http::{HeaderMap, HeaderName, Method};

use crate::{InvalidKey, key::check};

/// The names under which a key of the caller's is found, besides the configured one. As names and
/// not as text, which would be parsed for each request.
static WELL_KNOWN: [HeaderName; 2] = [
    HeaderName::from_static("idempotency-key"),
    HeaderName::from_static("x-idempotency-key"),
];

/// Which requests get a key, and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Policy {
    pub(crate) methods: Vec<Method>,
    pub(crate) header: HeaderName,
}

/// What to do with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// It needs no key.
    Leave,
    /// It carries one where the server reads it, which stays as it is.
    Keep,
    /// It carries one under this name, which is not where the server reads it: copy it there.
    CopyFrom(&'static HeaderName),
    /// It needs one.
    Mint,
}

/// Decides from what a request says of itself.
///
/// The caller's own key counts whatever the method and under either well-known name: a different key
/// beside it would make the server deduplicate by the wrong one, and one that stands under another
/// name than the configured one would not be read at all.
pub(crate) fn decide(
    policy: &Policy,
    method: &Method,
    headers: &HeaderMap,
) -> Result<Decision, InvalidKey> {
    let own = headers.get_all(&policy.header).into_iter();
    let own = own.map(|key| (key, Decision::Keep));
    let other = WELL_KNOWN.iter().filter(|name| policy.header != **name);
    let other = other.flat_map(|name| {
        let keys = headers.get_all(name).into_iter();
        keys.map(move |key| (key, Decision::CopyFrom(name)))
    });
    // The configured header first: if the key stands there, nothing is to be copied.
    let mut keys = own.chain(other);
    let Some((key, decision)) = keys.next() else {
        let covered = policy.methods.contains(method);
        return Ok(if covered {
            Decision::Mint
        } else {
            Decision::Leave
        });
    };
    check(key.as_bytes())?;
    if keys.any(|(another, _)| another != key) {
        return Err(InvalidKey::Ambiguous);
    }
    Ok(decision)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn decided(method: &Method, pairs: &[(&'static str, &str)]) -> Result<Decision, InvalidKey> {
        decided_for("idempotency-key", method, pairs)
    }

    fn decided_for(
        header: &'static str,
        method: &Method,
        pairs: &[(&'static str, &str)],
    ) -> Result<Decision, InvalidKey> {
        let policy = Policy {
            methods: vec![Method::POST],
            header: HeaderName::from_static(header),
        };
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
            headers.append(HeaderName::from_static(name), value);
        }
        decide(&policy, method, &headers)
    }

    #[test]
    fn only_the_covered_methods_get_a_key() {
        assert_eq!(decided(&Method::POST, &[]), Ok(Decision::Mint));
        for method in [Method::GET, Method::PUT, Method::PATCH, Method::DELETE] {
            assert_eq!(decided(&method, &[]), Ok(Decision::Leave), "{method}");
        }
    }

    #[test]
    fn a_key_of_the_callers_counts_under_each_name_and_with_any_method() {
        for header in ["idempotency-key", "x-idempotency-key", "request-token"] {
            for name in ["idempotency-key", "x-idempotency-key", header] {
                let expected = if name == header {
                    Decision::Keep
                } else {
                    let mut names = WELL_KNOWN.iter();
                    Decision::CopyFrom(names.find(|known| **known == name).unwrap())
                };
                for method in [Method::POST, Method::PATCH] {
                    let decision = decided_for(header, &method, &[(name, "order-17")]);
                    assert_eq!(decision, Ok(expected), "{name} for {header}");
                }
            }
        }
    }

    #[test]
    fn two_keys_must_be_the_same() {
        let keys = [("idempotency-key", "a"), ("x-idempotency-key", "a")];
        assert_eq!(decided(&Method::POST, &keys), Ok(Decision::Keep));
        let keys = [("idempotency-key", "a"), ("x-idempotency-key", "b")];
        assert_eq!(decided(&Method::POST, &keys), Err(InvalidKey::Ambiguous));
        let keys = [("idempotency-key", "a"), ("idempotency-key", "b")];
        assert_eq!(decided(&Method::POST, &keys), Err(InvalidKey::Ambiguous));
    }

    proptest! {
        #[test]
        fn a_key_is_kept_if_and_only_if_it_is_valid(value in "[ -~é\t]{0,300}") {
            let valid = (1..=255).contains(&value.len()) && value.bytes().all(|b| b.is_ascii_graphic());
            let decision = decided(&Method::POST, &[("idempotency-key", &value)]);
            prop_assert_eq!(decision.is_ok(), valid);
            if let Ok(decision) = decision {
                prop_assert_eq!(decision, Decision::Keep);
            }
        }
    }
}
