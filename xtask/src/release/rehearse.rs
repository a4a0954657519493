//! `cargo xtask release rehearse`: the release without the registry.
//!
//! Every crate is packaged and unpacked into a folder that stands in for crates.io. Then somebody
//! takes each library alone, offline, with no feature and with each feature by itself: a consumer
//! compiles what it takes from the archive, so that this is also the proof that every archive builds
//! by itself. A program, which nobody can depend on, is built in the folder it is unpacked into.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, bail};

use super::archive;
use super::build::{self, Artifact, Ledger};
use super::crates::{self, Crate};
use super::stage::Stage;
use super::{consumer, independence, plan};
use crate::tidy::tree::{self, Tree};
use crate::{cargo, ci};

/// Rehearses the chosen packages, every one if none is chosen; a failing one does not end the run.
pub(crate) fn run(chosen: &[String]) -> Result<()> {
    let crates = crates::published(&cargo::metadata()?, &cargo::root())?;
    let known = |name: &&String| crates.iter().any(|one| one.name == **name);
    if let Some(unknown) = chosen.iter().find(|name| !known(name)) {
        bail!("no package `{unknown}` is published");
    }
    let order = plan::order(&crates)?;
    let tree = tree::read()?;
    let stage = Stage::new();
    let packed = archive::pack(&crates, &stage)?;
    stage.set(&packed.archives)?;
    let places = Places::new(&stage)?;

    let mut ledger = Ledger::default();
    let mut failed = Vec::new();
    let mut total = Duration::ZERO;
    let chosen = |one: &&Crate| chosen.is_empty() || chosen.contains(&one.name);
    for one in order.into_iter().filter(chosen) {
        let folder = places.prepare(one, &packed.archives)?;
        let rehearsal = Rehearsal {
            one,
            crates: &crates,
            tree: &tree,
        };
        for feature in one.feature_sets() {
            let play = || rehearsal.play(&stage, &folder, feature, &mut ledger);
            let (outcome, took) = ci::timed(play);
            total += took;
            let shown = format!("{} [{}]", one.name, feature.unwrap_or(""));
            let took = ci::seconds(took);
            match outcome {
                Ok(found) => println!("{shown}: {found}; {took}"),
                Err(error) => {
                    println!("{shown}: FAILED: {error:#}");
                    failed.push(shown);
                }
            }
        }
    }
    println!("all that was rehearsed took {}", ci::seconds(total));
    for warning in &packed.warnings {
        println!("{warning}");
    }
    if !failed.is_empty() {
        bail!("does not stand alone: {}", failed.join(", "));
    }
    if !packed.warnings.is_empty() {
        bail!("cargo package warned, and what it warns of, users would see");
    }
    Ok(())
}

/// One crate that is about to be taken.
struct Rehearsal<'a> {
    one: &'a Crate,
    crates: &'a [Crate],
    tree: &'a Tree,
}

impl Rehearsal<'_> {
    /// Builds with one feature or none, and says what came along.
    fn play(
        &self,
        stage: &Stage,
        folder: &Path,
        feature: Option<&str>,
        ledger: &mut Ledger,
    ) -> Result<String> {
        let target = if self.one.library.is_some() {
            "--lib"
        } else {
            "--bins"
        };
        let mut arguments = vec![target, "--no-default-features"];
        if let Some(feature) = feature {
            arguments.extend(["--features", feature]);
        }
        let artifacts = build::check(stage, folder, &arguments)?;
        let ours: BTreeSet<&str> = self.crates.iter().map(|one| one.name.as_str()).collect();
        let stale = ledger.enter(&artifacts, &ours);
        if !stale.is_empty() {
            bail!("cargo took from an earlier run: {}", stale.join(", "));
        }
        self.judge(&artifacts, &ours)
    }

    /// Whether what was built came from archives alone, and only what the house allows.
    fn judge(&self, artifacts: &[Artifact], ours: &BTreeSet<&str>) -> Result<String> {
        let consumer = consumer::package(self.one);
        let taker = match self.one.library {
            Some(_) => consumer.as_str(),
            None => self.one.name.as_str(),
        };
        let others = || artifacts.iter().filter(|built| built.package() != taker);
        if let Some(stray) = others().find(|built| !built.is_from_registry()) {
            bail!("`{}` did not come from an archive", stray.id);
        }
        let named: BTreeSet<&str> = others().map(Artifact::package).collect();
        let taken: Vec<&str> = named.intersection(ours).copied().collect();
        if self.one.library.is_some() && !taken.contains(&self.one.name.as_str()) {
            bail!("its consumer compiled without it");
        }
        let allowed = independence::allowed(&self.one.name, self.tree);
        if let Some(other) = taken.iter().find(|name| !allowed.contains(**name)) {
            bail!("brings `{other}`, which the house does not let it stand on");
        }
        let along = taken.iter().copied().filter(|name| *name != self.one.name);
        let along = along.collect::<Vec<_>>().join(", ");
        let packages: BTreeSet<&str> = others().map(|built| built.id.as_str()).collect();
        let along = if along.is_empty() { "nothing" } else { &along };
        Ok(format!(
            "with {along} of ours, {} packages in all",
            packages.len()
        ))
    }
}

/// Where those who take a crate are.
struct Places {
    consumers: PathBuf,
    programs: PathBuf,
}

impl Places {
    fn new(stage: &Stage) -> Result<Self> {
        let consumers = stage.empty("consumers")?;
        let programs = stage.empty("programs")?;
        // A root of their own, though they lie within our checkout.
        let root = "[workspace]\nmembers = [\"*\"]\nresolver = \"3\"\n";
        fs::write(programs.join("Cargo.toml"), root)?;
        Ok(Self {
            consumers,
            programs,
        })
    }

    /// The folder of the package that proves `one`: a consumer, or a program itself.
    fn prepare(&self, one: &Crate, archives: &[(&Crate, PathBuf)]) -> Result<PathBuf> {
        let Some(library) = &one.library else {
            for (_, file) in archives.iter().filter(|(other, _)| *other == one) {
                archive::unpack(one, file, &self.programs)?;
            }
            return Ok(self.programs.join(one.stem()));
        };
        let folder = self.consumers.join(consumer::package(one));
        fs::create_dir_all(folder.join("src"))?;
        fs::write(folder.join("Cargo.toml"), consumer::manifest(one))?;
        fs::write(folder.join("src/lib.rs"), consumer::source(library))?;
        Ok(folder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree() -> Tree {
        let mut tree = Tree::default();
        for folder in ["core", "backoff", "idempotency"] {
            let manifest = format!("[package]\nname = 'golive-{folder}'");
            tree.add(&format!("crates/{folder}"), &manifest);
        }
        tree
    }

    /// Judges a build of golive-backoff.
    fn judge(ids: &[&str]) -> Result<String> {
        let one = Crate::of("golive-backoff", &[]);
        let rehearsal = Rehearsal {
            one: &one,
            crates: &[],
            tree: &tree(),
        };
        let artifact = |id: &&str| Artifact {
            id: (*id).to_owned(),
            features: Vec::new(),
            fresh: false,
        };
        let artifacts: Vec<Artifact> = ids.iter().map(artifact).collect();
        let ours = BTreeSet::from(["golive-core", "golive-backoff", "golive-idempotency"]);
        rehearsal.judge(&artifacts, &ours)
    }

    const TAKER: &str = "path+file:///a/consumer-of-golive-backoff#0.0.0";
    const TAKEN: &str = "registry+x#golive-backoff@0.1.0";

    #[test]
    fn a_crate_and_what_it_stands_on_come_along() {
        let said = judge(&[
            TAKER,
            TAKEN,
            "registry+x#golive-core@0.1.0",
            "registry+x#http@1.0.0",
        ]);
        assert_eq!(said.unwrap(), "with golive-core of ours, 3 packages in all");
        assert!(
            judge(&[TAKER, TAKEN])
                .unwrap()
                .starts_with("with nothing of ours")
        );
    }

    #[test]
    fn another_box_does_not() {
        let said = judge(&[TAKER, TAKEN, "registry+x#golive-idempotency@0.1.0"]);
        assert!(
            said.unwrap_err()
                .to_string()
                .contains("brings `golive-idempotency`")
        );
    }

    #[test]
    fn nothing_comes_out_of_the_checkout() {
        let said = judge(&[TAKER, TAKEN, "path+file:///a/crates/core#golive-core@0.1.0"]);
        assert!(
            said.unwrap_err()
                .to_string()
                .contains("did not come from an archive")
        );
    }

    #[test]
    fn a_consumer_that_never_built_what_it_takes_proves_nothing() {
        let said = judge(&[TAKER]);
        assert!(said.unwrap_err().to_string().contains("without it"));
    }
}
