//! Numbers and spans as servers write them: `30`, `1.5`, `412ms`, `1h2m3.5s`.

use std::time::Duration;

use super::LONGEST;

/// What a bare number in a header counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Unit {
    /// Seconds, as `Retry-After` does.
    #[default]
    Seconds,
    /// Milliseconds, as `retry-after-ms` does.
    Millis,
}

/// A number without a sign: its whole part, and the rest in billionths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Decimal {
    /// `u64::MAX` if it is longer than that.
    pub(super) whole: u64,
    billionths: u32,
}

/// Digits, with a fraction as some servers send; no sign, no exponent, no `inf`.
pub(super) fn decimal(text: &str) -> Option<Decimal> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.len() + fraction.len() == 0 || !digits(whole) || !digits(fraction) {
        return None;
    }
    let value = |digit: u8| u32::from(digit.wrapping_sub(b'0'));
    let mut billionths = 0;
    let mut place = 100_000_000;
    for digit in fraction.bytes().take(9) {
        billionths += value(digit) * place;
        place /= 10;
    }
    let whole = whole.bytes().fold(0_u64, |sum, digit| {
        sum.saturating_mul(10)
            .saturating_add(u64::from(value(digit)))
    });
    Some(Decimal { whole, billionths })
}

/// A count of requests. Reddit sends `598.0`; what is longer than a `u64` says nothing.
pub(super) fn count(text: &str) -> Option<u64> {
    let number = decimal(text)?;
    Some(number.whole).filter(|whole| *whole < u64::MAX || text.parse() == Ok(u64::MAX))
}

/// A span with a unit after each number, as Go prints one: `6m0s`, `412ms`, `1h2m3.5s`.
pub(super) fn span(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut sum = Duration::ZERO;
    while !rest.is_empty() {
        let number = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (digits, after) = rest.split_at(number);
        let unit = after
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(after.len());
        let (unit, after) = after.split_at(unit);
        let number = decimal(digits)?;
        sum = sum.saturating_add(match unit {
            "d" => number.times(86_400),
            "h" => number.times(3600),
            "m" => number.times(60),
            "s" => number.times(1),
            "ms" => number.parts(1000),
            "us" => number.parts(1_000_000),
            "ns" => number.parts(1_000_000_000),
            _ => return None,
        });
        rest = after;
    }
    Some(sum.min(LONGEST)).filter(|_| !text.is_empty())
}

impl Decimal {
    /// As a span of time; never above [`LONGEST`].
    pub(super) fn of(self, unit: Unit) -> Duration {
        match unit {
            Unit::Seconds => self.times(1),
            Unit::Millis => self.parts(1000),
        }
    }

    /// So many times as many seconds.
    fn times(self, factor: u32) -> Duration {
        let seconds = Duration::new(self.whole.min(LONGEST.as_secs()), self.billionths);
        seconds.saturating_mul(factor).min(LONGEST)
    }

    /// Of what so many make a second.
    fn parts(self, in_a_second: u32) -> Duration {
        let in_a_second = u64::from(in_a_second);
        let seconds = (self.whole / in_a_second).min(LONGEST.as_secs());
        let nanos = (self.whole % in_a_second) * (1_000_000_000 / in_a_second)
            + u64::from(self.billionths) / in_a_second;
        (Duration::from_secs(seconds) + Duration::from_nanos(nanos)).min(LONGEST)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    #[test]
    fn spans_are_read_as_go_and_openai_write_them() {
        for (text, expected) in [
            ("1s", MS(1000)),
            ("0s", MS(0)),
            ("6m0s", MS(360_000)),
            ("412ms", MS(412)),
            ("1h2m3.5s", MS(3_723_500)),
            ("7.66s", MS(7660)),
            ("2m59.56s", MS(179_560)),
            ("1d", MS(86_400_000)),
            ("1500us", Duration::from_micros(1500)),
            ("17ns", Duration::from_nanos(17)),
        ] {
            assert_eq!(span(text), Some(expected), "{text}");
        }
        for nonsense in [
            "", "s", "1", "1x", "1s2", "-1s", "1.2.3s", "1 s", "1s ", ".s", "1sm",
        ] {
            assert_eq!(span(nonsense), None, "{nonsense}");
        }
        assert_eq!(span("99999999999999999999999999d"), Some(LONGEST));
    }

    #[test]
    fn a_number_is_digits_with_a_fraction_and_nothing_else() {
        let read = |text: &str| decimal(text).map(|number| number.of(Unit::Seconds));
        assert_eq!(read("1.5"), Some(MS(1500)));
        assert_eq!(read(".5"), Some(MS(500)));
        assert_eq!(read("5."), Some(MS(5000)));
        assert_eq!(
            read("0.1234567891"),
            Some(Duration::from_nanos(123_456_789))
        );
        assert_eq!(read(&"9".repeat(400)), Some(LONGEST));
        for nonsense in [
            "", ".", "-1", "+1", "1e9", "inf", "NaN", "0x1", "1.2.3", "１",
        ] {
            assert_eq!(read(nonsense), None, "{nonsense}");
        }
        let millis = |text: &str| decimal(text).map(|number| number.of(Unit::Millis));
        assert_eq!(millis("1500.5"), Some(Duration::from_micros(1_500_500)));
        assert_eq!(millis(&"9".repeat(400)), Some(LONGEST));
    }

    #[test]
    fn a_count_has_no_sign_and_may_have_a_fraction() {
        assert_eq!(count("598.0"), Some(598));
        assert_eq!(count("18446744073709551615"), Some(u64::MAX));
        for nothing in ["18446744073709551616", "-1", "", "12a", "unlimited"] {
            assert_eq!(count(nothing), None, "{nothing}");
        }
    }

    proptest! {
        #[test]
        fn what_a_formatter_writes_is_read_back(hours in 0u64..2000, minutes in 0u64..60, millis in 0u64..60_000) {
            let expected = MS(hours * 3_600_000 + minutes * 60_000 + millis);
            let (seconds, rest) = (millis / 1000, millis % 1000);
            let text = format!("{hours}h{minutes}m{seconds}.{rest:03}s");
            prop_assert_eq!(span(&text), Some(expected));
            let text = format!("{}ms", expected.as_millis());
            prop_assert_eq!(span(&text), Some(expected));
            let text = format!("{}.{:03}", expected.as_secs(), expected.subsec_millis());
            prop_assert_eq!(decimal(&text).map(|d| d.of(Unit::Seconds)), Some(expected));
            let text = expected.as_millis().to_string();
            prop_assert_eq!(decimal(&text).map(|d| d.of(Unit::Millis)), Some(expected));
        }

        #[test]
        fn nothing_is_longer_than_the_longest(text in "[0-9.hmsdun]{0,40}") {
            prop_assert!(span(&text).is_none_or(|read| read <= LONGEST));
            for unit in [Unit::Seconds, Unit::Millis] {
                prop_assert!(decimal(&text).is_none_or(|read| read.of(unit) <= LONGEST));
            }
        }
    }
}
