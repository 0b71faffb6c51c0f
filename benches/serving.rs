//! From a JSON row to a probability, and from a row to its exact Shapley values.

use std::hint::black_box;

use benches::{predictor, request_row, rows, spec};
use criterion::{Criterion, criterion_group, criterion_main};
use model::Coalitions;
use spec::Space;

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

fn explain(criterion: &mut Criterion) {
    let spec = spec();
    let predictor = predictor(&spec);
    let background = rows(&spec, 100, 5);
    let record = rows(&spec, 1, 6).record(0);
    let mut group = criterion.benchmark_group("explain");
    group.sample_size(10);
    group.bench_function("10 columns, 100 background rows, exact", |bencher| {
        bencher.iter(|| {
            let game = Coalitions::new(&predictor, &record, &background, Space::Probability).expect("it fits");
            shap::exact(&game)
        });
    });
    group.finish();
}

criterion_group!(benches, predict, explain);
criterion_main!(benches);
