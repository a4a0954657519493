//! A scripted server behind both faces, on a clock that stands still unless somebody sleeps.

#![allow(dead_code, reason = "each test uses a part of it")]

use std::{
    collections::VecDeque,
    error::Error,
    pin::Pin,
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use golive_backoff::{Backoff, Builder, Class};
use golive_core::{
    BoxError, Call, CallHandle, Exchange, Middleware, Own, ReplayBody, Request, caused_by,
    reqwest::{Extensions, Handled, Next},
    tower::Layered,
};
use golive_testkit::ManualClock;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt, Full};
use reqwest::ResponseBuilderExt;
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware};
use tokio::time::Instant;
use tower::ServiceExt;

/// Tue, 14 Nov 2023 22:13:20 GMT: what our own clock shows.
pub(crate) const NOW: u64 = 1_700_000_000;

pub(crate) const URL: &str = "http://api.test/v3/loans";

/// Where a redirect leads.
pub(crate) const ELSEWHERE: &str = "http://api.test/v3/loans/17";

pub(crate) const FACES: [Face; 2] = [Face::Tower, Face::Reqwest];

/// Which of the two ways a call is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Face {
    Tower,
    Reqwest,
}

/// The error of the transport, which says of which class it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the transport failed: {}", .0.as_str())]
pub(crate) struct Fault(pub(crate) Class);

/// The error of a layer that refuses to send. Nobody knows it: what counts is that the layer says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no token for it")]
struct NoToken;

/// What the server does with one request.
#[derive(Clone)]
pub(crate) struct Reply {
    what: What,
    /// How long it takes.
    after: Duration,
    headers: HeaderMap,
    body: Vec<Result<Bytes, Fault>>,
    /// The body does not end.
    stalls: bool,
    url: &'static str,
    /// What happens elsewhere in the meantime.
    meanwhile: Option<Arc<dyn Fn() + Send + Sync>>,
}

#[derive(Clone, Copy)]
enum What {
    Answer(StatusCode),
    Fail(Class),
    Never,
}

/// What the server saw of one request.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) at: Instant,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// When the body of its answer was dropped.
    pub(crate) released: Arc<Mutex<Option<Instant>>>,
}

/// Does as it is told, one reply for each request, and does not expect more of them.
#[derive(Clone, Default)]
pub(crate) struct Server(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    script: VecDeque<Reply>,
    /// What comes after the script, if anything may.
    for_ever: Option<Reply>,
    seen: Vec<Seen>,
    under_way: usize,
    most_under_way: usize,
}

/// A request of a caller.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) method: Method,
    pub(crate) url: &'static str,
    pub(crate) headers: HeaderMap,
    pub(crate) body: AskBody,
    /// The caller's view on the call, if there is one.
    pub(crate) handle: Option<CallHandle>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AskBody {
    /// In memory.
    Whole,
    /// As it comes, and once.
    Streams,
    /// As it comes, and kept up to so many bytes: too few. There is none in the reqwest face.
    Outgrows,
}

/// How a call ended.
pub(crate) struct Ended {
    pub(crate) result: Result<Answered, Failed>,
    /// As the caller's handle shows it, or the response.
    pub(crate) call: Call,
    pub(crate) took: Duration,
}

#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    /// The whole body, or what is left of one that broke off.
    pub(crate) body: Result<Bytes, BoxError>,
}

#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) error: BoxError,
    /// The transport's own error, with nothing around it.
    pub(crate) fault: Option<Fault>,
}

/// A body that comes in pieces, may break off, and says when it was dropped.
struct Pieces {
    pieces: VecDeque<Result<Bytes, Fault>>,
    stalls: bool,
    released: Arc<Mutex<Option<Instant>>>,
}

/// The server as the last middleware of a reqwest client, so that no connection is made.
struct ReqwestServer(Server);

/// A place where a layer further in refuses to send, if that is what the script says.
#[derive(Clone)]
pub(crate) struct Refuse(pub(crate) Server);

/// What lies further out has to say of the call.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Outside {
    /// When the caller stops waiting.
    pub(crate) left: Option<Duration>,
    /// When the server forgets the key.
    pub(crate) key_left: Option<Duration>,
    /// There is a retry.
    pub(crate) retried: bool,
}

/// Takes the mark of a retry from the call, as two tower layers do that have nothing else to tell
/// each other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Forgets;

/// A random number that can be changed under way.
#[derive(Clone, Default)]
pub(crate) struct Random(Arc<AtomicU64>);

pub(crate) const LOWEST: u64 = 0;
pub(crate) const MIDDLE: u64 = 1 << 63;
pub(crate) const HIGHEST: u64 = u64::MAX;

/// One that draws from `random`, reads the errors of [`Server`], and whose wall clock stands still.
pub(crate) fn drawing(random: &Random) -> Builder {
    let random = random.clone();
    Backoff::builder()
        .random(move || random.0.load(Ordering::Relaxed))
        .classify(class)
        .clock(ManualClock::at(NOW))
}

/// One whose jitter is always half of the range: 125 ms, 250 ms, 500 ms, …
pub(crate) fn half() -> Builder {
    drawing(&Random::new(MIDDLE))
}

pub(crate) fn class(error: &(dyn Error + 'static)) -> Option<Class> {
    error.downcast_ref::<Fault>().map(|fault| fault.0)
}

pub(crate) fn status(status: u16) -> Reply {
    Reply::new(What::Answer(StatusCode::from_u16(status).unwrap()))
}

pub(crate) fn fail(class: Class) -> Reply {
    Reply::new(What::Fail(class))
}

pub(crate) fn never() -> Reply {
    Reply::new(What::Never)
}

pub(crate) fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// One call through `middleware` to `server`.
pub(crate) async fn call<M>(face: Face, middleware: M, server: &Server, ask: Ask) -> Ended
where
    M: Middleware + golive_core::reqwest::Middleware,
{
    match face {
        Face::Tower => over_tower(Layered::new(middleware, server.service()), ask).await,
        Face::Reqwest => over_reqwest(client(server, |client| client.with(middleware)), ask).await,
    }
}

/// The same through two separate layers.
pub(crate) async fn call_through<O, I>(
    face: Face,
    (outer, inner): (O, I),
    server: &Server,
    ask: Ask,
) -> Ended
where
    O: Middleware + golive_core::reqwest::Middleware,
    I: Middleware + golive_core::reqwest::Middleware,
{
    match face {
        Face::Tower => {
            let inner = Layered::new(inner, server.service());
            over_tower(Layered::new(outer, inner), ask).await
        }
        Face::Reqwest => {
            over_reqwest(client(server, |client| client.with(outer).with(inner)), ask).await
        }
    }
}

// === impl Reply ===

impl Reply {
    fn new(what: What) -> Self {
        Self {
            what,
            after: Duration::ZERO,
            headers: HeaderMap::new(),
            body: Vec::new(),
            stalls: false,
            url: URL,
            meanwhile: None,
        }
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        let name: HeaderName = name.parse().unwrap();
        self.headers.append(name, value.parse().unwrap());
        self
    }

    pub(crate) fn headers(mut self, headers: &HeaderMap) -> Self {
        self.headers = headers.clone();
        self
    }

    pub(crate) fn body(mut self, body: &'static str) -> Self {
        self.body.push(Ok(Bytes::from_static(body.as_bytes())));
        self
    }

    /// The body breaks off here.
    pub(crate) fn cut(mut self) -> Self {
        self.body.push(Err(Fault(Class::Body)));
        self
    }

    /// From here on nothing more comes of the body.
    pub(crate) fn stalled(mut self) -> Self {
        self.stalls = true;
        self
    }

    pub(crate) fn after(mut self, after: Duration) -> Self {
        self.after = after;
        self
    }

    /// The client has followed a redirect to get it. Not in the tower face.
    pub(crate) fn elsewhere(mut self) -> Self {
        self.url = ELSEWHERE;
        self
    }

    pub(crate) fn meanwhile(mut self, meanwhile: impl Fn() + Send + Sync + 'static) -> Self {
        self.meanwhile = Some(Arc::new(meanwhile));
        self
    }
}

// === impl Server ===

impl Server {
    pub(crate) fn new(script: impl IntoIterator<Item = Reply>) -> Self {
        let server = Self::default();
        server.0.lock().unwrap().script.extend(script);
        server
    }

    /// Does always the same.
    pub(crate) fn always(reply: Reply) -> Self {
        let server = Self::default();
        server.0.lock().unwrap().for_ever = Some(reply);
        server
    }

    pub(crate) fn then(&self, reply: Reply) {
        self.0.lock().unwrap().script.push_back(reply);
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.0.lock().unwrap().seen.clone()
    }

    pub(crate) fn sends(&self) -> usize {
        self.0.lock().unwrap().seen.len()
    }

    /// The times between one request and the next.
    pub(crate) fn waits(&self) -> Vec<Duration> {
        let seen = self.seen();
        seen.windows(2).map(|two| two[1].at - two[0].at).collect()
    }

    /// How many requests were under way at once, at most.
    pub(crate) fn most_under_way(&self) -> usize {
        self.0.lock().unwrap().most_under_way
    }

    fn service(
        &self,
    ) -> impl tower::Service<
        http::Request<ReplayBody<Full<Bytes>>>,
        Response = http::Response<Pieces>,
        Error = Fault,
        Future: Send,
    > + Clone
    + Send
    + 'static {
        let server = self.clone();
        tower::service_fn(move |request: http::Request<ReplayBody<Full<Bytes>>>| {
            let server = server.clone();
            async move {
                let (parts, body) = request.into_parts();
                let body = body.collect().await.unwrap().to_bytes();
                let (response, _) = server.answer(parts.headers, body).await?;
                Ok(response)
            }
        })
    }

    async fn answer(
        &self,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<(http::Response<Pieces>, &'static str), Fault> {
        struct UnderWay<'a>(&'a Server);
        impl Drop for UnderWay<'_> {
            fn drop(&mut self) {
                self.0.0.lock().unwrap().under_way -= 1;
            }
        }

        let released = Arc::default();
        let reply = {
            let mut state = self.0.lock().unwrap();
            state.seen.push(Seen {
                at: Instant::now(),
                headers,
                body,
                released: Arc::clone(&released),
            });
            state.under_way += 1;
            state.most_under_way = state.most_under_way.max(state.under_way);
            let next = state.script.pop_front();
            // One more than the script has is seen, and the count tells.
            next.or_else(|| state.for_ever.clone())
                .unwrap_or_else(|| fail(Class::Fatal))
        };
        let _under_way = UnderWay(self);
        if !reply.after.is_zero() {
            tokio::time::sleep(reply.after).await;
        }
        if let Some(meanwhile) = &reply.meanwhile {
            meanwhile();
        }
        let status = match reply.what {
            What::Answer(status) => status,
            What::Fail(class) => return Err(Fault(class)),
            What::Never => std::future::pending().await,
        };
        let mut response = http::Response::new(Pieces {
            pieces: reply.body.into(),
            stalls: reply.stalls,
            released,
        });
        *response.status_mut() = status;
        *response.headers_mut() = reply.headers;
        Ok((response, reply.url))
    }
}

// === impl Ask ===

impl Ask {
    pub(crate) fn new(method: Method) -> Self {
        Self {
            method,
            url: URL,
            headers: HeaderMap::new(),
            body: AskBody::Whole,
            handle: Some(CallHandle::new()),
        }
    }

    pub(crate) fn get() -> Self {
        Self::new(Method::GET)
    }

    pub(crate) fn post() -> Self {
        Self::new(Method::POST)
    }

    pub(crate) fn keyed(self) -> Self {
        self.header("idempotency-key", "order-17")
    }

    pub(crate) fn header(mut self, name: &'static str, value: &'static str) -> Self {
        let value = HeaderValue::from_static(value);
        self.headers.insert(name, value);
        self
    }

    pub(crate) fn to(mut self, url: &'static str) -> Self {
        self.url = url;
        self
    }

    pub(crate) fn streaming(mut self) -> Self {
        self.body = AskBody::Streams;
        self
    }

    /// By a caller who does not ask what became of it.
    pub(crate) fn unwatched(mut self) -> Self {
        self.handle = None;
        self
    }
}

// === impl Ended ===

impl Ended {
    pub(crate) fn status(&self) -> u16 {
        self.result.as_ref().unwrap().status
    }

    /// The error of that type, whatever is around it.
    pub(crate) fn error<E: Error + 'static>(&self) -> &E {
        let failed = self.result.as_ref().unwrap_err();
        caused_by::<E>(failed.error.as_ref()).unwrap()
    }

    /// The error of the transport as it came.
    pub(crate) fn fault(&self) -> Class {
        let failed = self.result.as_ref().unwrap_err();
        failed.fault.expect("the error was wrapped").0
    }
}

async fn over_tower<S, B>(service: S, ask: Ask) -> Ended
where
    S: tower::Service<
            http::Request<ReplayBody<Full<Bytes>>>,
            Response = http::Response<B>,
            Error = BoxError,
        >,
    B: http_body::Body<Data = Bytes, Error = Fault> + Unpin,
{
    let body = Full::from("amount=12");
    let body = match ask.body {
        AskBody::Whole => ReplayBody::new(body),
        AskBody::Streams => ReplayBody::with_cap(body, 0),
        AskBody::Outgrows => ReplayBody::with_cap(body, 4),
    };
    let mut request = http::Request::new(body);
    *request.method_mut() = ask.method;
    *request.uri_mut() = http::Uri::from_static(ask.url);
    *request.headers_mut() = ask.headers;
    if let Some(handle) = &ask.handle {
        request.extensions_mut().insert(handle.clone());
    }
    let started = Instant::now();
    let result = service.oneshot(request).await;
    let took = started.elapsed();
    let mut call = None;
    let result = match result {
        Ok(response) => {
            call = response.extensions().get().map(CallHandle::call);
            let (parts, body) = response.into_parts();
            let body = body.collect().await;
            Ok(Answered {
                status: parts.status.as_u16(),
                headers: parts.headers,
                body: body
                    .map(http_body_util::Collected::to_bytes)
                    .map_err(Into::into),
            })
        }
        Err(error) => {
            let unsent = error.is::<NoToken>().then_some(Fault(Class::Unsent));
            let fault = error.downcast_ref().copied().or(unsent);
            Err(Failed { error, fault })
        }
    };
    let call = ask.handle.map(|handle| handle.call()).or(call);
    Ended {
        result,
        call: call.unwrap_or_default(),
        took,
    }
}

async fn over_reqwest(client: ClientWithMiddleware, ask: Ask) -> Ended {
    let body = match ask.body {
        AskBody::Whole => reqwest::Body::from("amount=12"),
        AskBody::Streams => reqwest::Body::wrap(Full::<Bytes>::from("amount=12")),
        AskBody::Outgrows => unreachable!("reqwest keeps a body or does not"),
    };
    let mut request = client.request(ask.method, ask.url).body(body);
    for (name, value) in &ask.headers {
        request = request.header(name, value);
    }
    if let Some(handle) = &ask.handle {
        request = request.with_extension(handle.clone());
    }
    let started = Instant::now();
    let result = request.send().await;
    let took = started.elapsed();
    let mut call = None;
    let result = match result {
        Ok(response) => {
            call = response.extensions().get().map(CallHandle::call);
            Ok(Answered {
                status: response.status().as_u16(),
                headers: response.headers().clone(),
                body: response.bytes().await.map_err(Into::into),
            })
        }
        Err(error) => {
            let fault = match &error {
                reqwest_middleware::Error::Middleware(error) => {
                    let unsent = error.is::<NoToken>().then_some(Fault(Class::Unsent));
                    error.downcast_ref().copied().or(unsent)
                }
                reqwest_middleware::Error::Reqwest(_) => None,
            };
            let error = error.into();
            Err(Failed { error, fault })
        }
    };
    let call = ask.handle.map(|handle| handle.call()).or(call);
    Ended {
        result,
        call: call.unwrap_or_default(),
        took,
    }
}

fn client(
    server: &Server,
    with: impl FnOnce(ClientBuilder) -> ClientBuilder,
) -> ClientWithMiddleware {
    static TRANSPORT: OnceLock<reqwest::Client> = OnceLock::new();
    let transport = TRANSPORT.get_or_init(reqwest::Client::new);
    let builder = with(ClientBuilder::new(transport.clone()));
    builder.with(ReqwestServer(server.clone())).build()
}

// === impl ReqwestServer ===

impl golive_core::reqwest::Middleware for ReqwestServer {
    fn handle<'a, 'b, 'c, 'd>(
        &'a self,
        mut req: reqwest::Request,
        _: &'b mut Extensions,
        _: Next<'c>,
    ) -> Handled<'d>
    where
        'a: 'd,
        'b: 'd,
        'c: 'd,
        Self: 'd,
    {
        Box::pin(async move {
            let body = match req.body_mut().take() {
                Some(body) => body.collect().await.unwrap().to_bytes(),
                None => Bytes::new(),
            };
            let answer = self.0.answer(req.headers().clone(), body).await;
            // As `reqwest_middleware::Error::middleware` does, but for its layer more.
            let (response, to) =
                answer.map_err(|fault| reqwest_middleware::Error::Middleware(fault.into()))?;
            let url = if to == URL {
                req.url().clone()
            } else {
                to.parse().unwrap()
            };
            let (mut parts, body) = response.into_parts();
            let with_url = http::Response::builder().url(url).body(()).unwrap();
            parts.extensions.extend(with_url.into_parts().0.extensions);
            let body = reqwest::Body::wrap(body);
            Ok(http::Response::from_parts(parts, body).into())
        })
    }
}

// === impl Refuse ===

impl Middleware for Refuse {
    async fn handle<Req: Request, X: Exchange<Req>>(
        &self,
        call: &mut Call,
        req: Req,
        mut below: X,
    ) -> Result<X::Response, X::Error> {
        let refused = {
            let script = &mut self.0.0.lock().unwrap().script;
            let is_unsent =
                |reply: &Reply| matches!(reply.what, What::Fail(class) if class == Class::Unsent);
            script
                .front()
                .is_some_and(is_unsent)
                .then(|| script.pop_front())
        };
        let Some(reply) = refused.flatten() else {
            return below.send(call, req).await;
        };
        if let Some(meanwhile) = reply.meanwhile {
            meanwhile();
        }
        call.set_unsent();
        Err(Own::new(NoToken).into())
    }
}

// === impl Outside ===

impl Middleware for Outside {
    async fn handle<Req: Request, X: Exchange<Req>>(
        &self,
        call: &mut Call,
        req: Req,
        mut below: X,
    ) -> Result<X::Response, X::Error> {
        let now = Instant::now();
        if let Some(left) = self.left {
            call.limit_to((now + left).into_std());
        }
        if let Some(left) = self.key_left {
            call.expire_key((now + left).into_std());
        }
        if self.retried {
            call.set_retried(true);
        }
        below.send(call, req).await
    }
}

// === impl Forgets ===

impl Middleware for Forgets {
    async fn handle<Req: Request, X: Exchange<Req>>(
        &self,
        call: &mut Call,
        req: Req,
        mut below: X,
    ) -> Result<X::Response, X::Error> {
        call.set_retried(false);
        below.send(call, req).await
    }
}

// === impl Random ===

impl Random {
    pub(crate) fn new(random: u64) -> Self {
        Self(Arc::new(AtomicU64::new(random)))
    }

    pub(crate) fn set(&self, random: u64) {
        self.0.store(random, Ordering::Relaxed);
    }
}

// === impl Pieces ===

impl http_body::Body for Pieces {
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        match self.pieces.pop_front() {
            None if self.stalls => Poll::Pending,
            piece => Poll::Ready(piece.map(|piece| piece.map(Frame::data))),
        }
    }
}

impl Drop for Pieces {
    fn drop(&mut self) {
        *self.released.lock().unwrap() = Some(Instant::now());
    }
}
