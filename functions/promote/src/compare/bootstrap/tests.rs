//! Intervals of synthetic models whose true improvement is known.

use model::{Predictions, evaluate};
use ndarray::Array2;
use spec::Categories;

use super::*;

fn seed(number: u64) -> [u8; 32] {
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&number.to_le_bytes());
    seed
}

fn spec(task: &str, target: &str) -> Spec {
    Spec::parse(&format!("name: demo\ntask: {task}\ntarget: {target}\ncolumns: {{x: {{kind: number}}}}\n")).unwrap()
}

/// The metrics of the task that have a statistic: all but `ece`.
fn comparing(spec: &Spec) -> impl Iterator<Item = Metric> {
    Metric::of(spec.task).into_iter().filter(|metric| *metric != Metric::Ece)
}

/// Rows whose truth is 100, answered with absolute errors of mean 1 by the champion and `1 - gain` by the challenger.
fn regression(n_rows: usize, gain: f64, number: u64) -> (Predictions, Predictions, ColumnData) {
    let mut rng = ChaCha8Rng::from_seed(seed(number));
    let (mut champion, mut challenger) = (Vec::new(), Vec::new());
    for _ in 0..n_rows {
        let hardness = rng.random_range(0.0..2.0);
        champion.push(100.0 + hardness);
        challenger.push(100.0 + hardness - gain + rng.random_range(-0.2..0.2));
    }
    let truth = (0..n_rows).map(|row| 100.0 + 4.0 * f64::from(u8::from(row % 2 == 0)) - 2.0).collect::<Vec<f64>>();
    // The sign of the error is the row's own, so that the truth has a variance.
    let flip = |answers: Vec<f64>| answers.iter().zip(&truth).map(|(answer, truth)| answer - 100.0 + truth).collect();
    (Predictions::Numbers(flip(champion)), Predictions::Numbers(flip(challenger)), ColumnData::Numbers(truth))
}

/// Rows of three classes, answered with noise; the challenger with less of it.
fn classes(n_rows: usize, n_classes: usize, number: u64) -> (Predictions, Predictions, ColumnData) {
    let mut rng = ChaCha8Rng::from_seed(seed(number));
    let truth: Vec<u32> = (0..n_rows).map(|_| rng.random_range(0..n_classes as u32)).collect();
    let mut answer = |signal: f64| {
        let mut probabilities = Array2::zeros((n_rows, n_classes));
        for (mut row, truth) in probabilities.rows_mut().into_iter().zip(&truth) {
            row.iter_mut().for_each(|p: &mut f64| *p = rng.random_range(0.05..1.0));
            row[*truth as usize] += signal;
            let sum = row.sum();
            row /= sum;
        }
        Predictions::Probabilities(probabilities.into())
    };
    let (champion, challenger) = (answer(0.3), answer(0.7));
    let levels = (0..n_classes).map(|class| format!("c{class}")).collect();
    (champion, challenger, ColumnData::Categories(Categories { levels, codes: truth }))
}

#[test]
fn nineteen_of_twenty_intervals_hold_the_truth() {
    let spec = spec("regression", "{column: y}");
    let n_trials = 400;
    let holds = |number: u64| {
        let (champion, challenger, target) = regression(150, 0.05, number);
        let interval =
            paired_interval(&spec, Metric::Mae, &champion, &challenger, &target, 0.95, seed(number)).unwrap();
        interval[0] <= expected_gain() && expected_gain() <= interval[1]
    };
    // The binomial's own spread at 400 trials is 1.1 percentage points.
    let share = (0..n_trials).filter(|number| holds(*number)).count() as f64 / n_trials as f64;
    assert!((0.92..=0.98).contains(&share), "{share}");
}

/// The mean over many rows of what the challenger gains: errors near zero fold over, so it is not the shift itself.
fn expected_gain() -> f64 {
    static GAIN: std::sync::OnceLock<f64> = std::sync::OnceLock::new();
    *GAIN.get_or_init(|| {
        let spec = spec("regression", "{column: y}");
        let (champion, challenger, target) = regression(2_000_000, 0.05, 99);
        evaluate(&spec, &champion, &target)[&Metric::Mae] - evaluate(&spec, &challenger, &target)[&Metric::Mae]
    })
}

#[test]
fn undrawn_every_statistic_is_the_difference_of_the_metrics() {
    let numbers = spec("regression", "{column: y}");
    let two = spec("binary", "{column: y, classes: [c0, c1]}");
    let three = spec("multiclass", "{column: y, classes: [c0, c1, c2]}");
    for n_rows in [60, MAX_UNITS + 777] {
        let cases =
            [(&numbers, regression(n_rows, 0.1, 1)), (&two, classes(n_rows, 2, 2)), (&three, classes(n_rows, 3, 3))];
        for (spec, (champion, challenger, target)) in cases {
            for metric in comparing(spec) {
                let deal = |n_rows| deal(n_rows, seed(5));
                let (statistic, n_units) = statistic::of(spec, metric, &champion, &challenger, &target, deal).unwrap();
                assert_eq!(n_units, n_rows.min(MAX_UNITS));
                let sign = if metric.higher_is_better() { 1.0 } else { -1.0 };
                let of = |predictions| evaluate(spec, predictions, &target)[&metric];
                let expected = sign * (of(&challenger) - of(&champion));
                let actual = statistic.improvement(&vec![1; n_units]).unwrap();
                assert!((actual - expected).abs() < 1e-10, "{metric}: {actual} {expected}");
                let interval = paired_interval(spec, metric, &champion, &challenger, &target, 0.95, seed(6)).unwrap();
                assert!(interval[0] < expected && expected < interval[1], "{metric}: {interval:?} {expected}");
            }
        }
    }
}

#[test]
fn counts_weigh_rows_as_if_they_were_there_so_often() {
    let spec = spec("binary", "{column: y, classes: [c0, c1]}");
    let (champion, challenger, target) = classes(40, 2, 4);
    let counts: Vec<u32> = (0..40).map(|row| row % 4).collect();
    let drawn: Vec<usize> = (0..40).flat_map(|row| vec![row; counts[row] as usize]).collect();
    for metric in comparing(&spec) {
        let (statistic, _) =
            statistic::of(&spec, metric, &champion, &challenger, &target, |n_rows| deal(n_rows, seed(0))).unwrap();
        let of =
            |predictions: &Predictions| evaluate(&spec, &predictions.select(&drawn), &target.select(&drawn))[&metric];
        let sign = if metric.higher_is_better() { 1.0 } else { -1.0 };
        let expected = sign * (of(&challenger) - of(&champion));
        assert!((statistic.improvement(&counts).unwrap() - expected).abs() < 1e-12, "{metric}");
    }
}

#[test]
fn units_of_rows_give_the_interval_of_rows() {
    let spec = spec("regression", "{column: y}");
    let (champion, challenger, target) = regression(200_000, 0.05, 8);
    let [low, high] = paired_interval(&spec, Metric::Mae, &champion, &challenger, &target, 0.95, seed(8)).unwrap();
    let (Predictions::Numbers(a), Predictions::Numbers(b), ColumnData::Numbers(y)) = (&champion, &challenger, &target)
    else {
        unreachable!("these are numbers")
    };
    let gains: Vec<f64> = (0..y.len()).map(|row| (a[row] - y[row]).abs() - (b[row] - y[row]).abs()).collect();
    let mean = gains.iter().sum::<f64>() / gains.len() as f64;
    let variance = gains.iter().map(|gain| (gain - mean).powi(2)).sum::<f64>() / gains.len() as f64;
    let half = 1.96 * (variance / gains.len() as f64).sqrt();
    // A mean of 200,000 is normal; 2,000 resamples leave a few percent of the width open.
    assert!(((high - low) / (2.0 * half) - 1.0).abs() < 0.1, "{low} {high} {half}");
    assert!(((high + low) / 2.0 - mean).abs() < 0.15 * half);
}

#[test]
fn an_interval_is_the_same_every_time() {
    let spec = spec("multiclass", "{column: y, classes: [c0, c1, c2]}");
    let (champion, challenger, target) = classes(500, 3, 7);
    let interval = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| paired_interval(&spec, Metric::MacroF1, &champion, &challenger, &target, 0.9, seed(1)))
    };
    assert_eq!(interval(1), interval(3));
    assert!(interval(2).is_some());
}

#[test]
fn what_is_not_defined_has_no_interval() {
    let two = spec("binary", "{column: y, classes: [c0, c1]}");
    let (champion, challenger, _) = classes(50, 2, 1);
    let mut codes = vec![0; 50];
    let target = |codes: &[u32]| {
        ColumnData::Categories(Categories { levels: vec!["c0".into(), "c1".into()], codes: codes.to_vec() })
    };
    let interval =
        |metric, codes: &[u32]| paired_interval(&two, metric, &champion, &challenger, &target(codes), 0.95, seed(1));
    assert_eq!(interval(Metric::Auc, &codes), None, "one class only");
    codes[0] = 1;
    assert_eq!(interval(Metric::Auc, &codes), None, "a third of the resamples have one class only");
    assert!(interval(Metric::LogLoss, &codes).is_some());
    let numbers = spec("regression", "{column: y}");
    let (champion, challenger, target) = regression(MIN_ROWS - 1, 0.1, 1);
    assert_eq!(paired_interval(&numbers, Metric::Mae, &champion, &challenger, &target, 0.95, seed(1)), None);
    let negative = Predictions::Numbers(vec![-1.0; MIN_ROWS - 1]);
    assert_eq!(paired_interval(&numbers, Metric::MaeLog, &negative, &challenger, &target, 0.95, seed(1)), None);
}
