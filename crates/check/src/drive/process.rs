//! A hook as a process of its own: bounded in time, in output and in what it
//! leaves behind.

use std::process::{ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::join;
use secrecy::ExposeSecret as _;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::hooks::{Ask, Hook};
use crate::trace::{MAX_OUTPUT, Outcome};

/// How long output is waited for once the hook ended: what it left running may
/// hold the pipe open for ever.
const LINGER: Duration = Duration::from_millis(500);

/// A driver's command line.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) line: String,
    /// On top of our own.
    pub(super) environment: Vec<(String, String)>,
    /// Of each call.
    pub(super) limit: Duration,
}

/// The processes of one hook; killed, if the hook did not end by itself.
struct Group(Option<u32>);

impl Line {
    pub(super) async fn call(&self, ask: Ask<'_>) -> Outcome {
        let mut command = shell(&self.line, ask.hook);
        if let Some(credential) = ask.credential {
            command
                .env("GOLIVE_NEW_CLIENT_ID", &credential.client_id)
                .env(
                    "GOLIVE_NEW_CLIENT_SECRET",
                    credential.client_secret.expose_secret(),
                );
        }
        command
            .envs(self.environment.iter().map(|(k, v)| (k, v)))
            .env("GOLIVE_MARK", ask.mark)
            .env("GOLIVE_N", ask.n.unwrap_or(1).to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // A hook that runs out of time must not live on.
            .kill_on_drop(true);
        let child = match command.spawn() {
            Ok(child) => child,
            Err(e) => return Outcome::Broken(e.to_string()),
        };
        let (status, mut output, errors) = match ended(child, self.limit).await {
            None => return Outcome::TimedOut,
            Some(Err(e)) => return Outcome::Broken(e.to_string()),
            Some(Ok(ended)) => ended,
        };
        match status.code() {
            // 127 is "command not found" and 64 is EX_USAGE: both say "no such hook".
            Some(64 | 127) => Outcome::NotOffered,
            None => Outcome::Broken("the hook was killed by a signal".to_owned()),
            Some(code) => {
                // What is read as data must not be spoilt by a warning beside it.
                if code != 0 || !ask.hook.prints_data() {
                    output.push_str(&errors);
                }
                Outcome::Done {
                    ok: code == 0,
                    output,
                }
            }
        }
    }
}

/// Its status and the start of both outputs; `None` if it took too long.
async fn ended(
    mut child: Child,
    limit: Duration,
) -> Option<std::io::Result<(ExitStatus, String, String)>> {
    let mut group = Group(child.id());
    let (out, errors) = (Mutex::default(), Mutex::default());
    let reading = join(
        kept(child.stdout.take(), &out),
        kept(child.stderr.take(), &errors),
    );
    tokio::pin!(reading);
    let mut read = false;
    let waiting = async {
        loop {
            tokio::select! {
                status = child.wait() => break status,
                _ = &mut reading, if !read => read = true,
            }
        }
    };
    let status = timeout(limit, waiting).await.ok()?;
    group.0 = None;
    if !read {
        // What came until then is what a user would have seen.
        let _ = timeout(LINGER, reading).await;
    }
    Some(status.map(|status| (status, text(&out), text(&errors))))
}

/// Keeps the start of a stream and reads the rest away: a writer that is not
/// read stands still, and one whose reader is gone dies of it.
async fn kept(stream: Option<impl AsyncRead + Unpin>, into: &Mutex<Vec<u8>>) {
    let Some(mut stream) = stream else { return };
    let mut buffer = [0; 4096];
    while let Ok(n @ 1..) = stream.read(&mut buffer).await {
        let mut into = into.lock().unwrap_or_else(PoisonError::into_inner);
        let room = MAX_OUTPUT - into.len();
        into.extend(buffer.iter().take(n.min(room)));
    }
}

fn text(bytes: &Mutex<Vec<u8>>) -> String {
    let bytes = bytes.lock().unwrap_or_else(PoisonError::into_inner);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The line is a shell's business, as a user would type it; the hook is its
/// last argument. `exec` makes the shell the hook, and the group of its own
/// makes whatever it starts go with it.
#[cfg(unix)]
fn shell(line: &str, hook: Hook) -> Command {
    let mut command = Command::new("sh");
    command
        .arg("-c")
        .arg(format!("exec {line} \"$1\""))
        .arg("golive")
        .arg(hook.name())
        .process_group(0);
    command
}

#[cfg(not(unix))]
fn shell(line: &str, hook: Hook) -> Command {
    let mut command = Command::new("cmd");
    command.arg("/C").arg(format!("{line} {}", hook.name()));
    command
}

impl Drop for Group {
    fn drop(&mut self) {
        let Some(id) = self.0.filter(|_| cfg!(unix)) else {
            return;
        };
        // NOTE: by the shell, since the system call needs `unsafe`. If it fails,
        // the leader is still killed by `kill_on_drop`.
        let _ = std::process::Command::new("sh")
            .args(["-c", "kill -s KILL -- \"-$1\"", "golive", &id.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use tokio::time::Instant;

    const LIMIT: Duration = Duration::from_secs(20);

    async fn call(line: &str, limit: Duration) -> Outcome {
        let line = Line {
            line: line.to_owned(),
            environment: vec![("GOLIVE_BASE_URL".to_owned(), "http://x/v3".to_owned())],
            limit,
        };
        line.call(Ask::new(Hook::CreateMany, "m-1", Some(3))).await
    }

    #[tokio::test]
    async fn a_new_credential_is_handed_over_in_the_environment() {
        let line = Line {
            line: "sh -c 'echo $1 $GOLIVE_NEW_CLIENT_ID $GOLIVE_NEW_CLIENT_SECRET' x".to_owned(),
            environment: Vec::new(),
            limit: LIMIT,
        };
        let credential = golive_sandbox::Credential {
            client_id: "id-2".to_owned(),
            client_secret: "secret-2".into(),
        };
        let mut ask = Ask::new(Hook::RotateCredential, "m", None);
        ask.credential = Some(&credential);
        let output = "rotate-credential id-2 secret-2\n".to_owned();
        assert_eq!(line.call(ask).await, Outcome::Done { ok: true, output });
    }

    #[tokio::test]
    async fn a_command_gets_the_hook_the_mark_and_the_environment() {
        let line = r#"sh -c 'echo "$1 $GOLIVE_MARK $GOLIVE_N $GOLIVE_BASE_URL"; echo err >&2' x"#;
        let output = "create-many m-1 3 http://x/v3\nerr\n".to_owned();
        assert_eq!(call(line, LIMIT).await, Outcome::Done { ok: true, output });
    }

    #[tokio::test]
    async fn a_warning_beside_data_is_left_out() {
        let line = Line {
            line: "sh -c 'echo 1; echo deprecated >&2'".to_owned(),
            environment: Vec::new(),
            limit: LIMIT,
        };
        for hook in [Hook::Effects, Hook::Logs, Hook::Metrics, Hook::Stuck] {
            let output = "1\n".to_owned();
            let outcome = line.call(Ask::new(hook, "m", None)).await;
            assert_eq!(outcome, Outcome::Done { ok: true, output });
        }
    }

    #[tokio::test]
    async fn exit_codes_say_failed_or_not_offered_and_time_runs_out() {
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

    #[tokio::test]
    async fn of_much_output_the_start_is_kept_and_the_writer_is_read_to_its_end() {
        let line = r"sh -c 'head -c 300000 /dev/zero && printf \\377told >&2'";
        let Outcome::Done { ok: true, output } = call(line, LIMIT).await else {
            panic!("a writer that nobody reads fails");
        };
        assert!(output.ends_with("\u{fffd}told"));
        assert_eq!(output.len(), MAX_OUTPUT + "\u{fffd}told".len());
    }

    #[tokio::test]
    async fn what_a_hook_leaves_running_does_not_hold_it_up() {
        let begun = Instant::now();
        let outcome = call("sh -c 'sleep 15 & echo up'", LIMIT).await;
        let output = "up\n".to_owned();
        assert_eq!(outcome, Outcome::Done { ok: true, output });
        assert!(begun.elapsed() < Duration::from_secs(10));
    }

    #[tokio::test]
    async fn a_hook_that_runs_out_of_time_takes_its_children_with_it() {
        let file = std::env::temp_dir().join(format!("golive-child-{}", std::process::id()));
        let line = format!("sh -c '(sleep 1; touch {}) & wait'", file.display());
        let outcome = call(&line, Duration::from_millis(300)).await;
        assert_eq!(outcome, Outcome::TimedOut);
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        let lives = file.exists();
        let _ = std::fs::remove_file(&file);
        assert!(!lives, "a child outlived its hook");
    }
}
