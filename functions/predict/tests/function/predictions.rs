//! What is answered to good input.

use model::Predictions;
use serde_json::{Value, json};
use spec::Spec;
use storage::Store;

use crate::app::{App, churner};
use crate::common::{self, BINARY, MULTICLASS, REGRESSION, json_row, rows};

/// Every number and label of the answer equals what the version's predictor says.
async fn answers_what_the_version_says(text: &str, n_rows: usize) {
    let app = App::over(Store::memory());
    let version = common::serve(&app.registry, text, 1).await;
    let spec = Spec::parse(text).unwrap();
    let batch = rows(&spec, n_rows, 9);
    let records: Vec<Value> = (0..n_rows).map(|row| json_row(&spec, &batch, row)).collect();
    let (status, answer) = app.post(&format!("/models/{}/predict", spec.name), &json!({"records": records})).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!((&answer["model"], &answer["version"]), (&spec.name.as_str().into(), &version.as_str().into()));

    let served = serving::open(&app.registry, &spec.name, &version).await.unwrap();
    let records: Vec<_> = (0..n_rows).map(|row| batch.record(row)).collect();
    let predictions = served.predictor().predict_records(&records);
    let answered = answer["predictions"].as_array().unwrap();
    assert_eq!(answered.len(), n_rows);
    for (row, answered) in answered.iter().enumerate() {
        match &predictions {
            Predictions::Numbers(numbers) => {
                assert_eq!(answered["prediction"].as_f64(), Some(numbers[row]));
                assert_eq!(answered["band"], if numbers[row] < 100.0 { "cheap" } else { "dear" });
                assert!(answered.get("probability").is_none() && answered.get("probabilities").is_none());
            }
            Predictions::Probabilities(probabilities) => {
                assert_eq!(answered["prediction"], spec.target.classes[probabilities.called[row]]);
                if spec.task == spec::Task::Binary {
                    let probability = probabilities.values[[row, 1]];
                    assert_eq!(answered["probability"].as_f64(), Some(probability));
                    assert_eq!(answered["band"], if probability < 0.3 { "low" } else { "high" });
                } else {
                    let of_class = answered["probabilities"].as_object().unwrap();
                    assert!(of_class.keys().eq(&spec.target.classes));
                    assert!(
                        of_class.values().map(|value| value.as_f64().unwrap()).eq(probabilities
                            .values
                            .row(row)
                            .iter()
                            .copied())
                    );
                    assert!(answered.get("band").is_none());
                }
            }
        }
    }
}

#[tokio::test]
async fn each_task_answers_what_its_version_says() {
    for text in [BINARY, MULTICLASS, REGRESSION] {
        for n_rows in [1, 5, 100, 1000] {
            answers_what_the_version_says(text, n_rows).await;
        }
    }
}

#[tokio::test]
async fn the_document_describes_the_records() {
    let app = App::churn().await;
    let (_, document) = app.get("/openapi.json").await;
    let schemas = &document["components"]["schemas"];
    assert_eq!(schemas["record.churn"]["properties"]["age"]["maximum"], 100.0);
    assert_eq!(schemas["Records"]["properties"]["records"]["items"]["$ref"], "#/components/schemas/Record");
    let paths = document["paths"].as_object().unwrap();
    for path in ["/predict", "/models/{model}/predict", "/feedback"] {
        assert!(paths.contains_key(path), "{path}");
    }
    assert_eq!(document["paths"]["/feedback"]["post"]["x-ebb"]["mutating"], true);
    insta::assert_json_snapshot!(schemas["Prediction"], @r#"
    {
      "type": "object",
      "description": "The prediction for one record.",
      "required": [
        "id",
        "prediction"
      ],
      "properties": {
        "band": {
          "type": [
            "string",
            "null"
          ],
          "description": "Label of the spec's band that the probability or the number lies in."
        },
        "id": {
          "type": "string",
          "format": "uuid",
          "description": "Its id, a UUID of version 7; `/feedback` finds the prediction by it."
        },
        "interval": {
          "type": [
            "array",
            "null"
          ],
          "items": {
            "type": "number",
            "format": "double"
          },
          "description": "Regression: lower and upper end of the interval that should hold the true number as often as `serve.interval` says."
        },
        "prediction": {
          "allOf": [
            {
              "oneOf": [
                {
                  "type": "string",
                  "description": "A class."
                },
                {
                  "type": "number",
                  "format": "double",
                  "description": "A number."
                }
              ],
              "description": "What is predicted."
            },
            {
              "type": "object",
              "description": "The class that the row is called, or the number in target units."
            }
          ]
        },
        "probabilities": {
          "type": [
            "object",
            "null"
          ],
          "description": "Multiclass: probability of each class.",
          "additionalProperties": {
            "type": "number",
            "format": "double"
          },
          "propertyNames": {
            "type": "string"
          }
        },
        "probability": {
          "type": [
            "number",
            "null"
          ],
          "format": "double",
          "description": "Binary: probability of the positive class.",
          "maximum": 1,
          "minimum": 0
        }
      }
    }
    "#,);
}

#[tokio::test]
async fn a_record_may_be_predicted_without_a_name() {
    let app = App::churn().await;
    let (status, answer) = app.post("/predict", &json!({"records": [churner()]})).await;
    assert_eq!((status, &answer["model"]), (200, &"churn".into()));
}
