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
pub(crate) struct Line(Option<CallHandle>);

/// A call on its way from one layer to the next one below. Not a bare `CallHandle`: that one is
/// the caller's, who may put it into a second request, and a second call must not begin with what
/// the first one knew. A key of the first, above all, makes nothing safe in the second.
#[derive(Clone)]
struct Down(CallHandle);

impl Session {
    /// Takes the call over from the layer above, or begins one.
    pub(crate) fn begin(extensions: &mut Extensions) -> Self {
        let callers = extensions.remove::<CallHandle>();
        match extensions.remove::<Down>() {
            Some(Down(handle)) => Self {
                call: handle.call(),
                line: Line(Some(handle)),
            },
            None => Self {
                call: Call::default(),
                line: Line(callers),
            },
        }
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
        if let Line(Some(handle)) = &self.line {
            handle.store(&self.call);
        }
    }
}

impl Line {
    /// Hands the call to the layer below; nothing is allocated for one that nobody wrote to.
    pub(crate) fn down(&mut self, call: &Call, extensions: &mut Extensions) {
        if let Some(handle) = self.handle(call) {
            extensions.insert(Down(handle.clone()));
        }
    }

    /// Takes back what [`down`](Self::down) put there, from extensions that outlive the attempt.
    #[cfg(feature = "reqwest")]
    pub(crate) fn clear(extensions: &mut Extensions) {
        extensions.remove::<Down>();
    }

    /// The handle, with the call as it stands; none is made for a call that nobody wrote to.
    fn handle(&mut self, call: &Call) -> Option<&CallHandle> {
        if self.0.is_none() && !call.is_touched() {
            return None;
        }
        let handle = self.0.get_or_insert_default();
        handle.store(call);
        Some(handle)
    }

    /// Takes back what the layer below has made of the call. It published before it answered,
    /// so this holds for failures too.
    pub(crate) fn up(&mut self, call: &mut Call, extensions: Option<&Extensions>) {
        if self.0.is_none() {
            self.0 = extensions.and_then(|e| e.get::<CallHandle>()).cloned();
        }
        if let Some(handle) = &self.0 {
            *call = handle.call();
        }
    }
}
