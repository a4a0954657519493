use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::{HeaderMap, Method};

use crate::{Origin, ReadAheadError, Request, message::sealed::Sealed};

/// A request on its way down a stack.
///
/// It stays where the face has put it, and only this handle moves from one middleware to the next.
/// Moved by itself, a request would be in the future of every one of them, at a few hundred bytes
/// each.
pub(crate) enum Held<'a, R> {
    /// Where the face put it.
    InPlace(&'a mut Slot<R>),
    /// A copy, for an attempt that there may be.
    Copy(Box<Slot<R>>),
}

/// A place for a request.
pub(crate) struct Slot<R> {
    /// NOTE: full until the handle on it is consumed.
    request: Option<R>,
    /// A copy of the request as it is now, if somebody further out has kept one.
    twin: Option<Spare<R>>,
}

/// A copy for all who keep one. Nobody reads it before it is sent, and the lock is free whenever
/// it is taken, since one call alone has it; it is there for bodies that are not `Sync`.
pub(crate) struct Spare<R>(Arc<Mutex<R>>);

// === impl Held ===

impl<R> Held<'_, R> {
    /// The request, to be sent.
    #[allow(clippy::expect_used, reason = "only this takes it, and only once")]
    pub(crate) fn into_inner(mut self) -> R {
        let slot = self.slot_mut();
        slot.twin = None;
        slot.request.take().expect("a handle is consumed once")
    }

    fn copy(request: R) -> Self {
        Self::Copy(Box::new(Slot::new(request)))
    }

    #[allow(clippy::expect_used, reason = "taken only with the handle")]
    fn get(&self) -> &R {
        let slot = match self {
            Self::InPlace(slot) => slot,
            Self::Copy(slot) => &**slot,
        };
        let request = slot.request.as_ref();
        request.expect("full until the handle is consumed")
    }

    fn get_mut(&mut self) -> &mut R {
        // What was kept is what the request was before.
        self.slot_mut().twin = None;
        self.same_mut()
    }

    /// The request, for what leaves it as it is.
    #[allow(clippy::expect_used, reason = "taken only with the handle")]
    fn same_mut(&mut self) -> &mut R {
        let request = self.slot_mut().request.as_mut();
        request.expect("full until the handle is consumed")
    }

    fn slot_mut(&mut self) -> &mut Slot<R> {
        match self {
            Self::InPlace(slot) => slot,
            Self::Copy(slot) => slot,
        }
    }
}

impl<R> Sealed for Held<'_, R> {}

impl<R: Request> Request for Held<'_, R> {
    type Spare = Spare<R>;

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
        Some(Self::copy(self.get().try_clone()?))
    }

    fn is_whole(&self) -> bool {
        self.get().is_whole()
    }

    fn spare(&mut self) -> Option<Spare<R>> {
        if let Some(twin) = &self.slot_mut().twin {
            return Some(twin.clone());
        }
        let twin = Spare(Arc::new(Mutex::new(self.get().try_clone()?)));
        self.slot_mut().twin = Some(twin.clone());
        Some(twin)
    }

    fn restore(spare: Spare<R>) -> Option<Self> {
        let request = match Arc::try_unwrap(spare.0) {
            Ok(last) => last.into_inner().unwrap_or_else(PoisonError::into_inner),
            // Somebody further out keeps it too.
            Err(shared) => {
                let kept = shared.lock().unwrap_or_else(PoisonError::into_inner);
                kept.try_clone()?
            }
        };
        request.is_whole().then(|| Self::copy(request))
    }

    fn read_ahead(
        &mut self,
        limit: usize,
    ) -> impl Future<Output = Result<Bytes, ReadAheadError>> + Send {
        // A copy that was kept sends the same bytes.
        self.same_mut().read_ahead(limit)
    }
}

// === impl Slot ===

impl<R> Slot<R> {
    pub(crate) fn new(request: R) -> Self {
        Self {
            request: Some(request),
            twin: None,
        }
    }
}

// === impl Spare ===

impl<R> Clone for Spare<R> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderValue, header::ACCEPT};

    use super::*;

    fn request() -> Slot<http::Request<String>> {
        Slot::new(http::Request::new("amount=12".to_owned()))
    }

    fn restored(spare: Spare<http::Request<String>>) -> http::Request<String> {
        Held::restore(spare).unwrap().into_inner()
    }

    #[test]
    fn who_keeps_an_unchanged_request_shares_one_copy() {
        let mut slot = request();
        let mut held = Held::InPlace(&mut slot);
        let [outer, inner] = [held.spare().unwrap(), held.spare().unwrap()];
        assert!(Arc::ptr_eq(&outer.0, &inner.0));
        // Each can still be sent on its own.
        drop(held.into_inner());
        let mut inner = Held::restore(inner).unwrap();
        inner
            .headers_mut()
            .insert(ACCEPT, HeaderValue::from_static("x"));
        assert!(restored(outer).headers().is_empty());
        assert_eq!(inner.into_inner().headers().len(), 1);
    }

    #[test]
    fn a_change_is_in_the_copies_that_are_kept_after_it_alone() {
        let mut slot = request();
        let mut held = Held::InPlace(&mut slot);
        let before = held.spare().unwrap();
        held.headers_mut()
            .insert(ACCEPT, HeaderValue::from_static("x"));
        let after = held.spare().unwrap();
        assert!(restored(before).headers().is_empty());
        assert_eq!(restored(after).headers().len(), 1);
    }

    #[tokio::test]
    async fn a_look_at_the_body_leaves_the_copy_that_is_shared() {
        let mut slot = request();
        let mut held = Held::InPlace(&mut slot);
        let outer = held.spare().unwrap();
        assert_eq!(held.read_ahead(9).await.unwrap(), "amount=12");
        assert!(Arc::ptr_eq(&outer.0, &held.spare().unwrap().0));
        assert_eq!(held.into_inner().body(), "amount=12");
    }
}
