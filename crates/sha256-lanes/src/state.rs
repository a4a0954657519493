//! The state between two blocks.

use core::fmt;

/// The eight words of SHA-256 between two blocks.
///
/// After secret blocks it is as secret as they are: a state after the padded key of HMAC is all
/// that a forger needs. So its `Debug` shows nothing, and it cannot be compared.
//
// The words lie in memory as the kernel wants them in registers, so that a load is all it takes.
#[derive(Clone, Copy)]
#[repr(C, align(32))]
pub struct State(pub(crate) [[u32; 4]; 2]);

/// Where word `i` of the standard lies. The SHA extensions of x86 keep A, B, E, F in one register
/// and C, D, G, H in another one, the first of them in the highest 32 bits.
#[cfg(target_arch = "x86_64")]
const PLACE: [usize; 8] = [3, 2, 7, 6, 1, 0, 5, 4];
#[cfg(not(target_arch = "x86_64"))]
const PLACE: [usize; 8] = [0, 1, 2, 3, 4, 5, 6, 7];

impl State {
    /// Before the first block: H⁽⁰⁾ of FIPS 180-4, 5.3.3.
    pub const INITIAL: Self = Self::from_words([
        0x6a09_e667,
        0xbb67_ae85,
        0x3c6e_f372,
        0xa54f_f53a,
        0x510e_527f,
        0x9b05_688c,
        0x1f83_d9ab,
        0x5be0_cd19,
    ]);

    /// The state with these words, in the order of the standard, A to H.
    #[inline]
    #[must_use]
    pub const fn from_words(words: [u32; 8]) -> Self {
        let mut placed = [[0; 4]; 2];
        let mut i = 0;
        while i < 8 {
            placed[PLACE[i] / 4][PLACE[i] % 4] = words[i];
            i += 1;
        }
        Self(placed)
    }

    /// The words of this state, in the order of the standard, A to H.
    #[inline]
    #[must_use]
    pub const fn to_words(&self) -> [u32; 8] {
        let mut words = [0; 8];
        let mut i = 0;
        while i < 8 {
            words[i] = self.0[PLACE[i] / 4][PLACE[i] % 4];
            i += 1;
        }
        words
    }

    /// The words as bytes, big-endian: the digest, if the blocks ended with the padding.
    #[inline]
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        bytes(self.to_words())
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("State(..)")
    }
}

#[cfg(feature = "zeroize")]
#[cfg_attr(docsrs, doc(cfg(feature = "zeroize")))]
impl zeroize::Zeroize for State {
    #[inline]
    fn zeroize(&mut self) {
        self.0.zeroize();
    }
}

/// Words as the standard writes them: big-endian.
#[inline]
pub(crate) fn bytes(words: [u32; 8]) -> [u8; 32] {
    let mut bytes = [0; 32];
    for (bytes, word) in bytes.as_chunks_mut().0.iter_mut().zip(words) {
        *bytes = word.to_be_bytes();
    }
    bytes
}

#[cfg(test)]
mod tests {
    use core::mem::{align_of, size_of};

    use super::*;

    extern crate std;

    #[test]
    fn nothing_of_it_is_shown() {
        let state = State::from_words([0xabab_abab; 8]);
        assert_eq!(std::format!("{state:?} {state:#?}"), "State(..) State(..)");
    }

    #[test]
    fn it_lies_in_one_line_of_the_cache() {
        assert_eq!((size_of::<State>(), align_of::<State>()), (32, 32));
    }

    #[test]
    fn no_two_words_have_the_same_place() {
        let mut taken = PLACE;
        taken.sort_unstable();
        assert_eq!(taken, [0, 1, 2, 3, 4, 5, 6, 7]);
    }

    #[cfg(feature = "zeroize")]
    #[test]
    fn it_can_be_wiped() {
        let mut state = State::INITIAL;
        zeroize::Zeroize::zeroize(&mut state);
        assert_eq!(state.to_words(), [0; 8]);
    }
}
