//! The hooks of a subject, over HTTP or as a command.

use std::time::Duration;

use super::process::Line;
use crate::trace::{MAX_OUTPUT, Outcome};

/// Bytes of a hook's whole answer over HTTP; its output may be escaped in it.
const MAX_ANSWER: usize = 1024 * 1024;

/// What a subject can be asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Hook {
    /// Create one customer with the external id of the mark.
    Create,
    /// Create n customers at once, with external ids mark-0 to mark-(n-1).
    CreateMany,
    /// Read that customer, or any.
    Read,
    /// List customers.
    List,
    /// Print how often the event of the mark took effect.
    Effects,
    /// Restart.
    Restart,
}

/// How the hooks of a subject are called.
#[derive(Clone, Debug)]
pub struct Driver {
    way: Way,
}

/// A driver that cannot be used; the caller must name another one.
#[derive(Debug, thiserror::Error)]
#[error("the driver {driver:?} cannot be used: {reason}")]
pub struct DriverError {
    driver: String,
    reason: String,
}

#[derive(Clone, Debug)]
enum Way {
    Http {
        base: String,
        client: reqwest::Client,
    },
    Command(Line),
}

// === impl Hook ===

impl Hook {
    /// Its name on the wire and on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::CreateMany => "create-many",
            Self::Read => "read",
            Self::List => "list",
            Self::Effects => "effects",
            Self::Restart => "restart",
        }
    }
}

// === impl Driver ===

impl Driver {
    /// A driver from what stands behind `--drive`: a URL, or a command line.
    ///
    /// A command runs with `environment` on top of the caller's. `limit` bounds
    /// each hook call.
    ///
    /// # Errors
    /// If it is empty, or the HTTP client cannot be made.
    pub fn parse(
        drive: &str,
        environment: Vec<(String, String)>,
        limit: Duration,
    ) -> Result<Self, DriverError> {
        let error = |reason: String| DriverError {
            driver: drive.to_owned(),
            reason,
        };
        if drive.trim().is_empty() {
            return Err(error("it is empty".to_owned()));
        }
        let way = if drive.starts_with("http://") || drive.starts_with("https://") {
            let client = reqwest::Client::builder()
                // A proxy of the environment has no business between us and loopback.
                .no_proxy()
                // Followed, a POST may become a GET of something that says 200.
                .redirect(reqwest::redirect::Policy::none())
                .timeout(limit)
                .build()
                .map_err(|e| error(e.to_string()))?;
            Way::Http {
                base: drive.trim_end_matches('/').to_owned(),
                client,
            }
        } else {
            Way::Command(Line {
                line: drive.to_owned(),
                environment,
                limit,
            })
        };
        Ok(Self { way })
    }

    /// Whether each call is a process of its own.
    #[must_use]
    pub fn is_one_process_per_hook(&self) -> bool {
        matches!(self.way, Way::Command(_))
    }

    /// The URL of a driver over HTTP.
    #[must_use]
    pub fn url(&self) -> Option<&str> {
        match &self.way {
            Way::Http { base, .. } => Some(base),
            Way::Command(_) => None,
        }
    }

    /// Calls a hook. Never fails: what went wrong is an outcome, too.
    pub async fn call(&self, hook: Hook, mark: &str, n: Option<u32>) -> Outcome {
        match &self.way {
            Way::Http { base, client } => over_http(client, base, hook, mark, n).await,
            Way::Command(line) => line.call(hook, mark, n).await,
        }
    }
}

async fn over_http(
    client: &reqwest::Client,
    base: &str,
    hook: Hook,
    mark: &str,
    n: Option<u32>,
) -> Outcome {
    let body = serde_json::json!({ "mark": mark, "n": n });
    let request = client
        .post(format!("{base}/{}", hook.name()))
        .header("content-type", "application/json")
        .body(body.to_string());
    let mut response = match request.send().await {
        Ok(response) => response,
        Err(e) if e.is_timeout() => return Outcome::TimedOut,
        Err(e) => return Outcome::Broken(e.without_url().to_string()),
    };
    let status = response.status().as_u16();
    if status == 404 {
        return Outcome::NotOffered;
    }
    if status != 200 {
        return Outcome::Broken(format!(
            "hook {} was answered {status}, not 200",
            hook.name()
        ));
    }
    let mut bytes = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
            Ok(None) => break,
            Err(e) if e.is_timeout() => return Outcome::TimedOut,
            Err(e) => return Outcome::Broken(e.without_url().to_string()),
        }
        if bytes.len() > MAX_ANSWER {
            return Outcome::Broken(format!(
                "the answer of hook {} is longer than {MAX_ANSWER} bytes",
                hook.name()
            ));
        }
    }
    read_answer(&bytes)
}

fn read_answer(bytes: &[u8]) -> Outcome {
    let answer: serde_json::Value = match serde_json::from_slice(bytes) {
        Ok(answer) => answer,
        Err(e) => return Outcome::Broken(format!("the answer is not JSON: {e}")),
    };
    let Some(ok) = answer.get("ok").and_then(serde_json::Value::as_bool) else {
        return Outcome::Broken("the answer has no `ok` that is true or false".to_owned());
    };
    let output = match answer.get("output") {
        None | Some(serde_json::Value::Null) => String::new(),
        Some(serde_json::Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    Outcome::Done {
        ok,
        output: bounded(output),
    }
}

fn bounded(mut text: String) -> String {
    if text.len() > MAX_OUTPUT {
        let end = (0..=MAX_OUTPUT)
            .rev()
            .find(|i| text.is_char_boundary(*i))
            .unwrap_or(0);
        text.truncate(end);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    const LIMIT: Duration = Duration::from_secs(10);

    #[test]
    fn an_answer_needs_an_ok() {
        let done = |ok, output: &str| Outcome::Done {
            ok,
            output: output.to_owned(),
        };
        assert_eq!(
            read_answer(br#"{"ok": true, "output": "hi"}"#),
            done(true, "hi")
        );
        assert_eq!(read_answer(br#"{"ok": false}"#), done(false, ""));
        assert_eq!(
            read_answer(br#"{"ok": true, "output": 3}"#),
            done(true, "3")
        );
        assert!(matches!(
            read_answer(br#"{"output": "hi"}"#),
            Outcome::Broken(_)
        ));
        assert!(matches!(read_answer(b"<html>"), Outcome::Broken(_)));
    }

    #[test]
    fn output_is_bounded_between_characters() {
        assert_eq!(bounded("é".repeat(MAX_OUTPUT)).len(), MAX_OUTPUT);
        assert_eq!(
            bounded(format!("a{}", "é".repeat(MAX_OUTPUT))).len(),
            MAX_OUTPUT - 1
        );
    }

    /// Answers one request with this head, and then with bytes without end.
    async fn endless(head: &'static str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let asked = stream.read(&mut [0; 4096]).await.unwrap();
            assert!(asked > 0);
            let mut sent = stream.write_all(head.as_bytes()).await;
            while sent.is_ok() {
                sent = stream.write_all(&[b' '; 16 * 1024]).await;
            }
        });
        url
    }

    #[tokio::test]
    async fn an_answer_without_end_is_not_read_to_its_end() {
        let url = endless("HTTP/1.1 200 OK\r\n\r\n").await;
        let driver = Driver::parse(&url, Vec::new(), LIMIT).unwrap();
        let outcome = driver.call(Hook::Create, "m", None).await;
        assert!(
            matches!(&outcome, Outcome::Broken(reason) if reason.contains("longer than")),
            "{outcome:?}"
        );
    }

    #[tokio::test]
    async fn a_redirect_is_no_answer_of_a_hook() {
        let url = endless("HTTP/1.1 302 Found\r\nlocation: /\r\n\r\n").await;
        let driver = Driver::parse(&url, Vec::new(), LIMIT).unwrap();
        let outcome = driver.call(Hook::Create, "m", None).await;
        let reason = "hook create was answered 302, not 200".to_owned();
        assert_eq!(outcome, Outcome::Broken(reason));
    }

    #[test]
    fn an_empty_driver_is_refused() {
        assert!(Driver::parse(" ", Vec::new(), LIMIT).is_err());
    }
}
