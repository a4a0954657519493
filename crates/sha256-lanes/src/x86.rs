//! The SHA extensions of x86-64.
//!
//! `sha256rnds2` does two rounds of one state, and each pair of rounds waits for the one before it.
//! Of the time in which one state waits, others can make use: their rounds are interleaved here.
//! The message schedule is the same for all of them, so it is computed once.
//!
//! All arithmetic is safe: within a function that has the instructions, an intrinsic that takes no
//! pointer is a safe function. `unsafe` are the steps into such functions, with [`Instructions`]
//! for a proof, and the loads and stores, each of them a cast of a reference.

use core::arch::x86_64::{
    __m128i, _mm_add_epi32, _mm_alignr_epi8, _mm_blend_epi16, _mm_loadu_si128, _mm_set_epi32,
    _mm_set_epi64x, _mm_sha256msg1_epu32, _mm_sha256msg2_epu32, _mm_sha256rnds2_epu32,
    _mm_shuffle_epi8, _mm_shuffle_epi32, _mm_storeu_si128,
};
use core::array;
use core::hint::black_box;

use crate::{Block, State};

cpufeatures::new!(cpuid, "sha", "sse4.1", "ssse3");

/// The proof that this processor has the instructions: only [`Instructions::detect`] makes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Instructions(());

impl Instructions {
    pub(crate) const NAME: &str = "sha-ni";

    #[inline]
    pub(crate) fn detect() -> Option<Self> {
        cpuid::get().then_some(Self(()))
    }

    #[inline]
    pub(crate) fn compress<const N: usize>(self, states: &mut [State; N], blocks: &[Block]) {
        // SAFETY: `compress` needs sha, sse4.1 and ssse3, and is safe otherwise. `self` exists, so
        // `detect` has seen all three of them on this processor.
        unsafe { compress(states, blocks) }
    }

    #[inline]
    pub(crate) fn finish_hmac<const N: usize>(
        self,
        inner: &[State; N],
        outer: &[State; N],
    ) -> [[u8; 32]; N] {
        // SAFETY: `finish_hmac` needs sha, sse4.1 and ssse3, and is safe otherwise. `self` exists,
        // so `detect` has seen all three of them on this processor.
        unsafe { finish_hmac(inner, outer) }
    }

    #[inline]
    pub(crate) fn hmac<const N: usize>(
        self,
        inner: &[State; N],
        outer: &[State; N],
        runs: &[&[Block]],
    ) -> [[u8; 32]; N] {
        // SAFETY: `hmac` needs sha, sse4.1 and ssse3, and is safe otherwise. `self` exists, so
        // `detect` has seen all three of them on this processor.
        unsafe { hmac(inner, outer, runs) }
    }
}

#[target_feature(enable = "sha,sse4.1,ssse3")]
fn compress<const N: usize>(states: &mut [State; N], blocks: &[Block]) {
    // Not only for the sake of no blocks. If the states could come from here to the end without the
    // loop, the compiler would have some of them wait in memory at its end, in every block: two
    // lanes would take 1.12 of one, and not 1.00.
    if blocks.is_empty() {
        return;
    }
    let mut lanes = Lane::load_all(states);
    for block in blocks {
        one_block(&mut lanes, [message(block)]);
    }
    for (state, lane) in states.iter_mut().zip(lanes) {
        lane.store(state);
    }
}

#[target_feature(enable = "sha,sse4.1,ssse3")]
fn finish_hmac<const N: usize>(inner: &[State; N], outer: &[State; N]) -> [[u8; 32]; N] {
    outer_hash(Lane::load_all(inner), outer)
}

#[target_feature(enable = "sha,sse4.1,ssse3")]
fn hmac<const N: usize>(
    inner: &[State; N],
    outer: &[State; N],
    runs: &[&[Block]],
) -> [[u8; 32]; N] {
    let mut lanes = Lane::load_all(inner);
    for run in runs {
        if run.is_empty() {
            continue; // As in `compress`.
        }
        for block in *run {
            one_block(&mut lanes, [message(block)]);
        }
    }
    outer_hash(lanes, outer)
}

#[inline]
#[target_feature(enable = "sha,sse4.1,ssse3")]
fn outer_hash<const N: usize>(inner: [Lane; N], outer: &[State; N]) -> [[u8; 32]; N] {
    // FIPS 180-4, 5.1.1: after the message the bit 1, zeros, and the length of the message in bits.
    // It is the block of the key, and the inner digest.
    let padding = _mm_set_epi32(0, 0, 0, 1 << 31);
    let length = _mm_set_epi32(8 * (64 + 32), 0, 0, 0);
    let mut messages = [[padding; 4]; N];
    for (message, inner) in messages.iter_mut().zip(inner) {
        let [abcd, efgh] = inner.in_order();
        *message = [abcd, efgh, padding, length];
    }

    // Every lane has a message of its own now, and two such take all the registers there are.
    let mut lanes = Lane::load_all(outer);
    let (pairs, last) = lanes.as_chunks_mut::<2>();
    let (messages_of_pairs, message_of_last) = messages.as_chunks::<2>();
    for (pair, messages) in pairs.iter_mut().zip(messages_of_pairs) {
        one_block(pair, *messages);
    }
    for (last, message) in last.iter_mut().zip(message_of_last) {
        one_block(array::from_mut(last), [*message]);
    }

    let mut macs = [[0; 32]; N];
    for (mac, lane) in macs.iter_mut().zip(lanes) {
        for (bytes, words) in mac.as_chunks_mut().0.iter_mut().zip(lane.in_order()) {
            store_bytes(bytes, swap_bytes(words));
        }
    }
    macs
}

/// Takes lane `l` over message `l % M`: all over one, or each over its own.
#[inline]
#[target_feature(enable = "sha,sse4.1,ssse3")]
fn one_block<const N: usize, const M: usize>(
    lanes: &mut [Lane; N],
    mut messages: [[__m128i; 4]; M],
) {
    let before = *lanes;
    let (first, later) = ROUND_CONSTANTS.split_at(4);
    for (i, constants) in first.iter().enumerate() {
        four_rounds(lanes, messages.map(|words| words[i]), constants);
    }
    // With messages of their own the lanes have nothing in common. If the compiler knew how often
    // this loop goes round, it would unroll it, and put all rounds of one lane before those of the
    // next one, too far apart to overlap: two lanes would take 2.0 of one, and not 1.1.
    let later = if M == 1 { later } else { black_box(later) };
    for constants in later {
        for words in &mut messages {
            let [t16, t12, t8, t4] = *words;
            *words = [t12, t8, t4, next_words(t16, t12, t8, t4)];
        }
        four_rounds(lanes, messages.map(|words| words[3]), constants);
    }
    for (lane, before) in lanes.iter_mut().zip(before) {
        lane.abef = _mm_add_epi32(lane.abef, before.abef);
        lane.cdgh = _mm_add_epi32(lane.cdgh, before.cdgh);
    }
}

/// Four rounds of each lane, with four words of its message.
#[inline]
#[target_feature(enable = "sha,sse4.1,ssse3")]
fn four_rounds<const N: usize, const M: usize>(
    lanes: &mut [Lane; N],
    mut words: [__m128i; M],
    constants: &[u32; 4],
) {
    for words in &mut words {
        *words = _mm_add_epi32(*words, load_words(constants));
    }
    // After two rounds, what was A, B, E, F is C, D, G, H: the halves change places, and after four
    // rounds they are back.
    for (l, lane) in lanes.iter_mut().enumerate() {
        lane.cdgh = _mm_sha256rnds2_epu32(lane.cdgh, lane.abef, words[l % M]);
    }
    for (l, lane) in lanes.iter_mut().enumerate() {
        let upper_half = _mm_shuffle_epi32::<0b00_00_11_10>(words[l % M]);
        lane.abef = _mm_sha256rnds2_epu32(lane.abef, lane.cdgh, upper_half);
    }
}

/// Words t to t + 3 of the message schedule (FIPS 180-4, 6.2.2, step 1) from the sixteen before.
#[inline]
#[target_feature(enable = "sha,sse4.1,ssse3")]
fn next_words(t16: __m128i, t12: __m128i, t8: __m128i, t4: __m128i) -> __m128i {
    let sum = _mm_sha256msg1_epu32(t16, t12);
    let sum = _mm_add_epi32(sum, _mm_alignr_epi8::<4>(t4, t8));
    _mm_sha256msg2_epu32(sum, t4)
}

/// The sixteen words of a block.
#[inline]
#[target_feature(enable = "sha,sse4.1,ssse3")]
fn message(block: &Block) -> [__m128i; 4] {
    let [a, b, c, d] = quarters(block);
    [
        swap_bytes(load_bytes(a)),
        swap_bytes(load_bytes(b)),
        swap_bytes(load_bytes(c)),
        swap_bytes(load_bytes(d)),
    ]
}

/// Four words, from and to big-endian.
#[inline]
#[target_feature(enable = "sha,sse4.1,ssse3")]
fn swap_bytes(words: __m128i) -> __m128i {
    let order = _mm_set_epi64x(0x0c0d_0e0f_0809_0a0b, 0x0405_0607_0001_0203);
    _mm_shuffle_epi8(words, order)
}

/// A state in two registers, as `sha256rnds2` wants it.
#[derive(Clone, Copy)]
struct Lane {
    abef: __m128i,
    cdgh: __m128i,
}

impl Lane {
    #[inline]
    #[target_feature(enable = "sha,sse4.1,ssse3")]
    fn load(state: &State) -> Self {
        let [abef, cdgh] = &state.0;
        Self {
            abef: load_words(abef),
            cdgh: load_words(cdgh),
        }
    }

    #[inline]
    #[target_feature(enable = "sha,sse4.1,ssse3")]
    fn load_all<const N: usize>(states: &[State; N]) -> [Self; N] {
        let mut lanes = [Self::load(&states[0]); N];
        for (lane, state) in lanes.iter_mut().zip(states) {
            *lane = Self::load(state);
        }
        lanes
    }

    #[inline]
    #[target_feature(enable = "sha,sse4.1,ssse3")]
    fn store(self, state: &mut State) {
        let [abef, cdgh] = &mut state.0;
        store_words(abef, self.abef);
        store_words(cdgh, self.cdgh);
    }

    /// The words A to D and E to H, the first ones in the lowest 32 bits.
    #[inline]
    #[target_feature(enable = "sha,sse4.1,ssse3")]
    fn in_order(self) -> [__m128i; 2] {
        let feba = _mm_shuffle_epi32::<0b00_01_10_11>(self.abef);
        let dchg = _mm_shuffle_epi32::<0b10_11_00_01>(self.cdgh);
        [
            _mm_blend_epi16::<0b1111_0000>(feba, dchg),
            _mm_alignr_epi8::<8>(dchg, feba),
        ]
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
// `loadu` and `storeu` ask for no alignment, and the reference vouches for its sixteen bytes. SSE2
// is part of x86-64, so these four need no target feature.

#[inline]
fn load_bytes(bytes: &[u8; 16]) -> __m128i {
    // SAFETY: the reference is valid for reading its sixteen bytes.
    unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) }
}

#[inline]
fn load_words(words: &[u32; 4]) -> __m128i {
    // SAFETY: the reference is valid for reading its four words, which are sixteen bytes.
    unsafe { _mm_loadu_si128(words.as_ptr().cast()) }
}

#[inline]
fn store_bytes(bytes: &mut [u8; 16], value: __m128i) {
    // SAFETY: the reference is valid for writing its sixteen bytes, of which any are a `u8`.
    unsafe { _mm_storeu_si128(bytes.as_mut_ptr().cast(), value) }
}

#[inline]
fn store_words(words: &mut [u32; 4], value: __m128i) {
    // SAFETY: the reference is valid for writing its four words, sixteen bytes, of which any four
    // are a `u32`.
    unsafe { _mm_storeu_si128(words.as_mut_ptr().cast(), value) }
}
