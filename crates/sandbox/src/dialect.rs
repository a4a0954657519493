//! Where the provider's documentation and its SDKs disagree.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How the sandbox writes its answers where the provider's two sources disagree.
///
/// All dialects *accept* the same: both base paths, both key headers, all three token request
/// styles, dates as ISO 8601 or epoch, money as strings or numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Dialect {
    /// As the documentation writes: ISO 8601 dates, money as strings, `X-RateLimit-Reset` as an epoch.
    Docs,
    /// As the SDKs read: dates as epoch seconds, money as numbers, `X-RateLimit-Reset` as seconds from now.
    Sdk,
    /// As the request asks: `/api/v3` is answered as the SDKs read, everything else as documented.
    #[default]
    Any,
}

/// How many requests spoke which dialect: information, never a fault.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DialectsSeen {
    /// Requests under `/v3`.
    pub docs: u64,
    /// Requests under `/api/v3`.
    pub sdk: u64,
}

/// The dialect of one answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Docs,
    Sdk,
}

/// An amount in centavos.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Money(pub(crate) i64);

const SDK_BASE: &str = "/api/v3";
const DOCS_BASE: &str = "/v3";

// === impl Dialect ===

impl Dialect {
    pub(crate) fn shape(self, path: &str) -> Shape {
        match self {
            Self::Docs => Shape::Docs,
            Self::Sdk => Shape::Sdk,
            Self::Any => base_of(path).map_or(Shape::Docs, |(shape, _)| shape),
        }
    }
}

/// The base path that `path` is under, and what follows it; `None` outside both.
pub(crate) fn base_of(path: &str) -> Option<(Shape, &str)> {
    let under = |base| {
        path.strip_prefix(base)
            .filter(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    under(SDK_BASE)
        .map(|rest| (Shape::Sdk, rest))
        .or_else(|| under(DOCS_BASE).map(|rest| (Shape::Docs, rest)))
}

// === impl Shape ===

impl Shape {
    pub(crate) fn date(self, unix_secs: i64) -> Value {
        match self {
            Self::Docs => Value::from(iso(unix_secs)),
            Self::Sdk => Value::from(unix_secs),
        }
    }

    pub(crate) fn money(self, Money(cents): Money) -> Value {
        match self {
            Self::Docs => {
                let sign = if cents < 0 { "-" } else { "" };
                Value::from(format!(
                    "{sign}{}.{:02}",
                    cents.unsigned_abs() / 100,
                    cents.unsigned_abs() % 100
                ))
            }
            #[allow(
                clippy::cast_precision_loss,
                reason = "amounts are far below 2^53 centavos"
            )]
            Self::Sdk => Value::from(cents as f64 / 100.0),
        }
    }

    /// `X-RateLimit-Reset`: a Unix time in the documentation, seconds in the SDKs' tests. Rounded
    /// up, so that who waits for it never comes too early.
    pub(crate) fn reset(self, unix: Duration, in_: Duration) -> u64 {
        let ceil = |d: Duration| d.as_secs() + u64::from(d.subsec_nanos() > 0);
        match self {
            Self::Docs => ceil(unix + in_),
            Self::Sdk => ceil(in_),
        }
    }
}

// === impl Money ===

impl Money {
    /// A JSON number or a decimal string with at most two digits after the point.
    pub(crate) fn parse(value: &Value) -> Option<Self> {
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            _ => return None,
        };
        let (whole, cents) = text.split_once('.').unwrap_or((&text, ""));
        if whole.is_empty()
            || cents.len() > 2
            || !(whole.to_owned() + cents)
                .bytes()
                .all(|b| b.is_ascii_digit())
        {
            return None;
        }
        let whole: i64 = whole.parse().ok()?;
        let cents: i64 = format!("{cents:0<2}").parse().ok()?;
        whole.checked_mul(100)?.checked_add(cents).map(Self)
    }
}

/// Seconds since the epoch out of an epoch number or an ISO 8601 timestamp.
pub(crate) fn parse_date(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text
            .parse::<jiff::Timestamp>()
            .ok()
            .map(jiff::Timestamp::as_second),
        _ => None,
    }
}

fn iso(unix_secs: i64) -> String {
    jiff::Timestamp::from_second(unix_secs)
        .unwrap_or(jiff::Timestamp::UNIX_EPOCH)
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_base_path_chooses_the_shape_only_where_the_dialect_leaves_it_open() {
        assert_eq!(Dialect::Any.shape("/api/v3/customers"), Shape::Sdk);
        assert_eq!(Dialect::Any.shape("/v3/customers"), Shape::Docs);
        assert_eq!(Dialect::Docs.shape("/api/v3/customers"), Shape::Docs);
        assert_eq!(base_of("/v30/customers"), None);
    }

    #[test]
    fn money_is_read_from_both_forms_and_written_in_the_asked_one() {
        for value in [json!("1234.5"), json!(1234.5), json!("1234.50")] {
            assert_eq!(Money::parse(&value), Some(Money(123_450)), "{value}");
        }
        for value in [
            json!("1.234"),
            json!("-1"),
            json!(""),
            json!("1e3"),
            json!(null),
            json!("١"),
        ] {
            assert_eq!(Money::parse(&value), None, "{value}");
        }
        assert_eq!(Shape::Docs.money(Money(123_405)), json!("1234.05"));
        assert_eq!(Shape::Sdk.money(Money(123_405)), json!(1234.05));
    }

    #[test]
    fn dates_are_read_from_both_forms() {
        assert_eq!(
            parse_date(&json!("2026-11-23T00:00:00Z")),
            parse_date(&json!(1_795_392_000))
        );
        assert_eq!(
            Shape::Docs.date(1_795_392_000),
            json!("2026-11-23T00:00:00Z")
        );
    }

    #[test]
    fn a_reset_is_never_earlier_than_the_window_ends() {
        assert_eq!(
            Shape::Docs.reset(Duration::from_millis(100_400), Duration::from_millis(700)),
            102
        );
        assert_eq!(
            Shape::Sdk.reset(Duration::from_millis(100_400), Duration::from_millis(700)),
            1
        );
    }
}
