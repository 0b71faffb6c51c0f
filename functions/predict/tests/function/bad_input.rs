//! Bad input: the status and the problem document of each kind.

use std::fmt::Write;

use serde_json::{Value, json};
use storage::Store;

use crate::app::{App, churner};
use crate::common;

/// The record with some cells replaced; null cells stay, `"-"` removes one.
fn with(changes: &Value) -> Value {
    let mut record = churner();
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::String(text) if text == "-" => drop(record.as_object_mut().unwrap().remove(name)),
            value => record[name] = value.clone(),
        }
    }
    json!({"records": [record]})
}

#[tokio::test]
async fn every_mistake_has_its_problem_document() {
    let app = App::churn().await;
    let json = "application/json";
    let many: Vec<Value> = (0..1001).map(|_| churner()).collect();
    let wrong: Vec<Value> = (0..60).map(|_| json!({"age": 1})).collect();
    let cases: Vec<(&str, &str, &str, String)> = vec![
        ("unknown model", "/models/chrun/predict", json, with(&json!({})).to_string()),
        ("a model's name that is a path", "/models/..%2Fchurn/predict", json, with(&json!({})).to_string()),
        ("unknown column", "/predict", json, with(&json!({"aeg": 1})).to_string()),
        ("target among the columns", "/predict", json, with(&json!({"churned": "yes"})).to_string()),
        ("dropped column", "/predict", json, with(&json!({"customer_id": 7})).to_string()),
        ("missing column", "/predict", json, with(&json!({"age": "-"})).to_string()),
        (
            "wrong types",
            "/predict",
            json,
            with(&json!({"age": "42", "active": "maybe", "joined": 7, "job": [1]})).to_string(),
        ),
        ("null where not nullable", "/predict", json, with(&json!({"age": null})).to_string()),
        ("out of range", "/predict", json, with(&json!({"age": 101})).to_string()),
        ("new level of a closed category", "/predict", json, with(&json!({"country": "Frence"})).to_string()),
        ("NaN", "/predict", json, r#"{"records": [{"age": NaN}]}"#.to_owned()),
        ("Infinity", "/predict", json, r#"{"records": [{"age": Infinity}]}"#.to_owned()),
        ("a number beyond all doubles", "/predict", json, r#"{"records": [{"age": 1e999}]}"#.to_owned()),
        ("a key twice", "/predict", json, r#"{"records": [], "records": []}"#.to_owned()),
        ("no records", "/predict", json, json!({"records": []}).to_string()),
        ("records missing", "/predict", json, json!({"record": []}).to_string()),
        ("records of another type", "/predict", json, json!({"records": {}}).to_string()),
        ("a row of another type", "/predict", json, json!({"records": [1]}).to_string()),
        ("no object", "/predict", json, "[]".to_owned()),
        ("1001 records", "/predict", json, json!({"records": many}).to_string()),
        ("malformed JSON", "/predict", json, "{\"records\": [}".to_owned()),
        ("wrong content type", "/predict", "text/csv", "age\n42\n".to_owned()),
        ("10 MB body", "/predict", json, "x".repeat(10 << 20)),
    ];
    let mut table = String::new();
    for (name, path, content_type, body) in cases {
        let (status, problem) = app.send(path, content_type, body).await;
        assert_eq!(problem["status"], status, "{name}");
        assert_eq!(problem["instance"], "r-1", "{name}");
        let kind = problem["type"].as_str().unwrap();
        writeln!(table, "{name}\n  {status} {kind} {}", problem["detail"].as_str().unwrap()).unwrap();
        for error in problem["errors"].as_array().into_iter().flatten() {
            let (pointer, detail) = (error["pointer"].as_str().unwrap(), error["detail"].as_str().unwrap());
            writeln!(table, "  {pointer:?}: {detail}").unwrap();
        }
    }
    insta::assert_snapshot!(table, @r#"
    unknown model
      404 /problems/not-found there is no model `chrun`; there is churn
    a model's name that is a path
      404 /problems/not-found there is no model `../churn`; there is churn
    unknown column
      422 /problems/invalid the request has one error
      "/records/0/aeg": unknown column. Did you mean `age`?
    target among the columns
      422 /problems/invalid the request has one error
      "/records/0/churned": this is the target: leave it out
    dropped column
      422 /problems/invalid the request has one error
      "/records/0/customer_id": the spec drops this column: leave it out
    missing column
      422 /problems/invalid the request has one error
      "/records/0/age": this number column is missing
    wrong types
      422 /problems/invalid the request has 4 errors
      "/records/0/age": a number is needed here, not the text `42`
      "/records/0/job": one value is needed here, not an array or an object
      "/records/0/active": false or true is needed here, not the text `maybe`
      "/records/0/joined": an ISO 8601 date such as 2026-01-31 is needed here, not the number 7
    null where not nullable
      422 /problems/invalid the request has one error
      "/records/0/age": a value is needed here, not null
    out of range
      422 /problems/invalid the request has one error
      "/records/0/age": 101 is outside the range from 18 to 100 year
    new level of a closed category
      422 /problems/invalid the request has one error
      "/records/0/country": `Frence` is not a level of this column. Did you mean `France`?
    NaN
      400 /problems/malformed the body is not JSON that can be read: expected value at line 1 column 22
    Infinity
      400 /problems/malformed the body is not JSON that can be read: expected value at line 1 column 22
    a number beyond all doubles
      400 /problems/malformed the body is not JSON that can be read: number out of range at line 1 column 26
    a key twice
      400 /problems/malformed the body is not JSON that can be read: the key `records` stands twice in one object at line 1 column 25
    no records
      422 /problems/invalid the request has one error
      "/records": this is empty: give 1 to 1000
    records missing
      422 /problems/invalid the request has 2 errors
      "/records": this is missing: an array of 1 to 1000
      "/record": unknown key; known are records
    records of another type
      422 /problems/invalid the request has one error
      "/records": this is an array of 1 to 1000
    a row of another type
      422 /problems/invalid the request has one error
      "/records/0": a row is an object with a value for each column
    no object
      422 /problems/invalid the request has one error
      "": the body is an object
    1001 records
      422 /problems/invalid the request has one error
      "/records": these are 1001: give at most 1000 at once
    malformed JSON
      400 /problems/malformed the body is not JSON that can be read: expected value at line 1 column 14
    wrong content type
      415 /problems/unsupported-media the content type must be `application/json`, got `text/csv`
    10 MB body
      413 /problems/too-large the body is larger than this service accepts
    "#,);

    let (status, problem) = app.post("/predict", &json!({"records": wrong})).await;
    assert_eq!((status, problem["errors"].as_array().unwrap().len()), (422, 100));
    assert_eq!(problem["detail"], "the request has 300 errors, of which the first 100 are listed");
}

#[tokio::test]
async fn errors_of_all_records_are_listed() {
    let app = App::churn().await;
    let good = churner();
    let body = json!({"records": [good, {"age": 1}, with(&json!({"age": "old"}))["records"][0]], "x/y": 1});
    let (status, problem) = app.post("/models/churn/predict", &body).await;
    assert_eq!(status, 422);
    insta::assert_json_snapshot!(problem, @r#"
    {
      "type": "/problems/invalid",
      "title": "The request is not valid",
      "status": 422,
      "detail": "the request has 7 errors",
      "instance": "r-1",
      "errors": [
        {
          "pointer": "/records/1/age",
          "detail": "1 is outside the range from 18 to 100 year"
        },
        {
          "pointer": "/records/1/country",
          "detail": "this category column is missing"
        },
        {
          "pointer": "/records/1/job",
          "detail": "this category column is missing"
        },
        {
          "pointer": "/records/1/active",
          "detail": "this boolean column is missing"
        },
        {
          "pointer": "/records/1/joined",
          "detail": "this time column is missing"
        },
        {
          "pointer": "/records/2/age",
          "detail": "a number is needed here, not the text `old`"
        },
        {
          "pointer": "/x~1y",
          "detail": "unknown key; known are records"
        }
      ]
    }
    "#,);
}

#[tokio::test]
async fn a_level_that_was_never_seen_is_no_mistake() {
    let app = App::churn().await;
    let (status, answer) = app.post("/predict", &with(&json!({"job": "astronaut", "balance": "-"}))).await;
    assert_eq!(status, 200, "{answer}");
}

#[tokio::test]
async fn which_model_must_be_clear() {
    let app = App::over(Store::memory());
    let body = with(&json!({}));
    let (status, problem) = app.post("/predict", &body).await;
    assert_eq!((status, &problem["type"]), (503, &"/problems/unavailable".into()));

    let app = App::over(Store::memory());
    common::publish(&app.registry, common::REGRESSION, 1).await;
    let (status, problem) = app.post("/models/price/predict", &body).await;
    assert_eq!((status, &problem["detail"]), (503, &"the model `price` has no production version yet".into()));

    let app = App::churn().await;
    common::serve(&app.registry, common::REGRESSION, 1).await;
    let (status, problem) = app.post("/predict", &body).await;
    let detail = "several models are served (churn, price): call this route below /models/{model}";
    assert_eq!((status, &problem["detail"]), (422, &detail.into()));
}
