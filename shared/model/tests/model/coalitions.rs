//! The fast game against brute force through the predictor.

use crate::common::{TARGETS, predictor, rows};
use model::{Coalitions, Error, Predictions, Predictor};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use shap::{Game, exact};
use spec::{Batch, BatchBuilder, Record, Space, Task, Value};

fn spaces(task: Task) -> &'static [Space] {
    if task == Task::Regression { &[Space::Target] } else { &[Space::Probability, Space::Logit] }
}

fn answers(predictor: &Predictor, batch: &Batch, space: Space) -> Vec<Vec<f64>> {
    match predictor.predict(batch) {
        Predictions::Numbers(numbers) => numbers.into_iter().map(|number| vec![number]).collect(),
        Predictions::Probabilities(probabilities) => {
            let positive = predictor.spec().positive_index();
            let answer = |row: ndarray::ArrayView1<'_, f64>| match (predictor.spec().task, space) {
                (Task::Binary, Space::Logit) => vec![(row[positive] / (1.0 - row[positive])).ln()],
                (Task::Binary, _) => vec![row[positive]],
                (_, Space::Logit) => row.iter().map(|p| p.ln()).collect(),
                _ => row.to_vec(),
            };
            probabilities.rows().into_iter().map(answer).collect()
        }
    }
}

/// `v(S)` from its definition: mixed records, predicted by the serving path.
fn brute_force(
    predictor: &Predictor,
    record: &Record,
    background: &Batch,
    space: Space,
    coalition: &[bool],
) -> Vec<f64> {
    let kinds = predictor.spec().columns.values().map(|column| column.kind);
    let mut mixed = BatchBuilder::new(kinds, None, false);
    for row in 0..background.n_rows() {
        let other = background.record(row);
        let cells = record.values().iter().zip(other.values()).zip(coalition);
        let cells: Vec<Value> = cells.map(|((own, other), member)| if *member { own } else { other }.clone()).collect();
        mixed.push(&cells, &Value::Missing, f64::NAN);
    }
    let answers = answers(predictor, &mixed.finish(), space);
    (0..answers[0].len()).map(|o| answers.iter().map(|a| a[o]).sum::<f64>() / answers.len() as f64).collect()
}

#[track_caller]
fn assert_close(actual: &[f64], expected: &[f64]) {
    assert_eq!(actual.len(), expected.len());
    for (actual, expected) in actual.iter().zip(expected) {
        assert!((actual - expected).abs() <= 1e-6 * expected.abs().max(1.0), "{actual} should be {expected}");
    }
}

#[test]
fn every_coalition_has_the_value_of_brute_force_in_any_order() {
    for target in TARGETS {
        let predictor = predictor(target);
        // More background rows than go through the network together.
        let background = rows(predictor.spec(), 300, 7);
        let explained = rows(predictor.spec(), 3, 8);
        let mut rng = ChaCha8Rng::seed_from_u64(9);
        for space in spaces(predictor.spec().task) {
            for row in 0..explained.n_rows() {
                let record = explained.record(row);
                let mut game = Coalitions::new(&predictor, &record, &background, *space).unwrap();
                let mut out = vec![f64::NAN; game.n_outputs()];
                for _ in 0..12 {
                    let coalition: Vec<bool> = (0..game.n_players()).map(|_| rng.random()).collect();
                    game.value(&coalition, &mut out);
                    assert_close(&out, &brute_force(&predictor, &record, &background, *space, &coalition));
                }
            }
        }
    }
}

#[test]
fn all_players_together_answer_what_is_served() {
    for target in TARGETS {
        let predictor = predictor(target);
        let background = rows(predictor.spec(), 40, 7);
        for row in 0..10 {
            let explained = rows(predictor.spec(), 10, 11);
            let record = explained.record(row);
            for space in spaces(predictor.spec().task) {
                let mut game = Coalitions::new(&predictor, &record, &background, *space).unwrap();
                let explanation = exact(&mut game).unwrap();
                let served = &answers(&predictor, &explained.select(&[row]), *space)[0];
                assert_close(&explanation.full_value, served);
                let mean = brute_force(&predictor, &record, &background, *space, &[false; 5]);
                assert_close(&explanation.base_value, &mean);
                for (output, served) in served.iter().enumerate() {
                    let sum = explanation.base_value[output] + explanation.values.column(output).sum();
                    assert_close(&[sum], &[*served]);
                }
            }
        }
    }
}

#[test]
fn a_long_walk_leaves_no_drift() {
    let predictor = predictor(TARGETS[2]);
    let background = rows(predictor.spec(), 20, 7);
    let record = rows(predictor.spec(), 1, 8).record(0);
    let mut game = Coalitions::new(&predictor, &record, &background, Space::Target).unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(10);
    let (mut before, mut after, mut other) = ([0.0], [0.0], [0.0]);
    let coalition = [true, false, true, false, true];
    game.value(&coalition, &mut before);
    for _ in 0..5000 {
        let random: [bool; 5] = std::array::from_fn(|_| rng.random());
        game.value(&random, &mut other);
    }
    game.value(&coalition, &mut after);
    assert_close(&after, &before);
}

#[test]
fn wrong_units_and_backgrounds_are_refused() {
    let regression = predictor(TARGETS[2]);
    let background = rows(regression.spec(), 5, 1);
    let record = background.record(0);
    let refused = |predictor: &Predictor, background: &Batch, space| {
        Coalitions::new(predictor, &record, background, space).map(|_| ()).unwrap_err()
    };
    assert!(matches!(refused(&regression, &background, Space::Logit), Error::Space { .. }));
    assert!(matches!(refused(&predictor(TARGETS[0]), &background, Space::Target), Error::Space { .. }));
    assert!(matches!(refused(&regression, &background.select(&[]), Space::Target), Error::EmptyBackground));
    let narrow = Batch::new(vec![], None, None, 5);
    assert!(matches!(refused(&regression, &narrow, Space::Target), Error::Background { expected: 5, actual: 0 }));
}
