//! The hooks of a subject, over HTTP or as a command.

use std::time::Duration;

use golive_sandbox::Credential;
use secrecy::ExposeSecret as _;

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
    /// End at once, without finishing anything, as by SIGKILL.
    Kill,
    /// Start again, with the same environment, data and webhook URL.
    Restart,
    /// Use the credential that is handed over from now on, without a restart.
    RotateCredential,
    /// Print the log since the start, or the paths of its files.
    Logs,
    /// Print a page of Prometheus metrics, or its URL.
    Metrics,
    /// Look for stuck customers, and print whom it found.
    Stuck,
}

/// What a hook is told.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ask<'a> {
    pub(super) hook: Hook,
    pub(super) mark: &'a str,
    pub(super) n: Option<u32>,
    /// For [`Hook::RotateCredential`].
    pub(super) credential: Option<&'a Credential>,
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
            Self::Kill => "kill",
            Self::Restart => "restart",
            Self::RotateCredential => "rotate-credential",
            Self::Logs => "logs",
            Self::Metrics => "metrics",
            Self::Stuck => "stuck",
        }
    }

    /// Whether its output is read by us, not shown to a user.
    pub(super) const fn prints_data(self) -> bool {
        matches!(
            self,
            Self::Effects | Self::Logs | Self::Metrics | Self::Stuck
        )
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
        self.ask(Ask::new(hook, mark, n)).await
    }

    pub(super) async fn ask(&self, ask: Ask<'_>) -> Outcome {
        match &self.way {
            Way::Http { base, client } => over_http(client, base, ask).await,
            Way::Command(line) => line.call(ask).await,
        }
    }
}

// === impl Ask ===

impl<'a> Ask<'a> {
    pub(super) fn new(hook: Hook, mark: &'a str, n: Option<u32>) -> Self {
        Self {
            hook,
            mark,
            n,
            credential: None,
        }
    }
}

async fn over_http(client: &reqwest::Client, base: &str, ask: Ask<'_>) -> Outcome {
    let hook = ask.hook;
    let mut body = serde_json::json!({ "mark": ask.mark, "n": ask.n });
    if let Some(credential) = ask.credential {
        body["client_id"] = credential.client_id.as_str().into();
        body["client_secret"] = credential.client_secret.expose_secret().into();
    }
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

    #[tokio::test]
    async fn a_new_credential_is_handed_over_in_the_body() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/golive/", listener.local_addr().unwrap());
        let asked = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = String::new();
            while !request.ends_with('}') {
                let mut buffer = [0; 4096];
                let n = stream.read(&mut buffer).await.unwrap();
                request.push_str(std::str::from_utf8(&buffer[..n]).unwrap());
            }
            let answer = "HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\n{\"ok\":true}";
            stream.write_all(answer.as_bytes()).await.unwrap();
            request
        });
        let driver = Driver::parse(&url, Vec::new(), LIMIT).unwrap();
        let credential = Credential {
            client_id: "id-2".to_owned(),
            client_secret: "secret-2".into(),
        };
        let mut ask = Ask::new(Hook::RotateCredential, "m", None);
        ask.credential = Some(&credential);
        assert_eq!(driver.ask(ask).await.ok(), Some(true));
        let request = asked.await.unwrap();
        assert!(request.starts_with("POST /golive/rotate-credential "));
        let body = request.split("\r\n\r\n").nth(1).unwrap();
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        let credential = (&body["client_id"], &body["client_secret"]);
        assert_eq!(credential, (&"id-2".into(), &"secret-2".into()));
        assert!(!format!("{:?}", Ask { ..ask }).contains("secret-2"));
    }

    #[test]
    fn an_empty_driver_is_refused() {
        assert!(Driver::parse(" ", Vec::new(), LIMIT).is_err());
    }
}
