//! Looking for the secrets of the run in all that came out of the subject.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use tokio::time::Instant;

use super::Stage;
use super::signals::done;
use crate::drive::canaries::{self, Numbers};
use crate::drive::hooks::{Ask, Hook};
use crate::drive::record;
use crate::trace::{Entry, Kind, Leak, MAX_OUTPUT, Outcome, Place, Reply, Searched};

/// Of each file of a log, its last bytes.
const MAX_FILE: u64 = 32 * 1024 * 1024;
/// Files of a log.
const MAX_FILES: usize = 32;

/// A part of a log: its name, its text and why it is not whole, if so.
struct Part {
    name: String,
    text: String,
    missing: Option<String>,
}

impl Stage<'_> {
    pub(super) async fn search(&mut self, label: &'static str) {
        let recorded = self.provider.sandbox().recorder().all();
        let entries: Vec<Entry> = recorded.iter().map(record::entry).collect();
        let numbers = Numbers::of(&entries);
        let mut searched = vec![
            self.provider.heard().searched(),
            in_requests(&entries),
            in_answers(&entries),
        ];
        let alerts = self.provider.alerts().into_iter();
        let alerts = alerts.map(|alert| part("alert", alert.text));
        searched.push(self.in_parts(Place::Alerts, &alerts.collect::<Vec<_>>(), &numbers));
        if let Some(page) = self.page(label).await {
            let page = [part("metrics", page)];
            searched.push(self.in_parts(Place::Metrics, &page, &numbers));
        }
        if let Some(log) = self.log(label).await {
            searched.push(self.in_parts(Place::Logs, &log, &numbers));
        }
        self.trace.searched = searched;
    }

    fn in_parts(&self, place: Place, parts: &[Part], numbers: &Numbers) -> Searched {
        let sandbox = self.provider.sandbox();
        let found = |p: &Part| canaries::in_text(sandbox, &p.name, &p.text, Some(numbers));
        Searched {
            place,
            bytes: parts.iter().map(|p| p.text.len() as u64).sum(),
            leaks: parts.iter().flat_map(found).collect(),
            missing: parts.iter().find_map(|p| p.missing.clone()),
        }
    }

    /// The log as it is: what is redacted before the search cannot be found.
    async fn log(&mut self, label: &'static str) -> Option<Vec<Part>> {
        let driver = self.driver?;
        let mark = self.mark(label);
        let started = Instant::now();
        let outcome = driver.ask(Ask::new(Hook::Logs, &mark, None)).await;
        let (outcome, output) = match outcome {
            Outcome::Done { ok: true, output } => (done(), Some(output)),
            other => (other, None),
        };
        self.note_call(Hook::Logs, label, outcome, started);
        let output = output?;
        let Some(paths) = paths(&output) else {
            let missing = (output.len() + 4 > MAX_OUTPUT).then(|| {
                format!("its end, beyond {MAX_OUTPUT} bytes; print the path of a file instead")
            });
            let name = "hook logs".to_owned();
            return Some(vec![Part {
                name,
                text: output,
                missing,
            }]);
        };
        let read = tokio::task::spawn_blocking(move || {
            paths.iter().map(|path| tail(path)).collect::<Vec<_>>()
        });
        Some(read.await.unwrap_or_default())
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
    let few = (1..=MAX_FILES).contains(&paths.len());
    (few && (are(Path::is_absolute) || are(Path::is_file))).then_some(paths)
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

/// NOTE: not the URL, which CRED-01 judges, nor where a secret belongs:
/// Authorization, and the request for a token.
fn in_requests(entries: &[Entry]) -> Searched {
    let mut leaks = Vec::new();
    let mut bytes = 0;
    for entry in entries.iter().filter(|e| e.kind == Kind::Request) {
        let at = format!("{} {}", entry.method, entry.path);
        let elsewhere = |name: &str| {
            !name.eq_ignore_ascii_case("authorization")
                && !name.eq_ignore_ascii_case("proxy-authorization")
                // Repeats the URL.
                && !name.eq_ignore_ascii_case("referer")
        };
        let headers = entry.headers.iter().filter(|(name, _)| elsewhere(name));
        let texts = headers.flat_map(|(name, value)| [name.as_str(), value.as_str()]);
        let body = Some(entry.body.as_str()).filter(|_| !entry.is_token_request());
        let texts: Vec<&str> = texts.chain(body).collect();
        bytes += texts.iter().map(|text| text.len() as u64).sum::<u64>();
        leaks.extend(canaries::in_record(&at, texts));
    }
    searched(Place::Requests, bytes, leaks)
}

fn in_answers(entries: &[Entry]) -> Searched {
    let mut leaks = Vec::new();
    let mut bytes = 0;
    for entry in entries.iter().filter(|e| e.kind == Kind::Delivery) {
        let Reply::Answered { headers, body, .. } = &entry.answer else {
            continue;
        };
        let texts = headers.iter().map(|(_, value)| value.as_str());
        let texts: Vec<&str> = texts.chain([body.as_str()]).collect();
        bytes += texts.iter().map(|text| text.len() as u64).sum::<u64>();
        leaks.extend(canaries::in_record("the answer to a webhook", texts));
    }
    searched(Place::Answers, bytes, leaks)
}

fn searched(place: Place, bytes: u64, leaks: Vec<Leak>) -> Searched {
    Searched {
        place,
        bytes,
        leaks,
        missing: None,
    }
}

fn part(name: &str, text: String) -> Part {
    Part {
        name: name.to_owned(),
        text,
        missing: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_told_from_a_log() {
        assert_eq!(paths("/var/log/app.log\n\n/b\n").map(|p| p.len()), Some(2));
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
    fn secrets_count_where_they_do_not_belong() {
        let with = |mut entry: Entry, name: &str, body: &str| {
            let value = "Bearer [redacted:access_token]".to_owned();
            entry.headers.push((name.to_owned(), value));
            entry.body = body.to_owned();
            in_requests(&[entry]).leaks.len()
        };
        let create = || Entry::create("m", 0, 201, "k");
        assert_eq!(with(create(), "authorization", "{}"), 0);
        assert_eq!(with(create(), "x-debug", "{}"), 1);
        let body = "client_secret=[redacted:client_secret]";
        assert_eq!(with(create(), "authorization", body), 1);
        assert_eq!(with(Entry::token_request(0), "authorization", body), 0);
        let mut delivery = Entry::delivery(0, 1, 500);
        delivery.answer = Reply::Answered {
            status: 500,
            headers: Vec::new(),
            body: "bad key [redacted:webhook_secret]".to_owned(),
        };
        let leaks = in_answers(&[delivery]).leaks;
        assert_eq!(leaks[0].kind, "webhook secret");
    }
}
