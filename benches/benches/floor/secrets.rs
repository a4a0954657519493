//! What a secret costs: to load one that is there, and to fetch one that is not.

use std::{
    fs,
    hint::black_box,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use aws_sdk_secretsmanager::{
    Client, Config,
    config::{
        BehaviorVersion, ConfigBag, Credentials, Intercept, Region, RuntimeComponents,
        interceptors::BeforeTransmitInterceptorContextRef, retry::RetryConfig,
    },
    error::BoxError,
};
use criterion::Criterion;
use golive_gates::{Gate, Spread};
use golive_secrets_provider::{
    Handle, Value, Version, Versions,
    source::{AwsSource, MemorySource},
};
use golive_testkit::services::Moto;

const NAME: &str = "partner/api";
const TASKS: usize = 1000;

pub(crate) fn gates() -> Vec<Gate> {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let _inside = runtime.enter();
    let handle = runtime.block_on(ready());
    // Its allocator lies under the whole program, and looks at each allocation of both sides alike.
    let allocations = allocation_counter::measure(|| {
        for _ in 0..1000 {
            drop(black_box(black_box(&handle).load()));
        }
    });
    let (alone, pair) = runtime.block_on(cold());
    vec![
        Gate::at_most(20.0, "ns", "load of a secret", load(&handle)),
        Gate::at_most(
            0.0,
            "allocations",
            "1,000 loads of a secret",
            Spread::exactly(number(allocations.count_total)),
        ),
        Gate::at_most(
            1.0,
            "requests",
            "1,000 tasks on a cold secret, AWSCURRENT alone",
            Spread::exactly(alone),
        ),
        // The API answers one stage at a time.
        Gate::at_most(
            2.0,
            "requests",
            "1,000 tasks on a cold secret, AWSCURRENT and AWSPREVIOUS",
            Spread::exactly(pair),
        ),
    ]
}

/// A handle with a pair, whose first load of this thread is over: that one makes a record.
async fn ready() -> Handle {
    let version = |id, value| Version::new(id, Value::new(value).expect("a value"));
    let source = MemorySource::new();
    source.set(NAME, Versions::new(version("v1", "one")));
    source.rotate(NAME, version("v2", "two"));
    let handle = Handle::builder(source, NAME).build();
    let handle = handle.expect("a handle");
    handle.ready().await.expect("it is in memory");
    let loaded = handle.load().expect("it is ready");
    assert!(loaded.previous().is_some());
    drop(loaded);
    handle
}

/// Criterion's estimate of the median.
fn load(handle: &Handle) -> Spread {
    let folder = tempfile::tempdir().expect("a temporary folder");
    Criterion::default()
        .without_plots()
        .output_directory(folder.path())
        .bench_function("load", |b| b.iter(|| black_box(handle).load()));
    let estimates = fs::read(folder.path().join("load/new/estimates.json"));
    let estimates = estimates.expect("criterion left its estimates");
    let estimates: serde_json::Value = serde_json::from_slice(&estimates).expect("JSON");
    let number = |value: &serde_json::Value| value.as_f64().expect("a number of nanoseconds");
    let median = &estimates["median"];
    let interval = &median["confidence_interval"];
    Spread {
        median: number(&median["point_estimate"]),
        range: (
            number(&interval["lower_bound"]),
            number(&interval["upper_bound"]),
        ),
    }
}

/// How many requests go out to a real server for a secret that everybody wants and nobody has,
/// without and with the previous version.
async fn cold() -> (u32, u32) {
    let moto = Moto::start().await;
    let created = client(moto.url(), Sent::default())
        .create_secret()
        .name(NAME)
        .secret_string("one");
    created.send().await.expect("moto takes it");
    let alone = requests(&moto, AwsSource::current_only).await;
    let pair = requests(&moto, |source| source).await;
    (alone, pair)
}

async fn requests(moto: &Moto, choose: fn(AwsSource) -> AwsSource) -> u32 {
    let sent = Sent::default();
    let source = choose(AwsSource::new(client(moto.url(), sent.clone())));
    let handle = Handle::builder(source, NAME).build().expect("a handle");
    let tasks: Vec<_> = (0..TASKS)
        .map(|_| {
            let handle = handle.clone();
            tokio::spawn(async move { handle.ready().await.is_ok() })
        })
        .collect();
    for task in tasks {
        assert!(task.await.expect("no task panics"), "each has the secret");
    }
    number(sent.0.load(Ordering::SeqCst))
}

fn number(count: u64) -> u32 {
    u32::try_from(count).expect("a count that a report can hold")
}

fn client(url: &str, sent: Sent) -> Client {
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-west-1"))
        .endpoint_url(url)
        .credentials_provider(Credentials::new("key", "secret", None, None, "bench"))
        .retry_config(RetryConfig::disabled())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .interceptor(sent);
    Client::from_conf(config.build())
}

/// Counts what really goes out.
#[derive(Clone, Debug, Default)]
struct Sent(Arc<AtomicU64>);

impl Intercept for Sent {
    fn name(&self) -> &'static str {
        "sent"
    }

    fn read_before_transmit(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}
