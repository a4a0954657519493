//! The door of the provider: open, or closed for a while, when connections are refused.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::sleep;

/// Connections that may wait to be accepted.
const BACKLOG: u32 = 1_024;
/// Orders that may wait to be carried out.
const ORDERS: usize = 16;
/// Between two tries to have the port back.
const AGAIN: Duration = Duration::from_millis(10);

/// Closes the door; held by the sandbox.
#[derive(Clone, Debug)]
pub(crate) struct Porter(mpsc::Sender<Order>);

/// Where connections come in; held by whoever accepts them.
pub(crate) struct Door {
    /// None only while it is closed.
    listener: Option<TcpListener>,
    address: SocketAddr,
    orders: mpsc::Receiver<Order>,
    /// Tells all who came in to go.
    closing: watch::Sender<()>,
}

#[derive(Debug)]
struct Order {
    refuse_for: Duration,
    closed: oneshot::Sender<()>,
}

pub(crate) fn door(listener: TcpListener, address: SocketAddr) -> (Door, Porter) {
    let (give, orders) = mpsc::channel(ORDERS);
    let door = Door {
        listener: Some(listener),
        address,
        orders,
        closing: watch::Sender::new(()),
    };
    (door, Porter(give))
}

// === impl Porter ===

impl Porter {
    /// Returns when the door is closed.
    pub(crate) async fn close(&self, refuse_for: Duration) {
        let (closed, told) = oneshot::channel();
        // Errors mean that the sandbox stops, and with it the door for good.
        if self.0.send(Order { refuse_for, closed }).await.is_ok() {
            let _ = told.await;
        }
    }
}

// === impl Door ===

impl Door {
    /// The next connection, and what tells it to go.
    pub(crate) async fn enter(&mut self) -> io::Result<(TcpStream, watch::Receiver<()>)> {
        loop {
            let Some(listener) = &self.listener else {
                self.listener = Some(listening(None, self.address).await);
                continue;
            };
            let order = tokio::select! {
                came = listener.accept() => {
                    let (stream, _) = came?;
                    return Ok((stream, self.closing.subscribe()));
                }
                // None: nobody is left who could close it.
                Some(order) = self.orders.recv() => order,
            };
            self.close(order).await;
        }
    }

    async fn close(&mut self, order: Order) {
        self.listener = None;
        self.closing.send_replace(());
        // Bound, but not listening: connections are refused, and nobody else can take the port.
        let held = loop {
            match bound(self.address) {
                Ok(socket) => break socket,
                Err(_) => sleep(AGAIN).await,
            }
        };
        // An error means that nobody waits for it any more.
        let _ = order.closed.send(());
        sleep(order.refuse_for).await;
        self.listener = Some(listening(Some(held), self.address).await);
    }
}

/// Tries until it listens: the port is ours, whoever has it for a moment.
async fn listening(mut held: Option<TcpSocket>, address: SocketAddr) -> TcpListener {
    loop {
        let socket = held.take().map_or_else(|| bound(address), Ok);
        match socket.and_then(|socket| socket.listen(BACKLOG)) {
            Ok(listener) => return listener,
            Err(_) => sleep(AGAIN).await,
        }
    }
}

fn bound(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // On Windows the option would let others take the port.
    if cfg!(unix) {
        socket.set_reuseaddr(true)?;
    }
    socket.bind(address)?;
    Ok(socket)
}
