//! HMAC-SHA256 with prepared keys, several of them over one message.
//!
//! RFC 2104: `H(K ⊕ opad ‖ H(K ⊕ ipad ‖ message))`. The states after the two key blocks are kept, so
//! a message costs its own blocks and one more; those of the body are hashed where they lie.

use golive_sha256_lanes::{Block, Kernel, MAX_LANES, State};
use zeroize::{Zeroize as _, Zeroizing};

use crate::{bytes, limits::MAX_KEYS};

const BLOCK: usize = 64;
/// The mark of the end and the length, which follow the message.
const MIN_PADDING: usize = 9;
/// What is gathered on the stack before the first block is hashed: the signed pieces and the start
/// of the body, or all of a short message.
const HEAD: usize = 3 * BLOCK;

/// A key, as the two states after its blocks: all that a forger needs, so it is wiped.
#[derive(Clone)]
pub(crate) struct Midstates {
    inner: Zeroizing<State>,
    outer: Zeroizing<State>,
}

/// MACs that grow with their message, one for each of some keys.
#[derive(Clone)]
pub(crate) struct Hashing<'k> {
    kernel: Kernel,
    states: [State; MAX_KEYS],
    keys: [Option<&'k Midstates>; MAX_KEYS],
    /// How many of both there are.
    len: usize,
    /// What does not make a block yet.
    rest: Block,
    filled: usize,
    bytes: u64,
}

// === impl Midstates ===

impl Midstates {
    /// Of a secret of any length.
    pub(crate) fn new(secret: &[u8]) -> Self {
        let kernel = Kernel::detect();
        let mut key = Zeroizing::new([0; BLOCK]);
        match secret.len() {
            // RFC 2104, 2: "Applications that use keys longer than B bytes will first hash the key".
            len if len > BLOCK => {
                let digest = Zeroizing::new(sha256(kernel, secret));
                key[..32].copy_from_slice(&*digest);
            }
            len => key[..len].copy_from_slice(secret),
        }
        let after = |pad: u8| {
            let block = Zeroizing::new(key.map(|byte| byte ^ pad));
            let mut state = [State::INITIAL];
            kernel.compress(&mut state, core::slice::from_ref(&*block));
            let [state] = state;
            Zeroizing::new(state)
        };
        Self {
            inner: after(0x36),
            outer: after(0x5c),
        }
    }
}

/// The MACs of `signed`, piece after piece, and `body`, under each of these keys, in one pass.
#[inline]
pub(crate) fn macs<'a, const N: usize>(
    kernel: Kernel,
    keys: [&Midstates; N],
    signed: impl Iterator<Item = &'a [u8]> + Clone,
    body: &[u8],
) -> [[u8; 32]; N] {
    // Not by `map`, for which the compiler would move the states several times.
    let mut inner = [State::INITIAL; N];
    let mut outer = [State::INITIAL; N];
    for ((inner, outer), key) in inner.iter_mut().zip(&mut outer).zip(keys) {
        *inner = *key.inner;
        *outer = *key.outer;
    }
    let mut head = [[0; BLOCK]; HEAD / BLOCK];
    let Some(prefix) = gather(head.as_flattened_mut(), signed.clone()) else {
        return macs_of_long(kernel, keys, signed, body);
    };
    let bits = bits(prefix as u64 + body.len() as u64);
    if prefix + body.len() <= HEAD - MIN_PADDING {
        // All of it, in one go.
        let place = &mut head.as_flattened_mut()[prefix..prefix + body.len()];
        place.copy_from_slice(body);
        return kernel.hmac(&inner, &outer, &[pad(&mut head, prefix + body.len(), bits)]);
    }
    // Whole blocks of the pieces and the start of the body, so that the rest is hashed in place.
    let end = prefix.next_multiple_of(BLOCK);
    let (start, rest) = body.split_at_checked(end - prefix).unwrap_or((body, &[]));
    bytes::copy(&mut head.as_flattened_mut()[prefix..end], start);
    let (blocks, tail) = rest.as_chunks();
    let mut last = [[0; BLOCK]; 2];
    last.as_flattened_mut()[..tail.len()].copy_from_slice(tail);
    let last = pad(&mut last, tail.len(), bits);
    kernel.hmac(&inner, &outer, &[&head[..end / BLOCK], blocks, last])
}

/// As [`macs`], where so much is signed before the body that it does not fit.
#[cold]
fn macs_of_long<'a, const N: usize>(
    kernel: Kernel,
    keys: [&Midstates; N],
    signed: impl Iterator<Item = &'a [u8]>,
    body: &[u8],
) -> [[u8; 32]; N] {
    let mut hashing = Hashing::new(kernel, keys.into_iter());
    signed.for_each(|piece| hashing.update(piece));
    hashing.update(body);
    let mut macs = [[0; 32]; N];
    hashing.finish(|at, mac| {
        if let Some(place) = macs.get_mut(at) {
            *place = *mac;
        }
    });
    macs
}

/// Copies the pieces to the front of `head`; `None` if there is no room for a block behind them.
#[inline]
fn gather<'a>(head: &mut [u8], pieces: impl Iterator<Item = &'a [u8]>) -> Option<usize> {
    let mut end = 0;
    for piece in pieces {
        let place = head.get_mut(end..end + piece.len())?;
        bytes::copy(place, piece);
        end += piece.len();
    }
    (end <= HEAD - BLOCK).then_some(end)
}

/// FIPS 180-4, 5.1.1, behind the first `used` bytes: the blocks with them and the padding.
#[inline]
fn pad(blocks: &mut [Block], used: usize, bits: u64) -> &[Block] {
    let end = (used + MIN_PADDING).next_multiple_of(BLOCK);
    let bytes = blocks.as_flattened_mut();
    bytes[used] = 0x80;
    bytes[end - 8..end].copy_from_slice(&bits.to_be_bytes());
    &blocks[..end / BLOCK]
}

/// The length that is padded with: the block of the key counts.
#[inline]
fn bits(message: u64) -> u64 {
    (BLOCK as u64 + message) * 8
}

// === impl Hashing ===

impl<'k> Hashing<'k> {
    /// With these keys, of which there are at most [`MAX_KEYS`].
    pub(crate) fn new(kernel: Kernel, keys: impl Iterator<Item = &'k Midstates>) -> Self {
        let mut hashing = Self {
            kernel,
            states: [State::INITIAL; MAX_KEYS],
            keys: [None; MAX_KEYS],
            len: 0,
            rest: [0; BLOCK],
            filled: 0,
            bytes: 0,
        };
        let places = hashing.states.iter_mut().zip(&mut hashing.keys);
        for ((state, place), key) in places.zip(keys) {
            *state = *key.inner;
            *place = Some(key);
            hashing.len += 1;
        }
        hashing
    }

    pub(crate) fn update(&mut self, mut bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        if self.filled > 0 {
            let room = self.rest.get_mut(self.filled..).unwrap_or_default();
            let (start, rest) = bytes.split_at_checked(room.len()).unwrap_or((bytes, &[]));
            room[..start.len()].copy_from_slice(start);
            self.filled += start.len();
            bytes = rest;
            if self.filled < BLOCK {
                return;
            }
            let block = self.rest;
            self.compress(core::slice::from_ref(&block));
        }
        let (blocks, rest) = bytes.as_chunks();
        self.compress(blocks);
        self.rest[..rest.len()].copy_from_slice(rest);
        self.filled = rest.len();
    }

    /// Gives each MAC, in the order of the keys.
    pub(crate) fn finish(mut self, mut mac: impl FnMut(usize, &[u8; 32])) {
        let mut last = [[0; BLOCK]; 2];
        last[0] = self.rest;
        last[0][self.filled..].fill(0);
        self.compress(pad(&mut last, self.filled, bits(self.bytes)));
        let keys = self.keys.iter().flatten();
        for (at, (state, key)) in self.states.iter().zip(keys).enumerate() {
            let [one] = self.kernel.finish_hmac(&[*state], &[*key.outer]);
            mac(at, &one);
        }
    }

    fn compress(&mut self, blocks: &[Block]) {
        let states = self.states.get_mut(..self.len).unwrap_or_default();
        for lanes in states.chunks_mut(MAX_LANES) {
            compress(self.kernel, lanes, blocks);
        }
    }
}

impl Drop for Hashing<'_> {
    /// Before its first block, a state is that of the key.
    fn drop(&mut self) {
        for state in self.states.iter_mut().take(self.len) {
            state.zeroize();
        }
    }
}

/// Up to four states at once.
fn compress(kernel: Kernel, states: &mut [State], blocks: &[Block]) {
    fn lanes<const N: usize>(kernel: Kernel, states: &mut [State], blocks: &[Block]) {
        if let Some(states) = states.first_chunk_mut::<N>() {
            kernel.compress(states, blocks);
        }
    }
    match states.len() {
        0 => {}
        1 => lanes::<1>(kernel, states, blocks),
        2 => lanes::<2>(kernel, states, blocks),
        3 => lanes::<3>(kernel, states, blocks),
        _ => lanes::<4>(kernel, states, blocks),
    }
}

/// The plain hash, for keys that are too long.
fn sha256(kernel: Kernel, message: &[u8]) -> [u8; 32] {
    let mut state = [State::INITIAL];
    let (blocks, tail) = message.as_chunks();
    kernel.compress(&mut state, blocks);
    let mut last = Zeroizing::new([[0; BLOCK]; 2]);
    last.as_flattened_mut()[..tail.len()].copy_from_slice(tail);
    let bits = message.len() as u64 * 8;
    kernel.compress(&mut state, pad(&mut *last, tail.len(), bits));
    let [state] = state;
    state.digest()
}

#[cfg(test)]
mod tests {
    use alloc::{vec, vec::Vec};

    use hmac::{Hmac, KeyInit as _, Mac as _};
    use sha2::Sha256;

    use super::*;

    fn reference(secret: &[u8], message: &[u8]) -> [u8; 32] {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret).unwrap();
        mac.update(message);
        mac.finalize().into_bytes().into()
    }

    fn some_bytes(len: usize) -> Vec<u8> {
        (0..len).map(|i| (i * 7 + len) as u8).collect()
    }

    /// The message in one piece before the body or in several, and all in one pass or in chunks.
    fn each_way(kernel: Kernel, secret: &[u8], signed: &[&[u8]], body: &[u8]) {
        let key = Midstates::new(secret);
        let other = Midstates::new(b"another");
        let expected = reference(secret, &[&signed.concat(), body].concat());
        let pieces = || signed.iter().copied();
        assert_eq!(macs(kernel, [&key], pieces(), body), [expected]);
        assert_eq!(macs(kernel, [&other, &key], pieces(), body)[1], expected);
        assert_eq!(
            macs(kernel, [&other, &key, &other], pieces(), body)[1],
            expected
        );
        let four = macs(kernel, [&other, &other, &other, &key], pieces(), body);
        assert_eq!(four[3], expected);
        for chunk in [1, 63, 64, 65, usize::MAX] {
            let mut hashing =
                Hashing::new(kernel, [&other, &other, &other, &other, &key].into_iter());
            pieces().for_each(|piece| hashing.update(piece));
            body.chunks(chunk).for_each(|chunk| hashing.update(chunk));
            let mut seen = vec![];
            hashing.finish(|_, mac| seen.push(*mac));
            assert_eq!(seen.len(), 5);
            assert_eq!(seen[4], expected);
        }
    }

    #[test]
    fn every_length_agrees_with_the_reference_on_every_kernel() {
        for kernel in Kernel::available() {
            for len in 0..300 {
                each_way(
                    kernel,
                    &[9; 24],
                    &[b"msg_1", b".", b"1614265330", b"."],
                    &some_bytes(len),
                );
            }
            for signed in [
                0, 1, 63, 64, 65, 127, 128, 190, 191, 192, 193, 255, 256, 257, 4000,
            ] {
                for body in [0, 1, 63, 64, 65, 200, 4096] {
                    each_way(kernel, &[9; 24], &[&some_bytes(signed)], &some_bytes(body));
                }
            }
        }
    }

    #[test]
    fn secrets_of_every_length_agree_with_the_reference() {
        for len in (1..200).chain([1023, 1024]) {
            each_way(Kernel::detect(), &some_bytes(len), &[b"id", b"."], b"body");
        }
    }

    #[test]
    fn what_is_prepared_of_a_key_is_wiped_on_drop() {
        fn wiped<T: zeroize::ZeroizeOnDrop>(_: &T) {}
        let Midstates { mut inner, outer } = Midstates::new(&[7; 32]);
        wiped(&inner);
        wiped(&outer);
        inner.zeroize();
        assert_eq!(inner.digest(), [0; 32]);
    }
}
