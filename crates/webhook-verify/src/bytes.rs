//! Short runs of bytes, eight at a time: what a call into the C library would cost more than do.

/// A one in each of eight bytes.
pub(crate) const ONES: u64 = u64::MAX / 255;
/// What a letter in lower case has, and one in upper case has not.
const CASE: u64 = ONES * 0x20;

/// Copies between slices of the same length.
#[inline]
pub(crate) fn copy(to: &mut [u8], from: &[u8]) {
    debug_assert_eq!(to.len(), from.len());
    /// The first and the last `LEN` bytes, which may overlap.
    #[inline(always)]
    fn ends<const LEN: usize>(to: &mut [u8], from: &[u8]) -> bool {
        let (Some(first), Some(last)) = (from.first_chunk::<LEN>(), from.last_chunk()) else {
            return false;
        };
        if let Some(to) = to.first_chunk_mut() {
            *to = *first;
        }
        if let Some(to) = to.last_chunk_mut::<LEN>() {
            *to = *last;
        }
        true
    }
    match from.len() {
        33.. => to.copy_from_slice(from),
        16.. => _ = ends::<16>(to, from),
        8.. => _ = ends::<8>(to, from),
        _ => {
            for (to, from) in to.iter_mut().zip(from) {
                *to = *from;
            }
        }
    }
}

/// Whether two names of one length are the same but for the case of their letters.
#[inline(always)]
pub(crate) fn same_letters(a: &[u8], b: &[u8]) -> bool {
    // Bytes that differ by more than the bit of the case are no letters of one name, and the ends
    // of names differ most.
    match (a.last_chunk::<8>(), b.last_chunk::<8>()) {
        (Some(end), Some(other))
            if (u64::from_ne_bytes(*end) ^ u64::from_ne_bytes(*other)) & !CASE != 0 =>
        {
            false
        }
        _ => equal(a, b) || a.eq_ignore_ascii_case(b),
    }
}

/// Whether two runs of one length are the same.
#[inline]
fn equal(a: &[u8], b: &[u8]) -> bool {
    match (a.last_chunk::<8>(), b.last_chunk()) {
        (Some(end), Some(other)) => {
            let starts = a.as_chunks::<8>().0.iter().zip(b.as_chunks().0);
            let same = |a: &[u8; 8], b: &[u8; 8]| u64::from_ne_bytes(*a) == u64::from_ne_bytes(*b);
            same(end, other) && starts.fold(true, |all, (a, b)| all & same(a, b))
        }
        _ => a == b,
    }
}

/// The number that these digits are, of which there are at most 19; `None` if there is something
/// else among them.
#[inline]
pub(crate) fn decimal(digits: &[u8]) -> Option<u64> {
    let (eights, rest) = digits.as_chunks::<8>();
    let (mut number, mut good) = (0, true);
    for eight in eights {
        let word = u64::from_le_bytes(*eight);
        // Each byte is 0x30 to 0x3f, and still so with six more.
        let upper = |word: u64| word & (ONES * 0xf0) == ONES * 0x30;
        good &= upper(word) & upper(word.wrapping_add(ONES * 6));
        number = number * 100_000_000 + eight_digits(word);
    }
    for byte in rest {
        let digit = byte.wrapping_sub(b'0');
        good &= digit <= 9;
        number = number * 10 + u64::from(digit & 0xf);
    }
    good.then_some(number)
}

/// Pairs of digits, then pairs of pairs, then the two halves.
#[inline]
fn eight_digits(word: u64) -> u64 {
    let digits = word & (ONES * 0x0f);
    let pairs = (digits.wrapping_mul(10) + (digits >> 8)) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs.wrapping_mul(100) + (pairs >> 16)) & 0x0000_ffff_0000_ffff;
    (fours.wrapping_mul(10_000) + (fours >> 32)) & 0xffff_ffff
}

/// Whether all bytes are visible ASCII, and none is `end`, which is.
#[inline]
pub(crate) fn are_visible_without(bytes: &[u8], end: u8) -> bool {
    let end = ONES * u64::from(end);
    // In a byte of these the high bit is set where it is below 0x21, over 0x7e, or `end`. What is
    // carried or borrowed spoils only bytes above one that is bad already.
    let hidden = |bytes: &[u8; 8]| {
        let word = u64::from_ne_bytes(*bytes);
        let low = word.wrapping_sub(ONES * 0x21);
        let high = word | word.wrapping_add(ONES);
        low | high | (word ^ end).wrapping_sub(ONES)
    };
    let (eights, rest) = bytes.as_chunks();
    let bad = eights.iter().fold(0, |bad, eight| bad | hidden(eight));
    let is_good = |byte: &u8| byte.is_ascii_graphic() && ONES * u64::from(*byte) != end;
    match bytes.last_chunk() {
        // The last eight overlap those before them.
        Some(last) => (bad | hidden(last)) & (ONES << 7) == 0,
        None => rest.iter().all(is_good),
    }
}

#[cfg(test)]
mod tests {
    use alloc::{vec, vec::Vec};

    use super::*;

    #[test]
    fn every_length_is_copied_whole() {
        for len in 0..100 {
            let from: Vec<u8> = (0..len).collect();
            let mut to = vec![0xff; from.len()];
            copy(&mut to, &from);
            assert_eq!(to, from);
        }
    }

    #[test]
    fn every_byte_at_every_place_is_visible_or_not() {
        for len in 1..40 {
            for at in 0..len {
                for byte in 0..=255u8 {
                    let mut text = vec![b'a'; len];
                    text[at] = byte;
                    let expected = byte.is_ascii_graphic() && byte != b'.';
                    assert_eq!(
                        are_visible_without(&text, b'.'),
                        expected,
                        "{len} {at} {byte}"
                    );
                    let without = byte.is_ascii_graphic() && byte != b'!';
                    assert_eq!(are_visible_without(&text, b'!'), without);
                }
            }
        }
    }

    #[test]
    fn digits_are_a_number_and_nothing_else_is() {
        use alloc::string::ToString as _;
        for number in [
            0,
            7,
            10,
            99_999_999,
            100_000_000,
            12_345_678,
            1_614_265_330,
            999_999_999_999,
        ] {
            assert_eq!(decimal(number.to_string().as_bytes()), Some(number));
        }
        assert_eq!(decimal(b"000000000012"), Some(12));
        for len in 1..=12 {
            for at in 0..len {
                for byte in 0..=255u8 {
                    let mut text = vec![b'9'; len];
                    text[at] = byte;
                    let expected = core::str::from_utf8(&text).ok();
                    let expected = expected.filter(|text| text.bytes().all(|b| b.is_ascii_digit()));
                    assert_eq!(decimal(&text), expected.map(|text| text.parse().unwrap()));
                }
            }
        }
    }

    #[test]
    fn names_are_the_same_in_any_case_and_no_others_are() {
        for name in ["webhook-signature", "webhook-id", "x-sig", "8letters"] {
            let upper = name.to_ascii_uppercase();
            assert!(same_letters(name.as_bytes(), upper.as_bytes()));
            for at in 0..name.len() {
                for byte in 0..=255u8 {
                    let mut other = name.as_bytes().to_vec();
                    other[at] = byte;
                    let expected = byte.eq_ignore_ascii_case(&name.as_bytes()[at]);
                    assert_eq!(
                        same_letters(&other, name.as_bytes()),
                        expected,
                        "{name} {at} {byte}"
                    );
                }
            }
        }
    }
}
