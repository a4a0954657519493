//! The secret itself.

#[cfg(feature = "json")]
mod field;

use std::fmt;

use secrecy::{ExposeSecret, SecretSlice};
use zeroize::Zeroize;

#[cfg(feature = "json")]
pub use self::field::FieldError;

/// What a secret may measure at most: 64 KiB, which is the limit of AWS Secrets Manager.
pub const MAX_BYTES: usize = 64 * 1024;

/// The bytes of one version of a secret: 1 byte to [`MAX_BYTES`], wiped when dropped.
///
/// `Debug` shows neither the bytes nor their number. To read them is to say so:
///
/// ```
/// use golive_secrets_provider::Value;
/// use secrecy::ExposeSecret as _;
///
/// let value = Value::new("s3cr3t")?;
/// assert_eq!(value.expose_secret(), b"s3cr3t");
/// assert_eq!(value.expose_text()?, "s3cr3t");
/// assert_eq!(format!("{value:?}"), "Value([redacted])");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Value(SecretSlice<u8>);

/// Why bytes are no secret. It never repeats any of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ValueError {
    /// There are none: what an unset variable, a new file or a failed rotation looks like.
    #[error("the secret is empty; store its value where it is read from")]
    Empty,
    /// There are more than [`MAX_BYTES`].
    #[error("the secret has more than {MAX_BYTES} bytes: this is probably not the secret")]
    TooLarge,
}

/// The secret is not UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the secret is not text (UTF-8); read its bytes, or store it as text")]
#[non_exhaustive]
pub struct NotText;

// === impl Value ===

impl Value {
    /// Takes the bytes, and wipes the buffer that they came in.
    ///
    /// # Errors
    /// [`ValueError::Empty`] and [`ValueError::TooLarge`].
    pub fn new(bytes: impl Into<Vec<u8>>) -> Result<Self, ValueError> {
        let mut bytes = bytes.into();
        // A copy of the exact size: shrinking in place may move it, and leave the old one behind.
        let kept = match bytes.len() {
            0 => Err(ValueError::Empty),
            1..=MAX_BYTES => Ok(Self(SecretSlice::from(Box::<[u8]>::from(&*bytes)))),
            _ => Err(ValueError::TooLarge),
        };
        bytes.zeroize();
        kept
    }

    /// The secret as text. Keep the reference short-lived, and print it nowhere.
    ///
    /// # Errors
    /// [`NotText`] if it is not UTF-8.
    pub fn expose_text(&self) -> Result<&str, NotText> {
        // The cause would say how many of the bytes are text.
        str::from_utf8(self.0.expose_secret()).map_err(|_| NotText)
    }

    /// Whether both are the same secret. Not in constant time: for what we hold ourselves, not for
    /// what a stranger sends.
    pub(crate) fn same_as(&self, other: &Self) -> bool {
        self.0.expose_secret() == other.0.expose_secret()
    }
}

impl ExposeSecret<[u8]> for Value {
    fn expose_secret(&self) -> &[u8] {
        self.0.expose_secret()
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Value([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_and_too_much_are_no_secret() {
        assert_eq!(Value::new("").unwrap_err(), ValueError::Empty);
        assert!(Value::new(vec![1; MAX_BYTES]).is_ok());
        let over = Value::new(vec![1; MAX_BYTES + 1]);
        assert_eq!(over.unwrap_err(), ValueError::TooLarge);
    }

    #[test]
    fn bytes_that_are_not_text_are_still_a_secret() {
        let value = Value::new([0xff, 0xfe]).unwrap();
        assert_eq!(value.expose_text().unwrap_err(), NotText);
        assert_eq!(value.expose_secret(), [0xff, 0xfe]);
    }

    #[test]
    fn the_bytes_are_wiped_on_drop() {
        fn wiped<T: zeroize::ZeroizeOnDrop>(_: &T) {}
        wiped(&Value::new("x").unwrap().0);
    }
}
