//! Which way a challenger is made.

use registry::Part;
use serde_json::{Value, json};
use spec::RemedyKind;
use storage::Store;
use train::remedy::Trial;

use crate::app::App;

/// Two inputs of which `x` says which class a row is; what was right may be forgotten.
const SPEC: &str = "name: m
task: binary
target: {column: y, classes: [low, high]}
columns:
  x: {kind: number}
  c: {kind: category}
train: {hidden: 16, members: 2, kinds: [coarse]}
promote: {max_history_regression: off}
";

/// A number in [0, 1) for a row: the same rows in every run.
fn draw(row: usize, stream: u64) -> f64 {
    let mut bits = (row as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ stream.wrapping_mul(0xD1B5_4A32_D192_ED03);
    bits = (bits ^ bits >> 31).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    (bits ^ bits >> 29) as f64 / 2.0_f64.powi(64)
}

/// Rows in which the class is high with probability `sigmoid(slope (x - 5))`; of the low ones only a share is kept.
fn rows(seed: u64, n_rows: usize, slope: f64, kept: f64) -> Vec<(f64, &'static str, &'static str)> {
    let row = |row: usize| {
        let x = 10.0 * draw(row, seed);
        let is_high = draw(row, seed + 100) < 1.0 / (1.0 + (-slope * (x - 5.0)).exp());
        let level = ["a", "b", "c"][row % 3];
        (is_high || draw(row, seed + 200) < kept).then_some((x, level, if is_high { "high" } else { "low" }))
    };
    (0..).filter_map(row).take(n_rows).collect()
}

/// Trains on history, lets it serve, and trains on what comes next.
async fn played(spec: &str, next: &[(f64, &str, &str)]) -> (App, Value, Value) {
    let app = App::of(spec, Store::memory());
    let first = app.accept_rows(0, &rows(1, 1_500, 1.0, 1.0), "bootstrap").await;
    let standing = app.result(&first).await;
    assert_eq!(standing["trial"], json!(null), "a first version has nothing to be tried against");
    app.serve(&standing).await;
    let second = app.accept_rows(1, next, "train").await;
    let result = app.result(&second).await;
    (app, standing, result)
}

fn trial(result: &Value) -> Trial {
    serde_json::from_value(result["trial"].clone()).unwrap()
}

async fn lineage(app: &App, result: &Value) -> Value {
    serde_json::from_slice(&app.part(result, Part::Lineage).await).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shift_of_rates_is_recalibrated() {
    let next = rows(2, 900, 1.0, 0.15);
    let (app, standing, result) = played(SPEC, &next).await;
    let trial = trial(&result);
    assert_eq!(trial.winner.kind, RemedyKind::Recalibrate, "{trial:#?}");
    let kinds: Vec<RemedyKind> = trial.candidates.iter().map(|candidate| candidate.remedy.kind).collect();
    assert_eq!(kinds, [RemedyKind::Recalibrate, RemedyKind::All, RemedyKind::Weighted, RemedyKind::Recent]);
    assert!(trial.candidates[0].value < trial.standing && trial.candidates[0].gain.unwrap() > 0.0, "{trial:#?}");

    // The network is the standing one; only what stands after it is new.
    let weights = |bytes| model::Weights::from_bytes(bytes).unwrap();
    let (before, after) = (app.part(&standing, Part::Weights).await, app.part(&result, Part::Weights).await);
    let (before, after) = (weights(&before), weights(&after));
    assert_ne!(before.readout().calibration, after.readout().calibration);
    assert_eq!(before.clone().with_readout(after.readout().clone()).unwrap(), after);
    assert_eq!(app.part(&standing, Part::Encoder).await, app.part(&result, Part::Encoder).await);
    let (first, second) = (lineage(&app, &standing).await, lineage(&app, &result).await);
    assert_eq!(second["fit"]["batches"], first["batches"]);
    assert_eq!(second["fit"]["recalibrated"], second["batch"]);

    let evidence = app.evidence(&result).await;
    assert_eq!(evidence.facts.trial.unwrap(), trial);
    let card = String::from_utf8(app.part(&result, Part::ModelCard).await.to_vec()).unwrap();
    assert!(card.contains("the standing version with a new calibration, which was made"), "{card}");
    assert!(card.contains("What was tried on the newest rows"), "{card}");

    // The same again elsewhere gives the same bytes; and a version that was recalibrated can be tried against.
    let (again, _, same) = played(SPEC, &next).await;
    assert_eq!(same["version"], result["version"]);
    again.serve(&same).await;
    let third = again.accept_rows(2, &rows(3, 900, 1.0, 0.15), "train").await;
    let result = again.result(&third).await;
    assert_eq!(self::trial(&result).candidates.len(), 6, "one and two newest batches, weighted and alone");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_behaviour_is_learnt_anew() {
    let next = rows(2, 900, -1.0, 1.0);
    let (app, _, result) = played(SPEC, &next).await;
    let trial = trial(&result);
    assert!(matches!(trial.winner.kind, RemedyKind::Recent | RemedyKind::Weighted), "{trial:#?}");
    let increase = |kind: RemedyKind| {
        let candidate = trial.candidates.iter().find(|candidate| candidate.remedy.kind == kind).unwrap();
        (candidate.history_increase.unwrap(), candidate.keeps_history)
    };
    assert!(increase(RemedyKind::Recent).0 > 0.5 && increase(RemedyKind::Recent).1, "the rule is off: {trial:#?}");
    assert!(lineage(&app, &result).await["fit"]["recalibrated"].is_null());

    // With the rule, what forgets history does not win, though it is the best of the newest.
    let strict = SPEC.replace("max_history_regression: off", "max_history_regression: 0.10");
    let (_, _, result) = played(&strict, &next).await;
    let kept = self::trial(&result);
    assert!(kept.candidates.iter().any(|candidate| !candidate.keeps_history), "{kept:#?}");
    assert_ne!(kept.winner.kind, RemedyKind::Recent, "{kept:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_remedy_is_not_tried() {
    let only = SPEC.replace("kinds: [coarse]", "kinds: [coarse], remedies: [weighted]");
    let (app, _, result) = played(&only, &rows(2, 300, 1.0, 1.0)).await;
    assert_eq!(result["trial"], json!(null));
    assert_eq!(lineage(&app, &result).await["fit"]["weighted"], json!(1));
}
