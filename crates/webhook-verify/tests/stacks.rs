//! The receiving face over real sockets: hyper on HTTP/1 and HTTP/2, and tonic.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a helper that fails is a failed test"
)]

mod receiving;

use std::{
    convert::Infallible,
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Buf as _, BufMut as _, Bytes};
use golive_webhook_verify::{
    Verified,
    tower::{VerifiedBody, VerifyLayer},
};
use http::{HeaderMap, Request, Response, StatusCode, Uri, Version};
use http_body::Frame;
use http_body_util::{BodyExt as _, Channel, Full};
use hyper_util::{
    client::legacy::Client,
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
    service::TowerToHyperService,
};
use receiving::{At, BODY, Echo, Verdicts, frame, headers, layer, layer_of, request};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf},
    net::{TcpListener, TcpStream},
};
use tower::{Layer as _, Service};

const HUNDRED_MB: usize = 100_000_000;

/// A server, and what it saw.
struct Server {
    at: SocketAddr,
    /// Bytes that were taken from the sockets.
    read: Arc<AtomicUsize>,
    verdicts: Verdicts,
    calls: Box<dyn Fn() -> (usize, usize) + Send>,
}

/// A socket that counts what is read from it.
struct Counting(TcpStream, Arc<AtomicUsize>);

impl AsyncRead for Counting {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.0).poll_read(cx, buf))?;
        self.1
            .fetch_add(buf.filled().len() - before, Ordering::SeqCst);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Counting {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// Serves with plain hyper, HTTP/1 and HTTP/2 on one port.
async fn serve(layer: VerifyLayer<At>) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let read = Arc::new(AtomicUsize::new(0));
    let verdicts = Verdicts::default();
    let echo = Echo::default();
    let calls = Box::new(echo.counts());
    let service = layer.on_verdict(verdicts.hook()).layer(echo);
    let counter = Arc::clone(&read);
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let io = TokioIo::new(Counting(socket, Arc::clone(&counter)));
            let service = TowerToHyperService::new(service.clone());
            tokio::spawn(async move {
                let server = auto::Builder::new(TokioExecutor::new());
                // What goes wrong with a connection is seen by the client.
                let _ = server.serve_connection(io, service).await;
            });
        }
    });
    Server {
        at,
        read,
        verdicts,
        calls,
    }
}

impl Server {
    fn url(&self) -> Uri {
        format!("http://{}/webhooks", self.at).parse().unwrap()
    }

    fn calls(&self) -> usize {
        (self.calls)().1
    }

    /// Opens a connection and sends the headers that go with a signed body, and these.
    async fn open(&self, signed: &[u8], more: &str) -> TcpStream {
        let mut head = String::from("POST /webhooks HTTP/1.1\r\nhost: localhost\r\n");
        for (name, value) in headers(signed) {
            head += &format!("{name}: {value}\r\n");
        }
        head += more;
        head += "\r\n\r\n";
        let mut socket = TcpStream::connect(self.at).await.unwrap();
        socket.write_all(head.as_bytes()).await.unwrap();
        socket
    }
}

fn client<B>(http2: bool) -> Client<hyper_util::client::legacy::connect::HttpConnector, B>
where
    B: http_body::Body<Data = Bytes> + Send,
{
    Client::builder(TokioExecutor::new())
        .http2_only(http2)
        .build_http()
}

/// All that the server says, until it closes the connection.
async fn all_of(socket: &mut TcpStream) -> String {
    let mut said = Vec::new();
    let reading = socket.read_to_end(&mut said);
    // A server that closes while we still send may cut us off behind its answer.
    let closed = tokio::time::timeout(Duration::from_secs(10), reading).await;
    assert!(closed.is_ok(), "the connection is open still");
    String::from_utf8(said).unwrap()
}

fn is_closing(answer: &str, status: u16) {
    assert!(
        answer.starts_with(&format!("HTTP/1.1 {status} ")),
        "{answer}"
    );
    assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
    assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{answer}");
}

#[tokio::test]
async fn hyper_delivers_on_both_versions() {
    let server = serve(layer()).await;
    for http2 in [false, true] {
        let client = client(http2);
        let mut good = request(BODY, Full::new(Bytes::from_static(BODY)));
        *good.uri_mut() = server.url();
        let answer = client.request(good).await.unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["seen-id"], "msg_1");
        assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), BODY);

        let mut forged = request(BODY, Full::new(Bytes::from_static(b"{}")));
        *forged.uri_mut() = server.url();
        let answer = client.request(forged).await.unwrap();
        assert_eq!(answer.status(), 401);
        assert!(!answer.headers().contains_key("connection"), "it was read");
    }
    let verdicts = server.verdicts.seen();
    assert_eq!(verdicts, ["accepted", "mismatch", "accepted", "mismatch"]);
    assert_eq!(server.calls(), 2);
}

#[tokio::test]
async fn trailers_pass_on_both_versions() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let inner = tower::service_fn(|request: Request<VerifiedBody>| async {
        let sum = request.into_body().collect().await?.trailers().cloned();
        Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(format!("{sum:?}")))))
    });
    let service = TowerToHyperService::new(layer().layer(inner));
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let server = auto::Builder::new(TokioExecutor::new());
            let service = service.clone();
            tokio::spawn(async move {
                let served = server.serve_connection(TokioIo::new(socket), service);
                let _ = served.await;
            });
        }
    });
    for http2 in [false, true] {
        let (mut sender, body) = Channel::<Bytes>::new(2);
        sender.try_send(frame(BODY)).unwrap();
        let trailers = HeaderMap::from_iter([("x-sum".parse().unwrap(), "17".parse().unwrap())]);
        sender.try_send(Frame::trailers(trailers)).unwrap();
        drop(sender);
        let mut request = request(BODY, body);
        *request.uri_mut() = format!("http://{at}/").parse().unwrap();
        // RFC 9112, 7.1.2: on HTTP/1 they are announced.
        request
            .headers_mut()
            .insert("trailer", "x-sum".parse().unwrap());
        let answer = client(http2).request(request).await.unwrap();
        let seen = answer.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(seen, r#"Some({"x-sum": "17"})"#);
    }
}

#[tokio::test]
async fn who_announces_100_mb_and_sends_them_sees_the_413_and_is_not_read() {
    let server = serve(layer()).await;
    let announced = format!("content-length: {HUNDRED_MB}");
    let mut socket = server.open(BODY, &announced).await;
    let (mut reading, mut writing) = socket.split();
    let send = async {
        let block = vec![b'x'; 64 * 1024];
        let mut sent = 0;
        while sent < HUNDRED_MB && writing.write_all(&block).await.is_ok() {
            sent += block.len();
        }
        sent
    };
    let mut answer = vec![0; 4096];
    let read = async {
        let len = reading.read(&mut answer).await.unwrap();
        answer.truncate(len);
    };
    let (sent, ()) = tokio::join!(send, read);
    is_closing(&String::from_utf8(answer).unwrap(), 413);
    assert!(sent < HUNDRED_MB, "all of it went out");
    let read = server.read.load(Ordering::SeqCst);
    assert!(read <= 1024 * 1024, "the server read {read} bytes");
    assert_eq!(server.verdicts.seen(), ["body_too_large"]);
    assert_eq!(server.calls(), 0);
}

#[tokio::test]
async fn who_asks_before_sending_is_told_without_being_invited() {
    let server = serve(layer()).await;
    let asking = format!("content-length: {HUNDRED_MB}\r\nexpect: 100-continue");
    let mut socket = server.open(BODY, &asking).await;
    // RFC 9110, 10.1.1: a final status instead of 100, and the body is never sent.
    is_closing(&all_of(&mut socket).await, 413);
    let asking = format!("content-length: {}\r\nexpect: 100-continue", BODY.len());
    let mut socket = server.open(BODY, &asking).await;
    let mut invited = [0; 25];
    socket.read_exact(&mut invited).await.unwrap();
    assert_eq!(&invited, b"HTTP/1.1 100 Continue\r\n\r\n");
    socket.write_all(BODY).await.unwrap();
    let mut answer = [0; 15];
    socket.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200 OK");
}

#[tokio::test]
async fn an_endless_chunked_body_is_cut_off_at_the_limit() {
    let server = serve(layer_of(100_000)).await;
    let mut socket = server.open(BODY, "transfer-encoding: chunked").await;
    let (mut reading, mut writing) = socket.split();
    let send = async {
        let chunk = format!("4000\r\n{}\r\n", "x".repeat(0x4000));
        while writing.write_all(chunk.as_bytes()).await.is_ok() {}
    };
    let mut answer = vec![0; 4096];
    let read = async {
        let len = reading.read(&mut answer).await.unwrap();
        answer.truncate(len);
    };
    tokio::join!(send, read);
    is_closing(&String::from_utf8(answer).unwrap(), 413);
    let read = server.read.load(Ordering::SeqCst);
    assert!(read <= 1024 * 1024, "the server read {read} bytes");
    assert_eq!(server.calls(), 0);
}

#[tokio::test]
async fn chunks_of_one_byte_and_a_pause_are_the_same_body() {
    let server = serve(layer()).await;
    let chunked = "transfer-encoding: chunked\r\nconnection: close";
    let mut socket = server.open(BODY, chunked).await;
    for byte in BODY {
        let chunk = [b"1\r\n", &[*byte][..], b"\r\n"].concat();
        socket.write_all(&chunk).await.unwrap();
        tokio::task::yield_now().await;
    }
    socket.write_all(b"0\r\n\r\n").await.unwrap();
    let answer = all_of(&mut socket).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    assert!(answer.ends_with(std::str::from_utf8(BODY).unwrap()));
}

#[tokio::test]
async fn a_body_that_does_not_come_is_a_408_and_the_end_of_the_connection() {
    let server = serve(layer().with_body_timeout(Duration::from_millis(20))).await;
    let mut socket = server.open(BODY, "content-length: 34").await;
    socket.write_all(&BODY[..5]).await.unwrap();
    is_closing(&all_of(&mut socket).await, 408);
    assert_eq!(server.verdicts.seen(), ["body_timeout"]);
}

#[tokio::test]
async fn a_body_cut_short_never_reaches_the_inner_service() {
    for length in ["content-length: 34", "transfer-encoding: chunked"] {
        let server = serve(layer()).await;
        let mut socket = server.open(BODY, length).await;
        socket.write_all(b"5\r\n{\"typ").await.unwrap();
        socket.shutdown().await.unwrap();
        is_closing(&all_of(&mut socket).await, 400);
        assert_eq!(server.calls(), 0);
        assert_eq!(server.verdicts.seen(), ["body_incomplete"]);
    }
}

#[tokio::test]
async fn a_wrong_content_length_never_reaches_the_inner_service() {
    for (length, status) in [
        // What follows is taken for another request, and is none.
        ("content-length: 10", "401 Unauthorized"),
        ("content-length: nine", "400 Bad Request"),
        (
            "content-length: 34\r\ncontent-length: 35",
            "400 Bad Request",
        ),
    ] {
        let server = serve(layer()).await;
        let mut socket = server.open(BODY, length).await;
        socket.write_all(BODY).await.unwrap();
        socket.shutdown().await.unwrap();
        let answer = all_of(&mut socket).await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")),
            "{length}: {answer}"
        );
        assert_eq!(server.calls(), 0, "{length}");
    }
}

#[tokio::test]
async fn on_http2_a_stream_ends_and_the_connection_goes_on() {
    let server = serve(layer()).await;
    let client = client(true);
    for _ in 0..3 {
        // Without an end: the answer must not wait for it.
        let (mut sender, body) = Channel::<Bytes>::new(2);
        sender.try_send(frame(&[b'x'; 65])).unwrap();
        let mut endless = request(BODY, body.boxed());
        *endless.uri_mut() = server.url();
        let answer = client.request(endless).await.unwrap();
        assert_eq!(answer.status(), 413);
        assert_eq!(answer.version(), Version::HTTP_2);
        assert!(!answer.headers().contains_key("connection"));
        let mut good = request(BODY, Full::new(Bytes::from_static(BODY)).boxed());
        *good.uri_mut() = server.url();
        assert_eq!(client.request(good).await.unwrap().status(), 200);
        drop(sender);
    }
    assert_eq!(server.calls(), 3);
}

#[tokio::test]
async fn on_http2_what_was_sent_of_refused_bodies_does_not_use_up_the_connection() {
    // Together more than the window of the connection, which is given back only for what was read
    // or thrown away.
    const REFUSED: usize = 64;
    static PIECE: [u8; 60_000] = [b'x'; 60_000];
    let server = serve(layer()).await;
    let client = client(true);
    let mut open = Vec::new();
    for n in 0..REFUSED {
        let (mut sender, body) = Channel::<Bytes>::new(2);
        sender.try_send(frame(&PIECE)).unwrap();
        let mut refused = request(BODY, body.boxed());
        *refused.uri_mut() = server.url();
        if n % 2 == 1 {
            // By its headers, before a byte was read.
            refused.headers_mut().remove("webhook-id");
        }
        let status = client.request(refused).await.unwrap().status();
        assert_eq!(status, if n % 2 == 1 { 400 } else { 413 });
        open.push(sender);
    }
    let mut good = request(BODY, Full::new(Bytes::from_static(BODY)).boxed());
    *good.uri_mut() = server.url();
    let answer = tokio::time::timeout(Duration::from_secs(10), client.request(good)).await;
    assert_eq!(answer.unwrap().unwrap().status(), 200);
}

/// Messages as they are.
#[derive(Clone, Copy, Default)]
struct Raw;

impl tonic::codec::Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl tonic::codec::Encoder for Raw {
    type Item = Bytes;
    type Error = tonic::Status;

    fn encode(
        &mut self,
        item: Bytes,
        into: &mut tonic::codec::EncodeBuf<'_>,
    ) -> Result<(), tonic::Status> {
        into.put(item);
        Ok(())
    }
}

impl tonic::codec::Decoder for Raw {
    type Item = Bytes;
    type Error = tonic::Status;

    fn decode(
        &mut self,
        from: &mut tonic::codec::DecodeBuf<'_>,
    ) -> Result<Option<Bytes>, tonic::Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}

/// A service as tonic generates them.
#[derive(Clone)]
struct Receiver;

impl tonic::server::NamedService for Receiver {
    const NAME: &'static str = "webhooks.Receiver";
}

impl Service<Request<tonic::body::Body>> for Receiver {
    type Response = Response<tonic::body::Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<tonic::body::Body>) -> Self::Future {
        let deliver = tower::service_fn(|request: tonic::Request<Bytes>| async move {
            let verified = request.extensions().get::<Verified<'static>>();
            let verified = verified.ok_or_else(|| tonic::Status::internal("no layer"))?;
            let id = verified.id().unwrap().to_owned();
            let said = [id.as_bytes(), b": ", request.get_ref()].concat();
            Ok::<_, tonic::Status>(tonic::Response::new(Bytes::from(said)))
        });
        let mut grpc = tonic::server::Grpc::new(Raw);
        Box::pin(async move { Ok(grpc.unary(deliver, request).await) })
    }
}

/// A message as gRPC sends it: uncompressed, its length, itself.
fn grpc_frame(message: &[u8]) -> Bytes {
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    Bytes::from([&[0], &length[..], message].concat())
}

#[tokio::test]
async fn tonic_delivers_what_is_genuine_and_answers_for_what_is_not() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let verdicts = Verdicts::default();
    let server = tonic::transport::Server::builder()
        .layer(layer().on_verdict(verdicts.hook()))
        .add_service(Receiver)
        .serve_with_incoming(tonic::transport::server::TcpIncoming::from(listener));
    tokio::spawn(server);

    let client = client(true);
    let call = |signed: &[u8], sent: Bytes| {
        let mut request = request(signed, Full::new(sent));
        *request.uri_mut() = format!("http://{at}/webhooks.Receiver/Deliver")
            .parse()
            .unwrap();
        for (name, value) in [("content-type", "application/grpc"), ("te", "trailers")] {
            request.headers_mut().insert(name, value.parse().unwrap());
        }
        client.request(request)
    };
    let sent = grpc_frame(BODY);
    let answer = call(&sent, sent.clone()).await.unwrap();
    assert_eq!(answer.status(), 200);
    let whole = answer.into_body().collect().await.unwrap();
    assert_eq!(whole.trailers().unwrap()["grpc-status"], "0");
    let said = [b"msg_1: ", BODY].concat();
    assert_eq!(whole.to_bytes(), grpc_frame(&said));

    // gRPC clients read it as UNAUTHENTICATED, by the status of HTTP.
    let answer = call(&sent, grpc_frame(b"{}")).await.unwrap();
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(verdicts.seen(), ["accepted", "mismatch"]);
}

#[tokio::test]
async fn webhooks_and_grpc_share_a_port_when_the_layer_stands_before_a_route() {
    // `Routes` of tonic are routes of axum.
    let app = tonic::service::Routes::new(Receiver)
        .into_axum_router()
        .route_service("/webhooks", layer().layer(Echo::default()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    let mut good = request(BODY, Full::new(Bytes::from_static(BODY)));
    *good.uri_mut() = format!("http://{at}/webhooks").parse().unwrap();
    assert_eq!(client(false).request(good).await.unwrap().status(), 200);
}
