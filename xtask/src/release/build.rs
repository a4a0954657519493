//! What cargo built, by its own account.

use std::collections::BTreeSet;
use std::io::BufReader;
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use cargo_metadata::Message;

use super::stage::Stage;
use crate::cargo;

/// One thing that a build needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Artifact {
    /// The package as cargo names it, with where it is from.
    pub(crate) id: String,
    pub(crate) features: Vec<String>,
    /// Whether it was there already.
    pub(crate) fresh: bool,
}

impl Artifact {
    /// The name of its package.
    ///
    /// `SOURCE#NAME@VERSION`, or `SOURCE/NAME#VERSION` where a folder is named like its package.
    pub(crate) fn package(&self) -> &str {
        let (source, package) = self.id.rsplit_once('#').unwrap_or(("", &self.id));
        match package.split_once('@') {
            Some((name, _)) => name,
            None => source.rsplit('/').next().unwrap_or(package),
        }
    }

    /// Whether it comes from a registry, and not out of a folder.
    pub(crate) fn is_from_registry(&self) -> bool {
        self.id.starts_with("registry+")
    }
}

/// Checks the package in `folder`, and returns everything that this took.
///
/// `cargo check`: that an archive is whole, resolves and compiles, types can tell; machine code
/// would prove no more about it, and takes twice the time.
pub(crate) fn check(stage: &Stage, folder: &Path, arguments: &[&str]) -> Result<Vec<Artifact>> {
    let mut command = cargo::cargo();
    command.current_dir(folder);
    command.args(["check", "--quiet", "--offline"]);
    command.args(["--message-format", "json-render-diagnostics"]);
    command.arg("--target-dir").arg(stage.build());
    command.args(arguments);
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start cargo")?;
    let output = child.stdout.take().context("cargo has no output")?;
    let mut artifacts = Vec::new();
    for message in Message::parse_stream(BufReader::new(output)) {
        if let Message::CompilerArtifact(artifact) = message? {
            artifacts.push(Artifact {
                id: artifact.package_id.repr,
                features: artifact.features,
                fresh: artifact.fresh,
            });
        }
    }
    let status = child.wait()?;
    if !status.success() {
        bail!("cargo check failed: {status}");
    }
    Ok(artifacts)
}

/// Which of our packages were built since the run began.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    built: BTreeSet<(String, Vec<String>)>,
}

impl Ledger {
    /// Enters what was built, and returns the packages among `ours` that cargo took from before.
    pub(crate) fn enter(&mut self, artifacts: &[Artifact], ours: &BTreeSet<&str>) -> Vec<String> {
        let mut stale = Vec::new();
        let artifacts = artifacts.iter().filter(|one| ours.contains(one.package()));
        for artifact in artifacts {
            let key = (artifact.id.clone(), artifact.features.clone());
            if !artifact.fresh {
                self.built.insert(key);
            } else if !self.built.contains(&key) {
                stale.push(artifact.package().to_owned());
            }
        }
        stale
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn artifact(id: &str, fresh: bool) -> Artifact {
        let (id, features) = (id.to_owned(), Vec::new());
        Artifact {
            id,
            features,
            fresh,
        }
    }

    #[test]
    fn the_name_of_a_package_is_read_from_both_forms() {
        let registry = artifact("registry+https://host.test/index#golive-core@0.1.0", true);
        assert_eq!(registry.package(), "golive-core");
        assert!(registry.is_from_registry());
        let folder = artifact("path+file:///a/consumer-of-golive#0.0.0", true);
        assert_eq!(folder.package(), "consumer-of-golive");
        assert!(!folder.is_from_registry());
        let renamed = artifact("path+file:///a/golive-cli-0.1.0#golive-cli@0.1.0", true);
        assert_eq!(renamed.package(), "golive-cli");
    }

    #[test]
    fn what_an_earlier_run_built_of_ours_is_found() {
        let ours = BTreeSet::from(["golive-core"]);
        let core = "registry+x#golive-core@0.1.0";
        let mut ledger = Ledger::default();
        let old = ledger.enter(&[artifact(core, true)], &ours);
        assert_eq!(old, ["golive-core"]);
        assert!(ledger.enter(&[artifact(core, false)], &ours).is_empty());
        assert!(ledger.enter(&[artifact(core, true)], &ours).is_empty());
        // With other features it is another build.
        let mut other = artifact(core, true);
        other.features.push("tower".to_owned());
        assert_eq!(ledger.enter(&[other], &ours), ["golive-core"]);
        // What is foreign may be from any run.
        assert!(
            ledger
                .enter(&[artifact("registry+x#http@1.0.0", true)], &ours)
                .is_empty()
        );
    }
}
