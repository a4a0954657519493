use crate::{Call, Exchange, Middleware, Request};

/// Several middleware as one: outermost first.
///
/// The whole stack is one state machine, so a call costs one boxed future however many middleware
/// it holds. A `Stack` is itself a [`Middleware`], a tower layer (feature `tower`) and a reqwest
/// middleware (feature `reqwest`).
///
/// ```
/// # use golive_core::{Call, Exchange, Middleware, Request, Stack};
/// # #[derive(Clone, Debug)] struct Key;
/// # #[derive(Clone, Debug)] struct Retry;
/// # impl Middleware for Key { async fn handle<Req: Request, X: Exchange<Req>>(&self, call: &mut Call, req: Req, mut below: X) -> Result<X::Response, X::Error> { below.send(call, req).await } }
/// # impl Middleware for Retry { async fn handle<Req: Request, X: Exchange<Req>>(&self, call: &mut Call, req: Req, mut below: X) -> Result<X::Response, X::Error> { below.send(call, req).await } }
/// // The key is minted outside the retry: all attempts carry the same one.
/// let stack = Stack::new().push(Key).push(Retry);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Stack<M = ()>(M);

/// Outer over inner; what [`Stack::push`] builds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Chain<O, I> {
    outer: O,
    inner: I,
}

// === impl Stack ===

impl Stack {
    /// An empty stack, to be pushed to.
    #[must_use]
    pub const fn new() -> Self {
        Self(())
    }

    /// Adds the outermost middleware.
    #[must_use]
    pub fn push<M: Middleware>(self, outermost: M) -> Stack<M> {
        Stack(outermost)
    }
}

impl<M: Middleware> Stack<M> {
    /// Adds a middleware below those that are there.
    #[must_use]
    pub fn push<I: Middleware>(self, inner: I) -> Stack<Chain<M, I>> {
        Stack(Chain {
            outer: self.0,
            inner,
        })
    }
}

impl<M: Middleware> Middleware for Stack<M> {
    fn handle<Req: Request, X: Exchange<Req>>(
        &self,
        call: &mut Call,
        req: Req,
        below: X,
    ) -> impl Future<Output = Result<X::Response, X::Error>> + Send {
        self.0.handle(call, req, below)
    }
}

// === impl Chain ===

impl<O: Middleware, I: Middleware> Middleware for Chain<O, I> {
    // Not an `async fn`: that would be a state machine more.
    fn handle<Req: Request, X: Exchange<Req>>(
        &self,
        call: &mut Call,
        req: Req,
        below: X,
    ) -> impl Future<Output = Result<X::Response, X::Error>> + Send {
        let rest = Rest {
            middleware: &self.inner,
            below,
        };
        self.outer.handle(call, req, rest)
    }
}

/// The rest of a stack, as the middleware above it sees it.
struct Rest<'a, M, X> {
    middleware: &'a M,
    below: X,
}

impl<M: Middleware, Req: Request, X: Exchange<Req>> Exchange<Req> for Rest<'_, M, X> {
    type Response = X::Response;
    type Error = X::Error;

    fn send(
        &mut self,
        call: &mut Call,
        req: Req,
    ) -> impl Future<Output = Result<X::Response, X::Error>> + Send {
        self.middleware.handle(call, req, &mut self.below)
    }
}
