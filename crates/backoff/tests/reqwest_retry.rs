//! Our judgement in the loop of the real reqwest-retry, over real sockets.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests, outside of what clippy takes for one"
)]

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use golive_backoff::{Backoff, ReplayGuard, delays_from, reqwest_class};
use http::Extensions;
use reqwest::{Method, Request, Response};
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware, Middleware, Next};
use reqwest_retry::{
    Jitter, RetryPolicy, RetryTransientMiddleware,
    policies::{ExponentialBackoff, ExponentialBackoffTimed},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

/// Answers every request with this head, or never; how many have come.
struct Server {
    address: SocketAddr,
    requests: Arc<AtomicU32>,
}

// === impl Server ===

impl Server {
    async fn start(head: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(AtomicU32::new(0));
        let seen = Arc::clone(&requests);
        tokio::spawn(async move {
            let mut open = Vec::new();
            while let Ok((mut connection, _)) = listener.accept().await {
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    request.push(connection.read_u8().await.unwrap());
                }
                seen.fetch_add(1, Ordering::SeqCst);
                if head.is_empty() {
                    open.push(connection);
                    continue;
                }
                let answer = format!("HTTP/1.1 {head}\r\ncontent-length: 0\r\n");
                let answer = format!("{answer}connection: close\r\n\r\n");
                connection.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        Self { address, requests }
    }

    fn url(&self) -> String {
        format!("http://{}/v3/loans", self.address)
    }

    /// How many have come since this was asked last.
    fn requests(&self) -> u32 {
        self.requests.swap(0, Ordering::SeqCst)
    }
}

const ERROR: &str = "500 Internal Server Error";
const LIMITED: &str = "429 Too Many Requests";

fn policy() -> ExponentialBackoff {
    let millisecond = Duration::from_millis(1);
    ExponentialBackoff::builder()
        .retry_bounds(millisecond, millisecond)
        .build_with_max_retries(2)
}

fn guard() -> ReplayGuard {
    ReplayGuard::new(&Backoff::builder().classify(reqwest_class).build().unwrap())
}

fn transport() -> reqwest::Client {
    let builder = reqwest::Client::builder().no_proxy();
    let builder = builder.redirect(reqwest::redirect::Policy::none());
    builder.timeout(Duration::from_millis(60)).build().unwrap()
}

/// The client, with the guard of its strategy in it or not.
fn client(guarded: bool) -> ClientWithMiddleware {
    let guard = guard();
    let retry = RetryTransientMiddleware::new_with_policy_and_strategy(policy(), guard.strategy());
    let builder = ClientBuilder::new(transport());
    if guarded {
        builder.with(guard).with(retry).build()
    } else {
        builder.with(retry).build()
    }
}

async fn send(client: &ClientWithMiddleware, method: Method, key: bool, server: &Server) -> u32 {
    let mut request = client.request(method, server.url());
    if key {
        request = request.header("Idempotency-Key", "order-17");
    }
    let _ = request.send().await;
    server.requests()
}

#[tokio::test]
async fn a_keyless_post_that_may_have_been_executed_is_sent_once() {
    for answer in [ERROR, ""] {
        let server = Server::start(answer).await;
        let theirs = RetryTransientMiddleware::new_with_policy(policy());
        let theirs = ClientBuilder::new(transport()).with(theirs).build();
        assert_eq!(
            send(&theirs, Method::POST, false, &server).await,
            3,
            "as it was"
        );
        let ours = client(true);
        assert_eq!(send(&ours, Method::POST, false, &server).await, 1);
        assert_eq!(send(&ours, Method::POST, true, &server).await, 3);
        assert_eq!(send(&ours, Method::GET, false, &server).await, 3);
    }
}

#[tokio::test]
async fn what_was_refused_or_will_fail_again_is_known_too() {
    let ours = client(true);
    let limited = Server::start(LIMITED).await;
    assert_eq!(send(&ours, Method::POST, false, &limited).await, 3);
    let long = Server::start("429 Too Many Requests\r\nretry-after: 86400").await;
    assert_eq!(send(&ours, Method::GET, false, &long).await, 1);
    let vetoed = Server::start("500 Oops\r\nx-should-retry: false").await;
    assert_eq!(send(&ours, Method::GET, false, &vetoed).await, 1);
    let wrong = Server::start("501 Not Implemented").await;
    assert_eq!(send(&ours, Method::GET, false, &wrong).await, 1);
}

#[tokio::test]
async fn without_its_guard_every_request_counts_as_a_post_without_a_key() {
    let failing = Server::start(ERROR).await;
    let unguarded = client(false);
    assert_eq!(send(&unguarded, Method::GET, true, &failing).await, 1);
    // The guard of somebody else says nothing.
    let retry =
        RetryTransientMiddleware::new_with_policy_and_strategy(policy(), guard().strategy());
    let foreign = ClientBuilder::new(transport()).with(guard()).with(retry);
    let foreign = foreign.build();
    assert_eq!(send(&foreign, Method::GET, true, &failing).await, 1);
}

/// Makes a call of its own before each attempt, as a renewal of a token does.
struct CallsFirst {
    client: ClientWithMiddleware,
    method: Method,
    url: String,
}

#[async_trait]
impl Middleware for CallsFirst {
    async fn handle(
        &self,
        req: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> reqwest_middleware::Result<Response> {
        let _ = self
            .client
            .request(self.method.clone(), &self.url)
            .send()
            .await;
        next.run(req, extensions).await
    }
}

#[tokio::test]
async fn a_call_within_a_call_is_judged_by_itself_and_so_is_the_one_around_it() {
    let outer = Server::start(ERROR).await;
    // Within, a POST: with a guard of its own, and without one.
    for guarded in [true, false] {
        let inner = Server::start(ERROR).await;
        let within = CallsFirst {
            client: client(guarded),
            method: Method::POST,
            url: inner.url(),
        };
        let guard = guard();
        let retry =
            RetryTransientMiddleware::new_with_policy_and_strategy(policy(), guard.strategy());
        let builder = ClientBuilder::new(transport()).with(guard);
        let around = builder.with(retry).with(within).build();
        assert_eq!(send(&around, Method::GET, false, &outer).await, 3);
        assert_eq!(inner.requests(), 3, "one within each attempt");
    }
    // Within, a GET that is safe to repeat, around it a POST that is not; of the same client.
    let inner = Server::start(ERROR).await;
    let guard = guard();
    let retry =
        || RetryTransientMiddleware::new_with_policy_and_strategy(policy(), guard.strategy());
    let builder = || {
        ClientBuilder::new(transport())
            .with(guard.clone())
            .with(retry())
    };
    let within = CallsFirst {
        client: builder().build(),
        method: Method::GET,
        url: inner.url(),
    };
    let around = builder().with(within).build();
    assert_eq!(send(&around, Method::POST, false, &outer).await, 1);
    assert_eq!(inner.requests(), 3);
}

#[tokio::test]
async fn calls_that_take_turns_on_one_thread_do_not_take_each_others_mark() {
    let server = Server::start("").await;
    let ours = client(true);
    let (post, get) = tokio::join!(
        ours.post(server.url()).send(),
        ours.get(server.url()).send()
    );
    assert!(post.is_err() && get.is_err());
    assert_eq!(server.requests(), 1 + 3);
}

#[tokio::test]
async fn a_policy_of_theirs_gives_the_delays_of_ours() {
    let millisecond = Duration::from_millis(1);
    let exact = ExponentialBackoff::builder()
        .retry_bounds(millisecond, Duration::from_secs(1))
        .jitter(Jitter::None)
        .build_with_max_retries(3);
    // It reads the clock once more than we do, so it may be a little over.
    let near = |delay: Option<Duration>, expected: Duration| {
        let delay = delay.unwrap();
        assert!(
            delay >= expected && delay < expected + Duration::from_millis(100),
            "{delay:?}"
        );
    };
    let delays = delays_from(exact);
    near(delays(0, Duration::ZERO), millisecond);
    near(delays(2, Duration::ZERO), 4 * millisecond);
    assert_eq!(delays(3, Duration::ZERO), None);
    let timed: ExponentialBackoffTimed =
        ExponentialBackoff::builder().build_with_total_retry_duration(Duration::from_secs(60));
    let delays = delays_from(timed);
    assert!(delays(0, Duration::from_secs(59)).is_some());
    assert_eq!(delays(0, Duration::from_secs(61)), None);

    let server = Server::start(ERROR).await;
    let backoff = Backoff::builder().attempts(9).delays(delays_from(policy()));
    let ours = ClientBuilder::new(transport()).with(backoff.build().unwrap());
    let ours = ours.build();
    assert_eq!(send(&ours, Method::GET, false, &server).await, 3);
}

#[test]
fn any_policy_will_do() {
    struct Never;
    impl RetryPolicy for Never {
        fn should_retry(&self, _: std::time::SystemTime, _: u32) -> reqwest_retry::RetryDecision {
            reqwest_retry::RetryDecision::DoNotRetry
        }
    }
    assert_eq!(delays_from(Never)(0, Duration::ZERO), None);
}
