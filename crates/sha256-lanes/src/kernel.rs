//! Which instructions are used.

use crate::fast::Instructions;
use crate::{Block, MAX_LANES, State, portable};

/// A way to compute that works on this processor.
///
/// Whoever holds one holds the proof that the processor has the instructions, so every method is
/// safe. It is no larger than a byte; keep it beside what it is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kernel(Backend);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Backend {
    Fast(Instructions),
    Portable,
}

impl Kernel {
    /// The fastest one on this processor. It is looked up once and then remembered.
    #[inline]
    #[must_use]
    pub fn detect() -> Self {
        Self(Instructions::detect().map_or(Backend::Portable, Backend::Fast))
    }

    /// The one that runs on every processor: one state after the other, through `sha2`, which has
    /// fast instructions of its own on several architectures.
    #[inline]
    #[must_use]
    pub fn portable() -> Self {
        Self(Backend::Portable)
    }

    /// All that work on this processor, for tests and benchmarks; the fastest is the first.
    pub fn available() -> impl Iterator<Item = Self> {
        let fast = Some(Self::detect()).filter(|kernel| *kernel != Self::portable());
        fast.into_iter().chain([Self::portable()])
    }

    /// `sha-ni`, `arm-sha2` or `portable`; there may be more of them one day.
    #[inline]
    #[must_use]
    pub fn name(self) -> &'static str {
        match self.0 {
            Backend::Fast(_) => Instructions::NAME,
            Backend::Portable => "portable",
        }
    }

    /// Takes every state over the same blocks, in place.
    ///
    /// No blocks are no change. From one to four states; another number is refused by the
    /// compiler:
    ///
    /// ```
    /// # use golive_sha256_lanes::{Kernel, State};
    /// let mut states = [State::INITIAL; 4];
    /// Kernel::detect().compress(&mut states, &[[0; 64]]);
    /// ```
    /// ```compile_fail
    /// # use golive_sha256_lanes::{Kernel, State};
    /// let mut states = [State::INITIAL; 5];
    /// Kernel::detect().compress(&mut states, &[[0; 64]]);
    /// ```
    /// ```compile_fail
    /// # use golive_sha256_lanes::{Kernel, State};
    /// let mut states = [State::INITIAL; 0];
    /// Kernel::detect().compress(&mut states, &[[0; 64]]);
    /// ```
    #[inline]
    pub fn compress<const N: usize>(self, states: &mut [State; N], blocks: &[Block]) {
        const { assert!(1 <= N && N <= MAX_LANES, "from one to four lanes") };
        match self.0 {
            Backend::Fast(instructions) => instructions.compress(states, blocks),
            Backend::Portable => portable::compress(states, blocks),
        }
    }

    /// The outer hash of HMAC-SHA256 (RFC 2104), in every lane: the MACs.
    ///
    /// `inner` are the states after the key with ipad, the message, and the padding for a length
    /// that counts the block of the key. `outer` are the states after the key with opad.
    ///
    /// ```compile_fail
    /// # use golive_sha256_lanes::{Kernel, State};
    /// Kernel::detect().finish_hmac(&[State::INITIAL; 5], &[State::INITIAL; 5]);
    /// ```
    #[inline]
    #[must_use]
    pub fn finish_hmac<const N: usize>(
        self,
        inner: &[State; N],
        outer: &[State; N],
    ) -> [[u8; 32]; N] {
        const { assert!(1 <= N && N <= MAX_LANES, "from one to four lanes") };
        match self.0 {
            Backend::Fast(instructions) => instructions.finish_hmac(inner, outer),
            Backend::Portable => portable::finish_hmac(inner, outer),
        }
    }

    /// HMAC-SHA256 from prepared keys, in every lane: [`compress`](Self::compress) over all of the
    /// runs, then [`finish_hmac`](Self::finish_hmac), but the states never leave the registers.
    ///
    /// `inner` are the states after the key with ipad, `outer` those after the key with opad. The
    /// runs together are the message and its padding, for a length that counts the block of the
    /// key. They are several so that the middle of a message can be taken from where it lies.
    ///
    /// ```compile_fail
    /// # use golive_sha256_lanes::{Kernel, State};
    /// Kernel::detect().hmac(&[State::INITIAL; 5], &[State::INITIAL; 5], &[&[[0; 64]]]);
    /// ```
    #[inline]
    #[must_use]
    pub fn hmac<const N: usize>(
        self,
        inner: &[State; N],
        outer: &[State; N],
        runs: &[&[Block]],
    ) -> [[u8; 32]; N] {
        const { assert!(1 <= N && N <= MAX_LANES, "from one to four lanes") };
        match self.0 {
            Backend::Fast(instructions) => instructions.hmac(inner, outer, runs),
            Backend::Portable => portable::hmac(inner, outer, runs),
        }
    }
}
