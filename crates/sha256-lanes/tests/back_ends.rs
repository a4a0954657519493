//! Which back ends there are, and what each of them keeps to.

mod common;

use common::{blocks, bytes, compress};
use golive_sha256_lanes::{Kernel, MAX_LANES, State};

/// What the standard library says about this processor, asked in another way.
fn expected() -> Vec<&'static str> {
    let mut names = Vec::new();
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("sha")
        && is_x86_feature_detected!("sse4.1")
        && is_x86_feature_detected!("ssse3")
    {
        names.push("sha-ni");
    }
    #[cfg(all(target_arch = "aarch64", target_endian = "little"))]
    if std::arch::is_aarch64_feature_detected!("sha2") {
        names.push("arm-sha2");
    }
    names.push("portable");
    names
}

/// The other tests go through `available`, so this one says what they have tested.
#[test]
fn every_back_end_that_the_processor_can_run_is_available_the_fastest_first() {
    let names: Vec<_> = Kernel::available().map(Kernel::name).collect();
    println!("tested here: {}", names.join(", "));
    assert_eq!(names, expected());
    assert_eq!(Kernel::available().next(), Some(Kernel::detect()));
    assert_eq!(Kernel::available().last(), Some(Kernel::portable()));
}

#[test]
fn no_blocks_are_no_change() {
    let words = [1, 2, 3, 4, 5, 6, 7, 8];
    for kernel in Kernel::available() {
        for lanes in 1..=MAX_LANES {
            for state in compress(kernel, &vec![State::from_words(words); lanes], &[]) {
                assert_eq!(state.to_words(), words, "{} {lanes}", kernel.name());
            }
        }
    }
}

/// A run may be empty, and so may all of them be.
#[test]
fn empty_runs_are_no_change() {
    let bytes = bytes(128);
    let (first, second) = blocks(&bytes).split_at(1);
    let states = [7, 8, 9, 10].map(|word| State::from_words([word; 8]));
    for kernel in Kernel::available() {
        for lanes in 1..=MAX_LANES {
            let (inner, outer) = (&states[..lanes], &states[4 - lanes..]);
            let mac = |runs: &[&[_]]| common::hmac(kernel, inner, outer, runs);
            assert_eq!(
                mac(&[&[], first, &[], &[], second, &[]]),
                mac(&[blocks(&bytes)])
            );
            let finished = common::finish_hmac(kernel, inner, outer);
            assert_eq!(mac(&[]), finished);
            assert_eq!(mac(&[&[], &[]]), finished);
        }
    }
}

/// Every lane at every place, beside every other one: the same as it is alone.
#[test]
fn a_lane_does_not_depend_on_its_neighbours() {
    let bytes = bytes(192);
    let states: [State; 5] =
        core::array::from_fn(|i| State::from_words(core::array::from_fn(|j| words(8 * i + j))));
    for kernel in Kernel::available() {
        let alone: Vec<_> = states
            .iter()
            .map(|state| compress(kernel, &[*state], blocks(&bytes))[0].to_words())
            .collect();
        for lanes in 1..=MAX_LANES {
            for changed in 0..lanes {
                let mut all = states[..lanes].to_vec();
                let mut expected = alone[..lanes].to_vec();
                all[changed] = states[4];
                expected[changed] = alone[4];
                let after = compress(kernel, &all, blocks(&bytes));
                let after: Vec<_> = after.iter().map(State::to_words).collect();
                assert_eq!(after, expected, "{} {lanes} {changed}", kernel.name());
            }
        }
    }
}

fn words(i: usize) -> u32 {
    u32::try_from(i)
        .unwrap_or(u32::MAX)
        .wrapping_mul(0x9e37_79b9)
}

/// A block has no alignment, so it may begin anywhere.
#[test]
fn blocks_lie_at_any_address() {
    let bytes = bytes(64 * 3 + 65);
    for kernel in Kernel::available() {
        for lanes in 1..=MAX_LANES {
            for offset in 0..=64 {
                let there = &bytes[offset..][..192];
                let mut expected = State::INITIAL.to_words();
                sha2::block_api::compress256(&mut expected, blocks(there));
                for state in compress(kernel, &vec![State::INITIAL; lanes], blocks(there)) {
                    assert_eq!(state.to_words(), expected, "{} {offset}", kernel.name());
                }
            }
        }
    }
}

#[test]
fn a_kernel_is_remembered_between_threads() {
    let kernels = std::thread::scope(|scope| {
        [(); 4]
            .map(|()| scope.spawn(Kernel::detect))
            .map(|thread| thread.join().unwrap())
    });
    assert_eq!(kernels, [Kernel::detect(); 4]);
}
