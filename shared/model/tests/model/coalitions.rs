//! The fast game against brute force through the predictor.

use crate::common::{TARGETS, parts, predictor, rows};
use features::Encoder;
use model::{Coalitions, Error, Predictions, Predictor};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use shap::{Game, Mixed, exact};
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
            probabilities.values.rows().into_iter().map(answer).collect()
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
fn every_mixed_row_is_answered_as_it_is_served() {
    for target in TARGETS {
        let predictor = predictor(target);
        let background = rows(predictor.spec(), 300, 7);
        let explained = rows(predictor.spec(), 3, 8);
        let mut rng = ChaCha8Rng::seed_from_u64(9);
        for space in spaces(predictor.spec().task) {
            for row in 0..explained.n_rows() {
                let record = explained.record(row);
                let game = Coalitions::new(&predictor, &record, &background, *space).unwrap();
                for _ in 0..12 {
                    let coalition: Vec<bool> = (0..game.n_players()).map(|_| rng.random()).collect();
                    let mut mixed = Mixed::new(game.n_players());
                    (0..300).for_each(|row| mixed.push(row).copy_from_slice(&coalition));
                    let mut out = vec![f64::NAN; 300 * game.n_outputs()];
                    game.outputs(&mixed, &mut out);
                    let mean = |output: usize| out.iter().skip(output).step_by(game.n_outputs()).sum::<f64>() / 300.0;
                    let means: Vec<f64> = (0..game.n_outputs()).map(mean).collect();
                    assert_close(&means, &brute_force(&predictor, &record, &background, *space, &coalition));
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
                let game = Coalitions::new(&predictor, &record, &background, *space).unwrap();
                let explanation = exact(&game).unwrap();
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

/// Random networks against the definition: all coalitions, every mixed row predicted by the serving path.
#[test]
fn values_are_those_of_brute_force() {
    for (seed, target) in TARGETS.iter().enumerate() {
        let predictor = predictor(target);
        let background = rows(predictor.spec(), 6, 20 + seed as u64);
        let record = rows(predictor.spec(), 1, 30 + seed as u64).record(0);
        for space in spaces(predictor.spec().task) {
            let values: Vec<Vec<f64>> = (0..32_usize)
                .map(|mask| {
                    let coalition: Vec<bool> = (0..5).map(|player| mask >> player & 1 == 1).collect();
                    brute_force(&predictor, &record, &background, *space, &coalition)
                })
                .collect();
            let game = Coalitions::new(&predictor, &record, &background, *space).unwrap();
            let explanation = exact(&game).unwrap();
            let scale = values.iter().flatten().fold(1.0_f64, |largest, value| largest.max(value.abs()));
            for player in 0..5 {
                for (output, value) in explanation.values.row(player).iter().enumerate() {
                    // s! (4-s)! / 5!
                    let weights = [0.2, 0.05, 1.0 / 30.0, 0.05, 0.2];
                    let without = (0..32_usize).filter(|mask| mask >> player & 1 == 0);
                    let gain = |mask: usize| values[mask | 1 << player][output] - values[mask][output];
                    let expected: f64 = without.map(|mask| weights[mask.count_ones() as usize] * gain(mask)).sum();
                    assert!((value - expected).abs() <= 1e-6 * scale, "{value} should be {expected}");
                }
            }
        }
    }
}

/// A small answer among large ones: 32-bit sums round by more than a millionth of it, and must round alike everywhere.
#[test]
fn a_small_answer_on_a_large_scale_adds_up_to_the_last_bits() {
    let (spec, encoder, weights) = parts(TARGETS[2]);
    let predictor = Predictor::new(spec, enlarged(&encoder, 1e6), &weights).unwrap();
    let rows = rows(predictor.spec(), 40, 12);
    let Predictions::Numbers(served) = predictor.predict(&rows) else { panic!("a regression") };
    let scale = served.iter().fold(0.0_f64, |largest, answer| largest.max(answer.abs()));
    assert!(scale > 1e5, "{scale}");
    let background = rows.select(&(0..20).collect::<Vec<usize>>());
    for (row, served) in served.into_iter().enumerate().skip(20) {
        let game = Coalitions::new(&predictor, &rows.record(row), &background, Space::Target).unwrap();
        let explanation = exact(&game).unwrap();
        let sum = explanation.base_value[0] + explanation.values.sum();
        // Of a prediction of any size, as it is answered among 40 rows.
        assert!((sum - served).abs() <= 1e-6, "{sum} {served}");
        assert_eq!(explanation.full_value, [served]);
    }
}

/// The encoder with its target's standard deviation multiplied.
fn enlarged(encoder: &Encoder, factor: f64) -> Encoder {
    let mut stored: serde_json::Value = serde_json::from_slice(&encoder.to_bytes()).unwrap();
    fn enlarge(value: &mut serde_json::Value, factor: f64) {
        for (key, value) in value.as_object_mut().into_iter().flatten() {
            match value.as_f64() {
                Some(number)
                    if ["scale", "std", "standard_deviation", "lower", "upper", "low", "high"]
                        .contains(&key.as_str()) =>
                {
                    *value = (number * factor).into();
                }
                _ => enlarge(value, factor),
            }
        }
    }
    enlarge(&mut stored["target"], factor);
    Encoder::from_bytes(&serde_json::to_vec(&stored).unwrap()).unwrap()
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
