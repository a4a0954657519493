use http::Extensions;

use crate::{Call, CallHandle};

/// One layer's share of a call: takes it over from the layer above, lends it to the one below,
/// and publishes it at the end, even if the future is dropped half-way.
#[derive(Default)]
pub(crate) struct Session {
    pub(crate) call: Call,
    pub(crate) line: Line,
}

/// The way a call travels up and down, as far as anybody needs it.
#[derive(Default)]
pub(crate) struct Line {
    handle: Option<CallHandle>,
    /// Which of the calls that the handle has followed this is.
    epoch: u64,
    /// Whether the layer below has the call. What it noted is in the handle, and newer than ours.
    lent: bool,
}

/// A call while the layer below has it, for as long as its attempt lasts. An attempt that is dropped
/// half-way, by a timeout for one, gives it back too.
///
/// NOTE: made before the future of the attempt, so that it is dropped after it: by then the layers
/// below have published what they knew.
pub(crate) struct Lent<'a> {
    line: &'a mut Line,
    call: &'a mut Call,
}

/// A call on its way from one layer to the next one below. Not a bare `CallHandle`: that one is
/// the caller's, who may put it into a second request, and a second call must not begin with what
/// the first one knew. A key of the first, above all, makes nothing safe in the second.
#[derive(Clone)]
struct Down(CallHandle, u64);

impl Session {
    /// Takes the call over from the layer above, or begins one.
    pub(crate) fn begin(extensions: &mut Extensions) -> Self {
        // The caller's own stays where it is: whoever uses these extensions again after a
        // cancellation makes a call that the caller wants to read too.
        let (mut call, handle, epoch) = match extensions.remove::<Down>() {
            Some(Down(handle, epoch)) => {
                let call = handle.load(epoch).unwrap_or_default();
                (call, Some(handle), epoch)
            }
            None => {
                let handle = extensions.get::<CallHandle>().cloned();
                let epoch = handle.as_ref().map_or(0, CallHandle::follow);
                (Call::default(), handle, epoch)
            }
        };
        call.set_watched(handle.is_some());
        let line = Line {
            handle,
            epoch,
            lent: false,
        };
        Self { call, line }
    }

    /// Leaves the handle where the caller and the layer above find it.
    pub(crate) fn end(&mut self, extensions: &mut Extensions) {
        if let Some(handle) = self.line.handle(&self.call) {
            extensions.insert(handle.clone());
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        match &self.line.handle {
            // Dropped half-way through an attempt: the layers below were dropped before this one,
            // and have published what they knew.
            Some(handle) if !self.line.lent => handle.store(self.line.epoch, &self.call),
            _ => {}
        }
    }
}

impl Line {
    /// Hands the call to the layer below; nothing is allocated for one that nobody wrote to.
    pub(crate) fn lend<'a>(
        &'a mut self,
        call: &'a mut Call,
        extensions: &mut Extensions,
    ) -> Lent<'a> {
        if let Some(handle) = self.handle(call) {
            let handle = handle.clone();
            extensions.insert(Down(handle, self.epoch));
        }
        self.lent = true;
        Lent { line: self, call }
    }

    /// Takes back what [`lend`](Self::lend) put there, from extensions that outlive the attempt.
    #[cfg(feature = "reqwest")]
    pub(crate) fn clear(extensions: &mut Extensions) {
        extensions.remove::<Down>();
    }

    /// The handle, with the call as it stands; none is made for a call that nobody wrote to.
    fn handle(&mut self, call: &Call) -> Option<&CallHandle> {
        if self.handle.is_none() && !call.is_touched() {
            return None;
        }
        let handle = self.handle.get_or_insert_default();
        handle.store(self.epoch, call);
        Some(handle)
    }

    fn up(&mut self, call: &mut Call, extensions: Option<&Extensions>) {
        self.lent = false;
        if self.handle.is_none() {
            self.handle = extensions.and_then(|e| e.get::<CallHandle>()).cloned();
            self.epoch = self.handle.as_ref().map_or(0, CallHandle::epoch);
        }
        // One that follows another call by now has nothing to say of this one.
        if let Some(theirs) = self.handle.as_ref().and_then(|h| h.load(self.epoch)) {
            *call = theirs;
        }
    }
}

// === impl Lent ===

impl Lent<'_> {
    /// Takes back what the layer below has made of the call. It published before it answered,
    /// so this holds for failures too.
    pub(crate) fn back(self, extensions: Option<&Extensions>) {
        self.line.up(self.call, extensions);
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        if self.line.lent {
            self.line.up(self.call, None);
        }
    }
}
