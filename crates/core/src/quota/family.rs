//! The headers that tell of one quota.

use std::time::Duration;

use http::HeaderName;

use super::number::Unit;

/// The places of the headers that are alone of their kind. The others have those that follow.
pub(super) const COUNTERS: u16 = 0;
pub(super) const POLICIES: u16 = 1;
pub(super) const WINDOW: u16 = 2;
const SEVERAL: usize = 3;

/// The headers that tell of one quota: how many requests it allows, how many are left, and when
/// that starts anew.
///
/// Several names may say the same thing; the first one that can be read counts. All parts are
/// optional, in the table and in a response.
///
/// ```
/// use golive_core::quota::{Family, Hints, Unit};
/// use http::HeaderName;
///
/// let name = HeaderName::from_static;
/// let hints = Hints::default().quota(
///     Family::new()
///         .limit(name("x-acme-calls-max"))
///         .remaining(name("x-acme-calls-left"))
///         .reset(name("x-acme-calls-renewed-in"))
///         .unit(Unit::Millis),
/// );
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Family {
    pub(super) counters: Option<HeaderName>,
    pub(super) policies: Option<HeaderName>,
    pub(super) limits: Vec<HeaderName>,
    pub(super) remaining: Vec<HeaderName>,
    pub(super) resets: Vec<HeaderName>,
    pub(super) named_by: Vec<HeaderName>,
    pub(super) window: Option<(HeaderName, Unit)>,
    pub(super) lasts: Option<Duration>,
    pub(super) unit: Unit,
    pub(super) not_requests: bool,
}

impl Family {
    /// A quota of which nothing is known yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Structured fields as `RateLimit` (the counters) and `RateLimit-Policy` are: one header for
    /// all quotas at once. Where `policies` comes without `counters`, it tells how long the window
    /// of [`limit`](Self::limit) lasts.
    #[must_use]
    pub fn structured(mut self, counters: HeaderName, policies: HeaderName) -> Self {
        self.counters = Some(counters);
        self.policies = Some(policies);
        self
    }

    /// A header with the requests that a window allows: `100`, or `100, 100;w=60`.
    #[must_use]
    pub fn limit(mut self, name: HeaderName) -> Self {
        self.limits.push(name);
        self
    }

    /// A header with the requests that are left in this window.
    #[must_use]
    pub fn remaining(mut self, name: HeaderName) -> Self {
        self.remaining.push(name);
        self
    }

    /// A header with the end of the window: a number of seconds (or of what [`unit`](Self::unit)
    /// says), a Unix time, a span as `6m0s`, an RFC 3339 date or an HTTP-date.
    #[must_use]
    pub fn reset(mut self, name: HeaderName) -> Self {
        self.resets.push(name);
        self
    }

    /// A header with the length of the window: a number in this unit, or a span.
    #[must_use]
    pub fn window(mut self, name: HeaderName, unit: Unit) -> Self {
        self.window = Some((name, unit));
        self
    }

    /// How long the window lasts, for servers that say so in the names of their headers alone.
    #[must_use]
    pub fn lasts(mut self, window: Duration) -> Self {
        self.lasts = Some(window);
        self
    }

    /// A header that names the quota, where one server has several behind the same headers:
    /// GitHub's `x-ratelimit-resource`, Discord's `x-ratelimit-bucket`.
    #[must_use]
    pub fn named_by(mut self, name: HeaderName) -> Self {
        self.named_by.push(name);
        self
    }

    /// What a bare number in the reset counts. Default: seconds.
    #[must_use]
    pub fn unit(mut self, unit: Unit) -> Self {
        self.unit = unit;
        self
    }

    /// It counts something else than requests, tokens of a language model for instance. Such a
    /// quota is none of [`Hints::quotas`](super::Hints::quotas), but once it is exhausted its reset
    /// is a wait all the same.
    #[must_use]
    pub fn not_requests(mut self) -> Self {
        self.not_requests = true;
        self
    }

    /// Every header of it, each with its place.
    pub(super) fn names(&self) -> impl Iterator<Item = (u16, &HeaderName)> {
        let window = self.window.as_ref().map(|(name, _)| (WINDOW, name));
        let counters = self.counters.as_ref().map(|name| (COUNTERS, name));
        let policies = self.policies.as_ref().map(|name| (POLICIES, name));
        let single = [counters, policies, window].into_iter().flatten();
        let single = single.chain(self.limits()).chain(self.all_remaining());
        single.chain(self.resets()).chain(self.names_of_it())
    }

    pub(super) fn limits(&self) -> impl Iterator<Item = (u16, &HeaderName)> {
        placed(&self.limits, 0)
    }

    pub(super) fn all_remaining(&self) -> impl Iterator<Item = (u16, &HeaderName)> {
        placed(&self.remaining, self.limits.len())
    }

    pub(super) fn resets(&self) -> impl Iterator<Item = (u16, &HeaderName)> {
        placed(&self.resets, self.limits.len() + self.remaining.len())
    }

    pub(super) fn names_of_it(&self) -> impl Iterator<Item = (u16, &HeaderName)> {
        let before = self.limits.len() + self.remaining.len() + self.resets.len();
        placed(&self.named_by, before)
    }

    /// The name that stands for it: the same in every response.
    pub(super) fn id(&self) -> &[u8] {
        let names = self.remaining.first().or(self.limits.first());
        let name = names.or(self.resets.first()).or(self.counters.as_ref());
        name.map_or(b"", |name| name.as_str().as_bytes())
    }

    /// Removes every use of this header; `false` if nothing is left.
    pub(super) fn without(&mut self, name: &HeaderName) -> bool {
        for single in [&mut self.counters, &mut self.policies] {
            single.take_if(|own| own == name);
        }
        self.window.take_if(|(own, _)| own == name);
        for several in [
            &mut self.limits,
            &mut self.remaining,
            &mut self.resets,
            &mut self.named_by,
        ] {
            several.retain(|own| own != name);
        }
        self.names().count() > self.named_by.len()
    }
}

fn placed(names: &[HeaderName], before: usize) -> impl Iterator<Item = (u16, &HeaderName)> {
    // A family of 65,533 headers is one too many to have them all read.
    let places = (0_u16..=u16::MAX).skip(SEVERAL + before);
    places.zip(names)
}
