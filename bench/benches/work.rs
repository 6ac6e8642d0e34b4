//! `cargo bench -p sbridge-bench`: every piece of work, timed by criterion.
#![allow(missing_docs)]

use criterion::{Criterion, criterion_group, criterion_main};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const NAMES: [&str; 13] = [
    "mlp-step 128 128",
    "mlp-step 512 256",
    "mlp-step 4096 512",
    "mlp-forward 512 256",
    "simulate 10000 100 256",
    "autoencoder-step 128",
    "temporal-step 32 128",
    "plan 128 4",
    "density-step 512 100",
    "assignment 1000",
    "assignment 3000",
    "transport 3000 3500",
    "sinkhorn 10000",
];

fn all(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("work");
    group.sample_size(10);
    for name in NAMES {
        let mut work = sbridge_bench::work(name).expect("a name of the table");
        group.bench_function(name, |bencher| bencher.iter(&mut work));
    }
}

criterion_group!(work, all);
criterion_main!(work);
