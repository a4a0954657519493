//! Killing the subject, and starting it again.

use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use super::{LOOK, Stage};
use crate::drive::hooks::Hook;

/// How long after a restart webhooks may not be taken yet.
const COME_BACK: Duration = Duration::from_secs(10);

impl Stage<'_> {
    /// Never without a restart before that worked: a subject that nobody
    /// starts again would be dead for all cases that follow.
    pub(super) async fn kill(&mut self, label: &'static str) {
        let mark = self.mark(label);
        self.call(Hook::Kill, label, &mark, None).await;
        self.note("killed");
    }

    pub(super) async fn restart(&mut self, label: &'static str) {
        let mark = self.mark(label);
        let outcome = self.call(Hook::Restart, label, &mark, None).await;
        if outcome.ok() == Some(true) {
            self.await_listener().await;
        } else {
            self.over = true;
        }
    }

    /// Whether it is there in time is seen by what is sent to it next.
    async fn await_listener(&self) {
        let url = self.webhook.and_then(|url| reqwest::Url::parse(url).ok());
        let Some((host, port)) = url.as_ref().and_then(|url| {
            let host = url.host_str()?.trim_matches(['[', ']']);
            Some((host, url.port_or_known_default()?))
        }) else {
            return;
        };
        let deadline = Instant::now() + COME_BACK;
        while Instant::now() < deadline {
            if let Ok(Ok(_)) = timeout(COME_BACK, TcpStream::connect((host, port))).await {
                return;
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}
