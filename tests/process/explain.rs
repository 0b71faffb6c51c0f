//! `ebb explain` beside a running `ebb up`: its values add up to what `/predict` answers.

use serde_json::{Value, json};

use crate::harness::{Up, explained, turn};
use crate::world::{World, flats_csv};

#[tokio::test]
async fn values_of_a_file_add_up_to_what_is_served() {
    let world = World::flats(&[("1.csv", &flats_csv(400, 0.0))]);
    let server = Up::default().start(&world).await;
    turn(&world, &server, "flats").await;
    // A missing cell, a column that the model does not have, and more rows than fit one request.
    let mut csv = "size,rooms,district,balcony,comment\n".to_owned();
    let mut records = Vec::new();
    for row in 0..120 {
        let (size, district, balcony) = (40 + row, ["north", "south"][row % 2], row % 3 == 0);
        let rooms = (row % 5 > 0).then_some(1 + row % 4);
        let cell = rooms.map(|rooms| rooms.to_string()).unwrap_or_default();
        csv.push_str(&format!("{size},{cell},{district},{balcony},nice\n"));
        records.push(json!({"size": size, "rooms": rooms, "district": district, "balcony": balcony}));
    }
    let file = world.folder().join("rows.csv");
    std::fs::write(&file, csv).unwrap();

    let predicted = server.post("/models/flats/predict", &json!({"records": records})).await.body;
    let version = predicted["version"].as_str().unwrap();
    for name in ["flats", version, &version[..10]] {
        let (text, said) = explained(&world, &[name, file.to_str().unwrap(), "--json"]).await.unwrap();
        assert!(said.contains("`comment`"), "{said}");
        let answer: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&answer["model"], &answer["version"]), (&"flats".into(), &predicted["version"]));
        let explanations = answer["explanations"].as_array().unwrap();
        assert_eq!(explanations.len(), 120);
        for (explained, predicted) in explanations.iter().zip(predicted["predictions"].as_array().unwrap()) {
            let prediction = predicted["prediction"].as_f64().unwrap();
            let values = explained["values"].as_object().unwrap();
            let sum: f64 = values.values().map(|value| value.as_f64().unwrap()).sum();
            let sum = sum + explained["base_value"].as_f64().unwrap();
            assert!((sum - prediction).abs() <= 1e-6 * prediction.abs().max(1.0), "{sum} {prediction}");
            assert_eq!(explained["method"], "exact");
        }
    }

    let (text, _) = explained(&world, &["flats", file.to_str().unwrap()]).await.unwrap();
    assert!(text.contains("row 120: ") && text.contains("missing"), "{text}");
    // Without rows, what the version rests on.
    let (text, _) = explained(&world, &["flats", "--json"]).await.unwrap();
    let summary: Value = serde_json::from_str(&text).unwrap();
    let importance = summary["importance"].as_object().unwrap();
    let rows = summary["rows"].as_u64().unwrap() as usize;
    assert!(importance["size"].as_f64() > importance["balcony"].as_f64(), "{importance:?}");
    assert_eq!((importance.len(), summary["dependence"]["size"].as_array().unwrap().len()), (4, rows));
    let (text, _) = explained(&world, &["flats"]).await.unwrap();
    let at = |column: &str| text.find(column).unwrap();
    assert!(at("size") < at("balcony") && text.contains(&format!("{rows} background rows")), "{text}");

    for (arguments, expected) in [
        (vec!["flats", "--interactions", "--json"], "ROWS"),
        (vec!["flots", "rows.csv"], "the store has the models flats"),
        (vec!["flats", "nowhere.csv"], "failed to read nowhere.csv"),
        (vec!["flats", file.to_str().unwrap(), "--space", "logit"], "`target`"),
    ] {
        let said = explained(&world, &arguments).await.unwrap_err();
        assert!(said.contains(expected), "{said} should say {expected}");
    }
}
