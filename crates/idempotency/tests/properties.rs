//! What keys are, whatever they are made of.

use golive_idempotency::{InvalidKey, Key};
use http::HeaderValue;
use proptest::prelude::*;

proptest! {
    #[test]
    fn a_key_is_what_it_was_made_of_or_nothing(text in "\\PC{0,300}|[!-~]{1,255}") {
        let valid = (1..=255).contains(&text.len()) && text.bytes().all(|b| (b'!'..=b'~').contains(&b));
        match Key::new(&text) {
            Ok(key) => {
                prop_assert!(valid);
                prop_assert_eq!(key.as_str(), &text);
                let value = HeaderValue::from(key);
                prop_assert_eq!(value.as_bytes(), text.as_bytes());
            }
            Err(InvalidKey::NotVisible { at }) => {
                prop_assert!(!valid && !text.as_bytes()[at].is_ascii_graphic());
            }
            Err(_) => prop_assert!(!valid),
        }
    }

    #[test]
    fn a_derived_key_names_its_parent_and_its_step(
        parent: Vec<u8>, step: Vec<u8>, other_parent: Vec<u8>, other_step: Vec<u8>,
    ) {
        let key = Key::derive(&parent, &step);
        prop_assert_eq!(&key, &Key::new(key.as_str()).unwrap());
        prop_assert_eq!(&key, &Key::derive(&parent, &step));
        let same = parent == other_parent && step == other_step;
        prop_assert_eq!(key == Key::derive(&other_parent, &other_step), same);
    }

    #[test]
    fn moving_bytes_from_parent_to_step_gives_another_key(text in prop::collection::vec(any::<u8>(), 1..40), at: prop::sample::Index) {
        let at = at.index(text.len());
        let (parent, step) = text.split_at(at);
        prop_assert_ne!(Key::derive(parent, step), Key::derive(&text, ""));
    }
}
