//! From rows to their exact Shapley values: time, and how far it is from what the processor's arithmetic allows.
//!
//! `--export FILE` writes the network, encoded rows and the values for `explain/compare.py`, and measures nothing else.

use std::error::Error;
use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use benches::{predictor, rows, spec};
use criterion::Criterion;
use features::Slot;
use model::{Coalitions, Predictor};
use pulp::{Arch, Simd, WithSimd};
use serde_json::{Value as Json, json};
use shap::{Explanation, exact};
use spec::{Batch, Space};

/// Of a thread.
type Failed = Box<dyn Error + Send + Sync>;

/// Rows that are explained, and rows of the background.
const ROWS: [usize; 2] = [100, 100];

fn main() -> Result<(), Failed> {
    let spec = spec();
    let predictor = predictor(&spec);
    let (explained, background) = (rows(&spec, ROWS[0], 6), rows(&spec, ROWS[1], 5));
    let mut arguments = std::env::args().skip_while(|argument| argument != "--export").skip(1);
    if let Some(path) = arguments.next() {
        std::fs::write(path, serde_json::to_vec(&export(&predictor, &explained, &background)?)?)?;
        return Ok(());
    }
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("explain");
    group.sample_size(10).measurement_time(Duration::from_secs(20));
    group.bench_function("100 rows, 10 columns, 100 background rows, exact", |bencher| {
        bencher.iter(|| explain(&predictor, black_box(&explained), &background));
    });
    group.bench_function("1 row, 10 columns, 100 background rows, exact", |bencher| {
        let mut rows = (0..explained.n_rows()).cycle();
        bencher.iter(|| explain_row(&predictor, black_box(&explained), rows.next().unwrap_or(0), &background));
    });
    group.finish();
    criterion.final_summary();
    tell(&predictor, &explained, &background)
}

/// Explains all rows, as many at once as there are cores: as `POST /explain` does.
fn explain(predictor: &Predictor, explained: &Batch, background: &Batch) -> Result<Vec<Explanation>, Failed> {
    let n_threads = thread::available_parallelism()?.get();
    let next = AtomicUsize::new(0);
    let of_thread = || -> Result<Vec<(usize, Explanation)>, Failed> {
        let mut explanations = Vec::new();
        loop {
            let row = next.fetch_add(1, Ordering::Relaxed);
            if row >= explained.n_rows() {
                return Ok(explanations);
            }
            explanations.push((row, explain_row(predictor, explained, row, background)?));
        }
    };
    let mut explanations = thread::scope(|scope| {
        let threads: Vec<_> = (0..n_threads).map(|_| scope.spawn(of_thread)).collect();
        let joined = threads.into_iter().map(|thread| thread.join().expect("no explanation panics"));
        joined.collect::<Result<Vec<_>, Failed>>()
    })?
    .concat();
    explanations.sort_by_key(|(row, _)| *row);
    Ok(explanations.into_iter().map(|(_, explanation)| explanation).collect())
}

fn explain_row(
    predictor: &Predictor,
    explained: &Batch,
    row: usize,
    background: &Batch,
) -> Result<Explanation, Failed> {
    let game = Coalitions::new(predictor, &explained.record(row), background, Space::Probability)?;
    Ok(exact(&game)?)
}

/// Compares one pass over all rows with the rate of fused multiply-adds on data in registers, measured beside it.
#[expect(clippy::print_stdout, reason = "this is what a bench is for")]
fn tell(predictor: &Predictor, explained: &Batch, background: &Batch) -> Result<(), Failed> {
    let peak = peak_multiply_adds();
    let began = Instant::now();
    let explanations = explain(predictor, explained, background)?;
    let seconds = began.elapsed().as_secs_f64();
    let evaluations: u64 = explanations.iter().map(|explanation| explanation.evaluations).sum();
    let multiply_adds = evaluations as f64 * predictor.network().architecture().multiply_adds() as f64;
    let n_rows = explanations.len() as f64;
    println!(
        "{:.2} ms a row, {:.0} evaluations a row of {} coalitions times background rows; {:.1} of {:.1} billion \
         multiply-adds a second on {} threads: {:.0} % of the peak",
        1e3 * seconds / n_rows,
        evaluations as f64 / n_rows,
        background.n_rows() << explained.columns().len(),
        multiply_adds / seconds / 1e9,
        peak / 1e9,
        thread::available_parallelism()?,
        100.0 * multiply_adds / seconds / peak
    );
    Ok(())
}

/// Multiply-adds a second of all threads together on numbers that never leave the registers.
fn peak_multiply_adds() -> f64 {
    let n_threads = thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let of_thread = || {
        let began = Instant::now();
        let mut done = 0;
        while began.elapsed() < Duration::from_millis(300) {
            done += Arch::new().dispatch(MultiplyAdds);
        }
        done as f64 / began.elapsed().as_secs_f64()
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..n_threads).map(|_| scope.spawn(of_thread)).collect();
        threads.into_iter().map(|thread| thread.join().expect("it only multiplies")).sum()
    })
}

/// A hundred thousand rounds of twelve independent sums; answers the number of multiply-adds.
struct MultiplyAdds;

impl WithSimd for MultiplyAdds {
    type Output = usize;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> usize {
        const ROUNDS: usize = 100_000;
        let (factor, addend) = (simd.splat_f32s(black_box(0.5)), simd.splat_f32s(black_box(1.0)));
        let mut sums = [simd.splat_f32s(0.0); 12];
        for _ in 0..ROUNDS {
            for sum in &mut sums {
                *sum = simd.mul_add_e_f32s(factor, *sum, addend);
            }
        }
        black_box(sums);
        ROUNDS * sums.len() * S::F32_LANES
    }
}

/// The network, encoded rows, background rows after explained ones, and the values, for the same function in Python.
fn export(predictor: &Predictor, explained: &Batch, background: &Batch) -> Result<Json, Failed> {
    let all = Batch::concat(vec![explained.clone(), background.clone()]).ok_or("there are rows")?;
    let encoded = predictor.encoder().encode(predictor.spec(), &all);
    let slots = predictor.encoder().slots().iter().map(|slot| match slot.slot {
        Slot::Number { start, len, .. } => json!({"dense": [start, start + len]}),
        Slot::Code { index } => json!({"code": index}),
    });
    // A cell is told by the first row that has it, so that equal cells are equal numbers.
    let first_like =
        |column: &spec::ColumnData, row: usize| (0..=row).find(|first| column.value(*first) == column.value(row));
    let cells = (0..all.n_rows()).map(|row| all.columns().iter().map(|column| first_like(column, row)).collect());
    let cells: Vec<Vec<Option<usize>>> = cells.collect();
    let began = Instant::now();
    let explanations = explain(predictor, explained, background)?;
    let seconds = began.elapsed().as_secs_f64();
    let values: Vec<Vec<f64>> = explanations.iter().map(|explanation| explanation.values.column(0).to_vec()).collect();
    let rows = |array: ndarray::ArrayView2<'_, f32>| -> Vec<Vec<f32>> {
        array.rows().into_iter().map(|row| row.to_vec()).collect()
    };
    let codes: Vec<Vec<u32>> = encoded.codes.rows().into_iter().map(|row| row.to_vec()).collect();
    let weights = benches::weights(predictor.spec(), predictor.encoder());
    let tensors: serde_json::Map<String, Json> = weights
        .architecture()
        .member_tensors(&weights.architecture().members[0])
        .into_iter()
        .map(|(name, shape)| (name.clone(), json!({"shape": shape, "values": weights.tensor(0, &name)})))
        .collect();
    Ok(json!({
        "slots": slots.collect::<Vec<Json>>(),
        "dense": rows(encoded.dense.view()),
        "codes": codes,
        "cells": cells,
        "explained": explained.n_rows(),
        "tensors": tensors,
        "seconds": seconds,
        "evaluations": explanations.iter().map(|explanation| explanation.evaluations).sum::<u64>(),
        "base_value": explanations[0].base_value[0],
        "predictions": explanations.iter().map(|explanation| explanation.full_value[0]).collect::<Vec<f64>>(),
        "values": values,
    }))
}
