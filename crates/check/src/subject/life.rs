//! One life of the integration, from its start to a kill.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::MethodRouter;
use golive::secrets_provider::Handle;
use golive::store_sqlite::SqliteStore;
use golive::telemetry::EntityWatch;
use golive::webhook_inbox::{MemoryStore, Store, Workers};
use tokio::net::TcpListener;
use tokio::runtime::{self, Runtime};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use super::calls::Calls;
use super::metrics::Metrics;
use super::supervisor::Site;
use super::work::Handler;
use super::{BoxError, Mistake, logs, mistakes, receiver, stuck};

/// How long a port may take to be free again after a kill.
const REBIND: Duration = Duration::from_secs(5);
/// How long a kill may take: nothing here blocks for long.
const GONE: Duration = Duration::from_secs(5);

/// The runtime that stands in for a process: with it end its server, its
/// connections, its workers and what they were doing.
pub(super) struct Life {
    app: Arc<App>,
    process: Process,
}

struct Process(Option<Runtime>);

/// What its hooks and its receiver use.
pub(super) struct App {
    pub(super) mistake: Option<Mistake>,
    pub(super) address: SocketAddr,
    pub(super) calls: Calls,
    pub(super) watch: EntityWatch,
    pub(super) metrics: Metrics,
    pub(super) client_secret: Handle,
    /// Dropped, they take no further event.
    _workers: Workers,
}

// === impl Life ===

impl Life {
    pub(super) async fn begin(site: Site, address: SocketAddr) -> Result<Self, BoxError> {
        let runtime = runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("golive-subject")
            .enable_all()
            .build()?;
        let started = runtime.spawn(App::start(site, address));
        // A guard from here on: a runtime that is dropped here would panic.
        let process = Process(Some(runtime));
        let app = Arc::new(started.await??);
        Ok(Self { app, process })
    }

    pub(super) fn app(&self) -> &Arc<App> {
        &self.app
    }

    /// A task of this life.
    pub(super) fn spawn<T>(&self, work: T) -> Option<JoinHandle<T::Output>>
    where
        T: Future<Output: Send + 'static> + Send + 'static,
    {
        self.process.0.as_ref().map(|runtime| runtime.spawn(work))
    }

    /// Ends at the next await of each task, and returns when all are gone.
    pub(super) async fn kill(mut self) {
        let Some(runtime) = self.process.0.take() else {
            return;
        };
        let gone = tokio::task::spawn_blocking(move || {
            runtime.shutdown_timeout(GONE);
            drop(self);
        });
        // Fails only if this runtime ends, too.
        let _ = gone.await;
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

// === impl App ===

impl App {
    /// What `main` would do.
    async fn start(site: Site, address: SocketAddr) -> Result<Self, BoxError> {
        site.log.line(format_args!("started"));
        let metrics = Metrics::new();
        let secrets = site.manager.open().await?;
        let calls = mistakes::calls(&site, &secrets, &metrics.meter)?;
        let watch = stuck::watch(&metrics.meter)?;
        let handler = Handler {
            calls: calls.clone(),
            watch: watch.clone(),
            effects: Arc::clone(&site.effects),
        };

        let parts = mistakes::Receiving {
            mistake: site.mistake,
            secret: secrets.webhook,
            meter: metrics.meter.clone(),
            handler,
        };
        let (webhooks, workers) = match site.mistake {
            Some(Mistake::VolatileInbox) => inbox(MemoryStore::builder().build()?, &parts)?,
            _ => inbox(SqliteStore::builder(&site.inbox).open().await?, &parts)?,
        };
        let router = Router::new().route("/webhooks", logs::with_verdicts(webhooks, site.log));
        let listener = bind(address).await?;
        let address = listener.local_addr()?;
        tokio::spawn(async move {
            // Ends with the runtime; an error of accept is retried by axum itself.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self {
            mistake: site.mistake,
            address,
            calls,
            watch,
            metrics,
            client_secret: secrets.client,
            _workers: workers,
        })
    }
}

fn inbox<St: Store>(
    store: St,
    parts: &mistakes::Receiving,
) -> Result<(MethodRouter, Workers), BoxError> {
    let store = Arc::new(store);
    let webhooks = parts.webhooks(&store)?;
    let workers = receiver::workers(store, parts.handler.clone())?;
    Ok((webhooks, workers))
}

/// A connection of somebody else's may have the port for a moment.
async fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    let deadline = Instant::now() + REBIND;
    loop {
        match TcpListener::bind(address).await {
            Err(_) if Instant::now() < deadline => sleep(Duration::from_millis(20)).await,
            result => return result,
        }
    }
}
