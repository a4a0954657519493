//! A marked secret goes through everything, and nothing that is printed shows it.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests stand outside of #[test]"
)]

use std::{error::Error, fmt::Debug, time::Duration};

use golive_secrets_provider::{
    Handle, MAX_BYTES, Value, Version, Versions,
    source::{EnvSource, FileSource, MemorySource, Source, SourceErrorKind},
};
use tokio::time::sleep;

const CANARY: &str = "CANARY-7f3a";

/// Every way in which text comes out of a value.
#[derive(Default)]
struct Printed(String);

impl Printed {
    fn debug(&mut self, value: &impl Debug) {
        self.0 += &format!("{value:?}\n{value:#?}\n");
    }

    fn error(&mut self, error: &(dyn Error + 'static)) {
        let mut next = Some(error);
        while let Some(error) = next {
            self.0 += &format!("{error}\n{error:?}\n");
            next = error.source();
        }
    }

    fn assert_clean(&self) {
        // As text, as the numbers that a slice of bytes prints, and in base64.
        for mark in [CANARY, "67, 65, 78, 65, 82, 89", "Q0FOQVJZ"] {
            assert!(!self.0.contains(mark), "{}", self.0);
        }
    }
}

fn marked(id: &str) -> Version {
    Version::new(id, Value::new(format!("{CANARY}-{id}")).unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_secret_is_in_no_debug_display_or_error() {
    let mut printed = Printed::default();
    let source = MemorySource::new();
    source.set("name", Versions::new(marked("1")).with_pending(marked("2")));
    source.rotate("name", marked("3"));
    let builder = Handle::builder(source.clone(), "name").stale_for(Duration::ZERO);
    printed.debug(&builder);
    let handle = builder.build().unwrap();
    let snapshot = handle.ready().await.unwrap();
    let loaded = handle.load().unwrap();
    printed.debug(&(&source, &handle, &snapshot, &loaded, handle.health()));
    printed.debug(&(
        snapshot.versions(),
        snapshot.current(),
        snapshot.current().value(),
    ));

    source.fail(SourceErrorKind::Unavailable);
    printed.error(&handle.refresh().await.unwrap_err());
    sleep(Duration::from_secs(400)).await;
    printed.error(&handle.load().unwrap_err());
    printed.debug(&handle.health());

    printed.error(&Value::new(CANARY.repeat(MAX_BYTES)).unwrap_err());
    let binary = Value::new([CANARY.as_bytes(), &[0xff]].concat()).unwrap();
    printed.error(&binary.expose_text().unwrap_err());
    assert!(printed.0.contains("redacted") && printed.0.contains("could not be refreshed"));
    printed.assert_clean();
}

#[tokio::test]
async fn no_source_prints_what_it_read_or_refused() {
    let mut printed = Printed::default();
    let env = EnvSource::for_development(|name| match name {
        "large" => Some(CANARY.repeat(MAX_BYTES)),
        _ => Some(CANARY.to_owned()),
    });
    printed.debug(&(&env, env.fetch("name").await.unwrap()));
    printed.error(&env.fetch("large").await.unwrap_err());

    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("name"), CANARY).unwrap();
    std::fs::write(dir.path().join("large"), CANARY.repeat(MAX_BYTES)).unwrap();
    let files = FileSource::new(dir.path()).unwrap();
    printed.debug(&(&files, files.fetch("name").await.unwrap()));
    printed.error(&files.fetch("large").await.unwrap_err());
    printed.error(&files.fetch("../name").await.unwrap_err());
    assert!(printed.0.contains("too large"));
    printed.assert_clean();
}
