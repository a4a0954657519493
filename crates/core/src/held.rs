use http::{HeaderMap, Method};

use crate::{Origin, Request, message::sealed::Sealed};

/// A request on its way down a stack.
///
/// It stays where the face has put it, and only this handle moves from one middleware to the next.
/// Moved by itself, a request would be in the future of every one of them, at a few hundred bytes
/// each.
pub(crate) enum Held<'a, R> {
    /// Where the face put it. NOTE: full until the handle is consumed.
    InPlace(&'a mut Option<R>),
    /// A copy, for an attempt that there may be.
    Copy(Box<R>),
}

// === impl Held ===

impl<R> Held<'_, R> {
    /// The request, to be sent.
    #[allow(clippy::expect_used, reason = "only this takes it, and only once")]
    pub(crate) fn into_inner(self) -> R {
        match self {
            Self::InPlace(slot) => slot.take().expect("a handle is consumed once"),
            Self::Copy(copy) => *copy,
        }
    }

    #[allow(clippy::expect_used, reason = "taken only with the handle")]
    fn get(&self) -> &R {
        match self {
            Self::InPlace(slot) => slot.as_ref().expect("full until the handle is consumed"),
            Self::Copy(copy) => copy,
        }
    }

    #[allow(clippy::expect_used, reason = "taken only with the handle")]
    fn get_mut(&mut self) -> &mut R {
        match self {
            Self::InPlace(slot) => slot.as_mut().expect("full until the handle is consumed"),
            Self::Copy(copy) => copy,
        }
    }
}

impl<R> Sealed for Held<'_, R> {}

impl<R: Request> Request for Held<'_, R> {
    fn method(&self) -> &Method {
        self.get().method()
    }

    fn origin(&self) -> Option<Origin<'_>> {
        self.get().origin()
    }

    fn path(&self) -> &str {
        self.get().path()
    }

    fn headers(&self) -> &HeaderMap {
        self.get().headers()
    }

    fn headers_mut(&mut self) -> &mut HeaderMap {
        self.get_mut().headers_mut()
    }

    fn try_clone(&self) -> Option<Self> {
        Some(Self::Copy(Box::new(self.get().try_clone()?)))
    }

    fn is_whole(&self) -> bool {
        self.get().is_whole()
    }
}
