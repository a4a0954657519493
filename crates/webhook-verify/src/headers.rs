//! The three headers of a delivery: the cheap checks, before anything is hashed.

use http::header::{HeaderMap, HeaderName, HeaderValue};

use crate::{Reject, UnixTime};

static ID: HeaderName = HeaderName::from_static("webhook-id");
static TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
static SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");

const MAX_ID_BYTES: usize = 256;
/// Twelve digits reach the year 33658, and stop milliseconds (thirteen digits) at the door.
const MAX_TIMESTAMP_DIGITS: usize = 12;
/// All lines of `webhook-signature` together.
const MAX_SIGNATURE_BYTES: usize = 4096;
/// Two secrets in overlap, in two schemes, make four.
const MAX_SIGNATURES: usize = 32;

/// A delivery whose headers are well-formed. Nothing is known yet about who sent it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Presented<'a> {
    pub(crate) id: &'a str,
    /// As it came, since these are the bytes that were signed.
    pub(crate) timestamp_text: &'a [u8],
    pub(crate) timestamp: UnixTime,
    headers: &'a HeaderMap,
}

// === impl Presented ===

impl<'a> Presented<'a> {
    /// Reads the headers and judges their form, cheapest first.
    pub(crate) fn read(headers: &'a HeaderMap) -> Result<Self, Reject> {
        let id = well_formed_id(single(headers, &ID)?)?;
        let timestamp_text = single(headers, &TIMESTAMP)?.as_bytes();
        let timestamp = parse_timestamp(timestamp_text)?;
        let presented = Self {
            id,
            timestamp_text,
            timestamp,
            headers,
        };
        presented.bound_signatures()?;
        Ok(presented)
    }

    /// The base64 text of every `v1` signature, from all lines of the header.
    ///
    /// Standard Webhooks, "Signature scheme": a space-delimited list, in which versions that the
    /// receiver does not know are to be ignored. What is malformed simply matches nothing.
    pub(crate) fn v1_signatures(&self) -> impl Iterator<Item = &'a [u8]> {
        self.items().flat_map(|item| {
            let mut before: &[u8] = b"";
            item.split(|&b| b == b',')
                .filter(move |field| std::mem::replace(&mut before, field) == b"v1")
        })
    }

    /// What stands between white space: one signature, or several that a proxy folded into one
    /// line (RFC 9110, 5.3: "separated by a comma (\",\") and optional whitespace"). Neither a
    /// version nor base64 has a comma in it.
    fn items(&self) -> impl Iterator<Item = &'a [u8]> {
        let lines = self.headers.get_all(&SIGNATURE).iter();
        lines
            .flat_map(|line| line.as_bytes().split(|&b| matches!(b, b' ' | b'\t')))
            .filter_map(|one| {
                let one = one.strip_suffix(b",").unwrap_or(one);
                (!one.is_empty()).then_some(one)
            })
    }

    fn bound_signatures(&self) -> Result<(), Reject> {
        let mut lines = self.headers.get_all(&SIGNATURE).iter().peekable();
        if lines.peek().is_none() {
            return Err(Reject::MissingHeader("webhook-signature"));
        }
        let mut bytes = 0;
        for line in lines {
            bytes += line.len();
            if bytes > MAX_SIGNATURE_BYTES {
                return Err(Reject::SignatureTooLong);
            }
        }
        // `version,base64` makes two fields.
        let fields = |item: &[u8]| item.split(|&b| b == b',').count();
        let signatures: usize = self.items().map(|item| fields(item).div_ceil(2)).sum();
        if signatures > MAX_SIGNATURES {
            return Err(Reject::SignatureTooLong);
        }
        Ok(())
    }
}

fn single<'a>(
    headers: &'a HeaderMap,
    name: &'static HeaderName,
) -> Result<&'a HeaderValue, Reject> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Err(Reject::MissingHeader(name.as_str())),
        (Some(value), None) => Ok(value),
        (Some(_), Some(_)) => Err(Reject::RepeatedHeader(name.as_str())),
    }
}

/// A full stop in the id would let a signed message be split anew: `id=a, ts=T, body=T.x` reads
/// as `id=a.T, ts=T, body=x`.
fn well_formed_id(value: &HeaderValue) -> Result<&str, Reject> {
    let bytes = value.as_bytes();
    let fits = (1..=MAX_ID_BYTES).contains(&bytes.len())
        && bytes.iter().all(|&b| b.is_ascii_graphic() && b != b'.');
    if !fits {
        return Err(Reject::MalformedId);
    }
    std::str::from_utf8(bytes).map_err(|_| Reject::MalformedId)
}

fn parse_timestamp(digits: &[u8]) -> Result<UnixTime, Reject> {
    if !(1..=MAX_TIMESTAMP_DIGITS).contains(&digits.len()) {
        return Err(Reject::MalformedTimestamp);
    }
    digits
        .iter()
        .try_fold(0u64, |n, &b| {
            b.is_ascii_digit().then(|| n * 10 + u64::from(b - b'0'))
        })
        .map(UnixTime::from_secs)
        .ok_or(Reject::MalformedTimestamp)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &[u8])]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in lines {
            map.append(*name, HeaderValue::from_bytes(value).unwrap());
        }
        map
    }

    fn read(id: &[u8], timestamp: &[u8], signature: &[u8]) -> Result<(), Reject> {
        let map = headers(&[
            ("webhook-id", id),
            ("webhook-timestamp", timestamp),
            ("webhook-signature", signature),
        ]);
        Presented::read(&map).map(drop)
    }

    #[test]
    fn an_id_with_a_full_stop_is_refused_because_it_could_be_split_anew() {
        assert_eq!(
            read(b"a.1614265330", b"1614265330", b"v1,"),
            Err(Reject::MalformedId)
        );
    }

    #[test]
    fn an_id_is_bounded_visible_ascii() {
        assert_eq!(read(&[b'a'; 256], b"1", b"v1,"), Ok(()));
        for id in [&b""[..], &[b'a'; 257], b"a b", b"caf\xe9", b"a\tb"] {
            assert_eq!(read(id, b"1", b"v1,"), Err(Reject::MalformedId), "{id:?}");
        }
    }

    #[test]
    fn a_timestamp_is_digits_only() {
        assert_eq!(read(b"a", b"999999999999", b"v1,"), Ok(()));
        for text in [
            "",
            "abc",
            "1.7e9",
            "1_700",
            "-1",
            "+1",
            " 1",
            "1 ",
            "0x1",
            "1614265330000",
            "99999999999999999999999999",
            "١",
        ] {
            let seen = read(b"a", text.as_bytes(), b"v1,");
            assert_eq!(seen, Err(Reject::MalformedTimestamp), "{text:?}");
        }
    }

    #[test]
    fn each_missing_or_repeated_header_is_named() {
        let all: [(&'static str, &[u8]); 3] = [
            ("webhook-id", b"a"),
            ("webhook-timestamp", b"1"),
            ("webhook-signature", b"v1,"),
        ];
        for skip in 0..3 {
            let mut some = all.to_vec();
            let (name, _) = some.remove(skip);
            let seen = Presented::read(&headers(&some)).map(drop);
            assert_eq!(seen, Err(Reject::MissingHeader(name)));
        }
        for twice in 0..2 {
            let mut more = all.to_vec();
            more.push(all[twice]);
            let seen = Presented::read(&headers(&more)).map(drop);
            assert_eq!(seen, Err(Reject::RepeatedHeader(all[twice].0)));
        }
    }

    #[test]
    fn lines_and_folded_lines_are_one_list_and_unknown_versions_are_skipped() {
        let map = headers(&[
            ("webhook-id", b"a"),
            ("webhook-timestamp", b"1"),
            ("webhook-signature", b"v1a,xx v1,one  v2,yy"),
            ("webhook-signature", b"v1,two, v1,three garbage v1 ,"),
        ]);
        let seen: Vec<_> = Presented::read(&map).unwrap().v1_signatures().collect();
        assert_eq!(seen, [&b"one"[..], b"two", b"three"]);
    }

    #[test]
    fn lines_that_were_folded_without_white_space_are_one_list_too() {
        for line in [
            &b"v1,one,v1,two,v1a,xx,v1,three"[..],
            b"v1,one,v1,two garbage,v1,three,",
            b"v1,one,\tv1,two,v2,zz v1,three",
        ] {
            let map = headers(&[
                ("webhook-id", b"a"),
                ("webhook-timestamp", b"1"),
                ("webhook-signature", line),
            ]);
            let seen: Vec<_> = Presented::read(&map).unwrap().v1_signatures().collect();
            assert_eq!(seen, [&b"one"[..], b"two", b"three"]);
        }
        let many = |n| vec!["v1,x"; n].join(",");
        assert_eq!(read(b"a", b"1", many(32).as_bytes()), Ok(()));
        let seen = read(b"a", b"1", many(33).as_bytes());
        assert_eq!(seen, Err(Reject::SignatureTooLong));
    }

    #[test]
    fn the_signature_header_is_bounded_in_bytes_and_in_number() {
        assert_eq!(read(b"a", b"1", &[b'x'; 4096]), Ok(()));
        assert_eq!(
            read(b"a", b"1", &[b'x'; 4097]),
            Err(Reject::SignatureTooLong)
        );
        assert_eq!(read(b"a", b"1", "v1,x ".repeat(32).as_bytes()), Ok(()));
        let many = "v1,x ".repeat(33);
        assert_eq!(
            read(b"a", b"1", many.as_bytes()),
            Err(Reject::SignatureTooLong)
        );
    }
}
