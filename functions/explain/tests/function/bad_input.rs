//! Bad input: the status and the problem document of each kind.

use std::fmt::Write;

use registry::Part;
use serde_json::{Value, json};

use crate::app::{App, records};
use crate::common::{self, BINARY, REGRESSION};

#[tokio::test]
async fn every_mistake_has_its_problem_document() {
    let app = App::serving(BINARY).await;
    common::serve(&app.registry, REGRESSION, 1).await;
    let (churn, price) = ("/models/churn/explain", "/models/price/explain");
    let (churners, priced) = (records(BINARY, 1), records(REGRESSION, 1));
    let cases: Vec<(&str, &str, Value)> = vec![
        ("several models", "/explain", json!({"records": churners})),
        ("unknown model", "/models/chrun/explain", json!({"records": churners})),
        ("another model's record", churn, json!({"records": priced})),
        ("too many records", churn, json!({"records": vec![&churners[0]; 101]})),
        ("everything at once", churn, json!({"record": [], "space": "target", "class": "maybe", "deadline_ms": 0})),
        ("other types", churn, json!({"records": churners, "space": 1, "class": 1, "deadline_ms": "1"})),
        ("a class of a number", price, json!({"records": priced, "space": "logit", "class": "no"})),
    ];
    let mut table = String::new();
    for (name, path, body) in cases {
        let (status, problem) = app.explain(path, &body).await;
        assert_eq!(problem["status"], status, "{name}");
        writeln!(table, "{name}\n  {status} {}", problem["detail"].as_str().unwrap()).unwrap();
        for error in problem["errors"].as_array().into_iter().flatten() {
            let (pointer, detail) = (error["pointer"].as_str().unwrap(), error["detail"].as_str().unwrap());
            writeln!(table, "  {pointer:?}: {detail}").unwrap();
        }
    }
    insta::assert_snapshot!(table, @r#"
    several models
      422 several models are served (churn, price): call this route below /models/{model}
    unknown model
      404 there is no model `chrun`; there is churn, price
    another model's record
      422 the request has 8 errors
      "/records/0/age": this number column is missing
      "/records/0/country": this category column is missing
      "/records/0/job": this category column is missing
      "/records/0/active": this boolean column is missing
      "/records/0/joined": this time column is missing
      "/records/0/size": unknown column. There is `age`, `balance`, `country`, `job`, `active`, `joined`
      "/records/0/rooms": unknown column. There is `age`, `balance`, `country`, `job`, `active`, `joined`
      "/records/0/city": unknown column. There is `age`, `balance`, `country`, `job`, `active`, `joined`
    too many records
      422 the request has one error
      "/records": these are 101: give at most 100 at once
    everything at once
      422 the request has 5 errors
      "/records": this is missing: an array of 1 to 100
      "/space": the model predicts a class: `probability` or `logit`
      "/class": one of no, yes
      "/deadline_ms": this is a whole number of milliseconds, at least 1
      "/record": unknown key; known are records, space, class, deadline_ms, standard_error, interactions
    other types
      422 the request has 3 errors
      "/space": the model predicts a class: `probability` or `logit`
      "/class": one of no, yes
      "/deadline_ms": this is a whole number of milliseconds, at least 1
    a class of a number
      422 the request has 2 errors
      "/space": the model predicts a number: `target`
      "/class": the model predicts a number: leave it out
    "#,);
}

#[tokio::test]
async fn a_damaged_background_is_refused() {
    let app = App::new();
    let version = common::serve(&app.registry, BINARY, 1).await;
    common::damage(&app.registry, "churn", &version, Part::Background, r#"{"columns":[],"rows":[]}"#).await;
    let (status, problem) = app.explain("/explain", &json!({"records": records(BINARY, 1)})).await;
    assert_eq!((status, &problem["type"]), (502, &"/problems/upstream".into()), "{problem}");
}
