//! The table.

use std::{
    fmt,
    sync::{Arc, LazyLock},
    time::SystemTime,
};

use http::{HeaderMap, HeaderName, StatusCode};

use super::{
    asked::{Asked, Choice, Wait},
    defaults,
    family::Family,
    index::Index,
    number::Unit,
    quotas::Quotas,
    verdict::{self, Rule, Verdict},
    windows::Window,
};

/// The headers in which servers speak of waiting, of quotas and of trying again.
///
/// [`Hints::default`] knows those that are in use; see the [module](super) for the list. A clone
/// shares the table.
///
/// ```
/// use golive_core::quota::{Hints, Unit};
/// use http::HeaderName;
///
/// let hints = Hints::default()
///     .wait(HeaderName::from_static("x-acme-come-back-in"), Unit::Millis)
///     .veto(HeaderName::from_static("x-acme-final"), "yes")
///     .without(&HeaderName::from_static("x-should-retry"));
/// ```
#[derive(Clone)]
pub struct Hints(Arc<Table>);

#[derive(Clone)]
struct Table {
    waits: Vec<Wait>,
    families: Vec<Family>,
    rules: Vec<Rule>,
    index: Index,
}

// === impl Hints ===

impl Hints {
    /// A table in which nothing stands: every header is passed over.
    #[must_use]
    pub fn none() -> Self {
        Self::of(Vec::new(), Vec::new(), Vec::new())
    }

    /// Adds a header that says how long to wait, after those that stand there already: a number in
    /// this unit, a span as `6m0s`, or a date.
    #[must_use]
    pub fn wait(self, name: HeaderName, unit: Unit) -> Self {
        self.changed(|table| {
            table.waits.push(Wait {
                name,
                unit,
                pushback: false,
            });
        })
    }

    /// Adds a header as `grpc-retry-pushback-ms` is one: milliseconds to wait, and a negative or
    /// unreadable number says [`Verdict::Never`].
    #[must_use]
    pub fn pushback(self, name: HeaderName) -> Self {
        self.changed(|table| {
            table.waits.push(Wait {
                name,
                unit: Unit::Millis,
                pushback: true,
            });
        })
    }

    /// Adds the headers of a quota. Of one response up to 32 header lines of quotas are read, and of
    /// a structured field 16 members.
    #[must_use]
    pub fn quota(self, family: Family) -> Self {
        self.changed(|table| table.families.push(family))
    }

    /// Adds a header that says [`Verdict::Never`] with this value, in whatever case.
    #[must_use]
    pub fn veto(self, name: HeaderName, value: &str) -> Self {
        self.rule(name, value, Verdict::Never)
    }

    /// Adds a header that says [`Verdict::Again`] with this value, in whatever case.
    #[must_use]
    pub fn again(self, name: HeaderName, value: &str) -> Self {
        self.rule(name, value, Verdict::Again)
    }

    /// Removes every use of this header.
    #[must_use]
    pub fn without(self, name: &HeaderName) -> Self {
        self.changed(|table| {
            table.waits.retain(|wait| wait.name != *name);
            table.rules.retain(|rule| rule.name != *name);
            table.families.retain_mut(|family| family.without(name));
        })
    }

    /// How long the server asks to wait before the next attempt, if it does.
    ///
    /// 1. The first header of the table that says so: with the default one `retry-after-ms`,
    ///    `x-ms-retry-after-ms`, `grpc-retry-pushback-ms`, `Retry-After`, `x-ratelimit-retry-after`.
    /// 2. The end of the exhausted quota that ends last.
    /// 3. With a 429 and no exhausted quota, the end of the quota that ends first.
    ///
    /// A date that has passed means "now", and a number or a date that is out of all reason a
    /// century and a half (2³² - 1 seconds): it was asked to stay away. A value that cannot be read
    /// says nothing.
    #[must_use]
    pub fn asked(&self, status: StatusCode, headers: &HeaderMap, now: SystemTime) -> Option<Asked> {
        //= draft-ietf-httpapi-ratelimit-headers-10 §7: If a response contains both the RateLimit
        //= and Retry-After fields, the Retry-After field MUST take precedence
        let said = self.0.waits.iter().find_map(|wait| {
            Some(Asked {
                wait: wait.read(headers, now)?,
                source: wait.name.clone(),
            })
        });
        said.or_else(|| {
            let mut choice = Choice::default();
            self.each_window(headers, now, &mut |window| choice.consider(&window));
            choice.made(status)
        })
    }

    /// The quotas that the server reports, those that count requests alone; up to four windows.
    ///
    /// Made for every response: without a header of a quota it costs a look at the names, and it
    /// allocates nothing.
    #[must_use]
    pub fn quotas(&self, headers: &HeaderMap, now: SystemTime) -> Quotas {
        let mut quotas = Quotas::NONE;
        self.each_window(headers, now, &mut |window| quotas.add(&window));
        quotas
    }

    /// Whether there is any header of a quota: for those whose clock is dear.
    #[must_use]
    pub fn mentions_quota(&self, headers: &HeaderMap) -> bool {
        self.0.index.mentions(headers)
    }

    /// What the server says of another attempt, if it does. Of two verdicts `Never` counts.
    #[must_use]
    pub fn verdict(&self, headers: &HeaderMap) -> Option<Verdict> {
        let mut pushbacks = self.0.waits.iter().filter(|wait| wait.pushback);
        if pushbacks.any(|wait| matches!(verdict::pushback(&wait.name, headers), Some(Err(_)))) {
            return Some(Verdict::Never);
        }
        verdict::read(&self.0.rules, headers)
    }

    pub(super) fn of(waits: Vec<Wait>, families: Vec<Family>, rules: Vec<Rule>) -> Self {
        let index = Index::of(&families);
        Self(Arc::new(Table {
            waits,
            families,
            rules,
            index,
        }))
    }

    fn rule(self, name: HeaderName, value: &str, verdict: Verdict) -> Self {
        self.changed(|table| {
            table.rules.push(Rule {
                name,
                value: value.into(),
                verdict,
            });
        })
    }

    fn changed(mut self, change: impl FnOnce(&mut Table)) -> Self {
        let table = Arc::make_mut(&mut self.0);
        change(table);
        table.index = Index::of(&table.families);
        self
    }

    fn each_window(&self, headers: &HeaderMap, now: SystemTime, say: &mut dyn FnMut(Window<'_>)) {
        self.0.index.read(headers, |lines| {
            for place in lines.families() {
                if let Some(family) = self.0.families.get(usize::from(place)) {
                    family.read(lines.of(place), headers, now, say);
                }
            }
        });
    }
}

impl Default for Hints {
    /// Every header that is in use; see the [module](super).
    fn default() -> Self {
        static TABLE: LazyLock<Hints> = LazyLock::new(defaults::hints);
        TABLE.clone()
    }
}

impl PartialEq for Hints {
    fn eq(&self, other: &Self) -> bool {
        let (own, other) = (&*self.0, &*other.0);
        std::ptr::eq(own, other)
            || own.waits == other.waits
                && own.families == other.families
                && own.rules == other.rules
    }
}

impl fmt::Debug for Hints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hints")
            .field("waits", &self.0.waits)
            .field("families", &self.0.families)
            .field("rules", &self.0.rules)
            .finish()
    }
}
