use std::{
    pin::Pin,
    task::{Context as Task, Poll},
};

use opentelemetry::Context;
use pin_project_lite::pin_project;

pin_project! {
    /// A future that runs with a context, if there is one: spans that are begun below find their
    /// parent.
    ///
    /// `opentelemetry::context::FutureExt` has no `Option`, and two branches would be two copies
    /// of the future inside.
    pub(crate) struct Within<'a, F> {
        #[pin]
        future: F,
        context: Option<&'a Context>,
    }
}

/// Runs `future` with `context`.
pub(crate) fn within<F: Future>(context: Option<&Context>, future: F) -> Within<'_, F> {
    Within { future, context }
}

impl<F: Future> Future for Within<'_, F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Task<'_>) -> Poll<F::Output> {
        let this = self.project();
        let _attached = this.context.map(|context| context.clone().attach());
        this.future.poll(cx)
    }
}
