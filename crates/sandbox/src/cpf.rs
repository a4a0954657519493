//! CPF, the Brazilian taxpayer number: eleven digits, of which two are check digits.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// A valid CPF; different for each `n` below 999,999,998, after which they repeat.
pub fn cpf(n: u64) -> String {
    // From 1 on, and never nine equal digits: those are refused although their checksum fits.
    let mut base = n % 999_999_998 + 1;
    if base.is_multiple_of(111_111_111) {
        base = 123_456_789;
    }
    let mut digits: Vec<u8> = format!("{base:09}").bytes().map(|b| b - b'0').collect();
    for _ in 0..2 {
        digits.push(check_digit(&digits));
    }
    digits
        .iter()
        .map(|digit| char::from(b'0' + digit))
        .collect()
}

/// The body of a valid `POST /customers` with this `external_id`. The CPF follows from it, so that
/// different ids are different people.
pub fn customer_fixture(external_id: &str) -> Value {
    let digest = Sha256::digest(external_id.as_bytes());
    let n = digest
        .iter()
        .take(8)
        .fold(0, |n: u64, byte| n << 8 | u64::from(*byte));
    json!({
        "name": "Ana Souza",
        "cpf": cpf(n),
        "email": "ana.souza@example.com",
        "phone": "+5511987654321",
        "external_id": external_id,
    })
}

/// Eleven digits with correct check digits, without punctuation.
pub(crate) fn normalize(text: &str) -> Option<String> {
    let digits: String = text.chars().filter(|c| !matches!(c, '.' | '-')).collect();
    if digits.len() != 11 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let values: Vec<u8> = digits.bytes().map(|b| b - b'0').collect();
    let all_equal = values.iter().all(|value| Some(value) == values.first());
    let checks = values.get(9) == Some(&check_digit(values.get(..9)?))
        && values.get(10) == Some(&check_digit(values.get(..10)?));
    (checks && !all_equal).then_some(digits)
}

/// Weights fall to 2 at the last digit; the remainder of ten times the sum by 11, with 10 as 0.
fn check_digit(digits: &[u8]) -> u8 {
    let sum: u32 = digits
        .iter()
        .rev()
        .zip(2..)
        .map(|(digit, weight)| u32::from(*digit) * weight)
        .sum();
    u8::try_from(sum * 10 % 11 % 10).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn check_digits_are_checked() {
        assert_eq!(normalize("529.982.247-25").as_deref(), Some("52998224725"));
        for wrong in [
            "529.982.247-26",
            "111.111.111-11",
            "5299822472",
            "529982247255",
            "5299822472x",
            "",
        ] {
            assert_eq!(normalize(wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn every_generated_number_is_valid(n: u64) {
            let number = cpf(n);
            prop_assert_eq!(normalize(&number), Some(number));
        }
    }
}
