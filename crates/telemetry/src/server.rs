use std::{
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use golive_core::{Clock, Origin, quota::Hints};
use http::HeaderMap;
use opentelemetry::KeyValue;

use crate::{
    labels::Kept,
    names::{OTHER, SERVER_ADDRESS, SERVER_PORT},
    observe::Report,
};

/// The servers that have labels of their own, and what they said of their quotas.
///
/// A URL may come from anywhere, a redirect for instance: the set is bounded, and what comes after
/// it is full shares one label.
pub(crate) struct Servers {
    max: usize,
    expiry: Duration,
    hints: Hints,
    clock: Arc<dyn Clock>,
    known: RwLock<Vec<Arc<Server>>>,
    other: Arc<Server>,
}

/// A server: its labels, ready made.
pub(crate) struct Server {
    scheme: Box<str>,
    host: Box<str>,
    /// `None` if it stands for others.
    port: Option<u16>,
    labels: Vec<KeyValue>,
    kept: Kept,
    /// As the beginning of a URL; empty if it stands for others.
    origin: Box<str>,
    /// A number of our own, observed when it is asked for: two records in the SDK for each attempt
    /// cost more than all the rest.
    active: AtomicI64,
    quota: Mutex<Option<Seen>>,
}

/// A quota as it was last reported.
#[derive(Clone, Copy)]
struct Seen {
    limit: Option<u64>,
    remaining: Option<u64>,
    reset: Option<SystemTime>,
    at: SystemTime,
}

// === impl Servers ===

impl Servers {
    pub(crate) fn new(max: usize, expiry: Duration, hints: Hints, clock: Arc<dyn Clock>) -> Self {
        Self {
            max,
            expiry,
            hints,
            clock,
            known: RwLock::default(),
            other: Arc::new(Server::other()),
        }
    }

    /// The server of this origin, or the one that stands for all others.
    pub(crate) fn find(&self, origin: Option<Origin<'_>>) -> Arc<Server> {
        let Some(origin) = origin else {
            return Arc::clone(&self.other);
        };
        let found = |servers: &[Arc<Server>]| {
            let server = servers.iter().find(|server| server.is(&origin))?;
            Some(Arc::clone(server))
        };
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(server) = found(&known) {
            return server;
        }
        if known.len() >= self.max {
            return Arc::clone(&self.other);
        }
        drop(known);
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        // Somebody else may have been faster.
        if let Some(server) = found(&known) {
            return server;
        }
        if known.len() >= self.max {
            return Arc::clone(&self.other);
        }
        let server = Arc::new(Server::new(&origin));
        known.push(Arc::clone(&server));
        server
    }

    /// Notes what the headers of a response say of the server's quota.
    pub(crate) fn note_quota(&self, server: &Arc<Server>, headers: &HeaderMap) {
        // Nobody could tell whose quota that is.
        if Arc::ptr_eq(server, &self.other) {
            return;
        }
        // Most responses say nothing, and need no clock.
        if !self.hints.mentions_quota(headers) {
            return;
        }
        let now = self.clock.now();
        // One number a server: of several windows the one that will be in the way first.
        let quotas = self.hints.quotas(headers, now);
        let Some(quota) = quotas.tightest() else {
            return;
        };
        *server.quota() = Some(Seen {
            limit: quota.limit,
            remaining: quota.remaining,
            reset: quota.reset.and_then(|reset| now.checked_add(reset)),
            at: now,
        });
    }

    pub(crate) fn report_active(&self, report: Report<'_, i64>) {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let full = known.len() >= self.max;
        let other = Some(&self.other).filter(|other| full || other.active() != 0);
        for server in known.iter().chain(other) {
            report(server.active(), &server.labels);
        }
    }

    pub(crate) fn report_limits(&self, report: Report<'_, u64>) {
        self.each_quota(|server, seen| {
            seen.limit.inspect(|limit| report(*limit, &server.labels));
        });
    }

    pub(crate) fn report_remaining(&self, report: Report<'_, u64>) {
        self.each_quota(|server, seen| {
            seen.remaining.inspect(|left| report(*left, &server.labels));
        });
    }

    pub(crate) fn report_resets(&self, report: Report<'_, f64>) {
        self.each_quota(|server, seen| {
            seen.reset
                .inspect(|reset| report(unix(*reset), &server.labels));
        });
    }

    fn each_quota(&self, mut f: impl FnMut(&Server, Seen)) {
        let now = self.clock.now();
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        for server in known.iter() {
            let mut quota = server.quota();
            // A clock that was set back makes nothing old.
            let age = quota.map(|seen| now.duration_since(seen.at).unwrap_or_default());
            if age.is_some_and(|age| age > self.expiry) {
                *quota = None;
            }
            if let Some(seen) = *quota {
                drop(quota);
                f(server, seen);
            }
        }
    }
}

// === impl Server ===

impl Server {
    fn new(origin: &Origin<'_>) -> Self {
        let host = origin.host().to_ascii_lowercase();
        // An address, not a part of a URL.
        let address: Arc<str> = host.trim_start_matches('[').trim_end_matches(']').into();
        Self {
            scheme: origin.scheme().into(),
            port: Some(origin.port()),
            labels: vec![
                KeyValue::new(SERVER_ADDRESS, address),
                KeyValue::new(SERVER_PORT, i64::from(origin.port())),
            ],
            kept: Kept::new(),
            origin: origin.to_string().into(),
            host: host.into(),
            active: AtomicI64::new(0),
            quota: Mutex::default(),
        }
    }

    /// The one that stands for those that have no labels of their own.
    fn other() -> Self {
        Self {
            scheme: "".into(),
            host: OTHER.into(),
            port: None,
            labels: vec![KeyValue::new(SERVER_ADDRESS, OTHER)],
            kept: Kept::new(),
            origin: "".into(),
            active: AtomicI64::new(0),
            quota: Mutex::default(),
        }
    }

    /// As the beginning of a URL; `None` for the one that stands for others.
    pub(crate) fn origin(&self) -> Option<&str> {
        Some(&*self.origin).filter(|origin| !origin.is_empty())
    }

    /// One attempt more that is under way.
    pub(crate) fn begin(&self) {
        self.active.fetch_add(1, Ordering::Relaxed);
    }

    /// One less.
    pub(crate) fn end(&self) {
        self.active.fetch_sub(1, Ordering::Relaxed);
    }

    fn active(&self) -> i64 {
        self.active.load(Ordering::Relaxed)
    }

    pub(crate) fn labels(&self) -> &[KeyValue] {
        &self.labels
    }

    /// The labels of its points that are no errors.
    pub(crate) fn kept(&self) -> &Kept {
        &self.kept
    }

    fn is(&self, origin: &Origin<'_>) -> bool {
        Origin::new(&self.scheme, &self.host, self.port).is_some_and(|own| own == *origin)
    }

    fn quota(&self) -> std::sync::MutexGuard<'_, Option<Seen>> {
        self.quota.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A Unix time in seconds; before 1970 it is 0.
pub(crate) fn unix(time: SystemTime) -> f64 {
    time.duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs_f64()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use http::{HeaderValue, Uri};

    use super::*;

    #[derive(Clone, Default)]
    struct Hand(Arc<AtomicU64>);

    impl Clock for Hand {
        fn now(&self) -> SystemTime {
            UNIX_EPOCH + Duration::from_secs(self.0.load(Ordering::SeqCst))
        }
    }

    fn servers(max: usize, clock: &Hand) -> Servers {
        let clock = Arc::new(clock.clone());
        Servers::new(max, Duration::from_secs(60), Hints::default(), clock)
    }

    fn find(servers: &Servers, uri: &'static str) -> Arc<Server> {
        servers.find(Origin::of(&Uri::from_static(uri)))
    }

    fn address(server: &Server) -> String {
        server.labels()[0].value.to_string()
    }

    #[test]
    fn servers_beyond_the_bound_share_one_label() {
        let servers = servers(2, &Hand::default());
        let first = find(&servers, "https://API.example/x");
        assert_eq!(address(&first), "api.example");
        assert!(Arc::ptr_eq(
            &first,
            &find(&servers, "https://api.EXAMPLE:443")
        ));
        assert_eq!(address(&find(&servers, "http://[::1]:8080")), "::1");
        for third in [
            "https://third.example",
            "https://api.example:8443",
            "/relative",
        ] {
            assert_eq!(address(&find(&servers, third)), OTHER, "{third}");
        }
    }

    fn read(servers: &Servers, f: fn(&Servers, Report<'_, u64>)) -> Vec<u64> {
        let mut seen = Vec::new();
        f(servers, &mut |value, labels| {
            assert_eq!(labels.len(), 2);
            seen.push(value);
        });
        seen
    }

    #[test]
    fn a_quota_is_reported_until_it_is_too_old_to_be_true() {
        let clock = Hand::default();
        clock.0.store(1000, Ordering::SeqCst);
        let servers = servers(2, &clock);
        let server = find(&servers, "https://api.example");
        let mut headers = HeaderMap::new();
        servers.note_quota(&server, &headers);
        assert!(read(&servers, Servers::report_remaining).is_empty());

        headers.insert("x-ratelimit-limit", HeaderValue::from_static("100"));
        headers.insert("x-ratelimit-remaining", HeaderValue::from_static("7"));
        headers.insert("x-ratelimit-reset", HeaderValue::from_static("30"));
        servers.note_quota(&server, &headers);
        // A response that says nothing changes nothing.
        servers.note_quota(&server, &HeaderMap::new());
        clock.0.store(1060, Ordering::SeqCst);
        assert_eq!(read(&servers, Servers::report_limits), [100]);
        assert_eq!(read(&servers, Servers::report_remaining), [7]);
        let mut resets = Vec::new();
        servers.report_resets(&mut |at, _| resets.push(at));
        assert_eq!(resets, [1030.0], "a time, which does not age");

        clock.0.store(1061, Ordering::SeqCst);
        assert!(read(&servers, Servers::report_remaining).is_empty());
    }

    #[test]
    fn every_dialect_of_the_table_is_read_and_the_tightest_window_reported() {
        let servers = servers(2, &Hand::default());
        let server = find(&servers, "https://api.example");
        let mut headers = HeaderMap::new();
        let counters = "\"minute\";r=50;t=30, \"day\";r=60;t=7200";
        headers.insert("ratelimit", HeaderValue::from_static(counters));
        let policies = "\"minute\";q=100, \"day\";q=1000";
        headers.insert("ratelimit-policy", HeaderValue::from_static(policies));
        servers.note_quota(&server, &headers);
        assert_eq!(read(&servers, Servers::report_limits), [1000]);
        assert_eq!(read(&servers, Servers::report_remaining), [60]);
    }

    #[test]
    fn what_is_not_in_the_table_is_not_read() {
        let mut servers = servers(2, &Hand::default());
        servers.hints = Hints::none();
        let server = find(&servers, "https://api.example");
        let mut headers = HeaderMap::new();
        headers.insert("x-ratelimit-remaining", HeaderValue::from_static("7"));
        servers.note_quota(&server, &headers);
        assert!(read(&servers, Servers::report_remaining).is_empty());
    }

    #[test]
    fn a_quota_of_nobody_knows_whom_is_not_reported() {
        let servers = servers(0, &Hand::default());
        let other = find(&servers, "https://api.example");
        let mut headers = HeaderMap::new();
        headers.insert("x-ratelimit-remaining", HeaderValue::from_static("7"));
        servers.note_quota(&other, &headers);
        assert!(read(&servers, Servers::report_remaining).is_empty());
    }
}
