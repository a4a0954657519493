//! No instructions of our own on this architecture.

use crate::{Block, State};

/// There is none, so nothing here is ever called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Instructions {}

impl Instructions {
    pub(crate) const NAME: &str = "none";

    pub(crate) fn detect() -> Option<Self> {
        None
    }

    pub(crate) fn compress<const N: usize>(self, _: &mut [State; N], _: &[Block]) {
        match self {}
    }

    pub(crate) fn finish_hmac<const N: usize>(
        self,
        _: &[State; N],
        _: &[State; N],
    ) -> [[u8; 32]; N] {
        match self {}
    }

    pub(crate) fn hmac<const N: usize>(
        self,
        _: &[State; N],
        _: &[State; N],
        _: &[&[Block]],
    ) -> [[u8; 32]; N] {
        match self {}
    }
}
