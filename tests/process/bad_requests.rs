//! Bad requests to a whole `ebb up`: each has its status and its problem document.

use serde_json::{Value, json};

use crate::harness::{Answer, Up, turn};
use crate::world::{World, flats, flats_csv};

const JSON: &str = "application/json";

/// A request that must be refused.
struct Bad {
    name: &'static str,
    route: &'static str,
    content_type: &'static str,
    body: String,
    status: u16,
    kind: &'static str,
    /// The JSON pointer of each error.
    pointers: &'static [&'static str],
    /// A word of the answer that helps.
    hint: &'static str,
}

fn good() -> Value {
    json!({"size": 70, "rooms": 3, "district": "north", "balcony": true})
}

/// The body with one good record, changed; `"-"` takes a column out.
fn with(changes: &Value) -> String {
    let mut record = good();
    for (name, value) in changes.as_object().unwrap() {
        if value == "-" {
            record.as_object_mut().unwrap().remove(name);
        } else {
            record[name] = value.clone();
        }
    }
    json!({"records": [record]}).to_string()
}

/// A prediction that must be refused as not valid.
fn invalid(name: &'static str, changes: &Value, pointers: &'static [&'static str], hint: &'static str) -> Bad {
    let (route, status, kind) = ("/models/flats/predict", 422, "/problems/invalid");
    Bad { name, route, content_type: JSON, body: with(changes), status, kind, pointers, hint }
}

/// A prediction that must be refused before its records are looked at.
fn unread(name: &'static str, content_type: &'static str, body: String, status: u16, kind: &'static str) -> Bad {
    Bad { name, route: "/models/flats/predict", content_type, body, status, kind, pointers: &[], hint: "" }
}

/// A call of another route.
fn call(
    name: &'static str,
    route: &'static str,
    body: &Value,
    status: u16,
    kind: &'static str,
    hint: &'static str,
) -> Bad {
    Bad { name, route, content_type: JSON, body: body.to_string(), status, kind, pointers: &[], hint }
}

fn table() -> Vec<Bad> {
    let (malformed, not_found, conflict) = ("/problems/malformed", "/problems/not-found", "/problems/conflict");
    let number = |text: &str| format!(r#"{{"records": [{{"size": {text}, "district": "north", "balcony": true}}]}}"#);
    let no_batch = json!({"model": "flats", "batch": "000009-0123456789ab"});
    let no_model = json!({"model": "flots"});
    let no_version = json!({"model": "flats", "version": "ab".repeat(32), "expected_production": null});
    vec![
        call("unknown model", "/models/flots/predict", &json!({"records": [good()]}), 404, not_found, "flats"),
        call("a path as a model", "/models/..%2F..%2Fflats/predict", &json!({"records": [good()]}), 404, not_found, ""),
        invalid("unknown column", &json!({"siez": 70}), &["/records/0/siez"], "size"),
        invalid("missing column", &json!({"size": "-"}), &["/records/0/size"], "missing"),
        invalid(
            "wrong types",
            &json!({"size": "large", "balcony": 7}),
            &["/records/0/size", "/records/0/balcony"],
            "number",
        ),
        invalid("null where not nullable", &json!({"size": null}), &["/records/0/size"], "null"),
        invalid("out of range", &json!({"size": 501}), &["/records/0/size"], "500"),
        invalid("new category", &json!({"district": "nroth"}), &["/records/0/district"], "north"),
        invalid("the target itself", &json!({"rent": 900}), &["/records/0/rent"], "target"),
        unread("NaN", JSON, number("NaN"), 400, malformed),
        unread("Infinity", JSON, number("Infinity"), 400, malformed),
        unread("a number beyond all doubles", JSON, number("1e999"), 400, malformed),
        unread("malformed JSON", JSON, "{\"records\": [}".to_owned(), 400, malformed),
        unread("no body", JSON, String::new(), 400, malformed),
        unread("wrong content type", "text/csv", flats_csv(1, 0.0), 415, "/problems/unsupported-media"),
        unread("10 MB body", JSON, " ".repeat(10_000_000), 413, "/problems/too-large"),
        Bad {
            pointers: &["/records"],
            ..unread("no records", JSON, json!({"records": []}).to_string(), 422, "/problems/invalid")
        },
        Bad {
            pointers: &["/record", "/records"],
            ..unread("a key that no request has", JSON, json!({"record": []}).to_string(), 422, "/problems/invalid")
        },
        call(
            "explain an unknown model",
            "/models/flots/explain",
            &json!({"records": [good()]}),
            404,
            not_found,
            "flats",
        ),
        call(
            "explain a bad record",
            "/models/flats/explain",
            &json!({"records": [{}]}),
            422,
            "/problems/invalid",
            "size",
        ),
        call("ingest of an unknown model", "/ingest", &no_model, 404, not_found, "flats"),
        call("ingest by a spec that contradicts itself", "/ingest", &json!({"model": "broken"}), 409, conflict, "line"),
        call("predict by such a spec", "/models/broken/predict", &json!({"records": [good()]}), 404, not_found, ""),
        call("check of an unknown batch", "/check-drift", &no_batch, 404, not_found, ""),
        call("train on an unknown batch", "/train", &no_batch, 404, not_found, ""),
        call("promotion of an unknown version", "/promote", &no_version, 404, not_found, ""),
        call(
            "promotion without an expectation",
            "/promote",
            &json!({"model": "flats", "version": "ab".repeat(32)}),
            422,
            "/problems/invalid",
            "expected_production",
        ),
        call(
            "rollback without a reason",
            "/rollback",
            &json!({"model": "flats", "reason": " "}),
            422,
            "/problems/invalid",
            "reason",
        ),
        call("feedback on nothing", "/feedback", &json!({"observations": [{"id": 7}]}), 422, "/problems/invalid", "id"),
        call("no such route", "/retrain", &json!({}), 404, not_found, "/docs"),
    ]
}

#[tokio::test]
async fn every_bad_request_has_its_status_and_its_problem_document() {
    let world = World::flats(&[("000.csv", &flats_csv(400, 0.0))]);
    let contradictory =
        flats("broken").replace("range: [5, 500]", "range: [500, 5]").replace("column: rent", "column: size");
    world.put_spec("broken", &contradictory);
    let server = Up::default().start(&world).await;
    assert_eq!(turn(&world, &server, "flats").await["ending"], "promoted");

    let mut wrong = Vec::new();
    for bad in table() {
        let request = server.request(reqwest::Method::POST, bad.route).header("content-type", bad.content_type);
        let answer = Answer::of(request.body(bad.body)).await;
        let looked = std::panic::catch_unwind(|| {
            answer.assert_problem(bad.name, &world, bad.status, bad.kind);
            let mut pointers = answer.pointers();
            pointers.sort_unstable();
            let mut expected = bad.pointers.to_vec();
            expected.sort_unstable();
            assert!(bad.pointers.is_empty() || pointers == expected, "{}: {}", bad.name, answer.text);
            assert!(answer.text.contains(bad.hint), "{}: `{}` in {}", bad.name, bad.hint, answer.text);
        });
        if looked.is_err() {
            wrong.push(bad.name);
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");

    server.get("/ingest").await.assert_problem("a read of a mutating route", &world, 405, "about:blank");
    let answer = server.post("/models/flats/predict", &json!({"records": [good()]})).await;
    assert_eq!(answer.status, 200, "the process answers as before: {}", answer.text);
}
