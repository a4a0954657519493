//! Digests that are known, by every back end and every number of lanes.

mod common;

use common::{blocks, bytes, compress, padded, prepared, reference_hmac, sha256};
use golive_sha256_lanes::{Kernel, MAX_LANES, State};
use sha2::{Digest, Sha256};

fn hex(digest: &[u8; 32]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The examples of NIST for FIPS 180-4, "Secure Hashing: SHA256", and the empty message of CAVS
/// (`SHA256ShortMsg.rsp`).
const EXAMPLES: [(&str, &str); 4] = [
    (
        "",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    ),
    (
        "abc",
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    ),
    (
        "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
    ),
    (
        "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
        "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1",
    ),
];

#[test]
fn the_examples_of_the_standard() {
    for kernel in Kernel::available() {
        for lanes in 1..=MAX_LANES {
            for (message, known) in EXAMPLES {
                for digest in sha256(kernel, lanes, message.as_bytes()) {
                    assert_eq!(hex(&digest), known, "{} {lanes} {message}", kernel.name());
                }
            }
        }
    }
}

#[test]
fn a_million_times_a() {
    let message = vec![b'a'; 1_000_000];
    for kernel in Kernel::available() {
        for lanes in 1..=MAX_LANES {
            for digest in sha256(kernel, lanes, &message) {
                assert_eq!(
                    hex(&digest),
                    "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0",
                    "{} {lanes}",
                    kernel.name()
                );
            }
        }
    }
}

#[test]
fn every_length_over_four_blocks() {
    let message = bytes(260);
    for kernel in Kernel::available() {
        for len in 0..=message.len() {
            let expected: [u8; 32] = Sha256::digest(&message[..len]).into();
            for lanes in 1..=MAX_LANES {
                for digest in sha256(kernel, lanes, &message[..len]) {
                    assert_eq!(digest, expected, "{} {lanes} {len}", kernel.name());
                }
            }
        }
    }
}

#[test]
fn macs_of_every_length_over_four_blocks() {
    let message = bytes(260);
    let keys: Vec<Vec<u8>> = [24, 0, 64, 33].map(bytes).to_vec();
    let (inner, outer): (Vec<State>, Vec<State>) = keys.iter().map(|key| prepared(key)).unzip();
    for kernel in Kernel::available() {
        for len in 0..=message.len() {
            let padded = padded(&message[..len], 64);
            let expected: Vec<_> = keys
                .iter()
                .map(|key| reference_hmac(key, &message[..len]))
                .collect();
            for lanes in 1..=MAX_LANES {
                let (inner, outer) = (&inner[..lanes], &outer[..lanes]);
                let whole = common::hmac(kernel, inner, outer, &[blocks(&padded)]);
                assert_eq!(whole, expected[..lanes], "{} {lanes} {len}", kernel.name());
                let after = compress(kernel, inner, blocks(&padded));
                let finished = common::finish_hmac(kernel, &after, outer);
                assert_eq!(
                    finished,
                    expected[..lanes],
                    "{} {lanes} {len}",
                    kernel.name()
                );
            }
        }
    }
}

/// RFC 4231, 4.2 to 4.5 and 4.8: the keys of one block or less, with full MACs, by four lanes at
/// once where the messages are the same.
#[test]
fn the_test_cases_of_rfc_4231() {
    let cases: [(&[u8], &[u8], &str); 4] = [
        (
            &[0x0b; 20],
            b"Hi There",
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
        ),
        (
            b"Jefe",
            b"what do ya want for nothing?",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        ),
        (
            &[0xaa; 20],
            &[0xdd; 50],
            "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
        ),
        (
            &[
                1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23,
                24, 25,
            ],
            &[0xcd; 50],
            "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b",
        ),
    ];
    for kernel in Kernel::available() {
        for (key, message, known) in cases {
            let (inner, outer) = prepared(key);
            let padded = padded(message, 64);
            for lanes in 1..=MAX_LANES {
                let (inner, outer) = (vec![inner; lanes], vec![outer; lanes]);
                for mac in common::hmac(kernel, &inner, &outer, &[blocks(&padded)]) {
                    assert_eq!(hex(&mac), known, "{} {lanes}", kernel.name());
                }
            }
        }
    }
}
