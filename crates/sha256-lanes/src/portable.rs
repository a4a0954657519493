//! One state after the other, through `sha2`, on any processor.

use sha2::block_api::compress256;

use crate::state::bytes;
use crate::{Block, State};

pub(crate) fn compress<const N: usize>(states: &mut [State; N], blocks: &[Block]) {
    for state in states {
        let mut words = state.to_words();
        compress256(&mut words, blocks);
        *state = State::from_words(words);
    }
}

pub(crate) fn finish_hmac<const N: usize>(inner: &[State; N], outer: &[State; N]) -> [[u8; 32]; N] {
    let mut macs = [[0; 32]; N];
    for ((mac, inner), outer) in macs.iter_mut().zip(inner).zip(outer) {
        let mut words = outer.to_words();
        compress256(&mut words, &[last_block(&inner.digest())]);
        *mac = bytes(words);
    }
    macs
}

pub(crate) fn hmac<const N: usize>(
    inner: &[State; N],
    outer: &[State; N],
    runs: &[&[Block]],
) -> [[u8; 32]; N] {
    let mut macs = [[0; 32]; N];
    for ((mac, inner), outer) in macs.iter_mut().zip(inner).zip(outer) {
        let mut words = inner.to_words();
        for run in runs {
            compress256(&mut words, run);
        }
        let block = last_block(&bytes(words));
        words = outer.to_words();
        compress256(&mut words, &[block]);
        *mac = bytes(words);
    }
    macs
}

/// FIPS 180-4, 5.1.1: "Append the bit “1” to the end of the message, followed by k zero bits [...].
/// Then append the 64-bit block that is equal to the number ℓ expressed using a binary
/// representation." The message is the block of the key, and the inner digest.
fn last_block(inner: &[u8; 32]) -> Block {
    let mut block = [0; 64];
    block[..32].copy_from_slice(inner);
    block[32] = 0x80;
    block[56..].copy_from_slice(&(8 * (64 + 32_u64)).to_be_bytes());
    block
}
