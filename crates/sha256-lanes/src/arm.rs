//! The SHA-2 instructions of 64-bit Arm.
//!
//! `sha256h` and `sha256h2` do four rounds of one state, and wait for those before them. As on x86,
//! the rounds of several states are interleaved, and share the message schedule.
//!
//! All arithmetic is safe: within a function that has the instructions, an intrinsic that takes no
//! pointer is a safe function. `unsafe` are the steps into such functions, with [`Instructions`]
//! for a proof, and the loads and stores, each of them a cast of a reference.

use core::arch::aarch64::{
    uint32x4_t, vaddq_u32, vld1q_u8, vld1q_u32, vreinterpretq_u8_u32, vreinterpretq_u32_u8,
    vrev32q_u8, vsha256h2q_u32, vsha256hq_u32, vsha256su0q_u32, vsha256su1q_u32, vst1q_u8,
    vst1q_u32,
};
use core::hint::black_box;

use crate::{Block, State};

cpufeatures::new!(hwcap, "sha2");

/// The proof that this processor has the instructions: only [`Instructions::detect`] makes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Instructions(());

impl Instructions {
    pub(crate) const NAME: &str = "arm-sha2";

    #[inline]
    pub(crate) fn detect() -> Option<Self> {
        hwcap::get().then_some(Self(()))
    }

    #[inline]
    pub(crate) fn compress<const N: usize>(self, states: &mut [State; N], blocks: &[Block]) {
        // SAFETY: `compress` needs sha2 and neon, and is safe otherwise. `self` exists, so
        // `detect` has seen sha2 on this processor, and none has sha2 without neon.
        unsafe { compress(states, blocks) }
    }

    #[inline]
    pub(crate) fn finish_hmac<const N: usize>(
        self,
        inner: &[State; N],
        outer: &[State; N],
    ) -> [[u8; 32]; N] {
        // SAFETY: `finish_hmac` needs sha2 and neon, and is safe otherwise. `self` exists, so
        // `detect` has seen sha2 on this processor, and none has sha2 without neon.
        unsafe { finish_hmac(inner, outer) }
    }

    #[inline]
    pub(crate) fn hmac<const N: usize>(
        self,
        inner: &[State; N],
        outer: &[State; N],
        runs: &[&[Block]],
    ) -> [[u8; 32]; N] {
        // SAFETY: `hmac` needs sha2 and neon, and is safe otherwise. `self` exists, so
        // `detect` has seen sha2 on this processor, and none has sha2 without neon.
        unsafe { hmac(inner, outer, runs) }
    }
}

#[target_feature(enable = "neon,sha2")]
fn compress<const N: usize>(states: &mut [State; N], blocks: &[Block]) {
    let mut lanes = Lane::load_all(states);
    for block in blocks {
        one_block(&mut lanes, [message(block)]);
    }
    for (state, lane) in states.iter_mut().zip(lanes) {
        lane.store(state);
    }
}

#[target_feature(enable = "neon,sha2")]
fn finish_hmac<const N: usize>(inner: &[State; N], outer: &[State; N]) -> [[u8; 32]; N] {
    outer_hash(Lane::load_all(inner), outer)
}

#[target_feature(enable = "neon,sha2")]
fn hmac<const N: usize>(
    inner: &[State; N],
    outer: &[State; N],
    runs: &[&[Block]],
) -> [[u8; 32]; N] {
    let mut lanes = Lane::load_all(inner);
    for run in runs {
        for block in *run {
            one_block(&mut lanes, [message(block)]);
        }
    }
    outer_hash(lanes, outer)
}

#[inline]
#[target_feature(enable = "neon,sha2")]
fn outer_hash<const N: usize>(inner: [Lane; N], outer: &[State; N]) -> [[u8; 32]; N] {
    // FIPS 180-4, 5.1.1: after the message the bit 1, zeros, and the length of the message in bits.
    // It is the block of the key, and the inner digest.
    let padding = load_words(&[1 << 31, 0, 0, 0]);
    let length = load_words(&[0, 0, 0, 8 * (64 + 32)]);
    let mut messages = [[padding; 4]; N];
    for (message, inner) in messages.iter_mut().zip(inner) {
        *message = [inner.abcd, inner.efgh, padding, length];
    }
    let mut lanes = Lane::load_all(outer);
    one_block(&mut lanes, messages);

    let mut macs = [[0; 32]; N];
    for (mac, lane) in macs.iter_mut().zip(lanes) {
        let halves = mac.as_chunks_mut().0.iter_mut();
        for (bytes, words) in halves.zip([lane.abcd, lane.efgh]) {
            store_bytes(bytes, words);
        }
    }
    macs
}

/// Takes lane `l` over message `l % M`: all over one, or each over its own.
#[inline]
#[target_feature(enable = "neon,sha2")]
fn one_block<const N: usize, const M: usize>(
    lanes: &mut [Lane; N],
    mut messages: [[uint32x4_t; 4]; M],
) {
    let before = *lanes;
    let (first, later) = ROUND_CONSTANTS.split_at(4);
    for (i, constants) in first.iter().enumerate() {
        four_rounds(lanes, messages.map(|words| words[i]), constants);
    }
    // So that lanes with messages of their own are not computed one after the other, see `x86.rs`.
    let later = if M == 1 { later } else { black_box(later) };
    for constants in later {
        for words in &mut messages {
            let [t16, t12, t8, t4] = *words;
            // FIPS 180-4, 6.2.2, step 1: the next four words from the sixteen before.
            let next = vsha256su1q_u32(vsha256su0q_u32(t16, t12), t8, t4);
            *words = [t12, t8, t4, next];
        }
        four_rounds(lanes, messages.map(|words| words[3]), constants);
    }
    for (lane, before) in lanes.iter_mut().zip(before) {
        lane.abcd = vaddq_u32(lane.abcd, before.abcd);
        lane.efgh = vaddq_u32(lane.efgh, before.efgh);
    }
}

/// Four rounds of each lane, with four words of its message.
#[inline]
#[target_feature(enable = "neon,sha2")]
fn four_rounds<const N: usize, const M: usize>(
    lanes: &mut [Lane; N],
    mut words: [uint32x4_t; M],
    constants: &[u32; 4],
) {
    for words in &mut words {
        *words = vaddq_u32(*words, load_words(constants));
    }
    for (l, lane) in lanes.iter_mut().enumerate() {
        let Lane { abcd, efgh } = *lane;
        lane.abcd = vsha256hq_u32(abcd, efgh, words[l % M]);
        lane.efgh = vsha256h2q_u32(efgh, abcd, words[l % M]);
    }
}

/// The sixteen words of a block.
#[inline]
#[target_feature(enable = "neon,sha2")]
fn message(block: &Block) -> [uint32x4_t; 4] {
    let [a, b, c, d] = quarters(block);
    [load_bytes(a), load_bytes(b), load_bytes(c), load_bytes(d)]
}

/// A state in two registers, in the order of the standard.
#[derive(Clone, Copy)]
struct Lane {
    abcd: uint32x4_t,
    efgh: uint32x4_t,
}

impl Lane {
    #[inline]
    #[target_feature(enable = "neon,sha2")]
    fn load(state: &State) -> Self {
        let [abcd, efgh] = &state.0;
        Self {
            abcd: load_words(abcd),
            efgh: load_words(efgh),
        }
    }

    #[inline]
    #[target_feature(enable = "neon,sha2")]
    fn load_all<const N: usize>(states: &[State; N]) -> [Self; N] {
        let mut lanes = [Self::load(&states[0]); N];
        for (lane, state) in lanes.iter_mut().zip(states) {
            *lane = Self::load(state);
        }
        lanes
    }

    #[inline]
    #[target_feature(enable = "neon,sha2")]
    fn store(self, state: &mut State) {
        let [abcd, efgh] = &mut state.0;
        store_words(abcd, self.abcd);
        store_words(efgh, self.efgh);
    }
}

/// K of FIPS 180-4, 4.2.2, four to a register.
#[rustfmt::skip]
const ROUND_CONSTANTS: [[u32; 4]; 16] = [
    [0x428a_2f98, 0x7137_4491, 0xb5c0_fbcf, 0xe9b5_dba5],
    [0x3956_c25b, 0x59f1_11f1, 0x923f_82a4, 0xab1c_5ed5],
    [0xd807_aa98, 0x1283_5b01, 0x2431_85be, 0x550c_7dc3],
    [0x72be_5d74, 0x80de_b1fe, 0x9bdc_06a7, 0xc19b_f174],
    [0xe49b_69c1, 0xefbe_4786, 0x0fc1_9dc6, 0x240c_a1cc],
    [0x2de9_2c6f, 0x4a74_84aa, 0x5cb0_a9dc, 0x76f9_88da],
    [0x983e_5152, 0xa831_c66d, 0xb003_27c8, 0xbf59_7fc7],
    [0xc6e0_0bf3, 0xd5a7_9147, 0x06ca_6351, 0x1429_2967],
    [0x27b7_0a85, 0x2e1b_2138, 0x4d2c_6dfc, 0x5338_0d13],
    [0x650a_7354, 0x766a_0abb, 0x81c2_c92e, 0x9272_2c85],
    [0xa2bf_e8a1, 0xa81a_664b, 0xc24b_8b70, 0xc76c_51a3],
    [0xd192_e819, 0xd699_0624, 0xf40e_3585, 0x106a_a070],
    [0x19a4_c116, 0x1e37_6c08, 0x2748_774c, 0x34b0_bcb5],
    [0x391c_0cb3, 0x4ed8_aa4a, 0x5b9c_ca4f, 0x682e_6ff3],
    [0x748f_82ee, 0x78a5_636f, 0x84c8_7814, 0x8cc7_0208],
    [0x90be_fffa, 0xa450_6ceb, 0xbef9_a3f7, 0xc671_78f2],
];

/// The four quarters of a block.
#[inline]
fn quarters(block: &Block) -> [&[u8; 16]; 4] {
    let (quarters, _) = block.as_chunks();
    [&quarters[0], &quarters[1], &quarters[2], &quarters[3]]
}

// === loads and stores ===
// Each asks for the alignment of what its pointer points to, and the reference vouches for that and
// for its sixteen bytes.

/// Four words from big-endian bytes.
#[inline]
#[target_feature(enable = "neon")]
fn load_bytes(bytes: &[u8; 16]) -> uint32x4_t {
    // SAFETY: the reference is valid for reading its sixteen bytes.
    let bytes = unsafe { vld1q_u8(bytes.as_ptr()) };
    vreinterpretq_u32_u8(vrev32q_u8(bytes))
}

#[inline]
#[target_feature(enable = "neon")]
fn load_words(words: &[u32; 4]) -> uint32x4_t {
    // SAFETY: the reference is valid for reading its four words, and aligned.
    unsafe { vld1q_u32(words.as_ptr()) }
}

/// Four words to big-endian bytes.
#[inline]
#[target_feature(enable = "neon")]
fn store_bytes(bytes: &mut [u8; 16], words: uint32x4_t) {
    let words = vrev32q_u8(vreinterpretq_u8_u32(words));
    // SAFETY: the reference is valid for writing its sixteen bytes, of which any are a `u8`.
    unsafe { vst1q_u8(bytes.as_mut_ptr(), words) }
}

#[inline]
#[target_feature(enable = "neon")]
fn store_words(words: &mut [u32; 4], value: uint32x4_t) {
    // SAFETY: the reference is valid for writing its four words, and aligned, and any four words
    // are a `u32` each.
    unsafe { vst1q_u32(words.as_mut_ptr(), value) }
}
