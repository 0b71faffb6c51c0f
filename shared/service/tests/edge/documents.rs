//! The OpenAPI document and its page.

use insta::assert_json_snapshot;
use serde_json::Value;
use service::Config;

use crate::sample::{app, get, send};

async fn document() -> Value {
    let (_, headers, body) = send(&app(&Config::for_tests()), get("/openapi.json")).await;
    assert_eq!(headers["content-type"], "application/json");
    serde_json::from_str(&body).unwrap()
}

#[tokio::test]
async fn the_document_says_what_the_edge_enforces() {
    let document = document().await;
    assert_json_snapshot!(document["paths"]["/work"], @r##"
    {
      "post": {
        "summary": "Works, once for each key.",
        "operationId": "work",
        "parameters": [
          {
            "name": "Idempotency-Key",
            "in": "header",
            "description": "Visible ASCII. A repeat of the key with the same body gets the first answer again, with `Idempotency-Replayed: true`; with another body it is refused with 422.",
            "required": false,
            "schema": {
              "type": "string",
              "maxLength": 200,
              "minLength": 1
            }
          }
        ],
        "requestBody": {
          "content": {
            "application/json": {
              "schema": {
                "$ref": "#/components/schemas/Work"
              }
            }
          },
          "required": true
        },
        "responses": {
          "201": {
            "content": {
              "text/plain": {
                "schema": {
                  "type": "integer",
                  "minimum": 0
                }
              }
            }
          },
          "default": {
            "description": "A problem document (RFC 9457)",
            "content": {
              "application/problem+json": {
                "schema": {
                  "$ref": "#/components/schemas/Problem"
                }
              }
            }
          }
        },
        "security": [
          {
            "bearer": []
          }
        ],
        "x-ebb": {
          "mutating": true,
          "long": true
        }
      }
    }
    "##);
    assert_json_snapshot!(document["components"]["schemas"]["Problem"], @r##"
    {
      "type": "object",
      "description": "The problem document itself (RFC 9457), as it goes over the wire.",
      "required": [
        "type",
        "title",
        "status",
        "detail"
      ],
      "properties": {
        "detail": {
          "type": "string",
          "description": "What is wrong this time."
        },
        "errors": {
          "type": "array",
          "items": {
            "$ref": "#/components/schemas/FieldProblem"
          },
          "description": "Every wrong place, when the problem is about a document."
        },
        "instance": {
          "type": [
            "string",
            "null"
          ],
          "description": "The request id, under which the log has more."
        },
        "status": {
          "type": "integer",
          "format": "int32",
          "description": "The HTTP status.",
          "example": 422,
          "minimum": 0
        },
        "title": {
          "type": "string",
          "description": "The kind in words, the same for every problem of this type.",
          "example": "The request is not valid"
        },
        "type": {
          "type": "string",
          "description": "Which kind of problem: a stable relative URI.",
          "example": "/problems/invalid"
        }
      }
    }
    "##);
    assert_json_snapshot!(document["components"]["securitySchemes"], @r##"
    {
      "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "Needed where EBB_TOKEN is set."
      }
    }
    "##);
    assert_eq!(document["info"]["title"], "ebb sample");
    assert!(document["components"]["schemas"]["FieldProblem"].is_object());
    assert!(document["paths"]["/"]["get"].get("security").is_none());
}

#[tokio::test]
async fn every_reference_leads_somewhere() {
    fn references(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(object) => object.iter().for_each(|(key, value)| match (key.as_str(), value) {
                ("$ref", Value::String(reference)) => found.push(reference.clone()),
                _ => references(value, found),
            }),
            Value::Array(values) => values.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }
    let document = document().await;
    let mut found = Vec::new();
    references(&document, &mut found);
    assert!(!found.is_empty());
    for reference in found {
        assert!(document.pointer(reference.trim_start_matches('#')).is_some(), "{reference}");
    }
}

#[tokio::test]
async fn the_document_is_the_same_every_time() {
    assert_eq!(document().await.to_string(), document().await.to_string());
}

#[tokio::test]
async fn the_page_shows_routes_and_schemas_and_loads_nothing() {
    let (status, headers, page) = send(&app(&Config::for_tests()), get("/docs")).await;
    assert_eq!(status, 200);
    assert_eq!(headers["content-type"], "text/html; charset=utf-8");
    for text in [
        "<title>ebb sample</title>",
        "Shows what the edge does.",
        "<span class=\"method\">POST</span>/count",
        "Counts the rows of a batch.",
        "Seconds to wait.",
        "Idempotency-Key",
        "<h3 id=\"schema-Batch\">",
        "<a href=\"#schema-Batch\">",
        "array of <a href=\"#schema-Row\">",
        "car-vision",
        "Odometer in miles.",
        "GET</span>/health/ready",
    ] {
        assert!(page.contains(text), "{text} is not in:\n{page}");
    }
    assert!(
        !page.contains("<script") && !page.contains("http://") && !page.contains("https://") && !page.contains("src=")
    );
}
