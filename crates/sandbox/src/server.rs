//! Sockets: bound to loopback, accepted one by one, each connection a task that can be cut.
//!
//! axum's own `serve` hides the connection from its handlers. Here each is a task of its own, so
//! that a fault closes exactly one.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, Semaphore};
use tower_service::Service as _;

use crate::tasks::Tasks;

/// Connections served at once; more wait to be accepted.
const MAX_CONNECTIONS: usize = 1_024;

/// How long a client may take for the head of its next request, idle time included.
const HEADER_TIMEOUT: Duration = Duration::from_secs(60);

/// The connection that a request came on.
#[derive(Clone, Debug)]
pub(crate) struct Connection {
    number: u64,
    cut: Arc<Notify>,
}

impl Connection {
    /// Counted from 1 in the order accepted.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// Closes it without another byte. Other connections do not notice.
    pub(crate) fn cut(&self) {
        self.cut.notify_one();
    }
}

/// Binds a socket that only this machine can reach.
pub(crate) async fn bind(addr: SocketAddr) -> io::Result<TcpListener> {
    TcpListener::bind(addr).await
}

pub(crate) async fn accept(listener: TcpListener, router: Router, tasks: Tasks) {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut number = 0;
    loop {
        // NOTE: never closed, so this cannot fail.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((stream, _)) => {
                number += 1;
                let connection = Connection {
                    number,
                    cut: Arc::new(Notify::new()),
                };
                let router = router.clone();
                tasks.spawn(async move {
                    let _place = place;
                    serve(stream, router, connection).await;
                });
            }
            // Out of descriptors, or a connection that was gone again: neither is a reason to stop.
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

async fn serve(stream: TcpStream, router: Router, connection: Connection) {
    // Small answers must not wait for an acknowledgement; without this they are only slower.
    let _ = stream.set_nodelay(true);
    let cut = Arc::clone(&connection.cut);
    let service = service_fn(move |mut request: http::Request<hyper::body::Incoming>| {
        request.extensions_mut().insert(connection.clone());
        router.clone().call(request.map(Body::new))
    });
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        // An error is the client's: it went away, or spoke no HTTP.
        _ = serving => {}
        // Dropping the connection drops the stream, and with it the request that is being answered.
        () = cut.notified() => {}
    }
}
