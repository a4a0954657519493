//! What real clients fail with, against servers that misbehave in one way each.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests, outside of what clippy takes for one"
)]

use std::{
    error::Error,
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use golive_backoff::{Backoff, Builder, Class, Classify, http2_class, hyper_class, reqwest_class};
use golive_core::{BoxError, CallHandle, Disposition, tower::Layered};
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioIo},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tower::ServiceExt;

/// What a server does once it has the head of a request.
#[derive(Clone)]
enum Then {
    /// Says this, and keeps the connection open.
    Say(Vec<u8>),
    /// Says this, and closes the connection.
    SayAndClose(Vec<u8>),
    /// Closes it with a reset.
    Reset,
}

/// Every connection is served the same; how many requests have come.
struct Server {
    address: SocketAddr,
    requests: Arc<AtomicU32>,
}

// === impl Server ===

impl Server {
    /// HTTP/1.1, or HTTP/2 if `preface` is what such a server begins with.
    async fn start(preface: &'static [u8], then: Then) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(AtomicU32::new(0));
        let seen = Arc::clone(&requests);
        tokio::spawn(async move {
            loop {
                let (connection, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(connection, preface, then.clone(), Arc::clone(&seen)));
            }
        });
        Self { address, requests }
    }

    async fn http1(then: Then) -> Self {
        Self::start(b"", then).await
    }

    async fn http2(then: Then) -> Self {
        Self::start(SETTINGS, then).await
    }

    fn url(&self) -> String {
        format!("http://{}/v3/loans", self.address)
    }

    fn requests(&self) -> u32 {
        self.requests.load(Ordering::SeqCst)
    }
}

/// An error of the client may close the connection under the server at any time.
async fn serve(
    mut connection: TcpStream,
    preface: &'static [u8],
    then: Then,
    requests: Arc<AtomicU32>,
) {
    if connection.write_all(preface).await.is_err() {
        return;
    }
    let head = if preface.is_empty() {
        http1_head(&mut connection).await
    } else {
        http2_head(&mut connection).await
    };
    if head.is_err() {
        return;
    }
    requests.fetch_add(1, Ordering::SeqCst);
    let (said, close) = match then {
        Then::Say(said) => (said, false),
        Then::SayAndClose(said) => (said, true),
        Then::Reset => {
            // What was received and not read makes a close a reset.
            return;
        }
    };
    let mut rest = [0; 1024];
    if connection.write_all(&said).await.is_ok() {
        if close {
            let _ = connection.shutdown().await;
        }
        while connection.read(&mut rest).await.is_ok_and(|n| n > 0) {}
    }
}

/// Reads up to and including the empty line, and nothing of the body.
async fn http1_head(connection: &mut TcpStream) -> io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(connection.read_u8().await?);
    }
    // The body comes in a write of its own, perhaps.
    connection.readable().await
}

const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const GOAWAY: u8 = 7;
const NO_ERROR: u32 = 0;
const INTERNAL_ERROR: u32 = 2;
const REFUSED_STREAM: u32 = 7;
const CANCEL: u32 = 8;

/// Reads the preface, and frames up to the first that has headers.
async fn http2_head(connection: &mut TcpStream) -> io::Result<()> {
    let mut preface = [0; 24];
    connection.read_exact(&mut preface).await?;
    loop {
        let mut head = [0; 9];
        connection.read_exact(&mut head).await?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; length as usize];
        connection.read_exact(&mut payload).await?;
        if head[3] == HEADERS {
            return Ok(());
        }
    }
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

fn rst_stream(code: u32) -> Vec<u8> {
    frame(RST_STREAM, 0, 1, &code.to_be_bytes())
}

fn goaway(last_stream: u32, code: u32) -> Vec<u8> {
    let payload = [last_stream.to_be_bytes(), code.to_be_bytes()].concat();
    frame(GOAWAY, 0, 0, &payload)
}

/// `:status: 200` (RFC 7541, appendix A), and the beginning of a body.
fn half_an_answer() -> Vec<u8> {
    [frame(HEADERS, 4, 1, &[0x88]), frame(0, 0, 1, b"half")].concat()
}

fn plain() -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
}

async fn post(client: reqwest::ClientBuilder, url: &str) -> reqwest::Error {
    let request = client.build().unwrap().post(url).body("amount=12");
    match request.send().await {
        Ok(response) => response.bytes().await.unwrap_err(),
        Err(error) => error,
    }
}

fn hyper_client(http2: bool) -> Client<HttpConnector, Full<Bytes>> {
    let mut builder = Client::builder(TokioExecutor::new());
    builder.http2_only(http2).build_http()
}

async fn post_by_hyper(http2: bool, url: &str) -> hyper_util::client::legacy::Error {
    let request = http::Request::post(url).body(Full::from("amount=12"));
    let client = hyper_client(http2);
    client.request(request.unwrap()).await.unwrap_err()
}

/// As `.classify(http2_class).classify(reqwest_class).classify(hyper_class)` would see it.
fn class(error: &(dyn Error + 'static)) -> Option<Class> {
    http2_class(error)
        .or_else(|| reqwest_class(error))
        .or_else(|| hyper_class(error))
}

/// What hyper's client makes of a server that does this, and of one request to it. reqwest's errors
/// hold the same ones.
async fn of_http2(then: Then) -> Option<Class> {
    let server = Server::http2(then).await;
    let error = post_by_hyper(true, &server.url()).await;
    assert_eq!(server.requests(), 1);
    class(&error)
}

/// What both clients make of it.
async fn of_http1(then: Then) -> [Option<Class>; 2] {
    let server = Server::http1(then).await;
    let theirs = post(plain(), &server.url()).await;
    let hypers = post_by_hyper(false, &server.url()).await;
    assert_eq!(server.requests(), 2, "one of each client");
    [class(&theirs), class(&hypers)]
}

/// A port on which nobody listens.
async fn nobody() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap()
}

/// A body of a request that fails like this.
struct Failing(Option<BoxError>);

impl http_body::Body for Failing {
    type Data = Bytes;
    type Error = BoxError;
    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, BoxError>>> {
        Poll::Ready(self.0.take().map(Err))
    }
}

#[tokio::test]
async fn a_connection_that_is_refused_was_never_there() {
    let url = format!("http://{}/", nobody().await);
    assert_eq!(class(&post(plain(), &url).await), Some(Class::Connect));
    for http2 in [false, true] {
        let error = post_by_hyper(http2, &url).await;
        assert_eq!(class(&error), Some(Class::Connect));
    }
}

#[tokio::test]
async fn a_connection_that_is_not_there_in_time_was_never_there() {
    struct Never;
    impl reqwest::dns::Resolve for Never {
        fn resolve(&self, _: reqwest::dns::Name) -> reqwest::dns::Resolving {
            Box::pin(std::future::pending())
        }
    }
    let client = plain()
        .dns_resolver(Arc::new(Never))
        .connect_timeout(Duration::from_millis(20));
    let error = post(client, "http://provider.test/").await;
    assert!(error.is_timeout() && error.is_connect());
    assert_eq!(class(&error), Some(Class::Connect));
}

#[tokio::test]
async fn a_tls_handshake_that_fails_sent_nothing_and_will_fail_again() {
    // As tokio-rustls gives it: garbage, a certificate that is not trusted, an alert.
    let handshake = |kind| {
        tower::service_fn(move |_: http::Uri| {
            let failed = io::Error::new(kind, "invalid peer certificate: UnknownIssuer");
            // As hyper-rustls wraps it.
            std::future::ready(Err::<TokioIo<TcpStream>, _>(io::Error::other(failed)))
        })
    };
    let class_of = async |kind| {
        let client = Client::builder(TokioExecutor::new()).build(handshake(kind));
        let request = http::Request::post("http://provider.test/");
        let request = request.body(Full::<Bytes>::default()).unwrap();
        class(&client.request(request).await.unwrap_err())
    };
    assert_eq!(class_of(io::ErrorKind::InvalidData).await, Some(Class::Tls));
    // The server went away in the middle of it: the next one may fare better.
    let eof = class_of(io::ErrorKind::UnexpectedEof).await;
    assert_eq!(eof, Some(Class::Connect));
}

#[tokio::test]
async fn a_server_that_closes_instead_of_answering_may_have_executed() {
    let closed = of_http1(Then::SayAndClose(Vec::new())).await;
    assert_eq!(closed, [Some(Class::Reset); 2]);
    let half = Then::SayAndClose(b"HTTP/1.1 201 Cre".to_vec());
    assert_eq!(of_http1(half).await, [Some(Class::Reset); 2]);
    assert_eq!(of_http1(Then::Reset).await, [Some(Class::Reset); 2]);
    let closed = of_http2(Then::SayAndClose(Vec::new())).await;
    assert_eq!(closed, Some(Class::Reset));
}

#[tokio::test]
async fn an_answer_that_is_not_http_may_have_been_one() {
    let garbage = Then::Say(b"\x15\x03\x03\x00\x02\x02\x28\r\n\r\n".to_vec());
    assert_eq!(of_http1(garbage).await, [Some(Class::Ambiguous); 2]);
}

#[tokio::test]
async fn a_stream_that_the_server_refused_was_not_executed() {
    let refused = of_http2(Then::Say(rst_stream(REFUSED_STREAM))).await;
    assert_eq!(refused, Some(Class::Refused));
}

#[tokio::test]
async fn a_stream_that_a_goaway_names_as_not_processed_was_not_executed() {
    let going = of_http2(Then::SayAndClose(goaway(0, NO_ERROR))).await;
    assert_eq!(going, Some(Class::Refused));
    let going = of_http2(Then::Say(goaway(0, NO_ERROR))).await;
    assert_eq!(going, Some(Class::Refused));
}

#[tokio::test]
async fn a_goaway_proves_nothing_for_a_stream_that_was_processed() {
    let going = of_http2(Then::SayAndClose(goaway(1, NO_ERROR))).await;
    assert_eq!(going, Some(Class::Reset));
    // Nor does that of a server in trouble.
    let going = of_http2(Then::SayAndClose(goaway(0, INTERNAL_ERROR))).await;
    assert_eq!(going, Some(Class::Reset));
}

#[tokio::test]
async fn a_stream_that_goes_on_after_a_goaway_is_answered() {
    let answer = [goaway(1, NO_ERROR), frame(HEADERS, 4 | 1, 1, &[0x88])];
    let server = Server::http2(Then::Say(answer.concat())).await;
    let request = http::Request::post(server.url()).body(Full::from("amount=12"));
    let response = hyper_client(true).request(request.unwrap()).await;
    assert_eq!(response.unwrap().status(), 200);
}

#[tokio::test]
async fn any_other_reset_of_a_stream_may_have_executed() {
    for code in [NO_ERROR, INTERNAL_ERROR, CANCEL] {
        let reset = of_http2(Then::Say(rst_stream(code))).await;
        assert_eq!(reset, Some(Class::Reset), "{code}");
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_a_failure_of_its_body() {
    let half = b"HTTP/1.1 201 Created\r\ncontent-length: 10\r\n\r\nhalf";
    let server = Server::http1(Then::SayAndClose(half.to_vec())).await;
    let error = post(plain(), &server.url()).await;
    assert_eq!(class(&error), Some(Class::Body));
    // What HTTP/2 says about the rest of an answer says nothing about the request.
    for code in [REFUSED_STREAM, CANCEL] {
        let broken = [half_an_answer(), rst_stream(code)].concat();
        let server = Server::http2(Then::Say(broken)).await;
        let request = http::Request::post(server.url()).body(Full::from("amount=12"));
        let response = hyper_client(true).request(request.unwrap()).await.unwrap();
        let error = response.into_body().collect().await.unwrap_err();
        assert_eq!(class(&error), Some(Class::Ambiguous), "{code}");
    }
    // Late, too.
    let server = Server::http1(Then::Say(half.to_vec())).await;
    let late = plain().timeout(Duration::from_millis(100));
    let error = post(late, &server.url()).await;
    assert!(error.is_timeout());
    assert_eq!(class(&error), Some(Class::Body));
}

#[tokio::test]
async fn an_answer_that_does_not_come_in_time_is_a_timeout() {
    let server = Server::http1(Then::Say(Vec::new())).await;
    let late = plain().timeout(Duration::from_millis(50));
    let error = post(late, &server.url()).await;
    assert_eq!(class(&error), Some(Class::Timeout));
}

#[tokio::test]
async fn a_request_that_cannot_be_sent_fails_the_same_way_again() {
    let error = post(plain(), "nonsense://127.0.0.1/").await;
    assert_eq!(class(&error), Some(Class::Fatal));
    let relative = http::Request::post("/v3/loans").body(Full::default());
    let error = hyper_client(false).request(relative.unwrap()).await;
    assert_eq!(class(&error.unwrap_err()), Some(Class::Fatal));
    let looping =
        b"HTTP/1.1 307 T\r\nlocation: /\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    let server = Server::http1(Then::SayAndClose(looping.to_vec())).await;
    let following = plain().redirect(reqwest::redirect::Policy::limited(2));
    let error = post(following, &server.url()).await;
    assert_eq!(class(&error), Some(Class::Fatal));
}

/// Each of these would be proof if it were the error of the request itself.
#[tokio::test]
async fn what_broke_the_body_of_a_request_says_nothing_about_the_request() {
    let silent = Server::http1(Then::Say(Vec::new())).await;
    let refusing = Server::http2(Then::Say(rst_stream(REFUSED_STREAM))).await;
    let nobody = format!("http://{}/", nobody().await);
    let proofs: Vec<BoxError> = vec![
        post(plain(), &nobody).await.into(),
        post_by_hyper(false, &nobody).await.into(),
        post_by_hyper(true, &refusing.url()).await.into(),
        io::Error::from(io::ErrorKind::ConnectionRefused).into(),
    ];
    for proof in proofs {
        let said = format!("{proof:?}");
        let body = reqwest::Body::wrap(Failing(Some(proof)));
        let request = plain().build().unwrap().post(silent.url()).body(body);
        let error = request.send().await.unwrap_err();
        assert_eq!(class(&error), Some(Class::Ambiguous), "{said}");
        assert_eq!(http2_class(&error), None);
    }
}

/// As of a body that hands on, frame by frame, what another server sends.
#[tokio::test]
async fn a_refused_stream_that_was_to_be_the_body_says_nothing_about_the_request() {
    let refusing = Server::http2(Then::Say(rst_stream(REFUSED_STREAM))).await;
    let connection = TcpStream::connect(refusing.address).await.unwrap();
    let (mut send, running) = h2::client::handshake(connection).await.unwrap();
    tokio::spawn(running);
    let request = http::Request::get(refusing.url()).body(()).unwrap();
    let (response, _) = send.send_request(request, true).unwrap();
    let refused = response.await.unwrap_err();
    assert!(refused.is_remote() && refused.reason() == Some(h2::Reason::REFUSED_STREAM));

    let silent = Server::http1(Then::Say(Vec::new())).await;
    let request = http::Request::post(silent.url()).body(Failing(Some(refused.into())));
    let client = Client::builder(TokioExecutor::new()).build_http();
    let error = client.request(request.unwrap()).await.unwrap_err();
    assert_eq!(class(&error), Some(Class::Ambiguous));
    assert_eq!(http2_class(&error), None);
}

#[tokio::test]
async fn hypers_own_connections_are_known_too() {
    let server = Server::http1(Then::SayAndClose(Vec::new())).await;
    let connection = TcpStream::connect(server.address).await.unwrap();
    let (mut send, running) = hyper::client::conn::http1::handshake(TokioIo::new(connection))
        .await
        .unwrap();
    let running = tokio::spawn(running);
    let request = || http::Request::post("/").body(Full::<Bytes>::from("amount=12"));
    let error = send.send_request(request().unwrap()).await.unwrap_err();
    assert_eq!(class(&error), Some(Class::Reset));
    // The connection is gone before the next one is begun.
    let _ = running.await.unwrap();
    let error = send.send_request(request().unwrap()).await.unwrap_err();
    assert_eq!(class(&error), Some(Class::Connect));
    assert_eq!(server.requests(), 1);
}

#[tokio::test]
async fn a_keyless_post_that_was_not_processed_is_sent_again() {
    let server = Server::http2(Then::SayAndClose(goaway(0, NO_ERROR))).await;
    let attempts = async |backoff: Builder| {
        let before = server.requests();
        let backoff = backoff.base(Duration::from_millis(1)).classify(hyper_class);
        let client = Layered::new(backoff.build().unwrap(), hyper_client(true));
        let handle = CallHandle::new();
        let request = http::Request::post(server.url()).extension(handle.clone());
        let request = request.body(Full::from("amount=12")).unwrap();
        client.oneshot(request).await.unwrap_err();
        (server.requests() - before, handle.call().disposition())
    };
    let told = attempts(Backoff::builder().classify(http2_class)).await;
    assert_eq!(told, (3, Disposition::NotExecuted));
    // Without somebody who reads it, nobody knows.
    let untold = attempts(Backoff::builder()).await;
    assert_eq!(untold, (1, Disposition::Unknown));
}

#[test]
fn a_classifier_may_be_a_type() {
    struct Nothing;
    impl Classify for Nothing {
        fn class(&self, _: &(dyn Error + 'static)) -> Option<Class> {
            None
        }
    }
    assert!(Backoff::builder().classify(Nothing).build().is_ok());
}
