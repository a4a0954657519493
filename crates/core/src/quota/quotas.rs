//! The windows of a response, for those who pace and those who watch.

use std::time::Duration;

use super::windows::Window;

/// How many windows are reported of one response.
const MOST: usize = 4;

/// One window of a quota, as a response reports it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Quota {
    /// Which window it is: the same in every response that tells of it, for as long as the process
    /// runs. A hash of the policy's name, or of the names of the headers.
    pub policy: u64,
    /// Requests that the window allows.
    pub limit: Option<u64>,
    /// Requests left in this window.
    pub remaining: Option<u64>,
    /// Time until the window ends, whatever our clock says: a date or a Unix time is measured
    /// against the server's own `Date`. Never above 2³² - 1 seconds.
    pub reset: Option<Duration>,
    /// How long the window lasts. Never above 2³² - 1 seconds.
    pub window: Option<Duration>,
}

/// The windows that a response reports: none, or up to four.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quotas {
    windows: [Quota; MOST],
    len: usize,
}

// === impl Quota ===

impl Quota {
    const NONE: Self = Self {
        policy: 0,
        limit: None,
        remaining: None,
        reset: None,
        window: None,
    };
}

// === impl Quotas ===

impl Quotas {
    pub(super) const NONE: Self = Self {
        windows: [Quota::NONE; MOST],
        len: 0,
    };

    /// The windows, in the order of the table.
    #[must_use]
    pub fn as_slice(&self) -> &[Quota] {
        self.windows.get(..self.len).unwrap_or_default()
    }

    /// The windows, in the order of the table.
    pub fn iter(&self) -> std::slice::Iter<'_, Quota> {
        self.as_slice().iter()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether the response says nothing of quotas.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The window of which the smallest share is left.
    #[must_use]
    pub fn tightest(&self) -> Option<&Quota> {
        // The share in parts of 2⁶⁴, and what says nothing of it last.
        let share = |quota: &&Quota| match (quota.remaining, quota.limit) {
            (Some(0), _) => 0,
            (Some(left), Some(limit)) if limit > 0 => (u128::from(left) << 64) / u128::from(limit),
            (Some(_), _) => u128::MAX - 1,
            (None, _) => u128::MAX,
        };
        self.iter().min_by_key(share)
    }

    /// Adds one that counts requests and says how many. Those beyond the bound are left out.
    pub(super) fn add(&mut self, window: &Window<'_>) {
        let quota = &window.quota;
        let speaks = quota.limit.is_some() || quota.remaining.is_some();
        if window.requests
            && speaks
            && let Some(place) = self.windows.get_mut(self.len)
        {
            *place = *quota;
            self.len += 1;
        }
    }
}

impl<'a> IntoIterator for &'a Quotas {
    type Item = &'a Quota;
    type IntoIter = std::slice::Iter<'a, Quota>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl IntoIterator for Quotas {
    type Item = Quota;
    type IntoIter = std::iter::Take<std::array::IntoIter<Quota, MOST>>;

    fn into_iter(self) -> Self::IntoIter {
        self.windows.into_iter().take(self.len)
    }
}
