//! Which versions can be compared.

use spec::{Batch, Categories, ColumnData, Kind, MISSING_CODE, Spec, Task};

/// What differs between the targets of two specs; none when both predict the same thing.
///
/// The scale on which a regression is learnt may differ: both answer in the target's own unit.
pub(super) fn same_target(a: &Spec, b: &Spec) -> Result<(), String> {
    if a.task != b.task {
        return Err(format!("one is {}, the other {}", task(a.task), task(b.task)));
    }
    if a.target.column != b.target.column {
        return Err(format!("one predicts `{}`, the other `{}`", a.target.column, b.target.column));
    }
    if a.target.classes != b.target.classes || a.target.positive != b.target.positive {
        return Err("their classes differ".to_owned());
    }
    Ok(())
}

fn task(task: Task) -> &'static str {
    match task {
        Task::Binary => "binary",
        Task::Multiclass => "multiclass",
        Task::Regression => "a regression",
    }
}

/// For each column of the spec `to`, its place in rows that were read with the spec `from`; none for one that those rows
/// lack and that may be missing.
///
/// # Errors
/// What keeps a version of `to` from answering such rows.
pub(super) fn columns_at_hand(from: &Spec, to: &Spec) -> Result<Vec<Option<usize>>, String> {
    let place = |(name, column): (&String, &spec::Column)| match from.columns.get_full(name) {
        Some((index, _, there)) if there.kind == column.kind => Ok(Some(index)),
        Some((_, _, there)) => {
            Err(format!("the champion needs `{name}` as a {}, and the rows have it as a {}", column.kind, there.kind))
        }
        None if column.nullable => Ok(None),
        None => Err(format!("the champion needs the column `{name}`, and the rows do not have it")),
    };
    to.columns.iter().map(place).collect()
}

/// The rows as a version of the spec `to` reads them; `places` are of [`columns_at_hand`].
pub(super) fn project(batch: &Batch, to: &Spec, places: &[Option<usize>]) -> Batch {
    let n_rows = batch.n_rows();
    let column = |(place, kind): (&Option<usize>, Kind)| match (place, kind) {
        (Some(index), _) => batch.column(*index).clone(),
        (None, Kind::Number | Kind::Time) => ColumnData::Numbers(vec![f64::NAN; n_rows]),
        (None, Kind::Category | Kind::Boolean) => {
            ColumnData::Categories(Categories { levels: Vec::new(), codes: vec![MISSING_CODE; n_rows] })
        }
    };
    let kinds = to.columns.values().map(|column| column.kind);
    Batch::new(places.iter().zip(kinds).map(column).collect(), None, None, n_rows)
}

#[cfg(test)]
mod tests {
    use spec::{BatchBuilder, Value};

    use super::*;

    fn spec(target: &str, columns: &str) -> Spec {
        Spec::parse(&format!("name: demo\n{target}\ncolumns: {{{columns}}}\n")).unwrap()
    }

    const PRICE: &str = "task: regression\ntarget: {column: price}";

    #[test]
    fn targets_are_the_same_or_differ_in_words() {
        let price = spec(PRICE, "x: {kind: number}");
        let log = spec("task: regression\ntarget: {column: price, transform: log}", "y: {kind: number}");
        assert_eq!(same_target(&price, &log), Ok(()));
        let two = spec("task: binary\ntarget: {column: price, classes: [low, high]}", "x: {kind: number}");
        assert_eq!(same_target(&price, &two).unwrap_err(), "one is a regression, the other binary");
        let other =
            spec("task: binary\ntarget: {column: price, classes: [low, high], positive: low}", "x: {kind: number}");
        assert_eq!(same_target(&two, &other).unwrap_err(), "their classes differ");
        let rent = spec("task: regression\ntarget: {column: rent}", "x: {kind: number}");
        assert_eq!(same_target(&price, &rent).unwrap_err(), "one predicts `price`, the other `rent`");
    }

    #[test]
    fn a_champion_gets_its_own_columns_or_is_not_compared() {
        let rows = spec(PRICE, "x: {kind: number}, city: {kind: category}");
        let fewer = spec(PRICE, "city: {kind: category}");
        let more = spec(PRICE, "old: {kind: category, nullable: true}, x: {kind: number}");
        let needs = spec(PRICE, "old: {kind: number}");
        let other = spec(PRICE, "x: {kind: category}");
        assert_eq!(columns_at_hand(&rows, &fewer), Ok(vec![Some(1)]));
        let places = columns_at_hand(&rows, &more).unwrap();
        assert_eq!(places, [None, Some(0)]);
        assert!(columns_at_hand(&rows, &needs).unwrap_err().contains("needs the column `old`"));
        assert!(columns_at_hand(&rows, &other).unwrap_err().contains("as a category"));

        let mut batch = BatchBuilder::new([Kind::Number, Kind::Category], None, false);
        batch.push(&[Value::Number(3.0), Value::Level("bern".into())], &Value::Missing, f64::NAN);
        let projected = project(&batch.finish(), &more, &places);
        assert_eq!(projected.record(0).values(), [Value::Missing, Value::Number(3.0)]);
    }
}
