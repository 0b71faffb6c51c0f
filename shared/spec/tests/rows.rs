//! Rows: validation, derived columns and the eternal hold-out.

use proptest::prelude::*;
use serde_json::json;
use spec::{BatchBuilder, ColumnData, Kind, Spec, Value};

fn demo() -> Spec {
    Spec::parse(
        "name: demo
task: regression
target: {column: price, transform: log}
columns:
  age: {kind: number, unit: year, range: [0, 120]}
  income: {kind: number, nullable: true}
  plan: {kind: category, allowed: [basic, plus]}
  model: {kind: category}
  active: {kind: boolean}
  joined: {kind: time}
derive:
  brand: {first_word: model}
  share: {ratio: [income, age]}
  month: {month: joined}
  weekday: {weekday: joined}
  band: {bucket: {column: age, edges: [18, 65]}}
drop: {vin: identifier}
rules: [{column: income, between: [0, 1e6]}]
",
    )
    .unwrap()
}

fn row() -> serde_json::Value {
    json!({"age": 30, "income": 60.0, "plan": "basic", "model": "ford focus", "active": true, "joined": "2026-11-21"})
}

#[test]
fn a_good_row_becomes_a_record_with_derived_cells() {
    let spec = demo();
    let record = spec.record(&row()).unwrap();
    assert_eq!(record.values()[4], Value::Level("true".to_owned()));
    assert_eq!(
        spec.derivations().of_record(&record),
        [
            Value::Level("ford".to_owned()),
            Value::Number(2.0),
            Value::Number(11.0),
            Value::Number(5.0),
            Value::Level("18 to 65".to_owned()),
        ]
    );
}

#[test]
fn every_wrong_cell_is_told() {
    let spec = demo();
    let error = spec
        .record(&json!({"age": 130, "income": "much", "plan": "basik", "active": 2, "joined": "soon",
            "vin": 1, "brand": "x", "price": 3, "agee": 1, "model": [1]}))
        .unwrap_err();
    let said: Vec<String> = error.fields.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(said.join("\n"), @r"
    /age: 130 is outside the range from 0 to 120 year
    /income: a number is needed here, not the text `much`
    /plan: `basik` is not a level of this column. Did you mean `basic`?
    /model: one value is needed here, not an array or an object
    /active: false or true is needed here, not the number 2
    /joined: an ISO 8601 date such as 2026-01-31 is needed here, not the text `soon`
    /vin: the spec drops this column: leave it out
    /brand: this column is computed from others: leave it out
    /price: this is the target: leave it out
    /agee: unknown column. Did you mean `age`?
    ");
}

#[test]
fn null_and_absence_need_a_nullable_column() {
    let spec = demo();
    let mut good = row();
    good.as_object_mut().unwrap().remove("income");
    assert_eq!(spec.record(&good).unwrap().values()[1], Value::Missing);
    let mut bad = row();
    bad["age"] = json!(null);
    bad.as_object_mut().unwrap().remove("plan");
    let pointers: Vec<String> = spec.record(&bad).unwrap_err().fields.into_iter().map(|field| field.pointer).collect();
    assert_eq!(pointers, ["/age", "/plan"]);
}

#[test]
fn rules_speak_of_present_cells_only() {
    let spec = demo();
    let price = Value::Number(10.0);
    let mut values = spec.record(&row()).unwrap().values().to_vec();
    assert!(spec.broken_rules(&values, &price).is_empty());
    values[1] = Value::Number(-1.0);
    assert_eq!(spec.broken_rules(&values, &price)[0].0, "income");
    values[1] = Value::Missing;
    assert!(spec.broken_rules(&values, &price).is_empty());
}

fn batch(rows: &[(f64, Option<f64>, &str, f64)]) -> spec::Batch {
    let mut builder = BatchBuilder::new(
        [Kind::Number, Kind::Number, Kind::Category, Kind::Category, Kind::Boolean, Kind::Time],
        Some(Kind::Number),
        false,
    );
    for (age, income, model, price) in rows {
        let values = [
            Value::Number(*age),
            income.map_or(Value::Missing, Value::Number),
            Value::Level("basic".to_owned()),
            Value::Level((*model).to_owned()),
            Value::Level("true".to_owned()),
            Value::Number(1_795_219_200.0),
        ];
        builder.push(&values, &Value::Number(*price), f64::NAN);
    }
    builder.finish()
}

proptest! {
    #[test]
    fn columns_and_records_derive_the_same(
        rows in prop::collection::vec((0.0..120.0_f64, prop::option::of(-5.0..1e6_f64), "[a-c]{1,2} [x-z]", 1.0..9.0_f64), 1..20)
    ) {
        let spec = demo();
        let rows: Vec<_> = rows.iter().map(|(age, income, model, price)| (age.floor(), *income, model.as_str(), *price)).collect();
        let batch = batch(&rows);
        let columns = spec.derivations().of_batch(&batch);
        for row in 0..batch.n_rows() {
            let cells: Vec<Value> = columns.iter().map(|column| column.value(row)).collect();
            prop_assert_eq!(cells, spec.derivations().of_record(&batch.record(row)));
        }
    }

    #[test]
    fn duplicates_fall_on_one_side_in_any_order(
        rows in prop::collection::vec((0.0..120.0_f64, prop::option::of(0.0..1e6_f64), 1.0..9.0_f64), 1..30)
    ) {
        let spec = demo();
        let forward: Vec<_> = rows.iter().map(|(age, income, price)| (*age, *income, "a b", *price)).collect();
        let doubled: Vec<_> = forward.iter().chain(forward.iter().rev()).copied().collect();
        let holdout = spec.splitter().holdout(&batch(&doubled));
        for index in 0..forward.len() {
            prop_assert_eq!(holdout[index], holdout[doubled.len() - 1 - index]);
        }
    }
}

#[test]
fn about_the_fraction_is_held_out() {
    let spec = demo();
    let rows: Vec<_> = (0..5000).map(|row| (f64::from(row % 100), Some(f64::from(row)), "a b", 1.0)).collect();
    let n_holdout = spec.splitter().holdout(&batch(&rows)).into_iter().filter(|held| *held).count();
    assert!((900..1100).contains(&n_holdout), "{n_holdout} of 5000 at a fraction of 0.2");
}

#[test]
fn a_split_by_time_holds_out_the_last() {
    let spec = Spec::parse(
        "name: t
task: regression
target: {column: y}
time: day
columns: {x: {kind: number}}
split: {by: time, fraction: 0.4}
",
    )
    .unwrap();
    let mut builder = BatchBuilder::new([Kind::Number], Some(Kind::Number), true);
    for day in [5.0, 1.0, f64::NAN, 4.0, 2.0] {
        builder.push(&[Value::Number(0.0)], &Value::Number(0.0), day);
    }
    let rows = builder.finish();
    assert_eq!(spec.splitter().holdout(&rows), [true, false, false, true, false]);
    assert_eq!(spec.splitter().again(0.2).holdout(&rows), [true, false, false, false, false]);
}

#[test]
fn rows_are_drawn_again_apart_from_the_hold_out() {
    let spec = demo();
    let rows: Vec<(f64, Option<f64>, &str, f64)> = (0..4_000).map(|row| (f64::from(row), None, "a x", 1.0)).collect();
    let (held_out, again) = {
        let rows = batch(&rows);
        (spec.splitter().holdout(&rows), spec.splitter().again(0.25).holdout(&rows))
    };
    let share = |of: &dyn Fn(usize) -> bool| (0..4_000).filter(|row| of(*row)).count() as f64 / 4_000.0;
    assert!((share(&|row| again[row]) - 0.25).abs() < 0.03);
    // One says nothing of the other.
    assert!((share(&|row| again[row] && held_out[row]) - 0.05).abs() < 0.02);
}

#[test]
fn batches_join_with_their_levels() {
    let joined = spec::Batch::concat(vec![
        batch(&[(1.0, None, "a x", 1.0)]),
        batch(&[(2.0, None, "b x", 1.0), (3.0, None, "a x", 1.0)]),
    ])
    .unwrap();
    let ColumnData::Categories(models) = joined.column(3) else { panic!("a category column") };
    assert_eq!(models.levels, ["a x", "b x"]);
    assert_eq!(models.codes, [0, 1, 0]);
}
