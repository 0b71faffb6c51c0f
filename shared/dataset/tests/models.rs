//! The specs under `models/`, and the data that ship for one of them.

use std::fs;
use std::path::{Path, PathBuf};

use spec::{Format, Spec};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn model(name: &str) -> Spec {
    let text = fs::read_to_string(root().join(format!("models/{name}.yaml"))).unwrap();
    Spec::parse(&text).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[test]
fn every_model_is_named_after_its_file() {
    let mut names = Vec::new();
    for entry in fs::read_dir(root().join("models")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "yaml") {
            names.push(path.file_stem().unwrap().to_string_lossy().into_owned());
        }
    }
    names.sort();
    assert!(names.len() >= 6, "{names:?}");
    for name in &names {
        assert_eq!(model(name).name, *name);
    }
}

#[test]
fn the_shipped_data_fit_their_spec_and_come_back_from_storage() {
    let body = fs::read(root().join("tests/data/mlc_churn.csv")).unwrap();
    let spec = model("telecom-churn");
    let read = dataset::read(&spec, body.clone(), Format::Csv).unwrap();
    assert_eq!((read.n_source_rows, read.quarantined.len()), (5000, 0));
    let stored = dataset::write_parquet(&spec, &read.batch).unwrap();
    assert!(stored.len() < body.len() / 2, "{} bytes", stored.len());
    assert_eq!(dataset::read_parquet(&spec, stored).unwrap(), read.batch);
}

#[test]
fn a_row_of_each_source_fits_its_spec() {
    for (name, row) in [
        (
            "real-estate",
            r#"{"brokered_by": 10481.0, "status": "for_sale", "price": 289900.0, "bed": 4.0, "bath": 2.0, "acre_lot": 0.38,
                "street": 1612297.0, "city": "Airville", "state": "Pennsylvania", "zip_code": 17302.0, "house_size": 1947.0,
                "prev_sold_date": null}"#,
        ),
        (
            "bank-churn",
            r#"{"RowNumber": 1, "CustomerId": 15634602, "Surname": "Hargrave", "CreditScore": 619, "Geography": "France",
                "Gender": "Female", "Age": 42, "Tenure": null, "Balance": 0.0, "NumOfProducts": 1, "HasCrCard": 1,
                "IsActiveMember": 1, "EstimatedSalary": 101348.88, "Exited": 1}"#,
        ),
        (
            "car-vision",
            r#"{"price": 9400, "model_year": 2011.0, "model": "bmw x5", "condition": "good", "cylinders": 6.0, "fuel": "gas",
                "odometer": 145000.0, "transmission": "automatic", "type": "SUV", "paint_color": null, "is_4wd": 1.0,
                "date_posted": "2018-06-23", "days_listed": 19}"#,
        ),
        ("telecom-ai", r#"{"calls": 40.0, "minutes": 311.9, "messages": 83.0, "mb_used": 19915.42, "is_ultra": 0}"#),
        (
            "plan-rec",
            r#"{"customer_id": 100000, "age": 44, "region": "coast", "device": "midrange", "tenure_months": 7, "num_lines": 2,
                "minutes": 270.4, "messages": 16, "data_gb": 7.39, "intl_minutes": 0.0, "roaming_days": 0, "support_calls": 1,
                "autopay": 1, "plan": "smart"}"#,
        ),
    ] {
        let body = format!(r#"{{"batch_number": 0, "data": [{row}]}}"#);
        let read = dataset::read(&model(name), body, Format::Json).unwrap();
        assert_eq!(read.quarantined, [], "{name}");
        assert_eq!(read.batch.n_rows(), 1, "{name}");
    }
}
