//! The values add up to what `/predict` answers.

use serde_json::{Value, json};
use spec::Spec;

use crate::app::{App, records};
use crate::common::{BINARY, MULTICLASS, REGRESSION, wide};

/// Base value and values sum to `expected`, which is what is told as the prediction.
fn assert_adds_up(explained: &Value, expected: f64, spec: &Spec) {
    let values = explained["values"].as_object().unwrap();
    assert!(values.keys().eq(spec.columns.keys()), "one value per raw column, in the spec's order");
    let prediction = explained["prediction"].as_f64().unwrap();
    let tolerance = 1e-6 * expected.abs().max(1.0);
    assert!((prediction - expected).abs() <= tolerance, "prediction {prediction}, /predict says {expected}");
    let sum: f64 = values.values().map(|value| value.as_f64().unwrap()).sum();
    let sum = sum + explained["base_value"].as_f64().unwrap();
    assert!((sum - expected).abs() <= tolerance, "sum {sum}, /predict says {expected}");
}

fn in_space(probability: f64, space: &str, n_classes: usize) -> f64 {
    match (space, n_classes) {
        ("probability", _) => probability,
        (_, 2) => (probability / (1.0 - probability)).ln(),
        _ => probability.ln(),
    }
}

#[tokio::test]
async fn a_binary_explanation_adds_up() {
    let (app, spec) = (App::serving(BINARY).await, Spec::parse(BINARY).unwrap());
    let records = records(BINARY, 6);
    let predicted = app.predictions(&records).await;
    for space in ["probability", "logit"] {
        for class in [None, Some("yes"), Some("no")] {
            let body = json!({"records": records, "space": space, "class": class});
            let (status, answer) = app.explain("/models/churn/explain", &body).await;
            assert_eq!(status, 200, "{answer}");
            for (explained, predicted) in answer["explanations"].as_array().unwrap().iter().zip(&predicted) {
                let probability = predicted["probability"].as_f64().unwrap();
                let probability = if class == Some("no") { 1.0 - probability } else { probability };
                assert_adds_up(explained, in_space(probability, space, 2), &spec);
                assert_eq!(explained["method"], "exact");
                // Twelve background rows of at most 2^6 coalitions, of which the ends are known.
                assert!((1..=12 * 62).contains(&explained["evaluations"].as_u64().unwrap()));
                assert!(explained.get("standard_error").is_none() && explained.get("classes").is_none());
            }
        }
    }
}

#[tokio::test]
async fn a_multiclass_explanation_adds_up_for_each_class() {
    let (app, spec) = (App::serving(MULTICLASS).await, Spec::parse(MULTICLASS).unwrap());
    let records = records(MULTICLASS, 4);
    let predicted = app.predictions(&records).await;
    for space in ["probability", "logit"] {
        let (_, all) = app.explain("/explain", &json!({"records": records, "space": space})).await;
        for (row, predicted) in predicted.iter().enumerate() {
            let classes = all["explanations"][row]["classes"].as_object().unwrap();
            assert!(classes.keys().eq(&spec.target.classes));
            for (class, explained) in classes {
                let probability = predicted["probabilities"][class].as_f64().unwrap();
                assert_adds_up(explained, in_space(probability, space, 3), &spec);
            }
        }
        let (_, one) = app.explain("/explain", &json!({"records": records, "space": space, "class": "plus"})).await;
        for (one, all) in one["explanations"].as_array().unwrap().iter().zip(all["explanations"].as_array().unwrap()) {
            assert_eq!((&one["values"], one.get("classes")), (&all["classes"]["plus"]["values"], None));
        }
    }
}

#[tokio::test]
async fn a_regression_explanation_adds_up() {
    let (app, spec) = (App::serving(REGRESSION).await, Spec::parse(REGRESSION).unwrap());
    let records = records(REGRESSION, 20);
    let predicted = app.predictions(&records).await;
    let (status, answer) = app.explain("/explain", &json!({"records": records})).await;
    assert_eq!(status, 200, "{answer}");
    for (explained, predicted) in answer["explanations"].as_array().unwrap().iter().zip(&predicted) {
        assert_adds_up(explained, predicted["prediction"].as_f64().unwrap(), &spec);
    }
}

#[tokio::test]
async fn many_columns_are_sampled_with_their_error() {
    let text = wide();
    let (app, spec) = (App::serving(&text).await, Spec::parse(&text).unwrap());
    let records = records(&text, 2);
    let predicted = app.predictions(&records).await;
    let body = json!({"records": records, "deadline_ms": 60_000});
    let (_, answer) = app.explain("/explain", &body).await;
    for (explained, predicted) in answer["explanations"].as_array().unwrap().iter().zip(&predicted) {
        assert_adds_up(explained, predicted["prediction"].as_f64().unwrap(), &spec);
        assert_eq!(explained["method"], "sampled");
        assert!(explained["evaluations"].as_u64().unwrap() > 100);
        assert!(explained["standard_error"].as_object().unwrap().keys().eq(spec.columns.keys()));
    }
    assert_eq!(app.explain("/explain", &body).await.1, answer, "the same request gets the same numbers");
}

/// A deadline that has passed before the first value is known is answered all the same, and the error says how well.
#[tokio::test]
async fn a_deadline_of_a_millisecond_is_an_answer_with_its_error() {
    let more: String = (24..34).map(|index| format!("  x{index}: {{kind: number}}\n")).collect();
    let text = wide().replace("columns:\n", &format!("columns:\n{more}"));
    let (app, spec) = (App::serving(&text).await, Spec::parse(&text).unwrap());
    assert_eq!(spec.columns.len(), 34);
    let records = records(&text, 4);
    let predicted = app.predictions(&records).await;
    let (status, hurried) = app.explain("/explain", &json!({"records": records, "deadline_ms": 1})).await;
    assert_eq!(status, 200, "{hurried}");
    let (_, at_leisure) = app.explain("/explain", &json!({"records": records, "deadline_ms": 60_000})).await;
    let all = |answer: &Value| answer["explanations"].as_array().unwrap().clone();
    for ((hurried, at_leisure), predicted) in all(&hurried).iter().zip(&all(&at_leisure)).zip(&predicted) {
        assert_adds_up(hurried, predicted["prediction"].as_f64().unwrap(), &spec);
        assert_eq!(hurried["method"], "sampled");
        assert!(hurried["evaluations"].as_u64().unwrap() < at_leisure["evaluations"].as_u64().unwrap());
        let size = |explained: &Value| -> f64 {
            let errors = explained["standard_error"].as_object().unwrap();
            assert!(errors.keys().eq(spec.columns.keys()));
            errors.values().map(|error| error.as_f64().unwrap().powi(2)).sum()
        };
        assert!(size(hurried) > size(at_leisure), "{hurried} {at_leisure}");
    }
}

/// A request of many records, `/predict`'s batch of them, and each alone: the same numbers.
#[tokio::test]
async fn values_add_up_to_the_answer_in_any_batch() {
    let (app, spec) = (App::serving(REGRESSION).await, Spec::parse(REGRESSION).unwrap());
    let records = records(REGRESSION, 60);
    let among = app.predictions(&records).await;
    let (_, answer) = app.explain("/explain", &json!({"records": records})).await;
    for (row, explained) in answer["explanations"].as_array().unwrap().iter().enumerate() {
        let alone = &app.predictions(&records[row..=row]).await[0];
        assert_eq!(alone["prediction"], among[row]["prediction"]);
        assert_eq!(explained["prediction"], alone["prediction"]);
        assert_adds_up(explained, alone["prediction"].as_f64().unwrap(), &spec);
    }
}

#[tokio::test]
async fn pairs_of_columns_add_up_to_the_values() {
    let app = App::serving(BINARY).await;
    let body = json!({"records": records(BINARY, 2), "interactions": true, "class": "no"});
    let (status, answer) = app.explain("/explain", &body).await;
    assert_eq!(status, 200, "{answer}");
    for explained in answer["explanations"].as_array().unwrap() {
        let pairs = &explained["interactions"];
        for (column, value) in explained["values"].as_object().unwrap() {
            let row = pairs[column].as_object().unwrap();
            let sum: f64 = row.values().map(|value| value.as_f64().unwrap()).sum();
            assert!((sum - value.as_f64().unwrap()).abs() < 1e-9, "{column}: {explained}");
            assert!(row.keys().all(|other| pairs[other][column] == row[other]), "{pairs} is not symmetric");
        }
    }
}

#[tokio::test]
async fn a_summary_tells_importance_and_dependence() {
    for (text, path) in [(MULTICLASS, "/models/plan/explain/summary"), (REGRESSION, "/models/price/explain/summary")] {
        let (app, spec) = (App::serving(text).await, Spec::parse(text).unwrap());
        let path = path.replace("plan", &spec.name).replace("price", &spec.name);
        let (status, answer) = app.explain(&path, &json!({})).await;
        assert_eq!((status, &answer["rows"], &answer["method"]), (200, &12.into(), &"exact".into()), "{answer}");
        let of_one = if text == MULTICLASS { &answer["classes"]["plus"] } else { &answer };
        for column in spec.columns.keys() {
            let points = of_one["dependence"][column].as_array().unwrap();
            assert_eq!(points.len(), 12);
            let mean = points.iter().map(|point| point["value"].as_f64().unwrap().abs()).sum::<f64>() / 12.0;
            assert!((of_one["importance"][column].as_f64().unwrap() - mean).abs() < 1e-9);
        }
    }
}

#[tokio::test]
async fn progress_is_told_by_record() {
    let app = App::serving(BINARY).await;
    let lines = app.explain_lines("/explain", &json!({"records": records(BINARY, 3)})).await;
    let told: Vec<(&str, Option<f64>)> =
        lines.iter().map(|line| (line["event"].as_str().unwrap(), line["fraction"].as_f64())).collect();
    let expected =
        [("progress", Some(1.0 / 3.0)), ("progress", Some(2.0 / 3.0)), ("progress", Some(1.0)), ("result", None)];
    assert_eq!(told, expected);
    assert_eq!(lines[3]["body"]["explanations"].as_array().unwrap().len(), 3);
}
