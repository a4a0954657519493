//! SHA-256 of several keys over one message, by every back end, against `sha2` and `hmac`.
//!
//! Numbers: where in a buffer the message begins, then where it is cut into runs of blocks. Each
//! `key` line is a lane.

use golive_sha256_lanes::{Block, Kernel, MAX_LANES, State};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use sha2::block_api::compress256;

use crate::message::Message;

const BLOCK: usize = 64;
const CUTS: usize = 4;

/// Hashes one message under up to four keys.
pub fn one(data: &[u8]) {
    let message = Message::read(data, &["key"]);
    let keys = message.lines.iter().map(|(_, key)| *key);
    // A longer key would be hashed first, and that is not the matter here.
    let keys: Vec<&[u8]> = keys.map(|key| &key[..key.len().min(BLOCK)]).collect();
    match keys[..] {
        [] => lanes(&message, [b""]),
        [a] => lanes(&message, [a]),
        [a, b] => lanes(&message, [a, b]),
        [a, b, c] => lanes(&message, [a, b, c]),
        [a, b, c, d, ..] => lanes(&message, [a, b, c, d]),
    }
}

fn lanes<const N: usize>(message: &Message<'_>, keys: [&[u8]; N]) {
    assert!(N <= MAX_LANES);
    let offset = remainder(message.number(0), BLOCK);
    let buffer = [&vec![0; offset][..], &padded(message.body)].concat();
    let blocks: &[Block] = buffer[offset..].as_chunks().0;
    let runs = runs(message, blocks);

    let inner = keys.map(|key| after_pad(key, 0x36));
    let outer = keys.map(|key| after_pad(key, 0x5c));
    let states = inner.map(|state| {
        let mut words = state.to_words();
        compress256(&mut words, blocks);
        words
    });
    let macs = keys.map(|key| {
        let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
        mac.update(message.body);
        <[u8; 32]>::from(mac.finalize().into_bytes())
    });

    for kernel in Kernel::available() {
        let name = kernel.name();
        let mut whole = inner;
        kernel.compress(&mut whole, blocks);
        assert_eq!(whole.map(|state| state.to_words()), states, "{name}");
        let mut cut = inner;
        for run in &runs {
            kernel.compress(&mut cut, run);
        }
        assert_eq!(cut.map(|state| state.to_words()), states, "{name}, in runs");
        assert_eq!(kernel.finish_hmac(&whole, &outer), macs, "{name}");
        assert_eq!(kernel.hmac(&inner, &outer, &[blocks]), macs, "{name}");
        assert_eq!(kernel.hmac(&inner, &outer, &runs), macs, "{name}, in runs");
    }
}

/// The blocks in several pieces, of which some may be empty.
fn runs<'a>(message: &Message<'_>, blocks: &'a [Block]) -> Vec<&'a [Block]> {
    let mut runs = Vec::new();
    let mut rest = blocks;
    for at in 1..=CUTS {
        let (run, after) = rest.split_at(remainder(message.number(at), rest.len() + 1));
        runs.push(run);
        rest = after;
    }
    runs.push(rest);
    runs
}

fn remainder(number: Option<i64>, of: usize) -> usize {
    let number = number.unwrap_or_default().unsigned_abs();
    usize::try_from(number).unwrap_or_default() % of
}

/// FIPS 180-4, 5.1.1, with the block of the key before the message.
fn padded(message: &[u8]) -> Vec<u8> {
    let mut padded = message.to_vec();
    padded.push(0x80);
    padded.resize((padded.len() + 8).next_multiple_of(BLOCK) - 8, 0);
    let bits = 8 * u64::try_from(BLOCK + message.len()).unwrap();
    padded.extend_from_slice(&bits.to_be_bytes());
    padded
}

/// RFC 2104, 2: the state after "K XOR ipad" or "K XOR opad".
fn after_pad(key: &[u8], pad: u8) -> State {
    let mut block = [pad; BLOCK];
    for (byte, key) in block.iter_mut().zip(key) {
        *byte ^= key;
    }
    let mut words = State::INITIAL.to_words();
    compress256(&mut words, &[block]);
    State::from_words(words)
}
