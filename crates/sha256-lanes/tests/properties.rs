//! Equal to `sha2` and `hmac`, whatever the states, the message and the lanes.

mod common;

use common::{blocks, compress, padded, prepared, reference_hmac};
use golive_sha256_lanes::{Kernel, MAX_LANES, State};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

fn lanes<T: Strategy>(one: T) -> impl Strategy<Value = Vec<T::Value>> {
    vec(one, 1..=MAX_LANES)
}

fn a_key() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..=64)
}

proptest! {
    #[test]
    fn lanes_are_states_of_sha2(
        starts in lanes(any::<[u32; 8]>()),
        message in vec(any::<u8>(), 0..1024),
        offset in 0_usize..64,
    ) {
        let message = message.get(offset..).unwrap_or_default();
        let expected: Vec<[u32; 8]> = starts
            .iter()
            .map(|words| {
                let mut words = *words;
                sha2::block_api::compress256(&mut words, blocks(message));
                words
            })
            .collect();
        let states: Vec<State> = starts.into_iter().map(State::from_words).collect();
        for kernel in Kernel::available() {
            let after = compress(kernel, &states, blocks(message));
            let after: Vec<_> = after.iter().map(State::to_words).collect();
            prop_assert_eq!(&after, &expected, "{}", kernel.name());
        }
    }

    #[test]
    fn macs_are_those_of_the_hmac_crate(
        keys in lanes(a_key()),
        message in vec(any::<u8>(), 0..600),
    ) {
        let (inner, outer): (Vec<State>, Vec<State>) = keys.iter().map(|key| prepared(key)).unzip();
        let expected: Vec<_> = keys.iter().map(|key| reference_hmac(key, &message)).collect();
        let padded = padded(&message, 64);
        for kernel in Kernel::available() {
            let after = compress(kernel, &inner, blocks(&padded));
            prop_assert_eq!(&common::finish_hmac(kernel, &after, &outer), &expected);
            prop_assert_eq!(&common::hmac(kernel, &inner, &outer, &[blocks(&padded)]), &expected);
        }
    }

    #[test]
    fn where_a_message_is_cut_into_runs_does_not_matter(
        starts in lanes(any::<([u32; 8], [u32; 8])>()),
        message in vec(any::<[u8; 64]>(), 0..12),
        cuts in vec(any::<Index>(), 0..6),
    ) {
        let (inner, outer): (Vec<State>, Vec<State>) = starts
            .into_iter()
            .map(|(inner, outer)| (State::from_words(inner), State::from_words(outer)))
            .unzip();
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(message.len() + 1)).collect();
        cuts.sort_unstable();
        let mut rest = &message[..];
        let mut runs = Vec::new();
        for cut in cuts.into_iter().rev() {
            let (before, after) = rest.split_at(cut);
            runs.insert(0, after);
            rest = before;
        }
        runs.insert(0, rest);
        let mut macs = Vec::new();
        for kernel in Kernel::available() {
            let mut states = inner.clone();
            for run in &runs {
                states = compress(kernel, &states, run);
            }
            macs.push(common::finish_hmac(kernel, &states, &outer));
            macs.push(common::hmac(kernel, &inner, &outer, &runs));
            macs.push(common::hmac(kernel, &inner, &outer, &[&message]));
        }
        prop_assert!(macs.windows(2).all(|two| two[0] == two[1]), "{:?}", macs);
    }

    #[test]
    fn the_digest_is_the_words_big_endian(words: [u32; 8]) {
        let state = State::from_words(words);
        prop_assert_eq!(state.to_words(), words);
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
        prop_assert_eq!(&state.digest()[..], &bytes[..]);
    }
}
