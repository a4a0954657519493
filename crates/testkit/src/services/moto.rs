use std::process::Command;

use super::{
    installed,
    process::{self, Process},
};

/// A moto of our own: AWS over real HTTP, in memory. It takes any credentials.
///
/// Move stages one by one in it: a plain `PutSecretValue` after a staged rotation leaves two
/// versions that are `AWSCURRENT`, and `RotateSecret` without a function makes an empty one.
#[derive(Debug)]
pub struct Moto {
    _process: Process,
    url: String,
}

impl Moto {
    /// Starts one and waits until it is ready.
    ///
    /// # Panics
    /// If it is not installed, or does not start.
    pub async fn start() -> Self {
        // NOTE: xtask's moto.rs installs it there, under the same version.
        let program = installed(if cfg!(windows) {
            "moto-5.2.5/Scripts/moto_server.exe"
        } else {
            "moto-5.2.5/bin/moto_server"
        });
        let port = process::free_port();
        let mut process = Process::start(|directory| {
            let mut command = Command::new(program);
            command
                .args(["-H", "127.0.0.1", "-p", &port.to_string()])
                .current_dir(directory);
            command
        });
        let url = format!("http://127.0.0.1:{port}");
        process.ready(&format!("{url}/moto-api/")).await;
        Self {
            _process: process,
            url,
        }
    }

    /// The endpoint for a client of AWS.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }
}
