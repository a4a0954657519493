//! Whether a credential says that it is a real one.

use std::fmt;

/// What a credential, or an environment, is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// Trying things out: no money moves.
    Sandbox,
    /// The real thing.
    Production,
}

/// How many words of a credential may come before the one that names its stage.
const WORDS: usize = 3;

impl Stage {
    /// The stage that a credential names in its prefix, by the custom of providers:
    /// `dinie_cs_live_…`, `sk_test_…`. `None` if it names none.
    pub(crate) fn of(credential: &str) -> Option<Self> {
        // The last word is the random part, which may spell anything.
        let (prefix, _) = credential.rsplit_once('_')?;
        let words = prefix.split('_').take(WORDS);
        let lower = |word: &&str| word.bytes().all(|b| b.is_ascii_lowercase());
        words.take_while(lower).find_map(|word| match word {
            "live" | "prod" => Some(Self::Production),
            "test" | "sandbox" => Some(Self::Sandbox),
            _ => None,
        })
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sandbox => "sandbox",
            Self::Production => "production",
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_prefix_names_the_stage() {
        for (credential, stage) in [
            ("dinie_cs_live_8f3a", Some(Stage::Production)),
            ("dinie_ci_test_8f3a", Some(Stage::Sandbox)),
            ("sk_live_8f3a", Some(Stage::Production)),
            ("sk_test_8f3a_9", Some(Stage::Sandbox)),
            ("dinie_ci_8f3a", None),
            ("livewire", None),
            ("test", None),
            ("", None),
        ] {
            assert_eq!(Stage::of(credential), stage, "{credential}");
        }
    }

    proptest! {
        #[test]
        fn the_random_part_names_nothing(random in "[A-Za-z0-9]{0,40}", word in "live|test|prod") {
            prop_assert_eq!(Stage::of(&random), None);
            let ends_so = format!("dinie_cs_{random}_{word}");
            prop_assert_eq!(Stage::of(&format!("Dinie_{word}_{random}")), None);
            if !random.is_empty() && random.bytes().any(|b| !b.is_ascii_lowercase()) {
                prop_assert_eq!(Stage::of(&ends_so), None);
            }
        }
    }
}
