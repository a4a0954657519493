//! Where benchmarks live.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use cargo_metadata::MetadataCommand;
use serde_json::Value;

use crate::{BRAND, cargo};

/// The manifest of the rivals, which nothing with `--workspace` or `--all` reaches.
pub(crate) const RIVALS: &str = "benches/rivals/Cargo.toml";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Workspace {
    /// The one of the product.
    Main,
    /// That of what would be refused there.
    Rivals,
}

// === impl Workspace ===

impl Workspace {
    pub(super) const ALL: [Self; 2] = [Self::Main, Self::Rivals];

    /// A cargo that does this to the benchmarks of this workspace.
    pub(crate) fn cargo(self, what: &str) -> Result<Command> {
        let mut command = cargo::cargo();
        command.arg(what);
        match self {
            Self::Main => command.args(["--package", &self.package()]),
            Self::Rivals => command
                .args(["--locked", "--manifest-path", RIVALS])
                // Not as an argument: criterion looks for it here.
                .env("CARGO_TARGET_DIR", self.built()?),
        };
        Ok(command)
    }

    /// A `cargo bench` of these targets, up to where their own arguments begin.
    pub(super) fn bench(self, targets: &[String]) -> Result<Command> {
        let mut command = self.cargo("bench")?;
        // Bench targets alone: the harness of a library does not understand criterion's arguments.
        for target in targets {
            command.args(["--bench", target]);
        }
        command.arg("--");
        Ok(command)
    }

    /// Builds a bench target, and answers where its program is.
    pub(super) fn program(self, target: &str) -> Result<PathBuf> {
        let mut command = self.cargo("bench")?;
        command.args(["--no-run", "--bench", target, "--message-format=json"]);
        let output = command.stderr(Stdio::inherit()).output()?;
        let said = String::from_utf8_lossy(&output.stdout);
        let built = executable(&said, target).map(PathBuf::from);
        built.with_context(|| format!("`{}` has built no {target}", cargo::show(&command)))
    }

    /// The names of the bench targets here.
    pub(super) fn targets(self) -> Result<Vec<String>> {
        let metadata = match self {
            Self::Main => cargo::metadata()?,
            Self::Rivals => MetadataCommand::new()
                .manifest_path(cargo::root().join(RIVALS))
                .no_deps()
                .exec()
                .context("cannot read `cargo metadata` of the rivals")?,
        };
        let packages = metadata.workspace_packages().into_iter();
        let ours = packages.filter(|one| one.name.as_str() == self.package());
        let targets = ours.flat_map(|one| &one.targets);
        let benches = targets.filter(|target| target.is_bench());
        Ok(benches.map(|target| target.name.clone()).collect())
    }

    /// The folder of what is built.
    pub(super) fn built(self) -> Result<PathBuf> {
        let main = cargo::metadata()?.target_directory.into_std_path_buf();
        Ok(match self {
            Self::Main => main,
            Self::Rivals => main.join("rivals"),
        })
    }

    fn package(self) -> String {
        let folder = match self {
            Self::Main => "benches",
            Self::Rivals => "rivals",
        };
        format!("{BRAND}{folder}")
    }
}

/// What cargo says of each thing that it has built is a line of JSON.
fn executable(said: &str, target: &str) -> Option<String> {
    let lines = said
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok());
    let mut built = lines.filter(|line: &Value| line["target"]["name"] == target);
    built.find_map(|line| Some(line["executable"].as_str()?.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_of_a_target_is_found_in_what_cargo_says() {
        let said = r#"{"reason":"compiler-artifact","target":{"name":"a"},"executable":null}
            {"reason":"compiler-artifact","target":{"name":"b"},"executable":"deps/b"}
            no JSON
            {"reason":"compiler-artifact","target":{"name":"a"},"executable":"deps/a-1"}"#;
        assert_eq!(executable(said, "a").unwrap(), "deps/a-1");
        assert_eq!(executable(said, "c"), None);
    }
}
