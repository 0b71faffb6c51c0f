use spec::{BatchBuilder, Value};

use super::*;

fn spec(target: &str) -> Spec {
    Spec::parse(&format!(
        "name: demo\n{target}\ncolumns:\n  copy: {{kind: number, nullable: true}}\n  level: {{kind: category}}\n  noise: {{kind: number}}\n  \
         name: {{kind: category}}\n  row: {{kind: number}}\n"
    ))
    .unwrap()
}

fn level(text: impl Into<String>) -> Value {
    Value::Level(text.into())
}

/// Rows with a shuffled counter, a name of its own for each, and columns that follow `row -> (copy, level, target)`.
fn rows(spec: &Spec, n_rows: u32, mut of_row: impl FnMut(u32, &mut ChaCha8Rng) -> (Value, Value, Value)) -> Batch {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let mut rows = BatchBuilder::new(spec.columns.values().map(|column| column.kind), Some(spec.target_kind()), false);
    for row in 0..n_rows {
        let (copy, of_level, target) = of_row(row, &mut rng);
        // 7 and the number of rows have no common factor, so that each number comes once.
        let values = [
            copy,
            of_level,
            Value::Number(rng.random()),
            level(format!("n{row}")),
            Value::Number(f64::from(row * 7 % n_rows)),
        ];
        rows.push(&values, &target, f64::NAN);
    }
    rows.finish()
}

fn warned(leakage: &Leakage) -> Vec<(&str, WarningKind)> {
    leakage.warnings.iter().map(|warning| (&*warning.column, warning.kind)).collect()
}

fn alone(leakage: &Leakage, column: &str) -> f64 {
    leakage.alone.iter().find(|alone| alone.column == column).expect("every column is judged").value
}

const IDENTIFIERS: [(&str, WarningKind); 2] = [("name", WarningKind::Identifier), ("row", WarningKind::Identifier)];

#[test]
fn a_binary_target_in_another_form_is_flagged() {
    let spec = spec("task: binary\ntarget: {column: y, classes: ['no', 'yes']}");
    let batch = rows(&spec, 1_000, |row, rng| {
        let is_positive = row % 4 == 0;
        // A refund is only known of those who left, and is there for none but them.
        let copy = if is_positive { Value::Missing } else { Value::Number(rng.random()) };
        let closed = if is_positive { "closed" } else { "open" };
        (copy, level(closed), level(if is_positive { "yes" } else { "no" }))
    });
    let leakage = leakage(&spec, &batch, 1);
    let leaks = [("copy", WarningKind::TargetLeak), ("level", WarningKind::TargetLeak)];
    assert_eq!(warned(&leakage), [leaks, IDENTIFIERS].concat());
    assert_eq!((alone(&leakage, "copy"), alone(&leakage, "level")), (1.0, 1.0));
    assert!((alone(&leakage, "noise") - 0.5).abs() < 0.06, "{}", alone(&leakage, "noise"));
    assert!(
        alone(&leakage, "name") < 0.6,
        "levels of one row do not answer for themselves: {}",
        alone(&leakage, "name")
    );
    assert!(leakage.warnings[0].reason.contains("an AUC of 1"), "{:?}", leakage.warnings[0]);
}

#[test]
fn an_honest_column_is_not_flagged() {
    let spec = spec("task: binary\ntarget: {column: y, classes: ['no', 'yes']}");
    let batch = rows(&spec, 2_000, |_, rng| {
        let is_positive = rng.random_bool(0.3);
        let shift = if is_positive { 1.0 } else { 0.0 };
        // Uniform on [0, 1] and [0.5, 1.5]: the upper is the larger one with probability 7/8.
        let copy = Value::Number(rng.random::<f64>() + 0.5 * shift);
        let of_level = level(if rng.random_bool(0.4 + 0.3 * shift) { "a" } else { "b" });
        (copy, of_level, level(if is_positive { "yes" } else { "no" }))
    });
    let leakage = leakage(&spec, &batch, 1);
    assert_eq!(warned(&leakage), IDENTIFIERS);
    assert!((alone(&leakage, "copy") - 0.875).abs() < 0.02, "{}", alone(&leakage, "copy"));
    // Shares 0.7 and 0.4 of two levels: AUC = 0.5 + (0.7 - 0.4) / 2.
    assert!((alone(&leakage, "level") - 0.65).abs() < 0.03, "{}", alone(&leakage, "level"));
}

#[test]
fn one_of_several_classes_is_not_all_of_them() {
    let spec = spec("task: multiclass\ntarget: {column: y, classes: [a, b, c]}");
    let classes = ["a", "b", "c"];
    let batch = rows(&spec, 900, |row, rng| {
        let class = (row % 3) as usize;
        // The number tells all three, the level only the first.
        let copy = Value::Number(class as f64 + rng.random::<f64>() * 0.9);
        (copy, level(if class == 0 { "first" } else { "rest" }), level(classes[class]))
    });
    let leakage = leakage(&spec, &batch, 1);
    assert_eq!(warned(&leakage), [&[("copy", WarningKind::TargetLeak)], IDENTIFIERS.as_slice()].concat());
    // The first against the others 1; each other against the rest 3/4: half of the wrong rows are told, half are tied.
    assert!((alone(&leakage, "level") - (1.0 + 0.75 + 0.75) / 3.0).abs() < 0.02, "{}", alone(&leakage, "level"));
}

#[test]
fn a_number_in_another_unit_is_flagged() {
    let spec = spec("task: regression\ntarget: {column: y}");
    let batch = rows(&spec, 2_000, |_, rng| {
        // A tail so long that the largest value holds most of the variance.
        let price = (8.0 * rng.random::<f64>()).exp();
        let of_level = level(if price > 50.0 { "dear" } else { "cheap" });
        (Value::Number(-0.92 * price), of_level, Value::Number(price))
    });
    let leakage = leakage(&spec, &batch, 1);
    assert_eq!(warned(&leakage), [&[("copy", WarningKind::TargetLeak)], IDENTIFIERS.as_slice()].concat());
    // 20 bins of uniform ranks leave 1/400 of the variance.
    assert!((alone(&leakage, "copy") - 0.9975).abs() < 0.0005, "{}", alone(&leakage, "copy"));
    assert!(leakage.alone.iter().all(|alone| alone.measure == AloneMeasure::R2));
    assert!(
        (alone(&leakage, "level") - 0.75).abs() < 0.02,
        "halves explain three quarters: {}",
        alone(&leakage, "level")
    );
    assert!(alone(&leakage, "noise") < 0.02);
}

#[test]
fn few_rows_say_nothing() {
    let spec = spec("task: binary\ntarget: {column: y, classes: ['no', 'yes']}");
    let of_row = |row: u32, _: &mut ChaCha8Rng| {
        let is_positive = row.is_multiple_of(2);
        (Value::Number(f64::from(u8::from(is_positive))), level("x"), level(if is_positive { "yes" } else { "no" }))
    };
    assert_eq!(leakage(&spec, &rows(&spec, 29, of_row), 1), Leakage::default());
    assert!(!leakage(&spec, &rows(&spec, 64, of_row), 1).warnings.is_empty());
}

#[test]
fn amounts_are_no_identifiers() {
    let number = |numbers: Vec<f64>| identifier(Kind::Number, &ColumnData::Numbers(numbers));
    let count = |scale: f64| (0..100).map(|row| f64::from(row * 37 % 100) * scale).collect::<Vec<f64>>();
    assert!(number(count(1.0)).unwrap().contains("few gaps"));
    assert!(number(count(1.9)).is_none(), "not whole");
    assert!(number(count(1_000.0)).is_none(), "whole and different, but neither dense nor in order");
    assert!(number((0..100).map(|row| f64::from(row) * 1_000.0).collect()).unwrap().contains("order of the rows"));
    assert!(number([count(1.0), vec![5.0]].concat()).is_none(), "a number comes twice");
    assert!(number([count(1.0), vec![f64::NAN]].concat()).is_none(), "an identifier is never missing");
}
