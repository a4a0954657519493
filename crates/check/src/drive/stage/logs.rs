//! The log of the subject, as the hook `logs` gives it.

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use tokio::time::Instant;

use super::Stage;
use super::search::Part;
use super::signals::done;
use crate::drive::canaries::Numbers;
use crate::drive::hooks::{Ask, Hook};
use crate::trace::{MAX_OUTPUT, Outcome, Place, Searched};

/// Of each file of a log, its last bytes.
const MAX_FILE: u64 = 32 * 1024 * 1024;
/// Files of a log.
const MAX_FILES: usize = 32;

/// What the hook gave.
pub(super) enum Log {
    Text(String),
    Files(Vec<PathBuf>),
}

impl Stage<'_> {
    pub(super) async fn read_log(&mut self, label: &'static str) {
        self.log_was = self.log(label).await.map(|log| log.stamp());
    }

    /// The log as it is: what is redacted before the search cannot be found.
    pub(super) async fn log(&mut self, label: &'static str) -> Option<Log> {
        let driver = self.driver?;
        let mark = self.mark(label);
        let started = Instant::now();
        let outcome = driver.ask(Ask::new(Hook::Logs, &mark, None)).await;
        let (outcome, output) = match outcome {
            Outcome::Done { ok: true, output } => (done(), Some(output)),
            other => (self.listened(Hook::Logs, other), None),
        };
        self.note_call(Hook::Logs, label, outcome, started);
        output.map(|output| match paths(&output) {
            Some(paths) => Log::Files(paths),
            None => Log::Text(output),
        })
    }

    /// File by file: all of them at once may be a gibibyte.
    pub(super) async fn in_log(&self, log: Log, numbers: &Numbers) -> Searched {
        let stands_still = self.log_was == Some(log.stamp());
        let mut all = match log {
            Log::Text(text) => self.in_parts(Place::Logs, &[printed(text)], numbers),
            Log::Files(paths) => {
                let mut all = self.in_parts(Place::Logs, &[], numbers);
                let more = paths.len().saturating_sub(MAX_FILES);
                for path in paths.into_iter().take(MAX_FILES) {
                    let read = tokio::task::spawn_blocking(move || tail(&path)).await;
                    let Ok(part) = read else { continue };
                    let one = self.in_parts(Place::Logs, &[part], numbers);
                    all.bytes += one.bytes;
                    all.leaks.extend(one.leaks);
                    all.missing = all.missing.or(one.missing);
                }
                if more > 0 {
                    let words = format!("{more} more files of the log than {MAX_FILES}");
                    all.missing = all.missing.or(Some(words));
                }
                all
            }
        };
        if stands_still {
            let words = "a log that follows the subject: nothing was written while calls failed";
            all.missing = all.missing.or(Some(words.to_owned()));
        }
        all
    }
}

// === impl Log ===

impl Log {
    /// Another one after anything was written.
    fn stamp(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        match self {
            Self::Text(text) => text.hash(&mut hasher),
            Self::Files(paths) => {
                for path in paths {
                    let file = fs::metadata(path).ok();
                    let file = file.map(|file| (file.len(), file.modified().ok()));
                    (path, file).hash(&mut hasher);
                }
            }
        }
        hasher.finish()
    }
}

fn printed(text: String) -> Part {
    let missing = (text.len() + 4 > MAX_OUTPUT)
        .then(|| format!("its end, beyond {MAX_OUTPUT} bytes; print the path of a file instead"));
    let name = "hook logs".to_owned();
    Part {
        name,
        text,
        missing,
    }
}

/// The files that a log consists of, if that is what the hook printed: lines of
/// which each names a file, or could, because it is an absolute path.
fn paths(output: &str) -> Option<Vec<PathBuf>> {
    let lines = output
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty());
    let paths: Vec<PathBuf> = lines.map(PathBuf::from).collect();
    let are = |is: fn(&Path) -> bool| paths.iter().all(|path| is(path));
    let any = !paths.is_empty();
    (any && (are(Path::is_absolute) || are(Path::is_file))).then_some(paths)
}

/// The last [`MAX_FILE`] bytes of a regular file.
fn tail(path: &Path) -> Part {
    let name = path.display().to_string();
    let read = || -> std::io::Result<(Vec<u8>, bool)> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        let skipped = length.saturating_sub(MAX_FILE);
        file.seek(SeekFrom::Start(skipped))?;
        let mut bytes = Vec::new();
        file.take(MAX_FILE).read_to_end(&mut bytes)?;
        Ok((bytes, skipped > 0))
    };
    // Nothing that blocks for ever, such as a pipe, is opened.
    let (text, missing) = if path.is_file() {
        match read() {
            Ok((bytes, cut)) => (
                String::from_utf8_lossy(&bytes).into_owned(),
                cut.then(|| format!("of {name}, what is before its last {MAX_FILE} bytes")),
            ),
            Err(e) => (String::new(), Some(format!("{name}: {e}"))),
        }
    } else {
        (
            String::new(),
            Some(format!("{name}: there is no such file")),
        )
    };
    Part {
        name,
        text,
        missing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_told_from_a_log() {
        assert_eq!(paths("/var/log/app.log\n\n/b\n").map(|p| p.len()), Some(2));
        assert_eq!(paths(&"/a\n".repeat(50)).map(|p| p.len()), Some(50));
        let here = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
        assert!(paths(&format!("{here}\n")).is_some());
        for log in ["", "started\n", "/b\nGET /customers 500\n"] {
            assert!(paths(log).is_none(), "{log}");
        }
    }

    #[test]
    fn of_a_file_that_is_missing_or_none_that_is_said() {
        let file = tail(Path::new(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/Cargo.toml"
        )));
        assert!(file.text.contains("golive-check") && file.missing.is_none());
        for none in ["/no/such/file", "/dev/zero", "/"] {
            let part = tail(Path::new(none));
            assert!(part.text.is_empty() && part.missing.is_some(), "{none}");
        }
    }

    #[test]
    fn a_log_that_was_written_to_has_another_stamp() {
        let data = tempfile::tempdir().unwrap();
        let file = data.path().join("app.log");
        let log = Log::Files(vec![file.clone()]);
        let mut stamps = vec![log.stamp(), log.stamp()];
        for text in ["a", "ab"] {
            fs::write(&file, text).unwrap();
            stamps.push(log.stamp());
        }
        assert_eq!(stamps[0], stamps[1]);
        assert!(stamps[1] != stamps[2] && stamps[2] != stamps[3]);
        let text = |text: &str| Log::Text(text.to_owned()).stamp();
        assert_ne!(text("a"), text("ab"));
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_log_that_stands_still_or_has_too_many_files_proves_nothing() {
        use crate::case::Step;
        use crate::drive::hooks::Driver;
        use crate::drive::provider::{Provider, Settings};

        let provider = Provider::start(Settings::default()).await.unwrap();
        let data = tempfile::tempdir().unwrap();
        let file = data.path().join("app.log").display().to_string();
        let case = crate::cases::find("CRED-02").unwrap();
        let steps = [Step::ReadLog("begin"), Step::Search("search")];
        for (line, missing) in [
            (format!("sh -c 'echo up >> {file}; echo {file}'"), None),
            (format!("sh -c 'echo {file}'"), Some("nothing was written")),
            (
                "sh -c 'echo logs/app.log'".to_owned(),
                Some("nothing was written"),
            ),
            (
                format!("sh -c 'echo up >> {file}; yes {file} | head -n 33'"),
                Some("1 more files of the log than 32"),
            ),
        ] {
            let limit = std::time::Duration::from_secs(10);
            let driver = Driver::parse(&line, Vec::new(), limit).unwrap();
            let trace = Stage::new(&provider, Some(&driver), None, "t", case)
                .play(&steps)
                .await;
            let log = trace.searched.iter().find(|s| s.place == Place::Logs);
            let said = log.unwrap().missing.clone();
            assert_eq!(said.is_some(), missing.is_some(), "{line}: {said:?}");
            assert!(
                said.unwrap_or_default()
                    .contains(missing.unwrap_or_default()),
                "{line}"
            );
        }
    }
}
