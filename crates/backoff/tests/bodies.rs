//! Bodies that are not in memory, over real sockets: refused twice, then taken.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests, outside of what clippy takes for one"
)]

use std::{
    collections::VecDeque,
    convert::Infallible,
    io::Write,
    net::SocketAddr,
    path::PathBuf,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use golive_backoff::Backoff;
use golive_core::{BoxError, Remade, ReplayBody, reqwest::Remake, tower::Layered};
use http_body::Frame;
use http_body_util::{BodyExt, Full};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use reqwest::multipart::{Form, Part};
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tower::ServiceExt;

/// What came in one request.
#[derive(Clone, Debug, PartialEq)]
struct Seen {
    head: String,
    body: Vec<u8>,
}

/// Answers 503 twice and 200 then.
struct Server {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
}

// === impl Seen ===

impl Seen {
    fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines();
        lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    async fn read(connection: &mut TcpStream) -> Self {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(connection.read_u8().await.unwrap());
        }
        let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
        let mut seen = Self {
            head: head.replace("\r\n", "\n"),
            body: Vec::new(),
        };
        match seen
            .header("content-length")
            .map(|len| len.parse().unwrap())
        {
            Some(len) => {
                seen.body.resize(len, 0);
                connection.read_exact(&mut seen.body).await.unwrap();
            }
            None => loop {
                let mut line = Vec::new();
                while !line.ends_with(b"\r\n") {
                    line.push(connection.read_u8().await.unwrap());
                }
                let line = String::from_utf8(line).unwrap();
                let len = usize::from_str_radix(line.trim(), 16).unwrap();
                let mut chunk = vec![0; len + 2];
                connection.read_exact(&mut chunk).await.unwrap();
                if len == 0 {
                    break;
                }
                seen.body.extend_from_slice(&chunk[..len]);
            },
        }
        seen
    }
}

// === impl Server ===

impl Server {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let all = Arc::clone(&seen);
        tokio::spawn(async move {
            for count in 1.. {
                let (mut connection, _) = listener.accept().await.unwrap();
                let one = Seen::read(&mut connection).await;
                all.lock().unwrap().push(one);
                let status = if count < 3 { "503 Wait" } else { "200 OK" };
                let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n");
                let answer = format!("{answer}connection: close\r\n\r\n");
                connection.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        Self { address, seen }
    }

    fn url(&self) -> String {
        format!("http://{}/v3/documents", self.address)
    }

    fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

/// A body in these chunks.
struct Chunks(VecDeque<Bytes>);

impl http_body::Body for Chunks {
    type Data = Bytes;
    type Error = Infallible;
    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.pop_front().map(|chunk| Ok(Frame::data(chunk))))
    }
}

fn chunks() -> Chunks {
    Chunks(
        (0..9)
            .map(|n| Bytes::from(vec![b'0' + n; 40_000]))
            .collect(),
    )
}

async fn whole() -> Bytes {
    chunks().collect().await.unwrap().to_bytes()
}

fn backoff() -> Backoff {
    let quick = Backoff::builder().base(Duration::from_millis(1));
    quick.build().unwrap()
}

fn transport() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap()
}

fn client() -> ClientWithMiddleware {
    ClientBuilder::new(transport()).with(backoff()).build()
}

/// A contract of some size.
fn file() -> (tempfile::NamedTempFile, PathBuf, Vec<u8>) {
    let bytes: Vec<u8> = (0..300_000_u32).map(|n| (n % 251) as u8).collect();
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&bytes).unwrap();
    let path = file.path().to_owned();
    (file, path, bytes)
}

async fn put_by_tower<B>(server: &Server, body: B) -> http::StatusCode
where
    B: golive_core::Replay<Data: Send> + Send + Unpin + 'static,
{
    let client = Client::builder(TokioExecutor::new()).build_http();
    let request = http::Request::put(server.url()).body(body).unwrap();
    let client = Layered::new(backoff(), client);
    client.oneshot(request).await.unwrap().status()
}

#[tokio::test]
async fn a_form_is_made_anew_with_a_boundary_of_its_own() {
    let server = Server::start().await;
    let form = || {
        let contract = Part::bytes(b"%PDF-1.7".to_vec()).file_name("contract.pdf");
        Form::new()
            .text("customer", "cus_17")
            .part("file", contract)
    };
    let (transport, url) = (transport(), server.url());
    let again = move || transport.post(&url).multipart(form()).build();
    let request = client().post(server.url()).multipart(form());
    let request = request
        .header("idempotency-key", "upload-17")
        .with_extension(Remake::new(again));
    assert_eq!(request.send().await.unwrap().status(), 200);
    let seen = server.seen();
    assert_eq!(seen.len(), 3);
    let mut boundaries = Vec::new();
    let mut parts = Vec::new();
    for one in &seen {
        // Of the request as it was, not of what made its body.
        assert_eq!(one.header("idempotency-key"), Some("upload-17"));
        let kind = one.header("content-type").unwrap();
        let boundary = kind.strip_prefix("multipart/form-data; boundary=").unwrap();
        let body = String::from_utf8(one.body.clone()).unwrap();
        assert!(body.contains(boundary), "the boundary of another form");
        assert!(body.contains("cus_17") && body.contains("%PDF-1.7"));
        parts.push(body.replace(boundary, "boundary"));
        boundaries.push(boundary.to_owned());
    }
    assert!(boundaries[0] != boundaries[1] && boundaries[1] != boundaries[2]);
    assert!(parts[0] == parts[1] && parts[1] == parts[2]);
}

#[tokio::test]
async fn a_file_is_read_anew_for_each_attempt() {
    let (_file, path, bytes) = file();
    // By reqwest.
    let server = Server::start().await;
    let (transport, url, from) = (transport(), server.url(), path.clone());
    let again = move || -> Result<reqwest::Request, BoxError> {
        let file = std::fs::File::open(&from)?;
        let file = tokio::fs::File::from_std(file);
        Ok(transport.put(&url).body(file).build()?)
    };
    let first = tokio::fs::File::open(&path).await.unwrap();
    let request = client().put(server.url()).body(first);
    let request = request.with_extension(Remake::new(again));
    assert_eq!(request.send().await.unwrap().status(), 200);
    // By hyper.
    let tower = Server::start().await;
    let len = bytes.len() as u64;
    let body = Remade::new(move || std::fs::read(&path).map(|read| Full::new(Bytes::from(read))));
    let body = body.with_len(len);

    assert_eq!(put_by_tower(&tower, body).await, 200);
    for seen in [server.seen(), tower.seen()] {
        assert_eq!(seen.len(), 3);
        assert!(seen.iter().all(|one| one.body == bytes));
    }
    let announced = tower.seen();
    let announced = announced.iter().map(|one| one.header("content-length"));
    assert!(announced.eq([Some(len.to_string().as_str()); 3]));
}

#[tokio::test]
async fn a_stream_is_made_anew_for_each_attempt_after_the_first() {
    let whole = whole().await;
    let server = Server::start().await;
    let made = Arc::new(AtomicU32::new(0));
    let (transport, url, count) = (transport(), server.url(), Arc::clone(&made));
    let again = Remake::new(move || {
        count.fetch_add(1, Ordering::SeqCst);
        transport
            .put(&url)
            .body(reqwest::Body::wrap(chunks()))
            .build()
    });
    let put = || {
        let request = client().put(server.url());
        let request = request.body(reqwest::Body::wrap(chunks()));
        request.with_extension(again.clone()).send()
    };
    assert_eq!(put().await.unwrap().status(), 200);
    assert_eq!(made.load(Ordering::SeqCst), 2, "once for each retry");
    assert_eq!(put().await.unwrap().status(), 200);
    assert_eq!(made.load(Ordering::SeqCst), 2, "no copy for a success");
    assert!(server.seen().iter().all(|one| one.body == whole));
    assert_eq!(server.seen().len(), 4);

    let tower = Server::start().await;
    let body = Remade::new(|| Ok::<_, Infallible>(chunks()));
    assert_eq!(put_by_tower(&tower, body).await, 200);
    let buffered = Server::start().await;
    let body = ReplayBody::with_cap(chunks(), 1 << 20);
    assert_eq!(put_by_tower(&buffered, body).await, 200);
    for seen in [tower.seen(), buffered.seen()] {
        assert_eq!(seen.len(), 3);
        assert!(seen.iter().all(|one| one.body == whole));
    }
}

#[tokio::test]
async fn a_stream_without_a_recipe_is_sent_once_and_its_503_handed_on() {
    let whole = whole().await;
    let server = Server::start().await;
    let request = client().put(server.url());
    let request = request.body(reqwest::Body::wrap(chunks()));
    assert_eq!(request.send().await.unwrap().status(), 503);
    let tower = Server::start().await;
    // Larger than what is kept of it.
    let status = put_by_tower(&tower, ReplayBody::new(chunks())).await;
    assert_eq!(status, 503);
    for seen in [server.seen(), tower.seen()] {
        assert_eq!(seen.len(), 1);
        assert_eq!(seen[0].body, whole);
    }
}

#[tokio::test]
async fn a_recipe_that_fails_hands_on_what_came() {
    let server = Server::start().await;
    let request = client().put(server.url());
    let request = request.body(reqwest::Body::wrap(chunks()));
    let gone = Remake::new(|| Err::<reqwest::Request, _>("the file is gone"));
    let response = request.with_extension(gone).send().await;
    assert_eq!(response.unwrap().status(), 503);
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn a_body_in_memory_needs_no_recipe() {
    let server = Server::start().await;
    let never = Remake::new(|| -> Result<reqwest::Request, BoxError> { unreachable!() });
    let request = client().put(server.url()).body("amount=12");
    let response = request.with_extension(never).send().await;
    assert_eq!(response.unwrap().status(), 200);
    assert!(server.seen().iter().all(|one| one.body == b"amount=12"));
}
