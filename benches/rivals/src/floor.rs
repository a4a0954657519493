//! What no verifier can go below: the compressions of SHA-256 that a delivery asks for.

use std::hint::black_box;

use golive_sha256_lanes::{Block, Kernel, State};

use crate::{Contestant, Delivery, ID};

/// The floor of this delivery on every back end of this processor.
///
/// With the key prepared, HMAC takes one compression for each block of the message and its padding,
/// and one for the outer hash; each needs the state that the one before has left. Nothing else is in
/// here, and the states go on from one round to the next, as no verifier's do: so nothing overlaps.
#[must_use]
pub fn floors(delivery: &Delivery) -> Vec<Contestant> {
    let timestamp = delivery.now.to_string();
    let signed = ID.len() + ".".len() + timestamp.len() + ".".len() + delivery.body.len();
    let blocks = vec![[0x5c; 64]; compressions(signed)];
    Kernel::available()
        .map(|kernel| floor(kernel, blocks.clone()))
        .collect()
}

fn floor(kernel: Kernel, blocks: Vec<Block>) -> Contestant {
    let name = format!("floor ({})", kernel.name());
    Contestant::looping(name, move |_, times| {
        let mut states = [State::INITIAL];
        for _ in 0..times {
            kernel.compress(&mut states, black_box(&blocks));
        }
        black_box(&states);
        times
    })
}

/// Of a message of so many bytes, after the key.
const fn compressions(signed: usize) -> usize {
    // FIPS 180-4, 5.1.1: a bit, as many zeros as it takes, and the length in eight bytes.
    let inner = (signed + 9).div_ceil(64);
    inner + 1
}

// Up to where the padding needs one more. Seen by the compiler, because nothing tests this package.
const _: () = assert!(compressions(43 + 64) == 2 + 1);
const _: () = assert!(compressions(43 + 76) == 2 + 1);
const _: () = assert!(compressions(43 + 77) == 3 + 1);
