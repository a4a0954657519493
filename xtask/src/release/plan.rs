//! `cargo xtask release plan`: what is published before what.
//!
//! A registry takes a crate only when all that it asks for is there, what its tests ask for
//! included: only a test dependency by path alone is dropped on the way.

use std::collections::BTreeSet;

use anyhow::{Result, bail};

use super::crates::{self, Crate, Link};
use crate::cargo;

pub(crate) fn run() -> Result<()> {
    let metadata = cargo::metadata()?;
    let crates = crates::published(&metadata, &cargo::root())?;
    let order = order(&crates)?;
    println!(
        "{} crates would be published, in this order:\n",
        order.len()
    );
    let widest = order.iter().map(|one| one.stem().len()).max().unwrap_or(0);
    for (at, one) in order.iter().enumerate() {
        let shown = format!("{} {}", one.name, one.version);
        println!("{:>3}  {shown:<widest$}  {}", at + 1, reason(one));
    }
    println!(
        "\nNot published: {}",
        crates::kept_back(&metadata).join(", ")
    );
    println!("This is a plan. Nothing was published, and nothing here can.");
    Ok(())
}

/// Every crate after those that it waits for; by name where none waits for another.
///
/// # Errors
/// If crates wait for each other in a circle, or one waits for what is never published.
pub(crate) fn order(crates: &[Crate]) -> Result<Vec<&Crate>> {
    for one in crates {
        let missing = awaited(one).find(|link| !crates.iter().any(|other| other.name == link.on));
        if let Some(link) = missing {
            bail!(
                "{} asks for {}, which is never published: publish that, or ask for it by path \
                 alone and in [dev-dependencies]",
                one.name,
                link.on
            );
        }
    }
    let mut order: Vec<&Crate> = Vec::new();
    let mut done: BTreeSet<&str> = BTreeSet::new();
    while order.len() < crates.len() {
        let open = crates.iter().filter(|one| !done.contains(&*one.name));
        let free = |one: &&Crate| awaited(one).all(|link| done.contains(&*link.on));
        let mut ready: Vec<&Crate> = open.filter(free).collect();
        if ready.is_empty() {
            bail!(
                "these wait for each other, so none can be published first: {}. Name the test \
                 dependency by path alone, which publishing drops",
                circle(crates, &done)
            );
        }
        ready.sort_by(|a, b| a.name.cmp(&b.name));
        done.extend(ready.iter().map(|one| &*one.name));
        order.extend(ready);
    }
    Ok(order)
}

/// What has to be there first, as a phrase.
fn reason(one: &Crate) -> String {
    let built: BTreeSet<&str> = of_kind(one, false).collect();
    let tested: BTreeSet<&str> = of_kind(one, true)
        .filter(|on| !built.contains(on))
        .collect();
    let list = |names: BTreeSet<&str>| names.into_iter().collect::<Vec<_>>().join(", ");
    match (built.is_empty(), tested.is_empty()) {
        (true, true) => "waits for nothing".to_owned(),
        (false, true) => format!("after {}", list(built)),
        (true, false) => format!("after {} (its tests)", list(tested)),
        (false, false) => format!("after {}; {} (its tests)", list(built), list(tested)),
    }
}

fn of_kind(one: &Crate, dev: bool) -> impl Iterator<Item = &str> {
    let links = awaited(one).filter(move |link| link.dev == dev);
    links.map(|link| link.on.as_str())
}

fn awaited(one: &Crate) -> impl Iterator<Item = &Link> {
    // A crate whose tests name itself waits for nobody else.
    let links = one.links.iter().filter(|link| link.on != one.name);
    links.filter(|link| link.is_kept())
}

/// Follows what is not done from one crate to the next until one comes again.
fn circle(crates: &[Crate], done: &BTreeSet<&str>) -> String {
    let find = |name: &str| crates.iter().find(|one| one.name == name);
    let mut at = crates.iter().find(|one| !done.contains(&*one.name));
    let mut path: Vec<(&str, bool)> = Vec::new();
    while let Some(one) = at {
        if let Some(start) = path.iter().position(|(name, _)| *name == one.name) {
            let round = path[start..].iter().map(|(name, dev)| match dev {
                true => format!("{name} → (its tests) "),
                false => format!("{name} → "),
            });
            return round.chain([one.name.clone()]).collect();
        }
        let next = awaited(one).find(|link| !done.contains(&*link.on));
        path.push((&one.name, next.is_some_and(|link| link.dev)));
        at = next.and_then(|link| find(&link.on));
    }
    String::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(crates: &[Crate]) -> Vec<&str> {
        let order = order(crates).unwrap();
        order.into_iter().map(|one| one.name.as_str()).collect()
    }

    #[test]
    fn a_crate_comes_after_all_that_it_asks_for() {
        let crates = [
            Crate::of("cli", &["check", "core"]),
            Crate::of("check", &["core"]),
            Crate::of("core", &[]),
        ];
        assert_eq!(names(&crates), ["core", "check", "cli"]);
    }

    #[test]
    fn where_none_waits_for_another_the_name_decides() {
        let mut crates = vec![
            Crate::of("c", &[]),
            Crate::of("a", &["d"]),
            Crate::of("d", &[]),
            Crate::of("b", &[]),
        ];
        assert_eq!(names(&crates), ["b", "c", "d", "a"]);
        crates.reverse();
        assert_eq!(names(&crates), ["b", "c", "d", "a"]);
    }

    #[test]
    fn a_test_dependency_counts_if_it_has_a_version_and_else_is_dropped() {
        let versioned = [Crate::of("a", &["dev:b"]), Crate::of("b", &[])];
        assert_eq!(names(&versioned), ["b", "a"]);
        let by_path = [
            Crate::of("a", &["dev:path:b", "dev:path:kit"]),
            Crate::of("b", &["a"]),
        ];
        assert_eq!(names(&by_path), ["a", "b"]);
    }

    #[test]
    fn a_circle_is_named_with_the_link_that_can_be_cut() {
        let crates = [
            Crate::of("above", &["a"]),
            Crate::of("a", &["core", "dev:b"]),
            Crate::of("b", &["core", "a"]),
            Crate::of("core", &[]),
        ];
        let said = order(&crates).unwrap_err().to_string();
        assert!(said.contains("a → (its tests) b → a."), "{said}");
        assert!(!said.contains("above"), "{said}");
        assert!(said.contains("by path alone"), "{said}");
    }

    #[test]
    fn nothing_published_waits_for_what_never_is() {
        let said = order(&[Crate::of("a", &["kit"])]).unwrap_err().to_string();
        assert!(said.contains("a asks for kit"), "{said}");
    }

    #[test]
    fn the_reason_tells_code_from_tests() {
        assert_eq!(reason(&Crate::of("a", &[])), "waits for nothing");
        assert_eq!(
            reason(&Crate::of("a", &["dev:path:kit"])),
            "waits for nothing"
        );
        let both = Crate::of("a", &["core", "dev:core", "dev:sandbox"]);
        assert_eq!(reason(&both), "after core; sandbox (its tests)");
    }
}
