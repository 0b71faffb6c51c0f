//! Training jobs: what they answer, and that an interruption changes nothing.

use axum::http::StatusCode;
use registry::{Part, VersionId};
use serde_json::{Value, json};
use spec::{Metric, Task};
use storage::Store;
use train::search::Search;

use crate::app::{App, SPEC};

/// A model of the same rows that tells which of two classes they are.
const CLASSES: &str = "name: m
task: binary
target: {column: y, classes: [low, high]}
columns:
  x: {kind: number}
  c: {kind: category, sensitive: true}
train: {hidden: 16, members: 2}
";

#[tokio::test(flavor = "multi_thread")]
async fn the_same_batches_and_seed_give_the_same_bytes() {
    let mut results = Vec::new();
    for _ in 0..2 {
        let app = App::over(Store::memory());
        app.accept(0, 300, "bootstrap").await;
        let batch = app.accept(1, 200, "train").await;
        let result = app.result(&batch).await;
        let parts = [app.part(&result, Part::Weights).await, app.part(&result, Part::Evidence).await];
        let cards = [app.part(&result, Part::ModelCardPage).await, app.part(&result, Part::DataCard).await];
        results.push((result["version"].clone(), parts, cards));
    }
    assert_eq!(results[0], results[1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_regression_comes_with_evidence() {
    let app = App::over(Store::memory());
    let first = app.accept(0, 400, "bootstrap").await;
    let second = app.accept(1, 300, "train").await;
    let result = app.result(&second).await;
    let evidence = app.evidence(&result).await;
    let batches: Vec<&str> = evidence.facts.batches.iter().map(|batch| &*batch.batch).collect();
    assert_eq!(batches, [first, second]);
    assert_eq!(evidence.data.rows + evidence.holdout_rows, 700, "every row is on one side");
    let rmse = evidence.metrics[&Metric::Rmse];
    let standard_error = rmse.standard_error.unwrap();
    assert!(standard_error > 0.0 && standard_error < rmse.value, "{rmse:?}");
    let residuals = evidence.residuals.unwrap();
    assert_eq!(residuals.by_prediction.iter().map(|group| group.rows).sum::<usize>(), evidence.holdout_rows);
    // `x` moves the target from 0 to 100, `c` by 5 either way.
    let importance = evidence.importance.unwrap();
    assert!(importance.permutation[0].value > 3.0 * importance.permutation[1].value.max(0.1), "{importance:?}");
    assert!(importance.shap[0].value > 2.0 * importance.shap[1].value, "{importance:?}");
    assert_eq!((evidence.curves.len(), evidence.classification), (12, None), "two members of six kinds");
    assert!(evidence.leakage.alone[0].value > 0.9 && evidence.leakage.alone[1].value < 0.5, "{:?}", evidence.leakage);
    assert_eq!(evidence.groups[0].groups.len(), 4, "quarters of a number");
    let card = String::from_utf8(app.part(&result, Part::ModelCard).await.to_vec()).unwrap();
    assert!(card.contains("Predicts the number y from 2 columns") && card.contains("| narrow_trees 2 |"), "{card}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_classification_comes_with_evidence() {
    let app = App::of(CLASSES, Store::memory());
    app.accept(0, 600, "bootstrap").await;
    let batch = app.accept(1, 400, "train").await;
    let result = app.result(&batch).await;
    let evidence = app.evidence(&result).await;
    assert_eq!(evidence.metrics.keys().copied().collect::<Vec<_>>(), Metric::of(Task::Binary));
    let classification = evidence.classification.unwrap();
    let confused: u64 = classification.confusion.counts.iter().flatten().sum();
    assert_eq!(confused as usize, evidence.holdout_rows);
    assert_eq!(classification.calibration.iter().map(|bin| bin.rows).sum::<usize>(), evidence.holdout_rows);
    let right: u64 = (0..2).map(|class| classification.confusion.counts[class][class]).sum();
    let accuracy = evidence.metrics[&Metric::Accuracy].value;
    assert!((accuracy - right as f64 / confused as f64).abs() < 1e-12, "at 0.5 both call the same rows high");
    let [fairness] = evidence.fairness.as_slice() else { panic!("one column is sensitive: {:?}", evidence.fairness) };
    assert_eq!((&*fairness.column, fairness.groups.len(), fairness.left_out_rows), ("c", 3, 0));
    assert_eq!(fairness.gaps.len(), 4, "{fairness:?}");
    let card = String::from_utf8(app.part(&result, Part::ModelCardPage).await.to_vec()).unwrap();
    assert!(card.contains("Gaps of c") && !card.contains("<script"), "{card}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_fit_is_taken_up_and_ends_with_the_same_version() {
    let undisturbed = App::over(Store::memory());
    let batch = undisturbed.accept(0, 400, "bootstrap").await;
    let expected = undisturbed.result(&batch).await;

    let store = Store::memory();
    let first = App::over(store.clone());
    first.accept(0, 400, "bootstrap").await;
    let (_, accepted) = first.train("k", &batch).await;
    let job = accepted["job"].as_str().unwrap().to_owned();
    let (_, state) = first.get(&format!("/train/{job}")).await;
    assert_ne!(state["state"], "done");
    first.state.drain().await;

    let second = App::over(store);
    assert_eq!(second.result(&batch).await["version"], expected["version"]);
}

/// The small model with a search over what is left open.
fn searching(search: &str) -> String {
    SPEC.replace("members: 2}", &format!("members: 2, kinds: [coarse], epochs: 4, bins: 8, search: {search}}}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_is_on_record_and_comes_out_the_same_by_count() {
    let mut versions = Vec::new();
    let mut search = "{seconds: 1}".to_owned();
    for _ in 0..2 {
        let app = App::of(&searching(&search), Store::memory());
        let batch = app.accept(0, 300, "bootstrap").await;
        let result = app.result(&batch).await;
        let found: Search = serde_json::from_slice(&app.part(&result, Part::Search).await).unwrap();
        let searched = &result["metrics"]["search"];
        assert_eq!(searched, &json!({"trials": found.trials.len(), "chosen": found.chosen}));
        assert_eq!(found.trials[0].folds.len(), 5, "the defaults are measured on all folds");
        assert_eq!(app.evidence(&result).await.facts.search.as_ref(), Some(&found));
        let card = String::from_utf8(app.part(&result, Part::ModelCard).await.to_vec()).unwrap();
        assert!(card.contains(&format!("A search tried {} settings", found.trials.len())), "{card}");
        assert!(card.contains("Trials of the search") && card.contains("the defaults"), "{card}");
        search = format!("{{trials: {}}}", found.trials.len());
        let parts = [Part::Weights, Part::Encoder, Part::Reference, Part::Background, Part::Metrics, Part::Search];
        let mut bytes = Vec::new();
        for part in parts {
            bytes.push(app.part(&result, part).await);
        }
        versions.push(bytes);
    }
    assert_eq!(versions[0], versions[1], "{search} gives what the seconds gave");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_search_is_taken_up_and_ends_with_the_same_version() {
    let spec = searching("{trials: 4}");
    let undisturbed = App::of(&spec, Store::memory());
    let batch = undisturbed.accept(0, 400, "bootstrap").await;
    let expected = undisturbed.result(&batch).await;
    assert_eq!(expected["metrics"]["search"]["trials"], 4);

    let store = Store::memory();
    let first = App::of(&spec, store.clone());
    first.accept(0, 400, "bootstrap").await;
    let (_, accepted) = first.train("k", &batch).await;
    let job = accepted["job"].as_str().unwrap().to_owned();
    for _ in 0..60 {
        let (_, state) = first.get(&format!("/train/{job}?wait=1")).await;
        let measured = first.registry.checkpoint(&job, "trial-0-fold-0.json").await.unwrap();
        if measured.is_some() || state["state"] == "done" {
            break;
        }
    }
    first.state.drain().await;

    let second = App::of(&spec, store);
    assert_eq!(second.result(&batch).await["version"], expected["version"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_named_by_what_it_learns_from() {
    let app = App::over(Store::memory());
    let first = app.accept(0, 100, "bootstrap").await;
    let quarantined = app.accept(1, 100, "quarantine").await;
    let third = app.accept(2, 100, "train").await;
    let (_, one) = app.train("a", &first).await;
    let (_, same) = app.train("b", &first).await;
    let (_, other) = app.train("c", &third).await;
    assert_eq!(one, same);
    assert_ne!(one, other);
    let job = app.registry.job(other["job"].as_str().unwrap()).await.unwrap().unwrap();
    assert_eq!(job.request["window"], json!([first, third]), "the quarantined batch is left out");
    let (status, problem) = app.train("d", &quarantined).await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert!(problem["detail"].as_str().unwrap().contains("as the test wants it"));
    app.state.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn results_have_metrics_of_rows_that_nothing_was_fitted_on() {
    let app = App::over(Store::memory());
    app.accept(0, 400, "bootstrap").await;
    let batch = app.accept(1, 300, "train").await;
    let result = app.result(&batch).await;
    let metrics = &result["metrics"];
    let rows = &metrics["rows"];
    let count = |name: &str| rows[name].as_u64().unwrap();
    assert_eq!(count("train") + count("new_holdout") + count("history_holdout"), 700);
    for side in ["new", "history"] {
        assert!(metrics["holdout"][side]["r2"].as_f64().unwrap() > 0.5, "{metrics}");
    }
    let version: VersionId = result["version"].as_str().unwrap().parse().unwrap();
    let lineage: Value =
        serde_json::from_slice(&app.registry.part("m", &version, Part::Lineage).await.unwrap()).unwrap();
    assert_eq!(lineage["batch"], json!(batch));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_answered_is_a_problem() {
    let app = App::over(Store::memory());
    assert_eq!(app.get("/train/train-none-1").await.0, StatusCode::NOT_FOUND);
    assert_eq!(app.get("/train/train-none-1/result").await.0, StatusCode::NOT_FOUND);
    assert_eq!(app.train("a", "000000-0123456789ab").await.0, StatusCode::NOT_FOUND);
    let few = app.accept(0, 2, "bootstrap").await;
    let (status, accepted) = app.train("b", &few).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    let job = accepted["job"].as_str().unwrap();
    let (_, state) = app.get(&format!("/train/{job}?wait=20")).await;
    assert_eq!(state["state"], "failed", "two rows are too few to fit and to validate on: {state}");
    let (status, problem) = app.get(&format!("/train/{job}/result")).await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert!(problem["detail"].as_str().unwrap().contains("failed"), "{problem}");
    let (_, again) = app.train("c", &few).await;
    assert_ne!(again["job"], accepted["job"], "a new request after a failure is a new attempt");
    app.state.drain().await;
}
