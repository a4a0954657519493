//! Sockets: bound to loopback, accepted one by one, each connection a task that can be cut.
//!
//! axum's own `serve` hides the connection from its handlers. Here each is a task of its own, so
//! that a fault closes exactly one.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, Semaphore, watch};
use tower_service::Service as _;

use crate::door::Door;
use crate::tasks::Tasks;

/// Connections served at once; more wait to be accepted.
const MAX_CONNECTIONS: usize = 1_024;

/// How long a client may take for the head of its next request, idle time included.
const HEADER_TIMEOUT: Duration = Duration::from_secs(60);

/// The connection that a request came on.
#[derive(Clone, Debug)]
pub(crate) struct Connection {
    number: u64,
    cut: Arc<Cut>,
}

#[derive(Debug, Default)]
struct Cut {
    now: Notify,
    reset: AtomicBool,
}

/// How a connection is to end.
#[derive(Clone, Debug)]
pub(crate) struct Ending {
    pub(crate) connection: Connection,
    /// With a reset, in the place of an orderly end.
    pub(crate) reset: bool,
}

impl Connection {
    /// Counted from 1 in the order accepted.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }
}

impl Ending {
    /// Ends it without another byte. Other connections do not notice.
    pub(crate) fn now(self) {
        let Connection { cut, .. } = self.connection;
        cut.reset.store(self.reset, Ordering::Release);
        cut.now.notify_one();
    }
}

/// Binds a socket that only this machine can reach.
pub(crate) async fn bind(addr: SocketAddr) -> io::Result<TcpListener> {
    TcpListener::bind(addr).await
}

pub(crate) async fn accept(mut door: Door, router: Router, tasks: Tasks) {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut number = 0;
    loop {
        // NOTE: never closed, so this cannot fail.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        match door.enter().await {
            Ok((stream, closing)) => {
                number += 1;
                let connection = Connection {
                    number,
                    cut: Arc::default(),
                };
                let router = router.clone();
                tasks.spawn(async move {
                    let _place = place;
                    serve(stream, router, connection, closing).await;
                });
            }
            // Out of descriptors, or a connection that was gone again: neither is a reason to stop.
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

async fn serve(
    stream: TcpStream,
    router: Router,
    connection: Connection,
    mut closing: watch::Receiver<()>,
) {
    // Small answers must not wait for an acknowledgement; without this they are only slower.
    let _ = stream.set_nodelay(true);
    let cut = Arc::clone(&connection.cut);
    let service = service_fn(move |mut request: http::Request<hyper::body::Incoming>| {
        request.extensions_mut().insert(connection.clone());
        router.clone().call(request.map(Body::new))
    });
    let mut serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        // An error is the client's: it went away, or spoke no HTTP.
        _ = &mut serving => return,
        () = cut.now.notified() => {}
        // Changed or gone: either way the door is closed.
        _ = closing.changed() => {}
    }
    // Dropping the connection drops the stream, and with it the request that is being answered.
    let stream = serving.into_parts().io.into_inner();
    if cut.reset.load(Ordering::Acquire) {
        // NOTE: with this, closing sends RST. An error leaves an orderly end.
        let _ = stream.set_zero_linger();
    }
}
