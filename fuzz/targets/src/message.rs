//! The form of every input: a line of numbers, header lines, an empty line, a body.
//!
//! ```text
//! 429 1700000000
//! retry-after: 3
//!
//! {"title": "Too Many Requests"}
//! ```
//!
//! It is read from any bytes. What is missing is empty, and a line that is none of the headers that
//! the target reads is passed over: how names are read is the matter of another crate, and a search
//! would get lost in it.
//! Values and body may have holes, `{like-this}`, for what no fuzzer guesses: a signature, a secret.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

/// An input, taken apart.
#[derive(Debug)]
pub struct Message<'a> {
    numbers: Vec<Option<i64>>,
    /// Names and values as they stand, in their order.
    pub lines: Vec<(HeaderName, &'a [u8])>,
    /// All that follows the first empty line.
    pub body: &'a [u8],
}

impl<'a> Message<'a> {
    /// Takes any bytes apart. `names` are the headers to read, in lower case.
    #[must_use]
    pub fn read(data: &'a [u8], names: &[&'static str]) -> Self {
        let (first, mut rest) = split_line(data);
        let numbers = first
            .split(|&byte| byte == b' ')
            .map(|word| std::str::from_utf8(word).ok()?.parse().ok())
            .collect();
        let mut lines = Vec::new();
        loop {
            let (line, below) = split_line(rest);
            rest = below;
            if line.is_empty() {
                break;
            }
            let Some(colon) = line.iter().position(|&byte| byte == b':') else {
                continue;
            };
            let (name, value) = (&line[..colon], &line[colon + 1..]);
            let mut known = names.iter().copied();
            if let Some(name) = known.find(|one| one.as_bytes() == name) {
                let value = value.strip_prefix(b" ").unwrap_or(value);
                lines.push((HeaderName::from_static(name), value));
            }
        }
        Self {
            numbers,
            lines,
            body: rest,
        }
    }

    /// The first number as a status, or this one if it is none.
    #[must_use]
    pub fn status_or(&self, default: StatusCode) -> StatusCode {
        let number = self.number(0).and_then(|number| number.try_into().ok());
        number.map_or(default, |number: u16| {
            StatusCode::from_u16(number).unwrap_or(default)
        })
    }

    /// The number at this place as seconds since 1970, before or after; 1970 if it is none.
    #[must_use]
    pub fn time(&self, at: usize) -> SystemTime {
        let seconds = self.number(at).unwrap_or_default();
        let away = Duration::from_secs(seconds.unsigned_abs());
        let time = if seconds < 0 {
            UNIX_EPOCH.checked_sub(away)
        } else {
            UNIX_EPOCH.checked_add(away)
        };
        time.unwrap_or(UNIX_EPOCH)
    }

    /// The header lines that HTTP allows, with their holes filled.
    #[must_use]
    pub fn headers(&self, holes: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in &self.lines {
            if let Ok(value) = HeaderValue::from_bytes(&fill(value, holes))
                && headers.try_append(name, value).is_err()
            {
                break; // A map has room for 32768, and a connection closes long before.
            }
        }
        headers
    }

    /// The one value of this header as it stands, if there is exactly one.
    #[must_use]
    pub fn only(&self, name: &str) -> Option<&'a [u8]> {
        let mut values = self.lines.iter().filter(|(one, _)| one == name);
        match (values.next(), values.next()) {
            (Some((_, value)), None) => Some(value),
            _ => None,
        }
    }

    /// The number at this place, if there is one.
    #[must_use]
    pub fn number(&self, at: usize) -> Option<i64> {
        self.numbers.get(at).copied().flatten()
    }
}

/// Puts the value of each `{name}` in its place.
#[must_use]
pub fn fill(text: &[u8], holes: &[(&str, &str)]) -> Vec<u8> {
    let mut filled = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&first, below)) = rest.split_first() {
        let hole = holes.iter().find_map(|(name, value)| {
            let after = rest.strip_prefix(b"{")?.strip_prefix(name.as_bytes())?;
            Some((value, after.strip_prefix(b"}")?))
        });
        match hole {
            Some((value, after)) => {
                filled.extend_from_slice(value.as_bytes());
                rest = after;
            }
            None => {
                filled.push(first);
                rest = below;
            }
        }
    }
    filled
}

/// Up to the first line feed, and what follows it.
fn split_line(text: &[u8]) -> (&[u8], &[u8]) {
    match text.iter().position(|&byte| byte == b'\n') {
        Some(end) => (&text[..end], &text[end + 1..]),
        None => (text, b""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_taken_apart() {
        let message = Message::read(
            b"429 -5 x\na: 1\nno header\nb: 3\na:{hole}\n\nbody\n\nmore",
            &["a"],
        );
        assert_eq!(
            message.status_or(StatusCode::OK),
            StatusCode::TOO_MANY_REQUESTS
        );
        assert_eq!(message.time(1), UNIX_EPOCH - Duration::from_secs(5));
        assert_eq!(message.time(2), UNIX_EPOCH);
        let headers = message.headers(&[("hole", "two")]);
        let values: Vec<_> = headers.get_all("a").iter().collect();
        assert_eq!(values, ["1", "two"]);
        assert_eq!(headers.len(), 2);
        assert_eq!(message.only("a"), None);
        assert_eq!(message.body, b"body\n\nmore");
    }

    #[test]
    fn any_bytes_are_a_message() {
        for data in [
            &b""[..],
            b"\n",
            b"\n\n",
            b"1",
            b":\n:\n",
            b"\xff \x00\n\xff:\xff",
        ] {
            let message = Message::read(data, &["a"]);
            assert_eq!(message.status_or(StatusCode::OK), StatusCode::OK);
            assert!(message.body.is_empty());
        }
    }

    #[test]
    fn a_hole_without_a_value_stays() {
        let holes = [("a", "1"), ("b", "{a}")];
        assert_eq!(fill(b"{a}{b}{c}{a", &holes), b"1{a}{c}{a");
    }
}
