//! What a stack costs over a far end that does nothing, beside `tower::retry` and
//! `reqwest-retry`. `cargo xtask bench stack`

#![allow(missing_docs, reason = "criterion's macros document nothing")]
#![allow(clippy::expect_used, reason = "a benchmark that fails should say so")]

use std::{future::poll_fn, hint::black_box};

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use futures_util::FutureExt;
use golive_benches::{reqwest_face, tower_face};
use reqwest_middleware::ClientWithMiddleware;
use tower_service::Service;

fn tower(c: &mut Criterion) {
    let mut group = c.benchmark_group("stack/tower");
    macro_rules! bench {
        ($name:literal, $service:expr) => {
            let mut service = $service;
            group.bench_function($name, |b| {
                b.iter_batched(
                    tower_face::request,
                    |req| {
                        let ready = poll_fn(|cx| Service::poll_ready(&mut service, cx));
                        assert!(ready.now_or_never().is_some_and(|r| r.is_ok()));
                        let response = service.call(black_box(req)).now_or_never();
                        black_box(response.expect("ready at once").is_ok())
                    },
                    BatchSize::SmallInput,
                );
            });
        };
    }
    bench!("no-op", tower_face::NoOp);
    bench!("golive/1", tower_face::stack_1());
    bench!("golive/3 as a stack", tower_face::stack_3());
    bench!("golive/5 as a stack", tower_face::stack_5());
    bench!("golive/3 as layers", tower_face::layers_3());
    bench!("golive/5 as layers", tower_face::layers_5());
    bench!("tower-retry", tower_face::tower_retry());
    bench!(
        "tower-retry/clone+budget",
        tower_face::tower_retry_clone_budget()
    );
    group.finish();
}

fn reqwest(c: &mut Criterion) {
    let mut group = c.benchmark_group("stack/reqwest");
    let mut bench = |name: &str, client: ClientWithMiddleware| {
        group.bench_function(name, |b| {
            b.iter_batched(
                reqwest_face::request,
                |req| {
                    let response = client.execute(black_box(req)).now_or_never();
                    black_box(response.expect("ready at once").is_ok())
                },
                BatchSize::SmallInput,
            );
        });
    };
    bench("no-op", reqwest_face::bare());
    bench("golive/1", reqwest_face::stack_1());
    bench("golive/3 as a stack", reqwest_face::stack_3());
    bench("golive/5 as a stack", reqwest_face::stack_5());
    bench("golive/3 as middleware", reqwest_face::layers_3());
    bench("golive/5 as middleware", reqwest_face::layers_5());
    bench("reqwest-retry", reqwest_face::reqwest_retry());
    group.finish();
}

criterion_group!(benches, tower, reqwest);
criterion_main!(benches);
