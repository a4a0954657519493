use std::fmt;

use zeroize::Zeroizing;

use super::{Fetching, Source, SourceError, SourceErrorKind, id_of};
use crate::{Value, Version, Versions};

type Lookup = dyn Fn(&str) -> Option<String> + Send + Sync;

/// Environment variables: **for development alone**.
///
/// Every process of the same user and every child can read them, crash reports collect them, and
/// they never change while the program runs. [`is_for_development`](Source::is_for_development) says
/// so, for a program to refuse it in production.
///
/// The name of a secret is that of its variable, and the one before, if there is one, has the suffix
/// `_PREVIOUS`. There are no creation dates, so no rotation is ever due.
///
/// ```
/// use golive_secrets_provider::source::{EnvSource, Source};
///
/// let source = EnvSource::for_development(|name| (name == "API_SECRET").then(|| "s3cr3t".into()));
/// assert!(source.is_for_development());
/// ```
pub struct EnvSource(Box<Lookup>);

// === impl EnvSource ===

impl EnvSource {
    /// Takes the environment as a function, such as `|name| std::env::var(name).ok()` or the look-up
    /// in a map.
    pub fn for_development(
        lookup: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        Self(Box::new(lookup))
    }

    /// Takes the environment of this process.
    #[must_use]
    #[allow(
        clippy::disallowed_methods,
        reason = "the one source whose job is to read the environment, and it is asked for by name"
    )]
    pub fn of_this_process_for_development() -> Self {
        Self::for_development(|name| {
            // NOTE: these two make `std::env::var` panic on some platforms.
            let sound = !name.contains(['=', '\0']);
            sound.then(|| std::env::var(name).ok()).flatten()
        })
    }

    fn read(&self, name: &str) -> Result<Versions, SourceError> {
        let missing = || {
            let kind = SourceErrorKind::NotFound;
            SourceError::new(kind, "there is no such environment variable")
        };
        let current = self.version(name)?.ok_or_else(missing)?;
        let previous = self.version(&format!("{name}_PREVIOUS"))?;
        Ok(Versions::new(current).with_previous(previous))
    }

    fn version(&self, name: &str) -> Result<Option<Version>, SourceError> {
        let Some(value) = (self.0)(name).map(Zeroizing::new) else {
            return Ok(None);
        };
        let id = id_of(value.as_bytes());
        Ok(Some(Version::new(id, Value::new(value.as_bytes())?)))
    }
}

impl Source for EnvSource {
    fn fetch<'a>(&'a self, name: &'a str) -> Fetching<'a> {
        Box::pin(async move { self.read(name) })
    }

    fn is_for_development(&self) -> bool {
        true
    }
}

impl fmt::Debug for EnvSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EnvSource(for development)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(vars: &'static [(&str, &str)]) -> EnvSource {
        EnvSource::for_development(move |name| {
            let found = vars.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn a_variable_and_the_one_before_are_a_pair() {
        let vars = &[("A", "new"), ("A_PREVIOUS", "old"), ("B", "")];
        let source = source(vars);
        let read = source.read("A").unwrap();
        assert_eq!(read.current().value().expose_text(), Ok("new"));
        assert_eq!(read.previous().unwrap().value().expose_text(), Ok("old"));
        assert_eq!(
            source.read("B").unwrap_err().kind(),
            SourceErrorKind::Invalid
        );
        assert_eq!(
            source.read("C").unwrap_err().kind(),
            SourceErrorKind::NotFound
        );
    }

    #[test]
    fn an_id_tells_values_apart_and_nothing_about_them() {
        assert_eq!(id_of(b"a"), id_of(b"a"));
        assert_ne!(id_of(b"a"), id_of(b"b"));
        assert!(!id_of(b"CANARY").contains("CANARY"));
    }

    #[test]
    fn a_name_that_is_no_variable_is_not_found_and_does_not_panic() {
        let source = EnvSource::of_this_process_for_development();
        for name in ["A=B", "A\0", "=", "GOLIVE_NO_SUCH_VARIABLE"] {
            assert_eq!(
                source.read(name).unwrap_err().kind(),
                SourceErrorKind::NotFound
            );
        }
        assert!(source.read("PATH").is_ok());
    }
}
