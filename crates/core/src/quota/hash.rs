//! The identity of a window.

use super::structured::Bare;

/// FNV-1a, which is short and needs no key: who could make two windows collide could as well name
/// them alike.
#[derive(Clone, Copy)]
pub(super) struct Hash(pub(super) u64);

impl Hash {
    pub(super) fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    pub(super) fn bytes(self, bytes: &[u8]) -> Self {
        let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        // The end counts as well, so that two names are not one.
        Self(bytes.iter().chain(&[0xff]).fold(self.0, step))
    }

    pub(super) fn name(self, name: Bare<'_>) -> Self {
        match name {
            Bare::Text(text) | Bare::Bytes(text) => self.bytes(text),
            Bare::Number(number) => self.bytes(&number.to_be_bytes()),
            Bare::Other => self,
        }
    }

    pub(super) fn number(self, number: u64) -> Self {
        self.bytes(&number.to_be_bytes())
    }
}
