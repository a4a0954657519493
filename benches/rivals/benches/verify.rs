//! What a verification costs, by size, beside the rivals in the same run.
//! `cargo xtask bench verify`

#![allow(missing_docs, reason = "criterion's macros document nothing")]

use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use golive_gates::nanoseconds;
use golive_rivals::{Delivery, contestants};

const SIZES: [usize; 6] = [64, 256, 1024, 4096, 16 * 1024, 1024 * 1024];

fn verify(c: &mut Criterion) {
    let mut group = c.benchmark_group("verify");
    // Of what all of them take at one size: the deliveries may not grow old meanwhile.
    group.warm_up_time(Duration::from_millis(500));
    group.measurement_time(Duration::from_secs(2));
    for bytes in SIZES {
        let delivery = Delivery::genuine(bytes);
        group.throughput(Throughput::Bytes(bytes as u64));
        for mut contestant in contestants(&delivery) {
            let id = BenchmarkId::new(contestant.name(), bytes);
            group.bench_function(id, |b| {
                // The loop of the contestant, so that nothing stands between two verifications.
                b.iter_custom(|times| {
                    let times = u32::try_from(times).unwrap_or(u32::MAX);
                    let mut accepted = 0;
                    let took = nanoseconds(|| accepted = contestant.run(&delivery, times));
                    assert_eq!(accepted, times, "all of them are genuine");
                    Duration::from_nanos(took as u64)
                });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, verify);
criterion_main!(benches);
