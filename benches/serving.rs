//! From a JSON row to a probability.

use std::hint::black_box;

use benches::{predictor, request_row, rows, spec};
use criterion::{Criterion, criterion_group, criterion_main};

fn predict(criterion: &mut Criterion) {
    let spec = spec();
    let predictor = predictor(&spec);
    let row = request_row(&spec);
    criterion.bench_function("validate one JSON row", |bencher| bencher.iter(|| spec.record(black_box(&row))));
    let record = spec.record(&row).expect("the row fits");
    criterion.bench_function("predict one row", |bencher| {
        bencher.iter(|| predictor.predict_records(std::slice::from_ref(black_box(&record))));
    });
    let batch = rows(&spec, 1000, 4);
    criterion.bench_function("predict 1000 rows", |bencher| bencher.iter(|| predictor.predict(black_box(&batch))));
}

criterion_group!(benches, predict);
criterion_main!(benches);
