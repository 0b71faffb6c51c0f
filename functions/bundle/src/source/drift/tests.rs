use super::super::draw::Purpose;
use super::super::rows::Text;
use super::*;

/// 4,000 rows: `age` an integer 20..60, `income` a float that follows no other, `city` a, b or c, `member` a boolean, and
/// `left` 0 or 1 at a quarter.
fn schema() -> Schema {
    let mut draw = Draw::new(5, Purpose::World, 0, 0);
    let n = 4000;
    let mut city = Text { levels: Arc::new(vec!["a".into(), "b".into(), "c".into()]), ..Text::default() };
    city.codes = (0..n).map(|_| draw.below(3) as u32).collect();
    let sample = Table::new(vec![
        ("age".into(), Column::Int((0..n).map(|_| 20 + draw.below(40) as i64).collect())),
        ("income".into(), Column::Float((0..n).map(|_| 1000.0 + 100.0 * draw.normal()).collect())),
        ("city".into(), Column::Text(city)),
        ("member".into(), Column::Bool((0..n).map(|_| Some(draw.chance(0.5))).collect())),
        ("left".into(), Column::Int((0..n).map(|_| i64::from(draw.chance(0.25))).collect())),
    ]);
    Schema { sample: Arc::new(sample), target: Some("left".into()), classes: vec!["0".into(), "1".into()] }
}

fn apply(text: &str, schema: &Schema) -> Table {
    let drift: Drift = text.parse().unwrap();
    drift.check(schema).unwrap();
    let run = || drift.apply((*schema.sample).clone(), schema, &mut Draw::new(7, Purpose::Drift, 0, 1)).unwrap();
    let table = run();
    assert_eq!(table.to_json(), run().to_json(), "{text} is not deterministic");
    let keeps_all = !text.starts_with("reweight") && !text.starts_with("prior");
    assert!(!keeps_all || table.n_rows() == schema.sample.n_rows(), "{text} changes the number of rows");
    table
}

fn column<'t>(table: &'t Table, name: &str) -> &'t Column {
    table.get(name).unwrap()
}

fn mean(table: &Table, name: &str) -> f64 {
    column(table, name).moments().unwrap().0
}

/// The rows of a table's column as JSON, to compare them.
fn cells(table: &Table, name: &str) -> Vec<u8> {
    Table::new(vec![(name.into(), column(table, name).clone())]).to_json()
}

/// Asserts that the columns but `changed` are as they were.
fn rest_is_kept(before: &Table, after: &Table, changed: &str) {
    for name in before.names().iter().filter(|name| *name != changed) {
        assert_eq!(cells(before, name), cells(after, name), "{name} changed, too");
    }
}

#[test]
fn shift_moves_a_mean_by_sigmas_and_nothing_else() {
    let schema = schema();
    for (name, sigmas) in [("income", 0.5), ("age", -0.3), ("left", 0.3)] {
        let after = apply(&format!("shift:{name}:{sigmas}"), &schema);
        let (was, sd) = column(&schema.sample, name).moments().unwrap();
        let moved = (mean(&after, name) - was) / sd;
        assert!((moved - sigmas).abs() < 0.02, "{name} moved by {moved}");
        rest_is_kept(&schema.sample, &after, name);
    }
    assert!(matches!(column(&apply("shift:age:0.3", &schema), "age"), Column::Int(_)));
}

#[test]
fn missing_and_newcat_touch_their_share_of_one_column() {
    let schema = schema();
    for name in ["age", "income", "city", "member"] {
        let after = apply(&format!("missing:{name}:0.2"), &schema);
        assert_eq!((0..4000).filter(|&row| column(&after, name).is_null(row)).count(), 800);
        rest_is_kept(&schema.sample, &after, name);
    }
    let after = apply("newcat:city", &schema);
    let Column::Text(text) = column(&after, "city") else { panic!() };
    assert_eq!((0..4000).filter(|&row| text.get(row) == Some(NEW_LEVEL)).count(), 400);
    rest_is_kept(&schema.sample, &after, "city");
    let Column::Int(ages) = column(&apply("newcat:age", &schema), "age").clone() else { panic!() };
    assert_eq!(ages.iter().filter(|age| **age == 60).count(), 400);
}

/// Asserts that the rows of a table are of another, each at most as often as there. `income` tells rows apart.
fn no_row_comes_twice(before: &Table, after: &Table) {
    let incomes = |table: &Table| -> Vec<f64> {
        (0..table.n_rows()).filter_map(|row| column(table, "income").number(row)).collect()
    };
    let (mut were, mut are) = (incomes(before), incomes(after));
    let mut places = were.iter();
    assert!(are.iter().all(|income| places.any(|was| was == income)), "the order changed, or a row came twice");
    were.sort_unstable_by(f64::total_cmp);
    are.sort_unstable_by(f64::total_cmp);
    assert!(are.windows(2).all(|pair| pair[0] < pair[1]) && are.len() <= were.len());
}

#[test]
fn reweight_moves_its_column_up_and_keeps_what_does_not_depend_on_it() {
    let schema = schema();
    let after = apply("reweight:income:0.8", &schema);
    assert_eq!(after.n_rows(), 2000);
    no_row_comes_twice(&schema.sample, &after);
    // Weights exp(k z) on a normal would move its mean by k standard deviations if rows could repeat.
    let moved = mean(&after, "income") - mean(&schema.sample, "income");
    assert!((40.0..80.0).contains(&moved), "{moved}");
    assert!((mean(&after, "left") - mean(&schema.sample, "left")).abs() < 0.03);
    assert!((mean(&after, "age") - mean(&schema.sample, "age")).abs() < 1.0);
    let plain = apply("reweight:income:0", &schema);
    assert!((mean(&plain, "income") - mean(&schema.sample, "income")).abs() < 8.0);
}

#[test]
fn prior_meets_the_rate_and_keeps_the_inputs_of_each_class() {
    let schema = schema();
    let given = |table: &Table, class: f64| {
        let ages: Vec<f64> = (0..table.n_rows())
            .filter(|&row| column(table, "left").number(row) == Some(class))
            .filter_map(|row| column(table, "age").number(row))
            .collect();
        ages.iter().sum::<f64>() / ages.len() as f64
    };
    for text in ["prior:1=0.6", "prior:left:1=0.6", "prior:1.0=0.6"] {
        let after = apply(text, &schema);
        assert!((mean(&after, "left") - 0.6).abs() < 0.001, "{text}");
        no_row_comes_twice(&schema.sample, &after);
        for class in [0.0, 1.0] {
            assert!((given(&after, class) - given(&schema.sample, class)).abs() < 1.0, "{text}");
        }
        // Every row of the class that is rarer than wanted is there.
        let positives = |table: &Table| (mean(table, "left") * table.n_rows() as f64).round();
        assert_eq!(positives(&after), positives(&schema.sample), "{text}");
    }
    assert_eq!(mean(&apply("prior:1=0", &schema), "left"), 0.0);
    assert_eq!(mean(&apply("prior:1=1", &schema), "left"), 1.0);
    let after = apply("prior:city:a=0.9", &schema);
    let Column::Text(city) = column(&after, "city").clone() else { panic!() };
    let share = (0..after.n_rows()).filter(|&row| city.get(row) == Some("a")).count() as f64 / after.n_rows() as f64;
    assert!((share - 0.9).abs() < 0.001, "{share}");
}

#[test]
fn flip_turns_its_rate_of_the_matching_rows_and_leaves_the_inputs() {
    let schema = schema();
    let text = "flip: age < 38 & member = true & city != c :0.45";
    let after = apply(text, &schema);
    rest_is_kept(&schema.sample, &after, "left");
    let (age, member) = (column(&after, "age"), column(&after, "member"));
    let Column::Text(city) = column(&after, "city") else { panic!() };
    let Column::Bool(member) = member else { panic!() };
    let (mut matched, mut turned) = (0, 0);
    for (row, member) in member.iter().enumerate() {
        let hit = age.number(row).unwrap() < 38.0 && *member == Some(true) && city.get(row) != Some("c");
        let other = column(&after, "left").number(row) != column(&schema.sample, "left").number(row);
        assert!(hit || !other, "row {row} does not match and was turned");
        matched += i64::from(hit);
        turned += i64::from(other);
    }
    assert_eq!(turned, (0.45 * matched as f64).round() as i64);
}

#[test]
fn flip_moves_to_other_classes_and_scales_a_numeric_target() {
    let mut schema = schema();
    schema.target = Some("city".into());
    schema.classes = vec!["a".into(), "b".into(), "c".into()];
    let after = apply("flip:city=a:1", &schema);
    let count = |table: &Table, level: &str| {
        let Column::Text(text) = column(table, "city") else { panic!() };
        (0..4000).filter(|&row| text.get(row) == Some(level)).count()
    };
    assert_eq!(count(&after, "a"), 0);
    assert!(
        count(&after, "b") > count(&schema.sample, "b") + 500 && count(&after, "c") > count(&schema.sample, "c") + 500
    );

    schema.target = Some("income".into());
    schema.classes = Vec::new();
    let after = apply("flip:age>=40:-0.22", &schema);
    rest_is_kept(&schema.sample, &after, "income");
    for row in 0..4000 {
        let factor = if column(&after, "age").number(row).unwrap() >= 40.0 { 0.78 } else { 1.0 };
        let was = column(&schema.sample, "income").number(row).unwrap();
        assert_eq!(column(&after, "income").number(row), Some(was * factor));
    }
}

#[test]
fn a_condition_never_matches_a_missing_cell() {
    let mut schema = schema();
    let mut sample = (*schema.sample).clone();
    sample.column_mut(0).set_null(0);
    schema.sample = Arc::new(sample);
    let drift: Drift = "flip:age!=-1:1".parse().unwrap();
    let after = drift.apply((*schema.sample).clone(), &schema, &mut Draw::new(7, Purpose::Drift, 0, 1)).unwrap();
    let same = |row| column(&after, "left").number(row) == column(&schema.sample, "left").number(row);
    assert!(same(0) && !(1..4000).any(same));
}

#[test]
fn wrong_conditions_name_the_piece_and_what_would_be_right() {
    for (text, piece, hint) in [
        ("shift", "`shift`", "expected reweight:COLUMN:STRENGTH, prior:"),
        ("drop:age:1", "`drop`", "expected reweight:COLUMN:STRENGTH"),
        ("shift:age", "`age`", "expected shift:COLUMN:SIGMAS"),
        ("shift:age:lots", "`lots`", "SIGMAS is a number"),
        ("shift:age:inf", "`inf`", "SIGMAS is a number"),
        ("shift::1", "`:1`", "the column's name is empty"),
        ("missing:age:1.5", "`1.5`", "RATE is from 0 to 1"),
        ("newcat:", "``", "the column's name is empty"),
        ("prior:1", "`1`", "expected prior:CLASS=RATE"),
        ("prior:=0.2", "`=0.2`", "the class is empty"),
        ("prior:1=x", "`x`", "RATE is a number"),
        ("flip:age<38", "`age<38`", "expected flip:CONDITION:RATE"),
        ("flip:age:0.1", "`age`", "expected COLUMN OP VALUE"),
        ("flip:age==3:0.1", "`age==3`", "OP one of < <= > >= = !="),
        ("flip:age<3&:0.1", "``", "expected COLUMN OP VALUE"),
        ("flip:age!3:0.1", "`age!3`", "expected COLUMN OP VALUE"),
        ("flip:age<3:-2", "`-2`", "RATE is above -1"),
        // Those that read well, but not for these rows.
        ("shift:salary:1", "`salary`", "there is no such column; the columns are age, income, city, member, left"),
        ("shift:city:1", "`city`", "it is a text column; a number column is needed"),
        ("reweight:member:1", "`member`", "it is a boolean column"),
        ("newcat:income", "`income`", "it is a number column; text or integers are needed"),
        ("missing:salary:0.1", "`salary`", "there is no such column"),
        ("prior:2=0.5", "`2`", "`left` has the classes 0, 1"),
        ("prior:town:a=0.5", "`town`", "there is no such column"),
        ("flip:town=a:0.5", "`town`", "there is no such column"),
        ("flip:age<young:0.5", "`young`", "`age` is an integer column"),
        ("flip:member=yes:0.5", "`yes`", "`member` is true or false"),
        ("flip:age<30:1.5", "`1.5`", "RATE is from 0 to 1"),
    ] {
        let error = text.parse::<Drift>().and_then(|drift| drift.check(&schema())).unwrap_err().to_string();
        assert!(
            error.starts_with(&format!("--drift `{text}`: at {piece}: ")) && error.contains(hint),
            "{text}: {error}"
        );
    }
    let mut blind = schema();
    blind.target = None;
    for text in ["prior:1=0.5", "flip:age<30:0.5"] {
        let error = text.parse::<Drift>().unwrap().check(&blind).unwrap_err().to_string();
        assert!(error.contains("add --target COLUMN"), "{error}");
    }
    let one_class = Table::new(vec![("left".into(), Column::Int(vec![0; 10]))]);
    let drift: Drift = "prior:1=0.5".parse().unwrap();
    let error = drift.apply(one_class, &schema(), &mut Draw::new(7, Purpose::Drift, 0, 1)).unwrap_err().to_string();
    assert!(error.contains("no row with that value of `left`"), "{error}");
}
