//! Dates: the three forms of HTTP, and RFC 3339.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::{HeaderMap, header};

use super::LONGEST;

/// Time until `when` by the clock of the server that named it, which is in its `Date`; by `now` if
/// it sent none. Never above [`LONGEST`], and zero if that has passed.
pub(super) fn until(when: SystemTime, headers: &HeaderMap, now: SystemTime) -> Duration {
    //= RFC 9110 §6.6.1: The "Date" header field represents the date and time at which the message
    //= was originated
    let servers_now = headers
        .get(header::DATE)
        .and_then(|date| httpdate::parse_http_date(date.to_str().ok()?).ok())
        .unwrap_or(now);
    when.duration_since(servers_now)
        .map_or(Duration::ZERO, |wait| wait.min(LONGEST))
}

/// A date in any form that servers use.
pub(super) fn date(text: &str) -> Option<SystemTime> {
    rfc3339(text).or_else(|| {
        //= RFC 9110 §5.6.7: A recipient that parses a timestamp value in an HTTP field MUST accept
        //= all three HTTP-date formats.
        httpdate::parse_http_date(text).ok()
    })
}

/// `2023-11-14T22:13:20Z`, with a fraction, with an offset, and without seconds, which Jira leaves
/// out.
fn rfc3339(text: &str) -> Option<SystemTime> {
    //= RFC 3339 §5.6: date-time = full-date "T" full-time
    let mut text = Text(text.as_bytes());
    let year = text.digits(4)?;
    text.one_of(b"-")?;
    let month = text.digits(2)?;
    text.one_of(b"-")?;
    let day = text.digits(2)?;
    //= RFC 3339 §5.6: […] "T" and "Z" […] may alternatively be lower case "t" or "z" […]
    //= Applications using this syntax may choose […] a space character
    text.one_of(b"Tt ")?;
    let hour = text.digits(2)?;
    text.one_of(b":")?;
    let minute = text.digits(2)?;
    let mut second = 0;
    let mut nanos = 0;
    if text.one_of(b":").is_some() {
        second = text.digits(2)?;
        if text.one_of(b".").is_some() {
            nanos = text.fraction()?;
        }
    }
    let east = text.offset()?;
    // A leap second is the first one of the minute that follows.
    let fits = (1..=12).contains(&month)
        && (1..=days_in(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second <= 60;
    if !fits || !text.0.is_empty() {
        return None;
    }
    let seconds = days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - east;
    let whole = Duration::from_secs(seconds.unsigned_abs());
    let time = if seconds < 0 {
        UNIX_EPOCH.checked_sub(whole)
    } else {
        UNIX_EPOCH.checked_add(whole)
    };
    time?.checked_add(Duration::from_nanos(nanos))
}

/// Days from 1970-01-01 to this one, in the calendar of RFC 3339.
fn days(year: i64, month: i64, day: i64) -> i64 {
    // Years that begin in March have their leap day at the end.
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let leaps = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    year * 365 + leaps + (153 * month + 2) / 5 + day - 1 - 719_468
}

fn days_in(year: i64, month: i64) -> i64 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// What is left to read.
struct Text<'a>(&'a [u8]);

impl Text<'_> {
    fn digits(&mut self, how_many: usize) -> Option<i64> {
        let (digits, rest) = self.0.split_at_checked(how_many)?;
        self.0 = rest;
        digits.iter().try_fold(0, |sum, digit| {
            let value = digit
                .is_ascii_digit()
                .then(|| i64::from(digit.wrapping_sub(b'0')))?;
            Some(sum * 10 + value)
        })
    }

    fn one_of(&mut self, bytes: &[u8]) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        bytes.contains(first).then(|| {
            self.0 = rest;
            *first
        })
    }

    /// In billionths; what is finer is passed over.
    fn fraction(&mut self) -> Option<u64> {
        let mut nanos = 0;
        let mut place = 100_000_000;
        let mut any = false;
        while let Some(digit) = self.one_of(b"0123456789") {
            nanos += u64::from(digit.wrapping_sub(b'0')) * place;
            place /= 10;
            any = true;
        }
        any.then_some(nanos)
    }

    /// Seconds that the clock there is ahead of UTC.
    fn offset(&mut self) -> Option<i64> {
        //= RFC 3339 §5.6: time-offset = "Z" / time-numoffset
        let sign = match self.one_of(b"Zz+-")? {
            b'+' => 1,
            b'-' => -1,
            _ => return Some(0),
        };
        let hours = self.digits(2)?;
        self.one_of(b":")?;
        let minutes = self.digits(2)?;
        (hours < 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn unix(seconds: u64) -> Option<SystemTime> {
        Some(UNIX_EPOCH + Duration::from_secs(seconds))
    }

    #[test]
    fn rfc_3339_is_read_with_offsets_fractions_and_without_seconds() {
        for same in [
            "2023-11-14T22:13:20Z",
            "2023-11-14t22:13:20z",
            "2023-11-14 22:13:20Z",
            "2023-11-14T22:13:20.000Z",
            "2023-11-14T22:13:20+00:00",
            "2023-11-14T22:13:20-00:00",
            "2023-11-15T00:13:20+02:00",
            "2023-11-14T16:43:20-05:30",
            "Tue, 14 Nov 2023 22:13:20 GMT",
        ] {
            assert_eq!(date(same), unix(1_700_000_000), "{same}");
        }
        assert_eq!(date("2023-11-14T22:13Z"), unix(1_699_999_980), "Jira");
        assert_eq!(date("1970-01-01T00:00:00Z"), unix(0));
        assert_eq!(date("2000-02-29T00:00:00Z"), unix(951_782_400));
        assert_eq!(date("2016-12-31T23:59:60Z"), unix(1_483_228_800), "leap");
        let fine = UNIX_EPOCH + Duration::new(1_700_000_000, 123_456_789);
        assert_eq!(date("2023-11-14T22:13:20.1234567891Z"), Some(fine));
        assert!(date("0000-01-01T00:00:00Z").is_some_and(|time| time < UNIX_EPOCH));
    }

    #[test]
    fn what_is_no_date_says_nothing() {
        for nonsense in [
            "",
            "2023-11-14",
            "2023-11-14T22:13:20",
            "2023-11-14T22:13:20.Z",
            "2023-11-14T22:13:20ZZ",
            "2023-11-14T22:13:61Z",
            "2023-11-14T24:00:00Z",
            "2023-11-14T22:60:00Z",
            "2023-13-14T22:13:20Z",
            "2023-00-14T22:13:20Z",
            "2023-02-29T22:13:20Z",
            "1900-02-29T00:00:00Z",
            "2023-11-00T22:13:20Z",
            "2023-11-14T22:13:20+24:00",
            "2023-11-14T22:13:20+0100",
            "+023-11-14T22:13:20Z",
            "tomorrow",
        ] {
            assert_eq!(date(nonsense), None, "{nonsense}");
        }
    }

    proptest! {
        #[test]
        fn what_a_formatter_writes_is_read_back(seconds in 0u64..253_402_300_800, offset in -1439i64..1440) {
            let time = UNIX_EPOCH + Duration::from_secs(seconds);
            let http = httpdate::fmt_http_date(time);
            prop_assert_eq!(date(&http), Some(time));
            // Another reader of calendars wrote this: the date of HTTP, turned round.
            let (day, month, year) = (&http[5..7], &http[8..11], &http[12..16]);
            let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
            let month = 1 + months.iter().position(|name| *name == month).unwrap();
            let clock = &http[17..25];
            prop_assert_eq!(date(&format!("{year}-{month:02}-{day}T{clock}Z")), Some(time));
            let (sign, size) = (if offset < 0 { '-' } else { '+' }, offset.abs());
            let there = date(&format!("{year}-{month:02}-{day}T{clock}{sign}{:02}:{:02}", size / 60, size % 60));
            let east = Duration::from_secs(size.unsigned_abs() * 60);
            let expected = if offset < 0 { time.checked_add(east) } else { time.checked_sub(east) };
            prop_assert_eq!(there, expected);
        }

        #[test]
        fn no_text_makes_it_panic(text in "[-0-9TtZz:.+ ]{0,40}|\\PC{0,40}") {
            let _ = date(&text);
        }
    }
}
