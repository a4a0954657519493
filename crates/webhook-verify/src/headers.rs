//! What stands in the headers of a delivery: the cheap checks, before anything is hashed.

use core::ops::ControlFlow;

use crate::{
    Headers, Reject, Scheme, UnixTime, bytes,
    limits::{Limits, MAX_ID_BYTES, MAX_SIGNATURE_LINES, MAX_TIMESTAMP_DIGITS},
    list::{Item, Lines, Shape},
    scheme::{Encoding, Part, TimestampIn},
    text::{Base64, Hex, Text},
};

/// What a delivery says of itself. Once [`read`](Self::read), its headers are well-formed; nothing is
/// known yet about who sent it.
//
// Filled in place: to move it about would cost more than to read it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Presented<'a> {
    scheme: &'a Scheme,
    /// Visible ASCII; empty if the scheme has none.
    pub(crate) id: &'a [u8],
    /// As it came, since these are the bytes that were signed; empty if the scheme has none.
    timestamp_text: &'a [u8],
    pub(crate) timestamp: Option<UnixTime>,
    pub(crate) signatures: Lines<'a>,
}

/// The names of the headers that a scheme has; empty for what it has not.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Names {
    id: &'static str,
    timestamp: &'static str,
    signature: &'static str,
    /// A bit for each of their lengths, by which most names are told apart from them.
    lengths: u64,
}

/// How many signatures of a kind are in the list.
#[derive(Clone, Copy, Default)]
pub(crate) struct Seen {
    pub(crate) all: usize,
    /// Of those, the ones that are as long as a signature.
    pub(crate) formed: usize,
}

// === impl Presented ===

impl<'a> Presented<'a> {
    #[inline(always)]
    pub(crate) fn new(scheme: &'a Scheme) -> Self {
        Self {
            scheme,
            id: &[],
            timestamp_text: &[],
            timestamp: None,
            signatures: Lines::new(),
        }
    }

    /// Reads the headers, in one pass, and judges their form.
    #[inline(always)]
    pub(crate) fn read<H: Headers + ?Sized>(
        &mut self,
        headers: &'a H,
        names: &Names,
        limits: &Limits,
    ) -> Result<(), Reject> {
        let scheme = self.scheme;
        let (mut ids, mut timestamps, mut lines) = (0usize, 0usize, 0usize);
        headers.each(|name, value| {
            if names.lengths & length_bit(name) == 0 {
                return;
            }
            if is(name, names.id) {
                self.id = value;
                ids += 1;
            } else if is(name, names.timestamp) {
                self.timestamp_text = value;
                timestamps += 1;
            } else if is(name, names.signature) {
                self.signatures.push(value);
                lines += 1;
            }
        });
        match scheme.id {
            Some(name) => {
                once(ids, name)?;
                well_formed_id(self.id, scheme.after_id)?;
            }
            // A line without a name, from a source that has such, is not the id of none.
            None => self.id = &[],
        }
        match scheme.timestamp {
            None => {}
            Some(TimestampIn::Header(name)) => {
                once(timestamps, name)?;
                self.timestamp = Some(parse_timestamp(self.timestamp_text)?);
            }
            // It is missing with the list, and that is what is said of it below.
            Some(TimestampIn::List(_)) if lines == 0 => {}
            Some(TimestampIn::List(label)) => {
                self.check_size(lines, limits)?;
                self.timestamp_text = self.timestamp_in_list(label)?;
                self.timestamp = Some(parse_timestamp(self.timestamp_text)?);
            }
        }
        match lines {
            0 => Err(Reject::MissingHeader(scheme.signature)),
            _ => self.check_size(lines, limits),
        }
    }

    #[inline(always)]
    fn check_size(&self, lines: usize, limits: &Limits) -> Result<(), Reject> {
        let bytes: usize = self.signatures.iter().map(<[u8]>::len).sum();
        match lines <= MAX_SIGNATURE_LINES && bytes <= limits.max_signature_bytes {
            true => Ok(()),
            false => Err(Reject::SignatureTooLong),
        }
    }

    /// What was signed before the body, piece by piece.
    #[inline(always)]
    pub(crate) fn signed(&self) -> impl Iterator<Item = &'a [u8]> + Clone {
        let (id, timestamp) = (self.id, self.timestamp_text);
        self.scheme.signed.iter().map(move |part| match part {
            Part::Text(text) => text.as_bytes(),
            Part::Id => id,
            Part::Timestamp => timestamp,
        })
    }

    /// How HMAC signatures look.
    #[inline]
    pub(crate) fn symmetric(&self) -> Shape {
        Shape {
            label: self.scheme.label,
            len: self.scheme.encoding.len(),
        }
    }

    /// How ed25519 signatures look, if the scheme has them.
    #[cfg(feature = "ed25519")]
    pub(crate) fn asymmetric(&self) -> Option<Shape> {
        let label = self.scheme.asymmetric?;
        Some(Shape {
            label,
            len: crate::ed25519::TEXT_BYTES,
        })
    }

    /// Which of these MACs is in the list: the first of them.
    ///
    /// Ours is written as text once and compared as text: each further signature in the list costs a
    /// comparison, and only the one canonical spelling is accepted.
    #[inline(always)]
    pub(crate) fn which<const N: usize>(&self, macs: &[[u8; 32]; N]) -> Option<usize> {
        match self.scheme.encoding {
            Encoding::Base64 => self.which_text::<Base64, N>(macs),
            Encoding::Hex => self.which_text::<Hex, N>(macs),
        }
    }

    #[inline(always)]
    fn which_text<T: Text, const N: usize>(&self, macs: &[[u8; 32]; N]) -> Option<usize> {
        let mut texts = [T::default(); N];
        for (text, mac) in texts.iter_mut().zip(macs) {
            *text = T::of(mac);
        }
        let mut found = None;
        let _: ControlFlow<()> = self.signatures.items(self.symmetric(), |item| {
            // Of the texts, those before the one that was found: the first one counts, wherever it
            // stands in the list, so that the answer is the same whether the body came at once or
            // in pieces.
            let wanted = texts.get(..found.unwrap_or(N)).unwrap_or_default();
            if let Item::Formed(seen) = item
                && let Some(at) = wanted.iter().position(|text| text.is(seen))
            {
                found = Some(at);
            }
            match found {
                Some(0) => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            }
        });
        found
    }

    /// Counts the items of this shape; no more than `max`.
    #[inline(always)]
    pub(crate) fn count(&self, shape: Shape, max: usize) -> Result<Seen, Reject> {
        let mut seen = Seen::default();
        let flow = self.signatures.items(shape, |item| {
            seen.all += 1;
            seen.formed += usize::from(matches!(item, Item::Formed(_)));
            match seen.all > max {
                true => ControlFlow::Break(Reject::SignatureTooLong),
                false => ControlFlow::Continue(()),
            }
        });
        match flow {
            ControlFlow::Break(reject) => Err(reject),
            ControlFlow::Continue(()) => Ok(seen),
        }
    }

    fn timestamp_in_list(&self, label: &'static str) -> Result<&'a [u8], Reject> {
        let mut found = self.signatures.texts(label);
        match (found.next(), found.next()) {
            (Some(text), None) => Ok(text),
            _ => Err(Reject::MalformedTimestamp),
        }
    }
}

// === impl Names ===

impl Names {
    pub(crate) fn of(scheme: &Scheme) -> Self {
        let id = scheme.id.unwrap_or_default();
        let timestamp = match scheme.timestamp {
            Some(TimestampIn::Header(name)) => name,
            _ => "",
        };
        let signature = scheme.signature;
        let lengths = [id, timestamp, signature].into_iter();
        let lengths = lengths.filter(|name| !name.is_empty()).map(length_bit);
        Self {
            id,
            timestamp,
            signature,
            lengths: lengths.fold(0, |all, bit| all | bit),
        }
    }
}

// === impl Seen ===

#[cfg(feature = "ed25519")]
impl Seen {
    pub(crate) fn add(&mut self, more: Self) {
        self.all += more.all;
        self.formed += more.formed;
    }
}

#[inline]
fn length_bit(name: &str) -> u64 {
    1 << (name.len() % 64)
}

#[inline]
fn once(times: usize, name: &'static str) -> Result<(), Reject> {
    match times {
        1 => Ok(()),
        0 => Err(Reject::MissingHeader(name)),
        _ => Err(Reject::RepeatedHeader(name)),
    }
}

/// RFC 9110, 5.1: "Field names are case-insensitive". Most are told apart by their length, and most
/// of those that are not by their first letters.
#[inline(always)]
fn is(name: &str, wanted: &str) -> bool {
    name.len() == wanted.len() && bytes::same_letters(name.as_bytes(), wanted.as_bytes())
}

/// A full stop in the id would let a signed message be split anew: `id=a, ts=T, body=T.x` reads
/// as `id=a.T, ts=T, body=x`. So would whatever else ends the id in another scheme.
#[inline]
pub(crate) fn well_formed_id(id: &[u8], after_id: Option<u8>) -> Result<(), Reject> {
    let end = after_id.unwrap_or(b' ');
    let fits = (1..=MAX_ID_BYTES).contains(&id.len()) && bytes::are_visible_without(id, end);
    if !fits {
        return Err(Reject::MalformedId);
    }
    Ok(())
}

#[inline]
fn parse_timestamp(digits: &[u8]) -> Result<UnixTime, Reject> {
    if !(1..=MAX_TIMESTAMP_DIGITS).contains(&digits.len()) {
        return Err(Reject::MalformedTimestamp);
    }
    let secs = bytes::decimal(digits).ok_or(Reject::MalformedTimestamp)?;
    Ok(UnixTime::from_secs(secs))
}

#[cfg(test)]
mod tests {
    use alloc::{vec, vec::Vec};

    use super::*;

    fn read_all(lines: &[(&str, &[u8])]) -> Result<(), Reject> {
        let scheme = Scheme::standard_webhooks();
        let limits = Limits::DEFAULT;
        let mut presented = Presented::new(&scheme);
        presented.read(lines, &Names::of(&scheme), &limits)?;
        presented.count(presented.symmetric(), limits.max_signatures)?;
        Ok(())
    }

    fn read(id: &[u8], timestamp: &[u8], signature: &[u8]) -> Result<(), Reject> {
        read_all(&[
            ("webhook-id", id),
            ("webhook-timestamp", timestamp),
            ("webhook-signature", signature),
        ])
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
        for id in [
            &b""[..],
            &[b'a'; 257],
            b"a b",
            b"caf\xe9",
            b"a\tb",
            b"a\x7f",
        ] {
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
            assert_eq!(read_all(&some), Err(Reject::MissingHeader(name)));
        }
        for twice in 0..2 {
            let mut more = all.to_vec();
            more.push(all[twice]);
            assert_eq!(read_all(&more), Err(Reject::RepeatedHeader(all[twice].0)));
        }
    }

    #[test]
    fn names_are_found_in_any_case_and_others_of_their_length_are_not_taken_for_them() {
        let lines: [(&str, &[u8]); 5] = [
            ("user-agent", b"x"),
            ("WEBHOOK-ID", b"a"),
            ("webhook-signatura", b"x"),
            ("Webhook-Timestamp", b"1"),
            ("Webhook-Signature", b"v1,"),
        ];
        assert_eq!(read_all(&lines), Ok(()));
    }

    #[test]
    fn a_timestamp_in_the_list_stands_there_once() {
        let scheme = Scheme::stripe();
        let read = |line: &[u8]| {
            let lines = [("stripe-signature", line)];
            let mut presented = Presented::new(&scheme);
            presented.read(&lines, &Names::of(&scheme), &Limits::DEFAULT)?;
            Ok(presented.timestamp.unwrap().as_secs())
        };
        assert_eq!(read(b"t=12,v1=ab"), Ok(12));
        assert_eq!(read(b"v1=ab, t=12"), Ok(12));
        for line in [&b"v1=ab"[..], b"t=1,t=1,v1=ab", b"t=,v1=ab", b"t=-1,v1=ab"] {
            assert_eq!(read(line), Err(Reject::MalformedTimestamp));
        }
        let none: [(&str, &[u8]); 0] = [];
        let missing = Presented::new(&scheme).read(&none, &Names::of(&scheme), &Limits::DEFAULT);
        assert_eq!(missing, Err(Reject::MissingHeader("stripe-signature")));
    }

    #[test]
    fn the_signature_header_is_bounded_in_bytes_in_lines_and_in_number() {
        assert_eq!(read(b"a", b"1", &[b'x'; 4096]), Ok(()));
        let long = Err(Reject::SignatureTooLong);
        assert_eq!(read(b"a", b"1", &[b'x'; 4097]), long);
        for separator in [" ", ","] {
            let many = |n| vec!["v1,x"; n].join(separator);
            assert_eq!(read(b"a", b"1", many(32).as_bytes()), Ok(()));
            assert_eq!(read(b"a", b"1", many(33).as_bytes()), long);
        }
        let with_lines = |n| {
            let mut lines: Vec<(&str, &[u8])> =
                vec![("webhook-id", b"a"), ("webhook-timestamp", b"1")];
            lines.extend(vec![("webhook-signature", &b"v1,x"[..]); n]);
            read_all(&lines)
        };
        assert_eq!(with_lines(4), Ok(()));
        assert_eq!(with_lines(5), long);
    }
}
