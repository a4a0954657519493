//! The tree as the rules see it: read once, then plain data.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use cargo_metadata::{DependencyKind, Metadata, PackageId};
use toml::{Table, Value};

use crate::{BRAND, cargo};

/// Everything that a rule may look at.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    /// The manifest at the root.
    pub(crate) manifest: Table,
    pub(crate) lock: Table,
    pub(crate) members: Vec<Member>,
    /// Every Rust file.
    pub(crate) sources: Vec<Text>,
    /// Every Markdown file.
    pub(crate) documents: Vec<Text>,
    /// The oldest Rust that each foreign package takes which the users of a crate of ours build.
    pub(crate) needs: Vec<Need>,
}

/// One package of the workspace.
#[derive(Debug)]
pub(crate) struct Member {
    /// From the root, as in `crates/core`.
    pub(crate) path: String,
    pub(crate) manifest: Table,
    /// Every file, from the package's own folder.
    pub(crate) files: BTreeSet<String>,
}

/// One file and what is in it.
#[derive(Debug)]
pub(crate) struct Text {
    /// From the root.
    pub(crate) path: String,
    pub(crate) text: String,
}

/// `package`, which `member` is built with, does not build with a Rust older than `rust`.
#[derive(Debug)]
pub(crate) struct Need {
    pub(crate) member: String,
    pub(crate) package: String,
    pub(crate) rust: (u64, u64, u64),
}

/// One line of a dependency table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Dependency<'a> {
    pub(crate) name: &'a str,
    pub(crate) spec: &'a Value,
    /// Whether only tests, examples and benchmarks see it.
    pub(crate) dev: bool,
}

impl Tree {
    /// The package in `crates/<folder>`.
    pub(crate) fn get(&self, folder: &str) -> Option<&Member> {
        let path = format!("crates/{folder}");
        self.members.iter().find(|member| member.path == path)
    }

    /// The packages under `crates/`: those that are products, not tools.
    pub(crate) fn crates(&self) -> impl Iterator<Item = &Member> {
        let members = self.members.iter();
        members.filter(|member| member.path.starts_with("crates/"))
    }

    pub(crate) fn source(&self, path: &str) -> Option<&str> {
        let found = self.sources.iter().find(|source| source.path == path);
        found.map(|source| source.text.as_str())
    }

    pub(crate) fn document(&self, path: &str) -> Option<&str> {
        let found = self.documents.iter().find(|document| document.path == path);
        found.map(|document| document.text.as_str())
    }

    /// `[workspace.<table>]` of the root manifest.
    pub(crate) fn workspace(&self, table: &str) -> Option<&Table> {
        self.manifest.get("workspace")?.get(table)?.as_table()
    }
}

impl Member {
    /// The last part of the path: `core` of `crates/core`.
    pub(crate) fn folder(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    pub(crate) fn name(&self) -> &str {
        self.package("name").and_then(Value::as_str).unwrap_or("")
    }

    pub(crate) fn manifest_path(&self) -> String {
        format!("{}/Cargo.toml", self.path)
    }

    /// A field of `[package]`, be it written here or inherited.
    pub(crate) fn package(&self, field: &str) -> Option<&Value> {
        self.manifest.get("package")?.get(field)
    }

    pub(crate) fn is_published(&self) -> bool {
        self.package("publish").and_then(Value::as_bool) != Some(false)
    }

    /// Every line of every dependency table, those of single targets included.
    pub(crate) fn dependencies(&self) -> Vec<Dependency<'_>> {
        let targets = self.manifest.get("target").and_then(Value::as_table);
        let targets = targets.into_iter().flat_map(Table::values);
        let tables = std::iter::once(&self.manifest).chain(targets.filter_map(Value::as_table));
        let mut found = Vec::new();
        for table in tables {
            for kind in ["dependencies", "dev-dependencies", "build-dependencies"] {
                let lines = table.get(kind).and_then(Value::as_table);
                for (name, spec) in lines.into_iter().flatten() {
                    let dev = kind == "dev-dependencies";
                    found.push(Dependency { name, spec, dev });
                }
            }
        }
        found
    }
}

impl<'a> Dependency<'a> {
    /// The folder of the crate of ours that this line asks for.
    pub(crate) fn ours(&self) -> Option<&'a str> {
        let renamed = self.spec.get("package").and_then(Value::as_str);
        let name = renamed.unwrap_or(self.name);
        match name.strip_prefix(BRAND) {
            None if Some(name) == BRAND.strip_suffix('-') => Some(name),
            folder => folder,
        }
    }

    pub(crate) fn is_inherited(&self) -> bool {
        self.spec.get("workspace").and_then(Value::as_bool) == Some(true)
    }

    /// Whether a version stands here or where this line inherits from.
    pub(crate) fn has_version(&self, tree: &Tree) -> bool {
        let inherited = || tree.workspace("dependencies")?.get(self.name);
        let spec = if self.is_inherited() {
            inherited()
        } else {
            Some(self.spec)
        };
        spec.is_some_and(|spec| spec.is_str() || spec.get("version").is_some())
    }
}

// === reading ===

/// Reads the workspace from disk and from `cargo metadata`.
pub(crate) fn read() -> Result<Tree> {
    let root = cargo::root();
    let metadata = cargo::metadata()?;
    let mut tree = Tree {
        manifest: parse(&root.join("Cargo.toml"))?,
        lock: parse(&root.join("Cargo.lock"))?,
        needs: needs(&metadata),
        ..Tree::default()
    };
    let mut files = Vec::new();
    walk(&root, "", &mut files)?;
    for path in &files {
        let into = match Path::new(path).extension().and_then(|end| end.to_str()) {
            Some("rs") => &mut tree.sources,
            Some("md") => &mut tree.documents,
            _ => continue,
        };
        let text =
            fs::read_to_string(root.join(path)).with_context(|| format!("cannot read {path}"))?;
        let path = path.clone();
        into.push(Text { path, text });
    }
    for package in metadata.workspace_packages() {
        let folder = package.manifest_path.parent().map(Path::new);
        let folder = folder.and_then(|folder| folder.strip_prefix(&root).ok());
        let path = folder.map(|folder| folder.to_string_lossy().replace('\\', "/"));
        let path = path.with_context(|| format!("{} lies outside the root", package.name))?;
        let within = format!("{path}/");
        let inside = files.iter().filter_map(|file| file.strip_prefix(&within));
        tree.members.push(Member {
            manifest: parse(package.manifest_path.as_std_path())?,
            files: inside.map(str::to_owned).collect(),
            path,
        });
    }
    Ok(tree)
}

fn parse(file: &Path) -> Result<Table> {
    let text =
        fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    text.parse()
        .with_context(|| format!("cannot parse {}", file.display()))
}

/// Every file below, but for what is hidden or built.
fn walk(root: &Path, under: &str, files: &mut Vec<String>) -> Result<()> {
    for entry in fs::read_dir(root.join(under))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if under.is_empty() {
            name.clone()
        } else {
            format!("{under}/{name}")
        };
        if name.starts_with('.') || name == "target" || name == "node_modules" {
            continue;
        }
        if entry.file_type()?.is_dir() {
            walk(root, &path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}

/// What the dependencies ask of the compiler: those that a user of a published crate builds, with
/// every feature on; not what only our tests and tools use.
fn needs(metadata: &Metadata) -> Vec<Need> {
    let Some(resolve) = &metadata.resolve else {
        return Vec::new();
    };
    let nodes: BTreeMap<&PackageId, _> =
        resolve.nodes.iter().map(|node| (&node.id, node)).collect();
    let published = |package: &&cargo_metadata::Package| {
        package.publish.as_ref().is_none_or(|to| !to.is_empty())
    };
    let ours = metadata.workspace_packages().into_iter().filter(published);
    let mut needs = Vec::new();
    for member in ours {
        let mut open: Vec<&PackageId> = vec![&member.id];
        let mut seen: BTreeSet<&PackageId> = BTreeSet::new();
        while let Some(id) = open.pop() {
            if !seen.insert(id) {
                continue;
            }
            let below = nodes.get(id).into_iter().flat_map(|node| &node.deps);
            let built = below.filter(|dependency| {
                let mut kinds = dependency.dep_kinds.iter();
                kinds.any(|kind| kind.kind != DependencyKind::Development)
            });
            open.extend(built.map(|dependency| &dependency.pkg));
        }
        let packages = metadata.packages.iter();
        let foreign = packages.filter(|one| one.source.is_some() && seen.contains(&one.id));
        needs.extend(foreign.filter_map(|package| {
            let rust = package.rust_version.as_ref()?;
            Some(Need {
                member: member.name.to_string(),
                package: format!("{} {}", package.name, package.version),
                rust: (rust.major, rust.minor, rust.patch),
            })
        }));
    }
    needs
}

#[cfg(test)]
impl Tree {
    /// Adds a package that consists of a manifest alone.
    pub(crate) fn add(&mut self, path: &str, manifest: &str) -> &mut Member {
        self.members.push(Member {
            path: path.to_owned(),
            manifest: manifest.parse().unwrap(),
            files: BTreeSet::new(),
        });
        self.members.last_mut().unwrap()
    }

    /// A tree of one Rust file.
    pub(crate) fn of_source(path: &str, text: &str) -> Self {
        let (path, text) = (path.to_owned(), text.to_owned());
        Self {
            sources: vec![Text { path, text }],
            ..Self::default()
        }
    }
}
