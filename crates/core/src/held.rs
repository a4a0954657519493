use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::{HeaderMap, Method};

use crate::{Origin, ReadAheadError, Request, message::sealed::Sealed};

/// A request on its way down a stack.
///
/// It stays where the face has put it, and only this handle moves from one middleware to the next.
/// Moved by itself, a request would be in the future of every one of them, at a few hundred bytes
/// each.
pub(crate) enum Held<'a, R: Request> {
    /// Where the face put it, with a place for a copy.
    InPlace(&'a mut Slot<R>, &'a Place<R>),
    /// A copy, for an attempt that there may be.
    Copy(Box<Slot<R>>),
}

/// A place for a request.
pub(crate) struct Slot<R: Request> {
    /// NOTE: full until the handle on it is consumed.
    request: Option<R>,
    /// Where there is a copy of the request as it is now, if somebody further out keeps one.
    twin: Twin<R>,
}

/// A place for a copy beside the request, which saves an allocation: most calls need no other.
pub(crate) struct Place<R: Request>(Mutex<Placed<R>>);

struct Placed<R: Request> {
    copy: Option<R::Spare>,
    /// How many keep it.
    holders: usize,
}

enum Twin<R: Request> {
    None,
    /// In the place.
    Placed,
    Shared(Shared<R>),
}

type Shared<R> = Arc<Mutex<<R as Request>::Spare>>;

/// A copy for all who keep one. Nobody reads it before it is sent, and the locks are free whenever
/// they are taken, since one call alone has them; they are there for bodies that are not `Sync`.
pub(crate) enum Spare<'a, R: Request> {
    Placed(Holder<'a, R>),
    Shared(Shared<R>),
}

/// One who keeps what is in the place.
pub(crate) struct Holder<'a, R: Request>(&'a Place<R>);

/// A copy that can be copied.
pub(crate) trait Again: Sized {
    /// Another copy, or `None` if there cannot be one.
    fn again(&mut self) -> Option<Self>;
}

// === impl Held ===

impl<R: Request> Held<'_, R> {
    /// The request, to be sent.
    #[allow(clippy::expect_used, reason = "only this takes it, and only once")]
    pub(crate) fn into_inner(mut self) -> R {
        let slot = self.slot_mut();
        slot.twin = Twin::None;
        slot.request.take().expect("a handle is consumed once")
    }

    fn copy(request: R) -> Self {
        Self::Copy(Box::new(Slot::new(request)))
    }

    #[allow(clippy::expect_used, reason = "taken only with the handle")]
    fn get(&self) -> &R {
        let slot = match self {
            Self::InPlace(slot, _) => slot,
            Self::Copy(slot) => &**slot,
        };
        let request = slot.request.as_ref();
        request.expect("full until the handle is consumed")
    }

    fn get_mut(&mut self) -> &mut R {
        // What was kept is what the request was before.
        self.slot_mut().twin = Twin::None;
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
            Self::InPlace(slot, _) => slot,
            Self::Copy(slot) => slot,
        }
    }
}

impl<R: Request> Sealed for Held<'_, R> {}

impl<'a, R: Request<Spare: Again>> Request for Held<'a, R> {
    type Spare = Spare<'a, R>;

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

    fn spare(&mut self) -> Option<Spare<'a, R>> {
        let place = match self {
            Self::InPlace(_, place) => Some(*place),
            Self::Copy(_) => None,
        };
        let known = match (&self.slot_mut().twin, place) {
            (Twin::Placed, Some(place)) => place.join().map(Spare::Placed),
            (Twin::Shared(shared), _) => Some(Spare::Shared(Arc::clone(shared))),
            _ => None,
        };
        if known.is_some() {
            return known;
        }
        let copy = self.same_mut().spare()?;
        let placed = match place {
            Some(place) => place.take(copy),
            None => Err(copy),
        };
        let (spare, twin) = match placed {
            Ok(holder) => (Spare::Placed(holder), Twin::Placed),
            // There is none, or somebody keeps the request there as it was before it was changed.
            Err(copy) => Spare::shared(copy),
        };
        self.slot_mut().twin = twin;
        Some(spare)
    }

    fn restore(spare: Spare<'a, R>) -> Option<Self> {
        let copy = match spare {
            Spare::Placed(holder) => holder.copy()?,
            Spare::Shared(shared) => match Arc::try_unwrap(shared) {
                Ok(last) => last.into_inner().unwrap_or_else(PoisonError::into_inner),
                // Somebody further out keeps it too.
                Err(shared) => lock(&shared).again()?,
            },
        };
        R::restore(copy).map(Self::copy)
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

impl<R: Request> Slot<R> {
    pub(crate) fn new(request: R) -> Self {
        Self {
            request: Some(request),
            twin: Twin::None,
        }
    }
}

// === impl Place ===

impl<R: Request> Place<R> {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Placed {
            copy: None,
            holders: 0,
        }))
    }

    /// Puts a copy there; gives it back if somebody keeps another one.
    fn take(&self, copy: R::Spare) -> Result<Holder<'_, R>, R::Spare> {
        let mut placed = lock(&self.0);
        if placed.holders > 0 {
            return Err(copy);
        }
        placed.copy = Some(copy);
        placed.holders = 1;
        drop(placed);
        Ok(Holder(self))
    }

    /// One more who keeps what is there; `None` if all others have left, and taken it along.
    fn join(&self) -> Option<Holder<'_, R>> {
        let mut placed = lock(&self.0);
        placed.copy.as_ref()?;
        placed.holders += 1;
        Some(Holder(self))
    }
}

// === impl Spare ===

impl<R: Request> Spare<'_, R> {
    fn shared(copy: R::Spare) -> (Self, Twin<R>) {
        let shared = Arc::new(Mutex::new(copy));
        (Self::Shared(Arc::clone(&shared)), Twin::Shared(shared))
    }
}

// === impl Holder ===

impl<R: Request<Spare: Again>> Holder<'_, R> {
    /// The copy, or one of it if somebody else keeps it too.
    fn copy(self) -> Option<R::Spare> {
        let mut placed = lock(&self.0.0);
        match placed.holders {
            ..=1 => placed.copy.take(),
            _ => placed.copy.as_mut()?.again(),
        }
    }
}

impl<R: Request> Drop for Holder<'_, R> {
    fn drop(&mut self) {
        let mut placed = lock(&self.0.0);
        placed.holders -= 1;
        if placed.holders == 0 {
            placed.copy = None;
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use http::{HeaderValue, header::ACCEPT};

    use super::*;

    type Sent = http::Request<String>;

    fn request() -> (Slot<Sent>, Place<Sent>) {
        let request = http::Request::new("amount=12".to_owned());
        (Slot::new(request), Place::new())
    }

    fn restored(spare: Spare<'_, Sent>) -> Sent {
        Held::restore(spare).unwrap().into_inner()
    }

    /// How many keep the copy in the place; none if there is none.
    fn holders(place: &Place<Sent>) -> usize {
        let placed = lock(&place.0);
        assert_eq!(placed.copy.is_some(), placed.holders > 0);
        placed.holders
    }

    #[test]
    fn who_keeps_an_unchanged_request_shares_one_copy() {
        let (mut slot, place) = request();
        let mut held = Held::InPlace(&mut slot, &place);
        let [outer, inner] = [held.spare().unwrap(), held.spare().unwrap()];
        assert_eq!(holders(&place), 2);
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
        let (mut slot, place) = request();
        let mut held = Held::InPlace(&mut slot, &place);
        let before = held.spare().unwrap();
        held.headers_mut()
            .insert(ACCEPT, HeaderValue::from_static("x"));
        let after = held.spare().unwrap();
        assert!(restored(before).headers().is_empty());
        assert_eq!(restored(after).headers().len(), 1);
    }

    #[tokio::test]
    async fn a_look_at_the_body_leaves_the_copy_that_is_shared() {
        let (mut slot, place) = request();
        let mut held = Held::InPlace(&mut slot, &place);
        let outer = held.spare().unwrap();
        assert_eq!(held.read_ahead(9).await.unwrap(), "amount=12");
        let inner = held.spare().unwrap();
        assert_eq!(holders(&place), 2);
        drop((outer, inner));
        assert_eq!(held.into_inner().body(), "amount=12");
    }

    #[test]
    fn nothing_is_kept_for_nobody() {
        let (mut slot, place) = request();
        let mut held = Held::InPlace(&mut slot, &place);
        drop(held.spare().unwrap());
        assert_eq!(holders(&place), 0);
        // Who comes later finds the place empty, and fills it again.
        let later = held.spare().unwrap();
        assert_eq!(holders(&place), 1);
        assert_eq!(restored(later).body(), "amount=12");
        assert_eq!(holders(&place), 0);
    }

    #[test]
    fn a_place_that_is_taken_is_not_needed() {
        let (mut slot, place) = request();
        let mut held = Held::InPlace(&mut slot, &place);
        let accept = |held: &mut Held<'_, Sent>, value| {
            let value = HeaderValue::from_static(value);
            held.headers_mut().insert(ACCEPT, value);
        };
        let first = held.spare().unwrap();
        accept(&mut held, "second");
        let second = [held.spare().unwrap(), held.spare().unwrap()];
        accept(&mut held, "third");
        let third = held.spare().unwrap();
        assert!(restored(first).headers().is_empty());
        for second in second {
            assert_eq!(restored(second).headers()[ACCEPT], "second");
        }
        assert_eq!(restored(third).headers()[ACCEPT], "third");
        // A copy of a copy has no place of its own.
        let mut copy = held.try_clone().unwrap();
        let [one, two] = [copy.spare().unwrap(), copy.spare().unwrap()];
        assert_eq!(restored(one).headers()[ACCEPT], "third");
        assert_eq!(restored(two).headers()[ACCEPT], "third");
    }
}
