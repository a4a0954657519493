//! AWS Secrets Manager, spoken by a real server over HTTP.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests stand outside of #[test]"
)]

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use aws_sdk_secretsmanager::{
    Client, Config,
    config::{
        BehaviorVersion, ConfigBag, Credentials, Intercept, Region, RuntimeComponents,
        interceptors::{
            BeforeDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextRef,
        },
        retry::RetryConfig,
    },
    error::BoxError,
    primitives::Blob,
};
use golive_secrets_provider::{
    Handle, Source, Status,
    source::{AwsSource, SourceErrorKind},
};
use golive_testkit::services::Moto;
use secrecy::ExposeSecret as _;

const NAME: &str = "partner/api";

/// Counts what really goes out, retries of the SDK included.
#[derive(Clone, Debug, Default)]
struct Sent(Arc<AtomicU64>);

impl Sent {
    fn count(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

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

fn config(url: &str) -> aws_sdk_secretsmanager::config::Builder {
    Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-west-1"))
        .endpoint_url(url)
        .credentials_provider(Credentials::new(
            "key",
            "CANARY-aws-key",
            None,
            None,
            "test",
        ))
        .retry_config(RetryConfig::disabled())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
}

fn client(url: &str, sent: &Sent) -> Client {
    Client::from_conf(config(url).interceptor(sent.clone()).build())
}

async fn create(client: &Client, value: &str) -> String {
    let request = client.create_secret().name(NAME).secret_string(value);
    request.send().await.unwrap().version_id.unwrap()
}

/// A rotation as a rotation function does it: stage, then promote.
async fn rotate(client: &Client, from: &str, value: &str) -> String {
    let staged = client
        .put_secret_value()
        .secret_id(NAME)
        .secret_string(value);
    let staged = staged.version_stages("AWSPENDING").send().await.unwrap();
    let to = staged.version_id.unwrap();
    promote(client, from, &to).await;
    to
}

async fn promote(client: &Client, from: &str, to: &str) {
    let moved = client.update_secret_version_stage().secret_id(NAME);
    let moved = moved
        .version_stage("AWSCURRENT")
        .remove_from_version_id(from);
    moved.move_to_version_id(to).send().await.unwrap();
}

#[tokio::test]
async fn a_thousand_tasks_on_a_cold_secret_cause_one_request() {
    let moto = Moto::start().await;
    create(&client(moto.url(), &Sent::default()), "CANARY-one").await;
    for (pair, requests) in [(false, 1), (true, 2)] {
        let sent = Sent::default();
        let source = AwsSource::new(client(moto.url(), &sent));
        let source = if pair { source } else { source.current_only() };
        let handle = Handle::builder(source, NAME).build().unwrap();
        let tasks: Vec<_> = (0..1000)
            .map(|_| {
                let handle = handle.clone();
                tokio::spawn(async move { handle.ready().await.unwrap().generation() })
            })
            .collect();
        for task in tasks {
            assert_eq!(task.await.unwrap(), 1);
        }
        assert_eq!(sent.count(), requests, "with the pair: {pair}");
    }
}

#[tokio::test]
async fn a_rotation_is_followed_as_one_state_and_so_is_its_roll_back() {
    let moto = Moto::start().await;
    let aws = client(moto.url(), &Sent::default());
    let first = create(&aws, "one").await;
    let source = AwsSource::new(aws.clone());
    let handle = Handle::builder(source, NAME)
        .fresh_for(Duration::from_secs(1))
        .build()
        .unwrap();
    let before = handle.ready().await.unwrap();
    assert_eq!(before.current().id(), first);
    assert!(before.previous().is_none());

    let second = rotate(&aws, &first, "two").await;
    let wait = Duration::from_secs(10);
    let after = tokio::time::timeout(wait, handle.changed_since(before.generation()));
    let after = after.await.unwrap().unwrap();
    assert_eq!(after.current().id(), second);
    assert_eq!(after.current().value().expose_text(), Ok("two"));
    assert_eq!(after.previous().unwrap().value().expose_text(), Ok("one"));
    let created_at = after.current().created_at().unwrap();
    assert!(created_at > SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000));

    promote(&aws, &second, &first).await;
    let back = handle.refresh().await.unwrap();
    assert!(back.generation() > after.generation());
    assert_eq!(back.current().id(), first);
    assert_eq!(back.previous().unwrap().id(), second);
}

/// Rotates by another client when the first answer has come in.
#[derive(Debug)]
struct RotatesAfterTheFirst {
    aws: Client,
    from: String,
    answers: AtomicU64,
}

impl Intercept for RotatesAfterTheFirst {
    fn name(&self) -> &'static str {
        "rotates"
    }

    fn read_after_transmit(
        &self,
        _: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if self.answers.fetch_add(1, Ordering::SeqCst) == 0 {
            let runtime = tokio::runtime::Handle::current();
            let rotated = rotate(&self.aws, &self.from, "two");
            tokio::task::block_in_place(|| runtime.block_on(rotated));
        }
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_between_the_two_requests_of_a_pair_is_read_again() {
    let moto = Moto::start().await;
    let aws = client(moto.url(), &Sent::default());
    let from = create(&aws, "one").await;
    let rotates = RotatesAfterTheFirst {
        aws,
        from,
        answers: AtomicU64::new(0),
    };
    let config = config(moto.url()).interceptor(rotates);
    let source = AwsSource::new(Client::from_conf(config.build()));
    let read = source.fetch(NAME).await.unwrap();
    assert_eq!(read.current().value().expose_text(), Ok("two"));
    assert_eq!(read.previous().unwrap().value().expose_text(), Ok("one"));
}

#[tokio::test]
async fn the_pending_version_is_read_only_if_asked_for() {
    let moto = Moto::start().await;
    let aws = client(moto.url(), &Sent::default());
    let first = create(&aws, "one").await;
    let source = AwsSource::new(aws.clone());
    let curious = source.clone().with_pending();
    assert!(curious.fetch(NAME).await.unwrap().pending().is_none());

    let staged = aws.put_secret_value().secret_id(NAME).secret_string("two");
    let staged = staged.version_stages("AWSPENDING").send().await.unwrap();
    let read = curious.fetch(NAME).await.unwrap();
    assert_eq!(read.current().id(), first);
    assert_eq!(read.pending().unwrap().id(), staged.version_id.unwrap());
    assert!(source.fetch(NAME).await.unwrap().pending().is_none());
}

#[tokio::test]
async fn bytes_are_a_secret_too() {
    let moto = Moto::start().await;
    let aws = client(moto.url(), &Sent::default());
    let bytes = [0, 159, 146, 150];
    let created = aws
        .create_secret()
        .name(NAME)
        .secret_binary(Blob::new(bytes));
    created.send().await.unwrap();
    let read = AwsSource::new(aws).fetch(NAME).await.unwrap();
    assert_eq!(read.current().value().expose_secret(), bytes);
}

#[tokio::test]
async fn failures_say_who_must_act_and_show_no_secret() {
    let moto = Moto::start().await;
    let aws = client(moto.url(), &Sent::default());
    let source = AwsSource::new(aws.clone());
    let missing = source.fetch("no/such/secret").await.unwrap_err();
    assert_eq!(missing.kind(), SourceErrorKind::NotFound);
    assert!(!missing.is_transient());

    create(&aws, "CANARY-value").await;
    let gone = AwsSource::new(client("http://127.0.0.1:9", &Sent::default()));
    let handle = Handle::builder(gone.clone(), NAME).build().unwrap();
    let error = handle.ready().await.unwrap_err();
    assert!(error.is_transient(), "{error}");
    let shown = format!("{error} {error:?} {handle:?} {gone:?} {missing} {missing:?}");
    assert!(!shown.contains("CANARY"), "{shown}");
}

#[tokio::test]
async fn a_manager_that_is_down_leaves_the_secret_in_service() {
    let moto = Moto::start().await;
    let aws = client(moto.url(), &Sent::default());
    create(&aws, "one").await;
    let source = AwsSource::new(aws);
    let handle = Handle::builder(source, NAME).build().unwrap();
    handle.ready().await.unwrap();
    drop(moto);
    let failed = handle.refresh().await.unwrap_err();
    assert!(failed.is_transient(), "{failed}");
    assert_eq!(
        handle.load().unwrap().current().value().expose_text(),
        Ok("one")
    );
    assert_eq!(handle.health().failures, 1);
    assert_eq!(handle.health().status, Status::Fresh);
}
