//! What the targets of the webhook verifier hold it against: plain, slow, and not a line of it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// HMAC-SHA256.
pub(crate) fn mac(secret: &[u8], message: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).unwrap();
    mac.update(message);
    mac.finalize().into_bytes().into()
}

/// SHA-256, for 32 bytes out of any.
pub(crate) fn digest(message: &[u8]) -> [u8; 32] {
    Sha256::digest(message).into()
}

/// Base64 with padding.
pub(crate) fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Two lower-case digits for each byte.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What base64 text spells.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Spelled {
    /// The bytes.
    pub(crate) bytes: Vec<u8>,
    /// As RFC 4648 has it: padded to a whole group, and no bit is left over that is not zero.
    pub(crate) canonical: bool,
    /// All of the padding is there, or none of it.
    pub(crate) whole: bool,
}

/// Reads base64, RFC 4648, 4: bit after bit. `None` if it is none with any padding.
pub(crate) fn unbase64(text: &[u8]) -> Option<Spelled> {
    let letters = text.iter().rposition(|&byte| byte != b'=');
    let letters = &text[..letters.map_or(0, |last| last + 1)];
    let padding = text.len() - letters.len();
    let (mut bytes, mut bits, mut held) = (Vec::new(), 0u32, 0);
    for letter in letters {
        let value = ALPHABET.iter().position(|one| one == letter)?;
        bits = bits << 6 | u32::try_from(value).ok()?;
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push(u8::try_from(bits >> held & 0xff).ok()?);
        }
    }
    let due = (4 - letters.len() % 4) % 4;
    if due == 3 || padding > due {
        return None;
    }
    Some(Spelled {
        bytes,
        canonical: padding == due && bits & ((1 << held) - 1) == 0,
        whole: padding == due || padding == 0,
    })
}

/// Every place in a line of signatures where one could stand: the label at the start of the line or
/// behind white space or a comma, and all that follows up to the next of those.
pub(crate) fn items<'a>(line: &'a [u8], label: &[u8]) -> Vec<&'a [u8]> {
    let separates = |byte: &u8| b" \t,".contains(byte);
    let starts = (0..line.len()).filter(|&at| at == 0 || separates(&line[at - 1]));
    let labelled = starts.filter_map(|at| line[at..].strip_prefix(label));
    let texts = labelled.map(|text| {
        let end = text.iter().position(separates);
        &text[..end.unwrap_or(text.len())]
    });
    // Without a label nothing would be one, too.
    texts
        .filter(|text| !(label.is_empty() && text.is_empty()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_read_as_it_was_written() {
        for len in 0..100u8 {
            let bytes: Vec<u8> = (0..len).map(|i| i.wrapping_mul(151) ^ len).collect();
            let read = unbase64(base64(&bytes).as_bytes()).unwrap();
            assert!(read.canonical && read.whole);
            assert_eq!(read.bytes, bytes);
        }
    }

    #[test]
    fn padding_and_stray_bits_are_told() {
        let read = |text: &str| unbase64(text.as_bytes()).map(|s| (s.bytes, s.canonical, s.whole));
        assert_eq!(read("AQ=="), Some((vec![1], true, true)));
        assert_eq!(read("AQ"), Some((vec![1], false, true)));
        assert_eq!(read("AQ="), Some((vec![1], false, false)));
        assert_eq!(read("AR=="), Some((vec![1], false, true)));
        for text in [
            "A", "A===", "AQ===", "AAAA=", "AQ==AQ==", "A-AA", "AQ== ", "=",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn every_place_of_an_item_is_found() {
        let found = |line: &'static str, label: &str| -> Vec<String> {
            let items = items(line.as_bytes(), label.as_bytes());
            items
                .iter()
                .map(|item| String::from_utf8_lossy(item).into())
                .collect()
        };
        assert_eq!(found("v1,a v1,,v1,v1,b xv1,c", "v1,"), ["a", "", "v1", "b"]);
        assert_eq!(found(" a,b\tc ", ""), ["a", "b", "c"]);
        assert_eq!(found("t=1,v1=a,v1=", "v1="), ["a", ""]);
    }
}
