//! The hooks of a subject, over HTTP or as a command.

use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use crate::trace::Outcome;

/// Of a hook's output, this many bytes are kept.
const MAX_OUTPUT: usize = 64 * 1024;

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
    limit: Duration,
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
    Command {
        line: String,
        environment: Vec<(String, String)>,
    },
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
                .timeout(limit)
                .build()
                .map_err(|e| error(e.to_string()))?;
            Way::Http {
                base: drive.trim_end_matches('/').to_owned(),
                client,
            }
        } else {
            Way::Command {
                line: drive.to_owned(),
                environment,
            }
        };
        Ok(Self { way, limit })
    }

    /// Whether each call is a process of its own.
    #[must_use]
    pub fn is_one_process_per_hook(&self) -> bool {
        matches!(self.way, Way::Command { .. })
    }

    /// The URL of a driver over HTTP.
    #[must_use]
    pub fn url(&self) -> Option<&str> {
        match &self.way {
            Way::Http { base, .. } => Some(base),
            Way::Command { .. } => None,
        }
    }

    /// Calls a hook. Never fails: what went wrong is an outcome, too.
    pub async fn call(&self, hook: Hook, mark: &str, n: Option<u32>) -> Outcome {
        match &self.way {
            Way::Http { base, client } => over_http(client, base, hook, mark, n).await,
            Way::Command { line, environment } => {
                as_command(line, environment, self.limit, hook, mark, n).await
            }
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
    let response = match request.send().await {
        Ok(response) => response,
        Err(e) if e.is_timeout() => return Outcome::TimedOut,
        Err(e) => return Outcome::Broken(e.without_url().to_string()),
    };
    let status = response.status().as_u16();
    if status == 404 {
        return Outcome::NotOffered;
    }
    let bytes = match response.bytes().await {
        Ok(bytes) => bytes,
        Err(e) if e.is_timeout() => return Outcome::TimedOut,
        Err(e) => return Outcome::Broken(e.without_url().to_string()),
    };
    if status != 200 {
        return Outcome::Broken(format!(
            "hook {} was answered {status}, not 200",
            hook.name()
        ));
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

async fn as_command(
    line: &str,
    environment: &[(String, String)],
    limit: Duration,
    hook: Hook,
    mark: &str,
    n: Option<u32>,
) -> Outcome {
    let mut command = shell(line, hook);
    command
        .envs(environment.iter().map(|(k, v)| (k, v)))
        .env("GOLIVE_MARK", mark)
        .env("GOLIVE_N", n.unwrap_or(1).to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // A hook that runs out of time must not live on.
        .kill_on_drop(true);
    let output = match tokio::time::timeout(limit, command.output()).await {
        Err(_) => return Outcome::TimedOut,
        Ok(Err(e)) => return Outcome::Broken(e.to_string()),
        Ok(Ok(output)) => output,
    };
    match output.status.code() {
        // 127 is "command not found" and 64 is EX_USAGE: both say "no such hook".
        Some(64 | 127) => Outcome::NotOffered,
        None => Outcome::Broken("the hook was killed by a signal".to_owned()),
        Some(code) => {
            let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
            text.push_str(&String::from_utf8_lossy(&output.stderr));
            Outcome::Done {
                ok: code == 0,
                output: bounded(text),
            }
        }
    }
}

/// The line is a shell's business, as a user would type it; the hook is its
/// last argument. `exec` makes the shell the hook, so that killing it works.
#[cfg(unix)]
fn shell(line: &str, hook: Hook) -> Command {
    let mut command = Command::new("sh");
    command
        .arg("-c")
        .arg(format!("exec {line} \"$1\""))
        .arg("golive")
        .arg(hook.name());
    command
}

#[cfg(not(unix))]
fn shell(line: &str, hook: Hook) -> Command {
    let mut command = Command::new("cmd");
    command.arg("/C").arg(format!("{line} {}", hook.name()));
    command
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

    #[cfg(unix)]
    #[tokio::test]
    async fn a_command_gets_the_hook_the_mark_and_the_environment() {
        let environment = vec![("GOLIVE_BASE_URL".to_owned(), "http://x/v3".to_owned())];
        let line = r#"sh -c 'echo "$1 $GOLIVE_MARK $GOLIVE_N $GOLIVE_BASE_URL"; echo err >&2' x"#;
        let driver = Driver::parse(line, environment, LIMIT).unwrap();
        let outcome = driver.call(Hook::CreateMany, "m-1", Some(3)).await;
        let output = "create-many m-1 3 http://x/v3\nerr\n".to_owned();
        assert_eq!(outcome, Outcome::Done { ok: true, output });
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn exit_codes_say_failed_or_not_offered_and_time_runs_out() {
        let call = async |line: &str, limit| {
            Driver::parse(line, Vec::new(), limit)
                .unwrap()
                .call(Hook::Read, "m", None)
                .await
        };
        assert!(matches!(
            call("false", LIMIT).await,
            Outcome::Done { ok: false, .. }
        ));
        assert_eq!(call("sh -c 'exit 64'", LIMIT).await, Outcome::NotOffered);
        assert_eq!(
            call("no-such-command-here", LIMIT).await,
            Outcome::NotOffered
        );
        assert_eq!(
            call("sleep 30 #", Duration::from_millis(50)).await,
            Outcome::TimedOut
        );
    }

    #[test]
    fn an_empty_driver_is_refused() {
        assert!(Driver::parse(" ", Vec::new(), LIMIT).is_err());
    }
}
