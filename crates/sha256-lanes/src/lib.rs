#![doc = include_str!("../README.md")]
#![no_std]
#![warn(missing_docs)]
#![deny(
    unsafe_op_in_unsafe_fn,
    clippy::undocumented_unsafe_blocks,
    clippy::multiple_unsafe_ops_per_block
)]
// `unsafe` is in the file with the instructions of the architecture.
#![cfg_attr(
    not(any(
        target_arch = "x86_64",
        all(target_arch = "aarch64", target_endian = "little")
    )),
    forbid(unsafe_code)
)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod kernel;
mod portable;
mod state;

#[cfg(all(target_arch = "aarch64", target_endian = "little"))]
mod arm;
#[cfg(all(target_arch = "aarch64", target_endian = "little"))]
use self::arm as fast;

#[cfg(target_arch = "x86_64")]
mod x86;
#[cfg(target_arch = "x86_64")]
use self::x86 as fast;

#[cfg(not(any(
    target_arch = "x86_64",
    all(target_arch = "aarch64", target_endian = "little")
)))]
mod none;
#[cfg(not(any(
    target_arch = "x86_64",
    all(target_arch = "aarch64", target_endian = "little")
)))]
use self::none as fast;

pub use self::kernel::Kernel;
pub use self::state::State;

/// What SHA-256 takes in one step: 64 bytes.
pub type Block = [u8; 64];

/// How many states can go over a message at once.
pub const MAX_LANES: usize = 4;
