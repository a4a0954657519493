//! Programs that tests need and that come as Debian packages: unpacked into `target/tools`, never
//! installed, pinned by version and hash.
//!
//! They are of one release of Debian, whichever one the machine runs, and come from the mirror that
//! its apt is set up with.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::cargo;

/// The release that the pinned versions are of.
const RELEASE: &str = "trixie";

const PROGRAMS: &[Program] = &[
    Program {
        name: "victoria-metrics",
        version: "1.112.0+ds1-2",
        sha256: &[
            (
                "amd64",
                "1d3717f1a8ab5bf690271095dd286730f6fb0761cc8c09c0fc8f529c9838f346",
            ),
            (
                "arm64",
                "fec44ddfe98d00d1ac0aa151f95d73f425eaa732b73c395829bb2e15838dea1d",
            ),
        ],
    },
    Program {
        name: "promtool",
        version: "2.53.3+ds1-2",
        sha256: &[
            (
                "amd64",
                "ff27654eacc95abd846d344e91fe4ba3b4f0588a50d606ed1d2f09ad3408722f",
            ),
            (
                "arm64",
                "cc1d5889b4d2e2ef92a6984039d88c11993ad3c73f5e74acd3ee15adaefb764c",
            ),
        ],
    },
];

/// A package with a program of its own name in `usr/bin`.
struct Program {
    name: &'static str,
    version: &'static str,
    /// By Debian's name of the architecture.
    sha256: &'static [(&'static str, &'static str)],
}

/// Sees to it that all of them are in `target/tools/bin`.
pub(crate) fn provision() -> Result<()> {
    let tools = cargo::root().join("target/tools");
    let missing: Vec<_> = PROGRAMS
        .iter()
        .filter(|program| !program.stamp(&tools).is_file())
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let apt = Apt::new(&tools.join("apt")).context(
        "VictoriaMetrics and promtool, which the telemetry tests need, come as Debian packages, \
         so that a machine with apt and a mirror of Debian is needed",
    )?;
    for program in missing {
        apt.unpack(program, &tools)?;
    }
    Ok(())
}

// === impl Program ===

impl Program {
    /// Says that this very version is unpacked.
    fn stamp(&self, tools: &Path) -> PathBuf {
        tools.join(format!("bin/.{}-{}", self.name, self.version))
    }
}

/// An apt with a state of its own, which changes nothing of the machine's.
struct Apt {
    home: PathBuf,
    architecture: String,
}

// === impl Apt ===

impl Apt {
    fn new(home: &Path) -> Result<Self> {
        for folder in ["state/lists/partial", "cache/archives/partial", "packages"] {
            fs::create_dir_all(home.join(folder))?;
        }
        let architecture = output(Command::new("dpkg").arg("--print-architecture"))?;
        let apt = Self {
            home: home.to_path_buf(),
            architecture: architecture.trim().to_owned(),
        };
        let mirror = apt.mirror()?;
        // Its own keyring where there is one; older releases trust it for every source.
        let keyring = Path::new("/usr/share/keyrings/debian-archive-keyring.gpg");
        let signed_by = if keyring.is_file() {
            format!("[signed-by={}] ", keyring.display())
        } else {
            String::new()
        };
        let line = format!("deb {signed_by}{mirror} {RELEASE} main\n");
        fs::write(home.join("sources.list"), line)?;
        cargo::run(apt.private("apt-get").args(["update", "-qq"]))?;
        Ok(apt)
    }

    /// Where the machine gets Debian from.
    fn mirror(&self) -> Result<String> {
        let known = |command: &mut Command| {
            let format = "$(ORIGIN) $(COMPONENT) $(CODENAME) $(REPO_URI)";
            output(command.args(["indextargets", "--format", format])).map(|text| mirror(&text))
        };
        if let Some(mirror) = known(&mut Command::new("apt-get"))? {
            return Ok(mirror);
        }
        // Nobody has run `apt-get update` here. It is run with the machine's sources, aside.
        cargo::run(self.aside("apt-get").args(["update", "-qq"]))?;
        known(&mut self.aside("apt-get"))?
            .context("apt has no source of Debian's main archive: add one, or the tests cannot run")
    }

    fn unpack(&self, program: &Program, tools: &Path) -> Result<()> {
        let Program { name, version, .. } = program;
        let hash = program
            .sha256
            .iter()
            .find(|(architecture, _)| *architecture == self.architecture)
            .with_context(|| format!("no {name} is pinned for {}", self.architecture))?
            .1;
        let packages = self.home.join("packages");
        let download = self
            .private("apt-get")
            .current_dir(&packages)
            .args(["download", "-qq", &format!("{name}={version}")])
            .status()?;
        if !download.success() {
            bail!(
                "{name} {version} cannot be fetched from {RELEASE}: if the release has a newer \
                 one, pin that in xtask/src/debian.rs"
            );
        }
        let file = format!("{name}_{version}_{}.deb", self.architecture).replace(':', "%3a");
        let package = packages.join(file);
        let sum = output(Command::new("sha256sum").arg(&package))?;
        if sum.split_whitespace().next() != Some(hash) {
            bail!("{name} {version} is not what was pinned: {sum}");
        }
        let root = self.home.join("root");
        cargo::run(Command::new("dpkg-deb").arg("-x").arg(&package).arg(&root))?;
        fs::create_dir_all(tools.join("bin"))?;
        fs::copy(
            root.join("usr/bin").join(name),
            tools.join("bin").join(name),
        )?;
        fs::write(program.stamp(tools), "")?;
        fs::remove_dir_all(root)?;
        fs::remove_file(package)?;
        Ok(())
    }

    /// With our source alone.
    fn private(&self, program: &str) -> Command {
        let mut command = self.aside(program);
        command
            .args(["-o", &self.option("Dir::Etc::sourcelist", "sources.list")])
            .args(["-o", "Dir::Etc::sourceparts=-"]);
        command
    }

    /// With the machine's sources, and a state of its own.
    fn aside(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .args(["-o", &self.option("Dir::State", "state")])
            .args(["-o", &self.option("Dir::Cache", "cache")])
            // apt would give up root for a user who cannot write here.
            .args(["-o", "APT::Sandbox::User=root"])
            .args(["-o", "Acquire::Languages=none"]);
        command
    }

    fn option(&self, name: &str, place: &str) -> String {
        format!("{name}={}", self.home.join(place).display())
    }
}

/// The first one of Debian's own release, updates and security apart.
fn mirror(targets: &str) -> Option<String> {
    targets.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        let (origin, component) = (words.next()?, words.next()?);
        let (codename, uri) = (words.next()?, words.next()?);
        let found = origin == "Debian" && component == "main" && !codename.contains('-');
        found.then(|| uri.to_owned())
    })
}

fn output(command: &mut Command) -> Result<String> {
    let shown = cargo::show(command);
    let output = command
        .output()
        .with_context(|| format!("cannot start `{shown}`"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("`{shown}` failed: {said}");
    }
    Ok(String::from_utf8(output.stdout)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mirror_is_that_of_the_release_itself() {
        let targets = "Debian main bookworm-updates http://updates.test/\n\
            Other main bookworm http://other.test/\n\
            Debian contrib bookworm http://contrib.test/\n\
            Debian main bookworm http://mirror.test/debian/\n";
        assert_eq!(mirror(targets).unwrap(), "http://mirror.test/debian/");
        assert_eq!(mirror("$(ORIGIN) main x http://mirror.test/"), None);
        assert_eq!(mirror(""), None);
    }

    #[test]
    fn every_pinned_hash_is_a_whole_sha256() {
        for program in PROGRAMS {
            for (architecture, hash) in program.sha256 {
                let whole = hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_hexdigit());
                assert!(whole, "{} {architecture}", program.name);
            }
        }
    }
}
