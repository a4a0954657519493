//! Signatures as text: written without a table, compared without a branch.
//!
//! Eight characters at a time, each in a byte of a word, so that neither the cache nor the time tells
//! of a MAC.

use subtle::ConstantTimeEq as _;

use crate::bytes::ONES;

/// One of our MACs as it stands in a header, to be compared with what came.
pub(crate) trait Text: Copy + Default {
    /// How many characters it has.
    const LEN: usize;

    fn of(mac: &[u8; 32]) -> Self;

    /// Eight characters each, the first of them in the highest byte. What is left of the last word
    /// is zero.
    fn words(&self) -> &[u64];

    /// Whether this is the same text. The time it takes depends on the length alone.
    #[inline(always)]
    fn is(&self, seen: &[u8]) -> bool {
        let (eights, rest) = seen.as_chunks();
        let mut last = [0; 8];
        if let (Some(place), Some(rest)) = (last.first_chunk_mut::<4>(), rest.first_chunk()) {
            *place = *rest;
        }
        let seen_words = eights.iter().chain(core::iter::once(&last));
        let pairs = self.words().iter().zip(seen_words);
        let difference = pairs.fold(0, |difference, (ours, seen)| {
            difference | (ours ^ u64::from_be_bytes(*seen))
        });
        seen.len() == Self::LEN && bool::from(difference.ct_eq(&0))
    }
}

/// RFC 4648, section 4, with padding.
#[derive(Clone, Copy, Default)]
pub(crate) struct Base64([u64; 6]);

/// Lower case.
#[derive(Clone, Copy, Default)]
pub(crate) struct Hex([u64; 8]);

impl Text for Base64 {
    const LEN: usize = 44;

    #[inline(always)]
    fn of(mac: &[u8; 32]) -> Self {
        // In the portions in which the kernel wrote them: a word that lay across two of these would
        // have to wait for both.
        let mut words = [0; 4];
        for (word, bytes) in words.iter_mut().zip(mac.as_chunks().0) {
            *word = u64::from_be_bytes(*bytes);
        }
        let [a, b, c, d] = words;
        // Six bytes to eight letters.
        let letters = |bits: u64| base64_letters(spread_sextets(bits));
        let last = letters((d & 0xffff) << 32) & !0xff_ffff_ffff;
        Self([
            letters(a >> 16),
            letters((a & 0xffff) << 32 | b >> 32),
            letters((b & 0xffff_ffff) << 16 | c >> 48),
            letters(c & 0xffff_ffff_ffff),
            letters(d >> 16),
            last | u64::from(b'=') << 32,
        ])
    }

    #[inline(always)]
    fn words(&self) -> &[u64] {
        &self.0
    }
}

impl Text for Hex {
    const LEN: usize = 64;

    #[inline(always)]
    fn of(mac: &[u8; 32]) -> Self {
        let mut words = [0; 8];
        for (word, bytes) in words.iter_mut().zip(mac.as_chunks().0) {
            let nibbles = spread_nibbles(u64::from(u32::from_be_bytes(*bytes)));
            *word = nibbles + ONES * 48 + at_least(nibbles, 10) * 39;
        }
        Self(words)
    }

    #[inline(always)]
    fn words(&self) -> &[u64] {
        &self.0
    }
}

/// Eight times six bits, each into a byte of its own.
#[inline]
fn spread_sextets(bits: u64) -> u64 {
    let x = (bits & 0x00ff_ffff) | ((bits >> 24) << 32);
    let x = (x & 0x0000_0fff_0000_0fff) | ((x & 0x00ff_f000_00ff_f000) << 4);
    (x & 0x003f_003f_003f_003f) | ((x & 0x0fc0_0fc0_0fc0_0fc0) << 2)
}

/// In each byte: 0–25 are `A`–`Z`, 26–51 `a`–`z`, 52–61 `0`–`9`, 62 `+`, 63 `/`.
#[inline]
fn base64_letters(sextets: u64) -> u64 {
    let from = |least| at_least(sextets, least);
    // No byte of the sum is over 255, so nothing is carried into the next one.
    let up = (sextets + ONES * 65)
        .wrapping_add(from(26) * 6)
        .wrapping_add(from(63) * 3);
    up.wrapping_sub(from(52) * 75).wrapping_sub(from(62) * 15)
}

/// Eight times four bits, each into a byte of its own.
#[inline]
fn spread_nibbles(bits: u64) -> u64 {
    let x = (bits & 0xffff) | ((bits >> 16) << 32);
    let x = (x & 0x0000_00ff_0000_00ff) | ((x & 0x0000_ff00_0000_ff00) << 8);
    (x & 0x000f_000f_000f_000f) | ((x & 0x00f0_00f0_00f0_00f0) << 4)
}

/// A one in each byte that is at least `least`; for bytes below 64.
#[inline]
fn at_least(bytes: u64, least: u64) -> u64 {
    ((bytes + ONES * (128 - least)) >> 7) & ONES
}

#[cfg(test)]
mod tests {
    use alloc::{format, string::String};

    use ::base64::{Engine as _, engine::general_purpose::STANDARD};

    use super::*;

    #[test]
    fn both_texts_agree_with_plain_encoders_for_every_byte_at_every_place() {
        for at in 0..32 {
            for byte in 0..=255u8 {
                for around in [0, 0xff, 0x5a] {
                    let mut mac = [around; 32];
                    mac[at] = byte;
                    assert!(Base64::of(&mac).is(STANDARD.encode(mac).as_bytes()));
                    let hex: String = mac.iter().map(|b| format!("{b:02x}")).collect();
                    assert!(Hex::of(&mac).is(hex.as_bytes()));
                }
            }
        }
    }

    #[test]
    fn a_text_is_itself_and_nothing_else() {
        fn check(text: impl Text, good: &str) {
            let good = good.as_bytes();
            assert!(text.is(good));
            assert!(!text.is(&good[1..]) && !text.is(b""));
            for more in [&b"="[..], b"\0", b"\0\0\0\0"] {
                assert!(!text.is(&[good, more].concat()));
            }
            for at in 0..good.len() {
                assert!(!text.is(&good[..at]));
                for bit in 0..8 {
                    let mut other = good.to_vec();
                    other[at] ^= 1 << bit;
                    assert!(!text.is(&other));
                }
            }
        }
        let mac = core::array::from_fn(|i| i as u8 * 7);
        check(Base64::of(&mac), &STANDARD.encode(mac));
        let hex: String = mac.iter().map(|b| format!("{b:02x}")).collect();
        check(Hex::of(&mac), &hex);
    }
}
