//! What outlives a kill: the machine that the integration runs on.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use super::life::{App, Life};
use super::logs::Log;
use super::secrets::Manager;
use super::work::Effects;
use super::{BoxError, Environment, Mistake};

/// Starts the integration, kills it, and starts it again on the same port with
/// the same data.
pub(super) struct Supervisor {
    site: Site,
    /// Where it takes webhooks: what its first life chose.
    address: OnceLock<SocketAddr>,
    life: Mutex<Option<Life>>,
}

/// What a life finds when it begins.
#[derive(Clone)]
pub(super) struct Site {
    pub(super) mistake: Option<Mistake>,
    pub(super) base_url: String,
    pub(super) manager: Arc<Manager>,
    pub(super) inbox: PathBuf,
    pub(super) log: Log,
    /// In the place of a database of its own.
    pub(super) effects: Arc<Effects>,
}

// === impl Supervisor ===

impl Supervisor {
    /// Its inbox and its log are files in this directory.
    pub(super) fn new(
        mistake: Option<Mistake>,
        env: &Environment,
        data: &Path,
    ) -> Result<Self, BoxError> {
        let site = Site {
            mistake,
            base_url: env.base_url.clone(),
            manager: Arc::new(Manager::new(env)?),
            inbox: data.join("inbox.db"),
            log: Log::open(data.join("app.log"))?,
            effects: Arc::default(),
        };
        Ok(Self {
            site,
            address: OnceLock::new(),
            life: Mutex::default(),
        })
    }

    /// Ends it at once: nothing is drained, answered or closed in good order.
    pub(super) async fn kill(&self) {
        let life = lock(&self.life).take();
        if let Some(life) = life {
            life.kill().await;
        }
    }

    /// Starts it, after a kill if it runs. Answers with where it takes webhooks.
    pub(super) async fn restart(&self) -> Result<SocketAddr, BoxError> {
        self.kill().await;
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let address = self.address.get().copied().unwrap_or(any);
        let life = Life::begin(self.site.clone(), address).await?;
        let address = life.app().address;
        *lock(&self.life) = Some(life);
        Ok(*self.address.get_or_init(|| address))
    }

    /// As a kill, but nobody waits for the end.
    pub(super) fn abandon(&self) {
        let life = lock(&self.life).take();
        drop(life);
    }

    /// Does something in the life of now; `None` if there is none, or it ends
    /// meanwhile.
    pub(super) async fn during<F, Work>(&self, work: F) -> Option<Work::Output>
    where
        F: FnOnce(Arc<App>) -> Work,
        Work: Future<Output: Send + 'static> + Send + 'static,
    {
        let task = {
            let life = lock(&self.life);
            let life = life.as_ref()?;
            life.spawn(work(Arc::clone(life.app())))?
        };
        match task.await {
            Ok(output) => Some(output),
            // A panic of the integration is one of the hook that asked for it: nobody answers.
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => None,
        }
    }

    pub(super) fn site(&self) -> &Site {
        &self.site
    }
}

impl fmt::Debug for Supervisor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Supervisor")
            .field("mistake", &self.site.mistake)
            .finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use golive_sandbox::Sandbox;
    use std::time::Duration;
    use tokio::net::TcpStream;

    #[tokio::test]
    async fn a_killed_integration_is_gone_and_comes_back_where_it_was() {
        let provider = Sandbox::builder().start().await.unwrap();
        let credential = provider.credential();
        let env = Environment {
            base_url: provider.base_url().to_owned(),
            client_id: credential.client_id.clone(),
            client_secret: credential.client_secret.clone(),
            webhook_secret: provider.webhooks().secret(),
        };
        let data = tempfile::tempdir().unwrap();
        let supervisor = Supervisor::new(None, &env, data.path()).unwrap();
        let create = |mark: &'static str| {
            supervisor.during(move |app| async move { app.calls.create(mark).await.is_ok() })
        };
        assert_eq!(create("early").await, None);
        let address = supervisor.restart().await.unwrap();
        let mut connection = TcpStream::connect(address).await.unwrap();
        assert_eq!(create("first").await, Some(true));

        // What it does when it is killed is not done.
        let never = supervisor.during(|_| std::future::pending::<()>());
        let never = tokio::time::timeout(Duration::from_secs(10), never);
        let (never, ()) = tokio::join!(never, supervisor.kill());
        assert_eq!(never, Ok(None));
        assert!(TcpStream::connect(address).await.is_err());
        let mut end = Vec::new();
        let read = tokio::io::AsyncReadExt::read_to_end(&mut connection, &mut end).await;
        assert!(read.is_err() || end.is_empty());
        assert_eq!(create("dead").await, None);

        // A panic ends the one who asked, and nobody else.
        assert_eq!(supervisor.restart().await.unwrap(), address);
        let panics = supervisor.during(|_| async {
            std::panic::resume_unwind(Box::new("planned"));
        });
        let caught = futures_util::FutureExt::catch_unwind(std::panic::AssertUnwindSafe(panics));
        assert!(caught.await.is_err());
        assert_eq!(create("alive").await, Some(true));
        supervisor.kill().await;

        // As it does after a rotation that it did not live to see.
        let next = provider.state().issue_credential("next").unwrap();
        let manager = &supervisor.site().manager;
        manager
            .rotate(&next.client_id, &next.client_secret)
            .unwrap();
        assert!(provider.state().revoke_credential(&credential.client_id));
        assert_eq!(supervisor.restart().await.unwrap(), address);
        assert_eq!(create("second").await, Some(true));
        let log = std::fs::read_to_string(supervisor.site().log.path()).unwrap();
        assert_eq!(log.matches("started").count(), 3, "{log}");
        supervisor.kill().await;
    }
}
