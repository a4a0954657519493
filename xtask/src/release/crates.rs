//! What a release has to know of each crate, from `cargo metadata`.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use cargo_metadata::{Dependency, DependencyKind, Metadata, Package};

/// One crate that would be published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Crate {
    pub(crate) name: String,
    pub(crate) version: String,
    /// From the root, as in `crates/core`.
    pub(crate) path: String,
    /// Every feature but `default`.
    pub(crate) features: Vec<String>,
    /// What code calls its library, if it has one.
    pub(crate) library: Option<String>,
    /// What it asks for of ours, one line for each package and kind.
    pub(crate) links: Vec<Link>,
}

/// One crate of the workspace that another one asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) on: String,
    /// Whether a version is asked for, and not only a path.
    pub(crate) versioned: bool,
    /// Whether only tests, examples and benchmarks see it.
    pub(crate) dev: bool,
}

impl Crate {
    /// The name of its archive, and of the folder in it.
    pub(crate) fn stem(&self) -> String {
        format!("{}-{}", self.name, self.version)
    }

    /// No feature, then each one by itself.
    pub(crate) fn feature_sets(&self) -> Vec<Option<&str>> {
        let each = self.features.iter().map(|name| Some(name.as_str()));
        std::iter::once(None).chain(each).collect()
    }
}

impl Link {
    /// Whether what is published still asks for it: cargo drops a test dependency without version.
    pub(crate) fn is_kept(&self) -> bool {
        self.versioned || !self.dev
    }
}

/// The crates that are published, by name.
pub(crate) fn published(metadata: &Metadata, root: &Path) -> Result<Vec<Crate>> {
    let mut found = BTreeMap::new();
    for package in metadata.workspace_packages() {
        if is_published(package) {
            found.insert(package.name.to_string(), facts(package, metadata, root)?);
        }
    }
    Ok(found.into_values().collect())
}

/// The members that are not, by name.
pub(crate) fn kept_back(metadata: &Metadata) -> Vec<String> {
    let members = metadata.workspace_packages().into_iter();
    let kept = members.filter(|package| !is_published(package));
    let mut names: Vec<String> = kept.map(|package| package.name.to_string()).collect();
    names.sort();
    names
}

/// Cargo says `publish = false` as an empty list of registries.
fn is_published(package: &Package) -> bool {
    package.publish.as_ref().is_none_or(|to| !to.is_empty())
}

fn facts(package: &Package, metadata: &Metadata, root: &Path) -> Result<Crate> {
    let folder = package.manifest_path.parent().map(Path::new);
    let path = folder.and_then(|folder| folder.strip_prefix(root).ok());
    let path = path.with_context(|| format!("{} lies outside the root", package.name))?;
    let library = package.targets.iter().find(|target| target.is_lib());
    let named = package.features.keys().filter(|name| *name != "default");
    let members = metadata.workspace_packages();
    let ours = package.dependencies.iter().filter(|dependency| {
        let mut names = members.iter().map(|member| member.name.as_str());
        dependency.path.is_some() && names.any(|name| name == dependency.name)
    });
    Ok(Crate {
        name: package.name.to_string(),
        version: package.version.to_string(),
        path: path.to_string_lossy().replace('\\', "/"),
        features: named.cloned().collect(),
        library: library.map(|target| target.name.replace('-', "_")),
        links: ours.map(link).collect(),
    })
}

fn link(dependency: &Dependency) -> Link {
    Link {
        on: dependency.name.clone(),
        versioned: dependency.req.to_string() != "*",
        dev: dependency.kind == DependencyKind::Development,
    }
}

#[cfg(test)]
impl Crate {
    /// A crate that consists of what it asks for: `core` in its code, `dev:core` in its tests.
    pub(crate) fn of(name: &str, links: &[&str]) -> Self {
        Self {
            name: name.to_owned(),
            version: "0.1.0".to_owned(),
            path: format!("crates/{name}"),
            features: Vec::new(),
            library: Some(name.replace('-', "_")),
            links: links.iter().map(|text| Link::of(text)).collect(),
        }
    }
}

#[cfg(test)]
impl Link {
    fn of(text: &str) -> Self {
        let (dev, on) = match text.strip_prefix("dev:") {
            Some(on) => (true, on),
            None => (false, text),
        };
        let (versioned, on) = match on.strip_prefix("path:") {
            Some(on) => (false, on),
            None => (true, on),
        };
        let on = on.to_owned();
        Self { on, versioned, dev }
    }
}
