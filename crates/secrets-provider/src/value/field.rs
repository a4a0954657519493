//! One field of a secret that is a JSON object.

use std::fmt;

use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserializer as _;
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, Visitor};
use zeroize::Zeroizing;

use super::Value;

/// Why a field could not be read. It repeats nothing of the secret, only the name asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FieldError {
    /// The secret is no JSON object.
    #[error("the secret is not a JSON object; store it as {{\"{0}\": \"…\"}}")]
    NotAnObject(String),
    /// The object has no such field.
    #[error("the secret has no field `{0}`; add it where the secret is stored")]
    Missing(String),
    /// The field is something else than a text, or empty.
    #[error("the field `{0}` of the secret is not a text, or an empty one")]
    NotText(String),
}

impl Value {
    /// One text field of a secret that is a JSON object, such as
    /// `{"client_id": "…", "client_secret": "…"}`. Fields of one value belong together.
    ///
    /// Of a name that stands twice, the first counts. A text with escapes passes through a buffer
    /// that is not wiped.
    ///
    /// # Errors
    /// [`FieldError`], which says whether the object, the field or its text is missing.
    pub fn field(&self, name: &str) -> Result<SecretString, FieldError> {
        let mut json = serde_json::Deserializer::from_slice(self.expose_secret());
        // The error of serde_json may quote what it met: only whether it failed is kept.
        let found = (&mut json).deserialize_map(Field(name));
        let found = found.and_then(|found| json.end().map(|()| found));
        match found {
            Ok(Found::Text(text)) if !text.is_empty() => Ok(SecretString::from(text.as_str())),
            Ok(Found::Text(_) | Found::Other) => Err(FieldError::NotText(name.to_owned())),
            Ok(Found::Nothing) => Err(FieldError::Missing(name.to_owned())),
            Err(_) => Err(FieldError::NotAnObject(name.to_owned())),
        }
    }
}

enum Found {
    Nothing,
    Other,
    Text(Zeroizing<String>),
}

struct Field<'a>(&'a str);

impl<'de> Visitor<'de> for Field<'_> {
    type Value = Found;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Found, A::Error> {
        let mut found = Found::Nothing;
        while let Some(is_it) = map.next_key_seed(Named(self.0))? {
            if is_it && matches!(found, Found::Nothing) {
                found = map.next_value_seed(Text)?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }
}

/// Whether a key has this name.
struct Named<'a>(&'a str);

impl<'de> DeserializeSeed<'de> for Named<'_> {
    type Value = bool;

    fn deserialize<D: serde::Deserializer<'de>>(self, from: D) -> Result<bool, D::Error> {
        from.deserialize_str(self)
    }
}

impl Visitor<'_> for Named<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> Result<bool, E> {
        Ok(name == self.0)
    }
}

/// A text, or anything else, which is skipped.
struct Text;

impl<'de> DeserializeSeed<'de> for Text {
    type Value = Found;

    fn deserialize<D: serde::Deserializer<'de>>(self, from: D) -> Result<Found, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Text {
    type Value = Found;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_str<E>(self, text: &str) -> Result<Found, E> {
        Ok(Found::Text(Zeroizing::new(text.to_owned())))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Found, E> {
        Ok(Found::Other)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Found, E> {
        Ok(Found::Other)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Found, E> {
        Ok(Found::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Found, E> {
        Ok(Found::Other)
    }

    fn visit_unit<E>(self) -> Result<Found, E> {
        Ok(Found::Other)
    }

    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut seq: A) -> Result<Found, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Found::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Found, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Found::Other)
    }

    fn visit_bytes<E: serde::de::Error>(self, _: &[u8]) -> Result<Found, E> {
        Err(E::custom("no text"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn field(json: &str, name: &str) -> Result<String, FieldError> {
        let text = Value::new(json).unwrap().field(name)?;
        Ok(text.expose_secret().to_owned())
    }

    #[test]
    fn a_field_is_found_among_others_of_every_kind() {
        let json = r#"{"a":1,"b":[{"id":"x"}],"c":null,"id":"cli","secret":"s\"é\n","id":"2"}"#;
        assert_eq!(field(json, "id").unwrap(), "cli");
        assert_eq!(field(json, "secret").unwrap(), "s\"é\n");
        for other in ["a", "b", "c"] {
            let error = field(json, other).unwrap_err();
            assert_eq!(error, FieldError::NotText(other.into()));
        }
        assert_eq!(
            field(json, "d").unwrap_err(),
            FieldError::Missing("d".into())
        );
    }

    #[test]
    fn an_error_names_the_field_and_repeats_nothing_of_the_secret() {
        for json in [
            "CANARY",
            r#"["CANARY"]"#,
            r#""CANARY""#,
            r#"{"a":"CANARY"} x"#,
        ] {
            let error = field(json, "a").unwrap_err();
            assert_eq!(error, FieldError::NotAnObject("a".into()));
            assert!(!format!("{error} {error:?}").contains("CANARY"));
        }
        assert_eq!(
            field(r#"{"a":""}"#, "a").unwrap_err(),
            FieldError::NotText("a".into())
        );
    }

    proptest! {
        #[test]
        fn what_serde_writes_is_read_back(text in "\\PC{1,40}", name in "[a-z]{1,8}") {
            let json = serde_json::json!({ "0": [1, true], name.clone(): text.clone() });
            prop_assert_eq!(field(&json.to_string(), &name).unwrap(), text);
        }

        #[test]
        fn no_input_panics(bytes in proptest::collection::vec(any::<u8>(), 1..64)) {
            let _ = Value::new(bytes).unwrap().field("a");
        }
    }
}
