//! Killing the subject, and starting it again.

use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use super::{LOOK, Stage};
use crate::drive::hooks::Hook;

/// How long after a restart webhooks may not be taken yet.
const COME_BACK: Duration = Duration::from_secs(10);
/// How long a kill may take after its hook answered.
const GONE: Duration = Duration::from_secs(3);
/// How long the answer of what may be dead is waited for.
const ANSWER: Duration = Duration::from_secs(1);

impl Stage<'_> {
    /// Never without a restart before that worked: a subject that nobody
    /// starts again would be dead for all cases that follow.
    pub(super) async fn kill(&mut self, label: &'static str) {
        let mark = self.mark(label);
        let outcome = self.call(Hook::Kill, label, &mark, None).await;
        if outcome.ok() == Some(true) && !self.is_gone().await {
            self.note("still-there");
        }
        self.note("killed");
    }

    pub(super) async fn restart(&mut self, label: &'static str) {
        let mark = self.mark(label);
        self.note("restarting");
        let outcome = self.call(Hook::Restart, label, &mark, None).await;
        if outcome.ok() == Some(true) {
            self.await_listener().await;
        } else {
            self.over = true;
        }
    }

    /// Whether webhooks are no longer answered. What stands in front of the
    /// subject may still say so, as a gateway does.
    async fn is_gone(&self) -> bool {
        let Some(url) = self.webhook else { return true };
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(ANSWER)
            .build();
        let Ok(client) = client else { return true };
        let deadline = Instant::now() + GONE;
        loop {
            let gone = match client.get(url).send().await {
                Ok(response) => matches!(response.status().as_u16(), 502..=504),
                Err(error) => !error.is_timeout(),
            };
            if gone || Instant::now() >= deadline {
                return gone;
            }
            tokio::time::sleep(LOOK).await;
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

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::case::Step;
    use crate::drive::hooks::Driver;
    use crate::drive::provider::{Provider, Settings};
    use axum::Router;

    #[tokio::test]
    async fn a_kill_that_kills_nothing_is_noticed() {
        let provider = Provider::start(Settings::default()).await.unwrap();
        let driver = Driver::parse("true", Vec::new(), COME_BACK).unwrap();
        let case = crate::cases::find("WH-ACK-04").unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/webhooks", listener.local_addr().unwrap());
        let server = tokio::spawn(async move { axum::serve(listener, Router::new()).await });
        let kill = || async {
            Stage::new(&provider, Some(&driver), Some(&url), "t", case)
                .play(&[Step::Kill("a")])
                .await
        };
        let alive = kill().await;
        assert!(alive.moment("still-there").is_some());
        assert!(alive.moment("killed") >= alive.moment("still-there"));
        server.abort();
        assert!(server.await.is_err());
        assert!(kill().await.moment("still-there").is_none());
    }
}
