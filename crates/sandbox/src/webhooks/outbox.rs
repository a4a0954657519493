//! Deliveries in the background, each tried again on the schedule.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::Semaphore;

use crate::ids::sha256_hex;
use crate::record::{Answer, Entry, Kind};
use crate::shared::Shared;
use crate::sync::lock;
use crate::webhooks::{Delivery, Event, send};
use crate::world::endpoints::Secrets;

/// Deliveries that may wait for their next attempt at once.
const MAX_WAITING: usize = 1_000;

/// Standard Webhooks, "Deliverability and reliability": the delay before each attempt, 75 hours 35
/// minutes in all.
const STANDARD_SCHEDULE: [Duration; 10] = [
    Duration::ZERO,
    Duration::from_secs(5),
    Duration::from_secs(5 * 60),
    Duration::from_secs(30 * 60),
    Duration::from_secs(2 * 3600),
    Duration::from_secs(5 * 3600),
    Duration::from_secs(10 * 3600),
    Duration::from_secs(14 * 3600),
    Duration::from_secs(20 * 3600),
    Duration::from_secs(24 * 3600),
];

pub(crate) struct Outbox {
    /// The secrets of the sandbox's own endpoint.
    pub(super) own: Mutex<Secrets>,
    /// Where the sandbox's own endpoint is, if anywhere.
    pub(super) subscriber: Mutex<Option<String>>,
    pub(super) client: reqwest::Client,
    schedule: Vec<Duration>,
    waiting: Arc<Semaphore>,
}

#[derive(Clone, Debug)]
enum Target {
    Own,
    Endpoint(String),
}

impl Outbox {
    pub(crate) fn standard_schedule() -> Vec<Duration> {
        STANDARD_SCHEDULE.to_vec()
    }

    pub(crate) fn new(own_secret: String, schedule: Vec<Duration>) -> Result<Self, reqwest::Error> {
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            // A connection that the receiver closed meanwhile must not look like a failed delivery.
            .pool_max_idle_per_host(0)
            .build()?;
        Ok(Self {
            own: Mutex::new(Secrets::new(own_secret)),
            subscriber: Mutex::new(None),
            client,
            schedule,
            waiting: Arc::new(Semaphore::new(MAX_WAITING)),
        })
    }
}

pub(super) fn enqueue(shared: &Arc<Shared>, event: &Event) {
    let mut targets: Vec<Target> = {
        let world = shared.world();
        let wanting = world
            .endpoints
            .all()
            .iter()
            .filter(|endpoint| endpoint.wants(&event.type_));
        wanting
            .map(|endpoint| Target::Endpoint(endpoint.id.clone()))
            .collect()
    };
    if lock(&shared.outbox.subscriber).is_some() {
        targets.push(Target::Own);
    }
    for target in targets {
        let Ok(place) = Arc::clone(&shared.outbox.waiting).try_acquire_owned() else {
            refuse(shared, event);
            continue;
        };
        let (task, event) = (Arc::clone(shared), event.clone());
        shared.tasks.spawn(async move {
            let _place = place;
            attempts(&task, &target, event).await;
        });
    }
}

/// "Each attempt with a fresh timestamp and signature but the same `webhook-id`."
async fn attempts(shared: &Arc<Shared>, target: &Target, event: Event) {
    for delay in &shared.outbox.schedule {
        tokio::time::sleep(*delay).await;
        // Looked up each time: the URL, the secrets or the wish may have changed meanwhile.
        let Some((url, secrets)) = resolve(shared, target) else {
            return;
        };
        let entry = send::deliver_with(shared, &url, Delivery::of(event.clone()), secrets).await;
        match (entry.status(), target) {
            (Some(200..=299), _) => return,
            (Some(410), Target::Endpoint(id)) => return shared.world().endpoints.disable(id),
            _ => {}
        }
    }
}

fn resolve(shared: &Shared, target: &Target) -> Option<(String, Vec<String>)> {
    let now = shared.clock.now().mono;
    match target {
        Target::Own => {
            let url = lock(&shared.outbox.subscriber).clone()?;
            Some((url, lock(&shared.outbox.own).live(now)))
        }
        Target::Endpoint(id) => {
            let world = shared.world();
            let endpoint = world
                .endpoints
                .find(id)
                .ok()
                .filter(|endpoint| endpoint.active)?;
            Some((endpoint.url.clone(), endpoint.secrets.live(now)))
        }
    }
}

fn refuse(shared: &Shared, event: &Event) {
    let entry = Entry {
        seq: 0,
        at: shared.clock.now().mono,
        done_at: None,
        kind: Kind::Delivery,
        method: "POST".to_owned(),
        path: String::new(),
        query: None,
        headers: vec![],
        body_digest: sha256_hex(b""),
        body: String::new(),
        answer: Answer::Pending,
        fault: None,
        webhook_id: Some(event.id.clone()),
        client_id: None,
        token: None,
        connection: None,
    };
    let reason = format!("not sent: {MAX_WAITING} deliveries are waiting already");
    shared
        .recorder
        .begin(entry, shared.clock)
        .end(Answer::NoAnswer { reason });
}
