//! What the layer costs a server: requests a second of the same endpoint with it and without.
//!
//! The server has a thread and the client has one. The client sends bytes that were made before and
//! reads as little as it can, so that it is the server who is waited for.

use std::{io, net::SocketAddr, thread};

use axum::{Router, body::Bytes, http::StatusCode, routing::post};
use golive_gates::{Gate, Spread, in_turns};
use golive_rivals::{Delivery, SECRETS, ours};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    runtime::{Builder, Runtime},
    task::JoinSet,
    time::Instant,
};

const BYTES: usize = 1024;
const CONNECTIONS: usize = 8;
/// Of each connection in a round.
const REQUESTS: usize = 50;
const ROUNDS: usize = 301;
const PATHS: [&str; 2] = ["/plain", "/verified"];

pub(crate) fn gates() -> Vec<Gate> {
    let address = start().expect("a server on loopback");
    let runtime = runtime().expect("a runtime");
    let mut clients = PATHS.map(|path| runtime.block_on(Client::connect(address, path)));
    let [plain, verified] = in_turns(ROUNDS, |contestant| {
        runtime.block_on(clients[contestant].seconds_of_a_round())
    });
    for (path, seconds) in PATHS.iter().zip([&plain, &verified]) {
        let seconds = Spread::undisturbed(seconds).median;
        let rate = (CONNECTIONS * REQUESTS) as f64 / seconds;
        println!("  {path}, requests a second: {rate:.0}");
    }
    // The more seconds, the fewer requests.
    let ratio = Spread::of_ratio(&plain, &verified);
    let gate = "requests a second with the layer over without, axum, 1 KiB";
    vec![Gate::at_least(0.9, "times", gate, ratio)]
}

/// The server; it ends with the program.
fn start() -> io::Result<SocketAddr> {
    let verified = post(receive).layer(ours::layer(&SECRETS[..1]));
    let app = Router::new()
        .route(PATHS[0], post(receive))
        .route(PATHS[1], verified);
    let runtime = runtime()?;
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
    let address = listener.local_addr()?;
    let server = thread::Builder::new().name("server".to_owned());
    server.spawn(move || runtime.block_on(async { axum::serve(listener, app).await }))?;
    Ok(address)
}

/// The endpoint: takes the whole body, and answers without one.
async fn receive(body: Bytes) -> StatusCode {
    match body.len() {
        BYTES => StatusCode::NO_CONTENT,
        _ => StatusCode::UNPROCESSABLE_ENTITY,
    }
}

fn runtime() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}

/// Kept connections, and what they send.
struct Client {
    path: &'static str,
    connections: Vec<TcpStream>,
}

// === impl Client ===

impl Client {
    async fn connect(address: SocketAddr, path: &'static str) -> Self {
        let mut connections = Vec::new();
        for _ in 0..CONNECTIONS {
            let connection = TcpStream::connect(address).await.expect("a connection");
            connection.set_nodelay(true).expect("a socket");
            connections.push(connection);
        }
        Self { path, connections }
    }

    async fn seconds_of_a_round(&mut self) -> f64 {
        let request = Bytes::from(self.request());
        let mut running = JoinSet::new();
        let begun = Instant::now();
        for connection in self.connections.drain(..) {
            running.spawn(exchange(connection, request.clone()));
        }
        let connections = running.join_all().await;
        let took = begun.elapsed().as_secs_f64();
        self.connections = connections;
        took
    }

    /// Signed now: the layer has a clock.
    fn request(&self) -> Vec<u8> {
        let delivery = Delivery::genuine(BYTES);
        let mut bytes = format!("POST {} HTTP/1.1\r\n", self.path).into_bytes();
        for (name, value) in &delivery.headers {
            for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
                bytes.extend_from_slice(part);
            }
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(&delivery.body);
        bytes
    }
}

/// One request after the other, each answered with a success and no body.
async fn exchange(mut connection: TcpStream, request: Bytes) -> TcpStream {
    let mut answer = [0; 1024];
    for _ in 0..REQUESTS {
        connection.write_all(&request).await.expect("it is sent");
        let mut read = 0;
        while !answer[..read].ends_with(b"\r\n\r\n") {
            let more = connection.read(&mut answer[read..]).await;
            let more = more.expect("an answer");
            assert!(more > 0, "the server has closed");
            read += more;
        }
        let answer = String::from_utf8_lossy(&answer[..read]);
        assert!(answer.starts_with("HTTP/1.1 204"), "{answer}");
    }
    connection
}
