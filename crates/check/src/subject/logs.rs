//! The log: a line for each call and each delivery, in a file.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::routing::MethodRouter;
use golive::core::{Clock as _, SystemClock};
use golive::webhook_verify::Reject;

/// A file that all lives write to; its copies share it.
#[derive(Clone)]
pub(super) struct Log(Arc<Inner>);

struct Inner {
    path: PathBuf,
    file: Mutex<File>,
}

// === impl Log ===

impl Log {
    pub(super) fn open(path: PathBuf) -> io::Result<Self> {
        let file = OpenOptions::new().append(true).create(true).open(&path)?;
        let file = Mutex::new(file);
        Ok(Self(Arc::new(Inner { path, file })))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0.path
    }

    /// One line, whatever the text holds.
    pub(super) fn line(&self, text: fmt::Arguments<'_>) {
        let now = httpdate::fmt_http_date(SystemClock.now());
        let line = format!("{now}  {}\n", text.to_string().replace(['\n', '\r'], "; "));
        let mut file = self.0.file.lock().unwrap_or_else(PoisonError::into_inner);
        // A log that cannot be written is no reason to fail what it tells of.
        let _ = file.write_all(line.as_bytes());
    }
}

/// Logs what each delivery was answered, and why it was refused.
pub(super) fn with_verdicts(webhooks: MethodRouter, log: Log) -> MethodRouter {
    webhooks.layer(from_fn(move |request, next| {
        verdict(log.clone(), request, next)
    }))
}

async fn verdict(log: Log, request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    let status = response.status().as_u16();
    match response.extensions().get::<Reject>() {
        Some(reject) => log.line(format_args!("webhook: {status}, {reject}")),
        None => log.line(format_args!("webhook: {status}")),
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_of_several_lines_is_one_line_of_the_log_and_each_is_kept() {
        let data = tempfile::tempdir().unwrap();
        let log = Log::open(data.path().join("app.log")).unwrap();
        log.line(format_args!("first\nsecond"));
        let again = Log::open(log.path().to_owned()).unwrap();
        again.line(format_args!("third"));
        let text = std::fs::read_to_string(log.path()).unwrap();
        let lines: Vec<_> = text.lines().filter_map(|l| l.split_once("  ")).collect();
        assert_eq!(lines.len(), 2, "{text}");
        assert_eq!((lines[0].1, lines[1].1), ("first; second", "third"));
    }
}
