//! Whether the server says yes or no to another attempt.

use http::{HeaderMap, HeaderName};

/// What the server says of another attempt, in as many words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Verdict {
    /// Do not try again. To be obeyed always.
    Never,
    /// Try again. To be obeyed where a replay is safe, and nowhere else: the server cannot know
    /// what an attempt whose answer was lost has done.
    Again,
}

/// A header, a value of it, and what that means.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Rule {
    pub(super) name: HeaderName,
    pub(super) value: Box<str>,
    pub(super) verdict: Verdict,
}

/// What these rules find; of several verdicts `Never` counts.
pub(super) fn read(rules: &[Rule], headers: &HeaderMap) -> Option<Verdict> {
    let mut found = None;
    for rule in rules {
        let mut values = headers.get_all(&rule.name).iter();
        let said = values.any(|value| {
            let value = value.as_bytes().trim_ascii();
            value.eq_ignore_ascii_case(rule.value.as_bytes())
        });
        if said && found != Some(Verdict::Never) {
            found = Some(rule.verdict);
        }
    }
    found
}

/// The wait that a server pushes back with, or `Never`.
pub(super) fn pushback(name: &HeaderName, headers: &HeaderMap) -> Option<Result<u32, Verdict>> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?;
    //= gRPC A6, Pushback: The value is to be an ASCII encoded signed 32-bit integer with no
    //= unnecessary leading zeros that represents how many milliseconds to wait before sending a
    //= retry. If the value for pushback is negative or unparseble, then it will be seen as the
    //= server asking the client not to retry at all.
    let text = first.to_str().unwrap_or_default();
    let plain = text == "0" || text.starts_with(|c: char| c.is_ascii_digit() && c != '0');
    let millis = text
        .parse::<i32>()
        .ok()
        .and_then(|ms| u32::try_from(ms).ok());
    // More than one value is none that can be read.
    let single = values.next().is_none();
    Some(millis.filter(|_| plain && single).ok_or(Verdict::Never))
}
