//! Identifiers and secrets that follow from the seed, so that a run can be repeated.
//!
//! Each kind has its own counter: the third customer has the same id whatever else was created
//! before it. Nothing here is unpredictable, and nothing here may leave a test.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use sha2::{Digest as _, Sha256};

#[derive(Debug)]
pub(crate) struct Ids {
    seed: u64,
    counters: HashMap<&'static str, u64>,
}

impl Ids {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            seed,
            counters: HashMap::new(),
        }
    }

    /// `prefix` followed by `hex` (at most 64) hexadecimal digits, never the same twice.
    pub(crate) fn next(&mut self, prefix: &'static str, hex: usize) -> String {
        let digest = to_hex(&self.next_digest(prefix));
        format!("{prefix}{}", digest.get(..hex).unwrap_or(&digest))
    }

    /// `whsec_` and 32 bytes in base64, as Standard Webhooks writes a symmetric secret.
    pub(crate) fn next_webhook_secret(&mut self) -> String {
        format!("whsec_{}", STANDARD.encode(self.next_digest("whsec_")))
    }

    /// `dinie_at_` and something with the three parts of a JWT. It states no dates: a token is
    /// opaque to its client, and only the sandbox knows when it ends.
    pub(crate) fn next_token(&mut self, client_id: &str, generation: u64) -> String {
        let payload = serde_json::json!({ "jti": generation, "sub": client_id }).to_string();
        format!(
            "dinie_at_{}.{}.{}",
            URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","typ":"JWT"}"#),
            URL_SAFE_NO_PAD.encode(payload),
            URL_SAFE_NO_PAD.encode(self.next_digest("dinie_at_")),
        )
    }

    fn next_digest(&mut self, kind: &'static str) -> [u8; 32] {
        let n = self.counters.entry(kind).or_default();
        *n += 1;
        let mut hash = Sha256::new();
        hash.update(b"golive-sandbox");
        hash.update(self.seed.to_le_bytes());
        hash.update(n.to_le_bytes());
        hash.update(kind.as_bytes());
        hash.finalize().into()
    }
}

pub(crate) fn sha256_hex(bytes: &[u8]) -> String {
    to_hex(&Sha256::digest(bytes))
}

fn to_hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|nibble| char::from(DIGITS[usize::from(nibble)]))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_ids_whatever_else_is_created_in_between() {
        let (mut one, mut two) = (Ids::new(7), Ids::new(7));
        two.next("loan_", 24);
        assert_eq!(one.next("cus_", 24), two.next("cus_", 24));
        assert_eq!(one.next_webhook_secret(), two.next_webhook_secret());
        assert_ne!(one.next("cus_", 24), Ids::new(8).next("cus_", 24));
    }

    #[test]
    fn a_digest_is_written_in_lower_case_hex() {
        assert_eq!(
            sha256_hex(b""),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
    }
}
