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

/// Reads the environment that the checker prints, and starts the integration with it.
fn integration(environment: &BTreeMap<String, String>, port: u16) -> Started {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/outside/naive.py");
    let python = Command::new("python3")
        .arg(script)
        .arg(port.to_string())
        .envs(environment)
        .spawn()
        .expect("python3 plays the integration: install it");
    Started(python)
}

#[test]
fn a_naive_integration_in_python_fails_what_it_does_not_do_and_nothing_else() {
    let port = free_port();
    let report = std::env::temp_dir().join(format!("golive-outside-{port}.json"));
    let mut golive = Command::new(env!("CARGO_BIN_EXE_golive"));
    golive
        .args(["check", "--wait", "30", "--json"])
        .arg(&report)
        .args(["--webhook", &format!("http://127.0.0.1:{port}/webhooks")])
        .args(["--drive", &format!("http://127.0.0.1:{port}/golive")])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut golive = Started(golive.spawn().unwrap());

    let mut lines = BufReader::new(golive.0.stderr.take().unwrap()).lines();
    let mut environment = BTreeMap::new();
    while environment.len() < 4 {
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
    let _python = integration(&environment, port);
    let progress = std::thread::spawn(move || lines.map_while(Result::ok).collect::<Vec<_>>());
    let mut shown = String::new();
    golive
        .0
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut shown)
        .unwrap();
    let progress = progress.join().unwrap().join("\n");
    assert_eq!(
        golive.0.wait().unwrap().code(),
        Some(1),
        "{shown}{progress}"
    );

    let json: Value = serde_json::from_slice(&std::fs::read(&report).unwrap()).unwrap();
    let _ = std::fs::remove_file(&report);
    let verdict = |wanted: &str| -> Vec<&str> {
        let cases = json["cases"].as_array().unwrap().iter();
        let mut ids: Vec<_> = cases
            .filter(|c| c["verdict"] == wanted)
            .map(|c| c["id"].as_str().unwrap())
            .collect();
        ids.sort_unstable();
        ids
    };
    println!("{shown}");
    assert_eq!(
        verdict("FAIL"),
        [
            "AUTH-02",
            "IDEM-01",
            "IDEM-03",
            "RETRY-01",
            "VAL-01",
            "WH-ACK-02",
            "WH-DUP-01",
            "WH-DUP-02",
            "WH-TS-01",
        ],
        "{shown}"
    );
    for passes in [
        "AUTH-01",
        "CRED-01",
        "RETRY-07",
        "WH-ACK-01",
        "WH-SIG-01",
        "WH-SIG-02",
    ] {
        assert!(verdict("PASS").contains(&passes), "{passes}: {shown}");
    }
}
