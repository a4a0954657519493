//! `cargo xtask fuzz`: searches for inputs that break a promise.
//!
//! The fuzzers are plain binaries of the workspace `fuzz/`, which link libFuzzer. What instruments
//! them are passes of LLVM that a stable compiler runs when told to, so neither a nightly nor
//! cargo-fuzz is needed; with these, `cargo +nightly fuzz run` works as well, and adds sanitizers.

mod keep;

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::cargo;

/// What cargo-fuzz passes for its coverage: counters on every edge, a table of where they are, and
/// the operands of every comparison.
const INSTRUMENTED: &[&str] = &[
    "--cfg=fuzzing",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
];

/// The longest input in bytes: a body over its limit of 64 KiB is a seed's job, not a search's.
const LONGEST_INPUT: &str = "-max_len=4096";
/// An input that takes this many seconds is a finding. Seconds of the clock on the wall, so that on a
/// busy machine ten of them would be one now and then.
const SLOW: &str = "-timeout=60";

/// What is done with the fuzzers.
pub(crate) enum Work {
    /// Search for this many seconds each.
    Search { seconds: u64 },
    /// Keep in the corpora what the searches so far have reached anew.
    Keep,
}

/// Runs one target or all of them. A finding ends its target, and the others go on.
pub(crate) fn run(target: Option<&str>, work: &Work) -> Result<()> {
    let targets = select(targets()?, target)?;
    let built = build()?;
    let mut findings = Vec::new();
    let mut lines = Vec::new();
    for name in &targets {
        match work {
            Work::Search { seconds } => match search(&built, name, *seconds)? {
                Search { broken: true, .. } => findings.push(name.as_str()),
                Search { executions, .. } => lines.push(format!(
                    "  {name:<24} {executions:>12} executions in {seconds} s"
                )),
            },
            Work::Keep => keep::run(&built, name)?,
        }
    }
    for line in lines {
        println!("{line}");
    }
    if !findings.is_empty() {
        bail!(
            "broken: {}. The inputs are in fuzz/artifacts; once mended, they belong into \
             fuzz/corpus, named by what they are",
            findings.join(", ")
        );
    }
    Ok(())
}

/// How a search ended.
#[derive(Debug, PartialEq, Eq)]
struct Search {
    executions: u64,
    broken: bool,
}

fn search(built: &Path, name: &str, seconds: u64) -> Result<Search> {
    // What is found grows where it is not committed; the corpus is read.
    let (grown, artifacts) = (grown(name), fuzz().join("artifacts").join(name));
    for folder in [&grown, &artifacts] {
        fs::create_dir_all(folder)
            .with_context(|| format!("cannot create {}", folder.display()))?;
    }
    let mut command = Command::new(built.join(name));
    command
        .arg(&grown)
        .arg(corpus(name))
        .arg(format!("-dict={}", dictionary(name).display()))
        // A path that ends in the separator is a folder.
        .arg(format!("-artifact_prefix={}/", artifacts.display()))
        .arg(format!("-max_total_time={seconds}"))
        .args([LONGEST_INPUT, SLOW, "-print_final_stats=1"])
        .stderr(Stdio::piped());
    println!("$ {}", cargo::show(&command));
    let mut child = command
        .spawn()
        .with_context(|| format!("cannot start {name}"))?;
    let mut said = Vec::new();
    if let Some(stderr) = child.stderr.take() {
        for line in BufReader::new(stderr).split(b'\n') {
            // A finding may be in the way of any bytes.
            let line = String::from_utf8_lossy(&line?).into_owned();
            if !is_progress(&line) {
                println!("{line}");
                said.push(line);
            }
        }
    }
    let status = child.wait()?;
    Ok(Search {
        executions: executions(&said).unwrap_or_default(),
        broken: !status.success(),
    })
}

/// Builds every fuzzer, and answers with the folder that they are in.
fn build() -> Result<PathBuf> {
    let host = host()?;
    let mut command = cargo::cargo();
    command
        .args(["build", "--release", "--locked"])
        .arg("--manifest-path")
        .arg(fuzz().join("Cargo.toml"))
        .arg("--target-dir")
        .arg(fuzz().join("target"))
        // Named, so that build scripts and macros, which link no libFuzzer, are not instrumented.
        .args(["--target", &host])
        .env("CARGO_ENCODED_RUSTFLAGS", INSTRUMENTED.join("\x1f"));
    cargo::run(&mut command)?;
    Ok(fuzz().join("target").join(host).join("release"))
}

fn host() -> Result<String> {
    let said = cargo::cargo().arg("-vV").output()?.stdout;
    let said = String::from_utf8_lossy(&said);
    let host = said.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("`cargo -vV` names no host")?.to_owned())
}

/// Every target has a file of its name.
fn targets() -> Result<Vec<String>> {
    let folder = fuzz().join("fuzz_targets");
    let entries =
        fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut names = Vec::new();
    for entry in entries {
        let path = entry?.path();
        names.extend(
            path.file_stem()
                .map(|name| name.to_string_lossy().into_owned()),
        );
    }
    names.sort();
    Ok(names)
}

fn select(targets: Vec<String>, chosen: Option<&str>) -> Result<Vec<String>> {
    match chosen {
        None => Ok(targets),
        Some(one) if targets.iter().any(|name| name == one) => Ok(vec![one.to_owned()]),
        Some(unknown) => bail!("no target `{unknown}`; there are {}", targets.join(", ")),
    }
}

fn fuzz() -> PathBuf {
    cargo::root().join("fuzz")
}

fn corpus(name: &str) -> PathBuf {
    fuzz().join("corpus").join(name)
}

fn grown(name: &str) -> PathBuf {
    fuzz().join("target/corpus").join(name)
}

fn dictionary(name: &str) -> PathBuf {
    fuzz().join("dictionaries").join(format!("{name}.dict"))
}

/// A line for each input that was kept, of which there are thousands, and the words that were
/// learnt, which are shown as strings and comments.
fn is_progress(line: &str) -> bool {
    let event = line.split_whitespace().nth(1);
    line.starts_with('#') && matches!(event, Some("NEW" | "REDUCE"))
        || line.trim_start().starts_with("NEW_FUNC[")
        || line.starts_with('"')
        || line.starts_with("######")
}

fn executions(said: &[String]) -> Option<u64> {
    let mut lines = said.iter().rev();
    lines.find_map(|line| {
        let number = line.strip_prefix("stat::number_of_executed_units:")?;
        number.trim().parse().ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_target_or_all_of_them_are_chosen_and_an_unknown_one_is_refused() {
        let all = || targets().unwrap();
        assert!(all().contains(&"quota_headers".to_owned()));
        assert_eq!(select(all(), None).unwrap(), all());
        assert_eq!(
            select(all(), Some("quota_headers")).unwrap(),
            ["quota_headers"]
        );
        assert!(select(all(), Some("quota")).is_err());
    }

    #[test]
    fn executions_are_read_and_progress_is_not_shown() {
        let said = [
            "#8\tpulse  cov: 7 ft: 8 corp: 2/9b",
            "stat::number_of_executed_units: 1234",
            "stat::average_exec_per_sec:     99",
        ]
        .map(str::to_owned);
        assert_eq!(executions(&said), Some(1234));
        assert_eq!(executions(&[]), None);
        assert!(said.iter().all(|line| !is_progress(line)));
        assert!(is_progress("\"\\001\\000\" # Uses: 53"));
        assert!(is_progress("#23\tNEW    cov: 7 ft: 8 corp: 2/9b"));
        assert!(is_progress("#23\tREDUCE cov: 7 ft: 8 corp: 2/9b"));
    }
}
