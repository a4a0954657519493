//! What each test needs: a number of lanes that is a value, and messages with their padding.
#![allow(dead_code, reason = "each test takes what it needs")]
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a helper that fails is a failed test"
)]

use golive_sha256_lanes::{Block, Kernel, State};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Does the same for as many lanes as there are in a slice.
macro_rules! with_lanes {
    ($slice:expr, |$array:ident| $body:expr) => {
        match $slice.len() {
            1 => with_lanes!(@ 1, $slice, $array, $body),
            2 => with_lanes!(@ 2, $slice, $array, $body),
            3 => with_lanes!(@ 3, $slice, $array, $body),
            4 => with_lanes!(@ 4, $slice, $array, $body),
            other => panic!("{other} lanes"),
        }
    };
    (@ $lanes:literal, $slice:expr, $array:ident, $body:expr) => {{
        let $array: [State; $lanes] = $slice.try_into().unwrap();
        $body
    }};
}

pub(crate) fn compress(kernel: Kernel, states: &[State], blocks: &[Block]) -> Vec<State> {
    with_lanes!(states, |lanes| {
        let mut lanes = lanes;
        kernel.compress(&mut lanes, blocks);
        lanes.to_vec()
    })
}

pub(crate) fn finish_hmac(kernel: Kernel, inner: &[State], outer: &[State]) -> Vec<[u8; 32]> {
    with_lanes!(inner, |lanes| {
        kernel
            .finish_hmac(&lanes, outer.try_into().unwrap())
            .to_vec()
    })
}

pub(crate) fn hmac(
    kernel: Kernel,
    inner: &[State],
    outer: &[State],
    runs: &[&[Block]],
) -> Vec<[u8; 32]> {
    with_lanes!(inner, |lanes| {
        kernel
            .hmac(&lanes, outer.try_into().unwrap(), runs)
            .to_vec()
    })
}

/// The digest of a message, by each of `lanes` lanes.
pub(crate) fn sha256(kernel: Kernel, lanes: usize, message: &[u8]) -> Vec<[u8; 32]> {
    let padded = padded(message, 0);
    let states = compress(kernel, &vec![State::INITIAL; lanes], blocks(&padded));
    states.iter().map(State::digest).collect()
}

/// A message with the padding of FIPS 180-4, 5.1.1, as the bytes after `before` others.
pub(crate) fn padded(message: &[u8], before: usize) -> Vec<u8> {
    let bits = 8 * u64::try_from(before + message.len()).unwrap();
    let mut padded = message.to_vec();
    padded.push(0x80);
    while padded.len() % 64 != 56 {
        padded.push(0);
    }
    padded.extend_from_slice(&bits.to_be_bytes());
    padded
}

/// The whole blocks of some bytes, wherever these begin.
pub(crate) fn blocks(bytes: &[u8]) -> &[Block] {
    bytes.as_chunks().0
}

/// The states after the key with ipad and with opad, by `sha2` alone.
pub(crate) fn prepared(key: &[u8]) -> (State, State) {
    assert!(key.len() <= 64, "a longer key would be hashed first");
    let state_after = |pad: u8| {
        let mut block = [pad; 64];
        for (byte, key) in block.iter_mut().zip(key) {
            *byte ^= key;
        }
        let mut words = State::INITIAL.to_words();
        sha2::block_api::compress256(&mut words, &[block]);
        State::from_words(words)
    };
    (state_after(0x36), state_after(0x5c))
}

/// HMAC-SHA256, by the `hmac` crate.
pub(crate) fn reference_hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(message);
    mac.finalize().into_bytes().into()
}

/// Bytes that no two blocks, and no two places in a block, have in common.
pub(crate) fn bytes(len: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut bytes = Vec::with_capacity(len);
    for _ in 0..len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.push(state.to_le_bytes()[3]);
    }
    bytes
}
