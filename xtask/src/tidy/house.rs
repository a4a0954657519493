//! The house: which crates there are, of what kind, and who may depend on whom.

/// What a crate is for, and with that, which files it consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A box of the checklist, for the one who calls: a tower layer and a reqwest middleware.
    Middleware,
    /// A box of the checklist, for the one who is called: a decision, and its tower layer.
    Receiver,
    /// A library of another shape, with errors and builders beside the nouns that are its files.
    Library,
    /// The one crate that may contain `unsafe`, each block with its proof.
    Unsafe,
    /// A program.
    Program,
}

/// One crate of ours and what it may depend on, tests apart.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) folder: &'static str,
    pub(crate) kind: Kind,
    uses: &'static [&'static str],
}

/// The boxes. They know the core and the shape of an error, and never each other: what a box needs
/// from another one is a small trait of its own.
const BOX: &[&str] = &["core", "problem"];
const STORE: &[&str] = &["core", "idempotency", "webhook-inbox"];
const BOXES: &[&str] = &[
    "idempotency",
    "backoff",
    "auth-refresh",
    "webhook-verify",
    "webhook-inbox",
    "secrets-provider",
    "telemetry",
];

#[rustfmt::skip]
const HOUSE: &[Place] = &[
    place("core",             Kind::Library,    &[]),
    place("problem",          Kind::Library,    &["core"]),
    place("idempotency",      Kind::Middleware, BOX),
    place("backoff",          Kind::Middleware, BOX),
    place("auth-refresh",     Kind::Middleware, BOX),
    place("webhook-verify",   Kind::Receiver,   &["core", "problem", "sha256-lanes"]),
    place("webhook-inbox",    Kind::Library,    BOX),
    place("secrets-provider", Kind::Library,    BOX),
    place("telemetry",        Kind::Middleware, BOX),
    place("sha256-lanes",     Kind::Unsafe,     &[]),
    place("store-sqlite",     Kind::Library,    STORE),
    place("store-postgres",   Kind::Library,    STORE),
    place("store-redis",      Kind::Library,    STORE),
    place("golive",           Kind::Library,    &["core", "problem", "store-sqlite"]),
    place("sandbox",          Kind::Library,    &["webhook-verify", "problem"]),
    place("check",            Kind::Library,    &["sandbox", "golive"]),
    place("cli",              Kind::Program,    &["check", "sandbox", "golive"]),
    place("testkit",          Kind::Library,    &["core"]),
];

const fn place(folder: &'static str, kind: Kind, uses: &'static [&'static str]) -> Place {
    Place { folder, kind, uses }
}

/// Where a crate of this folder stands, if it has a place at all.
pub(crate) fn find(folder: &str) -> Option<&'static Place> {
    HOUSE.iter().find(|place| place.folder == folder)
}

impl Place {
    /// Whether `self` may depend on the crate in `folder`.
    pub(crate) fn may_use(&self, folder: &str) -> bool {
        // The paved road is where the boxes meet.
        let meets = self.folder == "golive" && BOXES.contains(&folder);
        meets || self.uses.contains(&folder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_depends_upwards_or_on_a_crate_without_a_place() {
        for (at, place) in HOUSE.iter().enumerate() {
            for used in place.uses {
                let below = HOUSE.iter().position(|other| other.folder == *used);
                assert!(
                    below.is_some_and(|below| below != at),
                    "{} → {used}",
                    place.folder
                );
                let back = find(used).is_some_and(|used| used.uses.contains(&place.folder));
                assert!(
                    !back,
                    "{} and {used} would depend on each other",
                    place.folder
                );
            }
        }
    }

    #[test]
    fn boxes_meet_in_the_facade_and_nowhere_else() {
        for place in HOUSE {
            for one in BOXES.iter().filter(|one| **one != place.folder) {
                let signs = place.folder == "sandbox" && *one == "webhook-verify";
                let keeps = STORE.contains(one) && place.uses == STORE;
                let meets = place.folder == "golive";
                assert_eq!(
                    place.may_use(one),
                    signs || keeps || meets,
                    "{} → {one}",
                    place.folder
                );
            }
        }
    }
}
