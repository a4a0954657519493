use std::{
    fs::{self, File},
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use tempfile::TempDir;

/// How long a server may take until it answers.
const PATIENCE: Duration = Duration::from_secs(30);

/// A server of ours: killed, and its directory removed, when it is dropped.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    // After the child: its files go when nobody writes to them any more.
    directory: TempDir,
}

/// A port of 127.0.0.1 that nobody listens on.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port on 127.0.0.1");
    listener.local_addr().expect("it is bound").port()
}

// === impl Process ===

impl Process {
    /// Starts what `command` makes of a new temporary directory.
    pub(crate) fn start(command: impl FnOnce(&Path) -> Command) -> Self {
        let directory = TempDir::with_prefix("golive-").expect("a temporary directory");
        let log = File::create(directory.path().join("log")).expect("a log file");
        let mut command = command(directory.path());
        let child = command
            .stdin(Stdio::null())
            .stderr(log.try_clone().expect("a log file"))
            .stdout(log)
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        Self { child, directory }
    }

    /// Waits until `url` is answered with success.
    pub(crate) async fn ready(&mut self, url: &str) {
        let client = client();
        let asked = async {
            loop {
                if let Ok(Some(status)) = self.child.try_wait() {
                    panic!("the server ended with {status}: {}", self.log());
                }
                let answer = client.get(url).send().await;
                if answer.is_ok_and(|answer| answer.status().is_success()) {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        if tokio::time::timeout(PATIENCE, asked).await.is_err() {
            panic!("{url} was not answered in {PATIENCE:?}: {}", self.log());
        }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A client that goes straight to 127.0.0.1, whatever proxy the machine has.
pub(crate) fn client() -> reqwest::Client {
    let client = reqwest::Client::builder().no_proxy();
    client.build().expect("a client without TLS")
}
