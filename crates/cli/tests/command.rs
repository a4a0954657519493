//! The real binary, from outside.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests may panic"
)]

use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, TcpStream};
use std::process::{Command, Output, Stdio};

use golive_check::drive::{Provider, Settings};
use golive_check::subject::{self, Environment};
use serde_json::Value;

fn golive(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_golive"));
    command
        .args(args)
        .env_remove("NO_COLOR")
        .env_remove("CLICOLOR_FORCE");
    command.output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

#[test]
fn list_shows_every_box_and_case_and_the_subjects() {
    let boxes = golive(&["list"]);
    assert_eq!(code(&boxes), 0);
    let shown = stdout(&boxes);
    for piece in [
        "C1  Production credentials",
        "WH-DUP-02",
        "36 of 62 cases can be run",
    ] {
        assert!(shown.contains(piece), "{piece}: {shown}");
    }
    let subjects = stdout(&golive(&["list", "--subjects"]));
    assert!(subjects.contains("builtin\n") && subjects.contains("flawed:retries-422\n"));
}

#[test]
fn explain_tells_a_case_and_a_box_and_refuses_what_is_neither() {
    let case = stdout(&golive(&["explain", "wh-sig-02"]));
    for piece in [
        "WH-SIG-02 MUST",
        "stimulus",
        "fails when",
        "rule",
        "needs",
        "--webhook",
    ] {
        assert!(case.contains(piece), "{piece}: {case}");
    }
    let to_come = stdout(&golive(&["explain", "MON-05"]));
    assert!(to_come.contains("still to come"), "{to_come}");
    let hooks = stdout(&golive(&["explain", "WH-ACK-04"]));
    assert!(
        hooks.contains("--webhook; hooks `restart`, `kill`"),
        "{hooks}"
    );
    let of_box = stdout(&golive(&["explain", "R1"]));
    assert!(of_box.contains("IDEM-01 MUST") && of_box.contains("IDEM-09 SHOULD"));
    assert_eq!(code(&golive(&["explain", "R9"])), 2);
}

#[test]
fn the_good_integration_exits_0_with_a_plain_checklist() {
    let output = golive(&["check", "IDEM", "VAL-01", "WH-SIG"]);
    let shown = stdout(&output);
    assert_eq!(code(&output), 0, "{shown}");
    assert!(
        shown.contains("[x] R1  Idempotency on POSTs     4/4"),
        "{shown}"
    );
    assert!(shown.contains("[x] W1  Signature verification"), "{shown}");
    assert!(
        !shown.contains('\x1b'),
        "no colour where there is no terminal"
    );
    let progress = String::from_utf8(output.stderr).unwrap();
    assert_eq!(progress.matches("PASS").count(), 8, "{progress}");
}

#[test]
fn colour_can_be_asked_for() {
    let output = golive(&["list", "--color", "always"]);
    assert!(stdout(&output).contains('\x1b'));
}

#[test]
fn a_flawed_integration_exits_1_and_the_json_holds_the_proof() {
    let args = [
        "check",
        "IDEM-02",
        "--subject",
        "flawed:key-changes-on-retry",
        "--json",
        "-",
        "-q",
    ];
    let output = golive(&args);
    assert_eq!(code(&output), 1);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["schema"], "golive-check/1");
    let case = &report["cases"][0];
    assert_eq!(
        (&case["id"], &case["verdict"]),
        (&"IDEM-02".into(), &"FAIL".into())
    );
    let evidence = case["evidence"].as_array().unwrap();
    assert_eq!(evidence.len(), 3);
    let header = |n: usize| evidence[n]["headers"].to_string();
    assert!(header(0).contains("idempotency-key"));
    assert!(
        !report.to_string().contains("dinie_cs_test_"),
        "a secret is in the report"
    );
    assert!(output.stderr.is_empty(), "quiet means quiet");
}

#[test]
fn the_failing_wire_trace_is_printed() {
    let output = golive(&["check", "RETRY-07", "--subject", "flawed:retries-422", "-q"]);
    let shown = stdout(&output);
    assert_eq!(code(&output), 1, "{shown}");
    assert!(shown.contains("[ ] R2  Retry with backoff"), "{shown}");
    assert_eq!(shown.matches("→ 422").count(), 4, "{shown}");
}

#[test]
fn a_wrong_command_line_exits_2() {
    for args in [
        &["check", "R9"][..],
        &["check", "--bogus"],
        &["check", "C1"],
        &["check", "--subject", "flawed:nothing"],
        &["check", "--webhook", "not a url"],
        &[
            "check",
            "--subject",
            "builtin",
            "--webhook",
            "http://127.0.0.1:9",
        ],
        &["sandbox", "--fault", "{}x"],
        &[],
    ] {
        let output = golive(args);
        assert_eq!(code(&output), 2, "{args:?}");
        assert!(!output.stderr.is_empty(), "{args:?}");
    }
}

#[test]
fn an_integration_that_cannot_be_reached_exits_3() {
    // Port 9 (discard) is not served; nothing is sent to it but a connect.
    let output = golive(&[
        "check",
        "--webhook",
        "http://127.0.0.1:9/",
        "--wait",
        "0",
        "-q",
    ]);
    assert_eq!(code(&output), 3);
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(
        told.contains("export GOLIVE_BASE_URL=http://127.0.0.1:"),
        "{told}"
    );
}

#[cfg(unix)]
#[test]
fn a_driver_that_offers_nothing_skips_and_one_that_fails_is_an_error() {
    let skipped = golive(&["check", "R1", "--drive", "sh -c 'exit 64'", "-q"]);
    assert_eq!(code(&skipped), 0);
    assert!(stdout(&skipped).contains("SKIP the driver does not offer the hook `create`"));
    let args = [
        "check",
        "R1",
        "--drive",
        "sh -c 'exit 64'",
        "-q",
        "--require-proof",
    ];
    assert_eq!(code(&golive(&args)), 4);
    let failing = golive(&["check", "R1", "--drive", "false", "-q"]);
    assert_eq!(code(&failing), 3, "{}", stdout(&failing));
    assert!(stdout(&failing).contains("control failed"));
}

#[test]
fn the_sandbox_prints_the_environment_and_serves() {
    let mut sandbox = Command::new(env!("CARGO_BIN_EXE_golive"))
        .args(["sandbox", "--admin-port", "0", "--seed", "5"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(sandbox.stdout.take().unwrap()).lines();
    let environment: Vec<String> = lines.take(5).map(Result::unwrap).collect();
    let port: u16 = environment[0]
        .trim_end_matches("/v3")
        .rsplit(':')
        .next()
        .unwrap()
        .parse()
        .unwrap();
    let served = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok();
    sandbox.kill().unwrap();
    sandbox.wait().unwrap();
    assert!(served);
    for (line, name) in environment.iter().zip([
        "BASE_URL=http://127.0.0.1:",
        "CLIENT_ID=dinie_ci_test_",
        "CLIENT_SECRET=dinie_cs_test_",
        "WEBHOOK_SECRET=whsec_",
        "ADMIN_URL=http://127.0.0.1:",
    ]) {
        assert!(line.starts_with(&format!("export GOLIVE_{name}")), "{line}");
    }
}

#[test]
fn the_version_is_printed() {
    let version = format!("golive {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(stdout(&golive(&["version"])), version);
}

/// An integration in another process than the checker, configured as golive
/// says, and checked twice: what it remembers of the first run must not count
/// against it in the second.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outside_integration_is_checked_through_urls_alone_and_again() {
    let mut settings = Settings::default();
    settings.seed = 3;
    // Its address and its secrets are what golive will have with this seed and port.
    let provider = Provider::start(settings).await.unwrap();
    let base_url = provider.sandbox().base_url().to_owned();
    let env = Environment {
        base_url: base_url.clone(),
        client_id: provider.sandbox().credential().client_id.clone(),
        client_secret: provider.sandbox().credential().client_secret.clone(),
        webhook_secret: provider.sandbox().webhooks().secret(),
    };
    drop(provider);
    let port = base_url
        .trim_end_matches("/v3")
        .rsplit(':')
        .next()
        .unwrap()
        .to_owned();
    let subject = subject::start(None, &env).await.unwrap();
    for run in 1..=2 {
        let (drive, webhook) = (subject.drive_url.clone(), subject.webhook_url.clone());
        let port = port.clone();
        let output = tokio::task::spawn_blocking(move || {
            golive(&[
                "check",
                "IDEM-03",
                "VAL",
                "AUTH-02",
                "WH-SIG",
                "WH-DUP",
                "--seed",
                "3",
                "--port",
                &port,
                "--drive",
                &drive,
                "--webhook",
                &webhook,
                "-q",
            ])
        })
        .await
        .unwrap();
        assert_eq!(code(&output), 0, "run {run}: {}", stdout(&output));
        assert!(
            stdout(&output).contains("[x] W2"),
            "run {run}: {}",
            stdout(&output)
        );
    }
}
