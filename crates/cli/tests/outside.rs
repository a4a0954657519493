//! An integration that is none of ours, in another language and another process: the checker sees
//! what it does and what it does not.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests may panic"
)]

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read},
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
};

use serde_json::Value;

/// Ends with the test, however that ends.
struct Started(Child);

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.local_addr().unwrap().port()
}

/// An integration, and where it is.
struct Outside {
    script: &'static str,
    arguments: Vec<String>,
    webhooks: u16,
    hooks: u16,
}

/// What the checker said of it.
struct Said {
    code: Option<i32>,
    shown: String,
    report: Value,
}

impl Said {
    fn with(&self, verdict: &str) -> Vec<&str> {
        let cases = self.report["cases"].as_array().unwrap().iter();
        let of_verdict = cases.filter(|c| c["verdict"] == verdict);
        let mut ids: Vec<_> = of_verdict.map(|c| c["id"].as_str().unwrap()).collect();
        ids.sort_unstable();
        ids
    }

    fn reason(&self, id: &str) -> &str {
        let mut cases = self.report["cases"].as_array().unwrap().iter();
        let case = cases.find(|c| c["id"] == id).unwrap();
        case["reason"].as_str().unwrap()
    }
}

/// Starts the checker, reads the environment that it prints, starts the integration with it, and
/// waits for the report.
fn check(outside: &Outside, cases: &[&str]) -> Said {
    let Outside {
        webhooks, hooks, ..
    } = outside;
    let report = std::env::temp_dir().join(format!("golive-outside-{webhooks}.json"));
    let mut golive = Command::new(env!("CARGO_BIN_EXE_golive"));
    golive
        .args(["check", "--wait", "30", "--json"])
        .arg(&report)
        .args([
            "--webhook",
            &format!("http://127.0.0.1:{webhooks}/webhooks"),
        ])
        .args(["--drive", &format!("http://127.0.0.1:{hooks}/golive")])
        .args(cases)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut golive = Started(golive.spawn().unwrap());

    let mut lines = BufReader::new(golive.0.stderr.take().unwrap()).lines();
    let mut environment = BTreeMap::new();
    while environment.len() < 5 {
        let line = lines
            .next()
            .expect("golive prints the environment")
            .unwrap();
        let Some(line) = line.trim().strip_prefix("export ") else {
            continue;
        };
        let (name, value) = line.split_once('=').unwrap();
        environment.insert(name.to_owned(), value.trim_matches(['\'', '"']).to_owned());
    }
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/outside");
    let python = Command::new("python3")
        .arg(tests.join(outside.script))
        .args(&outside.arguments)
        .envs(&environment)
        .spawn()
        .expect("python3 plays the integration: install it");
    let _python = Started(python);
    let progress = std::thread::spawn(move || lines.map_while(Result::ok).collect::<Vec<_>>());
    let mut shown = String::new();
    let mut stdout = golive.0.stdout.take().unwrap();
    stdout.read_to_string(&mut shown).unwrap();
    shown.push_str(&progress.join().unwrap().join("\n"));
    let code = golive.0.wait().unwrap().code();
    let json = std::fs::read(&report).unwrap_or_default();
    let _ = std::fs::remove_file(&report);
    let report = serde_json::from_slice(&json).expect(&shown);
    Said {
        code,
        shown,
        report,
    }
}

#[test]
fn a_naive_integration_in_python_fails_what_it_does_not_do_and_nothing_else() {
    let port = free_port();
    let said = check(
        &Outside {
            script: "naive.py",
            arguments: vec![port.to_string()],
            webhooks: port,
            hooks: port,
        },
        &[],
    );
    assert_eq!(said.code, Some(1), "{}", said.shown);
    assert_eq!(
        said.with("FAIL"),
        [
            "AUTH-02",
            "CRED-02",
            "IDEM-01",
            "IDEM-03",
            "MON-01",
            "MON-02",
            "MON-03",
            "MON-04",
            "RETRY-01",
            "VAL-01",
            "WH-ACK-02",
            "WH-DUP-01",
            "WH-DUP-02",
            "WH-TS-01",
        ],
        "{}",
        said.shown
    );
    let leak = said.reason("CRED-02");
    assert!(
        leak.contains("hook logs:") && leak.contains("Bearer [redacted:access_token]"),
        "{leak}"
    );
    let passed = said.with("PASS");
    for passes in [
        "AUTH-01",
        "CRED-01",
        "RETRY-07",
        "WH-ACK-01",
        "WH-SIG-01",
        "WH-SIG-02",
    ] {
        assert!(passed.contains(&passes), "{passes}: {}", said.shown);
    }
}

#[test]
fn a_careful_integration_in_python_keeps_its_secrets_and_its_events_and_tells_of_trouble() {
    let (hooks, webhooks) = (free_port(), free_port());
    let directory = std::env::temp_dir().join(format!("golive-careful-{hooks}"));
    std::fs::create_dir_all(&directory).unwrap();
    let said = check(
        &Outside {
            script: "careful.py",
            arguments: vec![
                "supervisor".to_owned(),
                hooks.to_string(),
                webhooks.to_string(),
                directory.to_str().unwrap().to_owned(),
            ],
            webhooks,
            hooks,
        },
        &[
            "C2", "C4", "WH-DUP", "W3", "M1", "M3", "RETRY-04", "RETRY-08", "RETRY-10",
        ],
    );
    let _ = std::fs::remove_dir_all(&directory);
    assert_eq!(
        said.with("PASS"),
        [
            "CRED-02",
            "CRED-04",
            "MON-01",
            "MON-02",
            "MON-04",
            "RETRY-04",
            "RETRY-08",
            "RETRY-10",
            "WH-ACK-01",
            "WH-ACK-02",
            "WH-ACK-04",
            "WH-DUP-01",
            "WH-DUP-02",
            "WH-DUP-03",
        ],
        "{}",
        said.shown
    );
    assert_eq!(said.code, Some(0), "{}", said.shown);
}
