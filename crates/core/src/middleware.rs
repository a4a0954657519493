use crate::{Call, Exchange, Request};

/// One box of the checklist: a conversation with what lies below, written once and spoken in
/// tower and in reqwest.
///
/// ```
/// use golive_core::{Call, Exchange, Middleware, Request};
/// use http::HeaderValue;
///
/// /// Asks for JSON.
/// #[derive(Clone, Debug)]
/// struct AcceptJson;
///
/// impl Middleware for AcceptJson {
///     async fn handle<Req: Request, X: Exchange<Req>>(
///         &self,
///         call: &mut Call,
///         mut req: Req,
///         mut below: X,
///     ) -> Result<X::Response, X::Error> {
///         req.headers_mut().insert(http::header::ACCEPT, HeaderValue::from_static("application/json"));
///         below.send(call, req).await
///     }
/// }
/// ```
///
/// # What an implementation owes
/// - What comes back from `below` is handed on as it came, or replaced by a typed error through
///   [`Own`](crate::Own); never wrapped.
/// - The future may be dropped at any await: no permit, lease or budget may be left behind.
/// - A failed response is dropped before a sleep, so that its connection is free.
/// - A request is sent a second time only if [`Request::spare`] kept it and [`Request::restore`]
///   still gives it back (or [`Request::try_clone`] gave a copy that [`Request::is_whole`]).
pub trait Middleware: Send + Sync + 'static {
    /// Handles one logical call.
    ///
    /// `below` comes by value so that a [`Stack`](crate::Stack) can hand it from one part to the
    /// next without a state machine of its own.
    ///
    /// # Errors
    /// Those of `below`, and the middleware's own through [`Own`](crate::Own).
    fn handle<Req: Request, X: Exchange<Req>>(
        &self,
        call: &mut Call,
        req: Req,
        below: X,
    ) -> impl Future<Output = Result<X::Response, X::Error>> + Send;
}

/// One that may be absent: `None` hands everything on as it is.
impl<M: Middleware> Middleware for Option<M> {
    async fn handle<Req: Request, X: Exchange<Req>>(
        &self,
        call: &mut Call,
        req: Req,
        mut below: X,
    ) -> Result<X::Response, X::Error> {
        match self {
            Some(middleware) => middleware.handle(call, req, below).await,
            None => below.send(call, req).await,
        }
    }
}
