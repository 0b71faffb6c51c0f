use std::fs;

use arrow::array::{BooleanArray, Date32Array, Float64Array, Int32Array, ListArray, RecordBatch, StringArray};
use arrow::datatypes::Int32Type;
use parquet::arrow::ArrowWriter;
use tempfile::TempDir;

use super::*;

const CSV: &str = "\u{feff}day,n,x,flag,note,empty,year\n\
    2016-07-02,1,1.5,true,\"a,b\",,2016\n\
    2016-08-01,,2,FALSE,,,2016\n\
    2016-07-30,-3,1e3,,5,,2016\n\
    2016-10-09,4,,true,x,,2016\n\
    2017-01-31,5,0.1,false,x,,2017\n";

fn file(name: &str, text: &str) -> (TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, text).unwrap();
    (folder, path)
}

fn json(table: &Table) -> String {
    String::from_utf8(table.to_json()).unwrap()
}

fn days(replay: &Replay) -> Vec<Vec<String>> {
    (0..replay.batches.len())
        .map(|batch| {
            let table = replay.batch(batch);
            let Some(Column::Text(text)) = table.get("day") else { panic!("day is not text") };
            (0..table.n_rows()).map(|row| text.get(row).unwrap().to_owned()).collect()
        })
        .collect()
}

#[test]
fn a_csv_keeps_its_kinds() {
    let (_folder, path) = file("rows.csv", CSV);
    let replay = Replay::by_rows(&path, &[3]).unwrap();
    assert_eq!(replay.batch_rows(), [3, 2]);
    assert_eq!(
        json(&replay.batch(0)),
        concat!(
            r#"[{"day":"2016-07-02","n":1,"x":1.5,"flag":true,"note":"a,b","empty":null,"year":2016},"#,
            r#"{"day":"2016-08-01","n":null,"x":2.0,"flag":false,"note":null,"empty":null,"year":2016},"#,
            r#"{"day":"2016-07-30","n":-3,"x":1000.0,"flag":null,"note":"5","empty":null,"year":2016}]"#
        )
    );
}

#[test]
fn rows_come_in_the_sizes_asked_for_until_the_file_ends() {
    let (_folder, path) = file("rows.csv", CSV);
    for (rows, sizes) in
        [(vec![2, 1], vec![2, 1, 1, 1]), (vec![4], vec![4, 1]), (vec![9], vec![5]), (vec![5, 9], vec![5])]
    {
        assert_eq!(Replay::by_rows(&path, &rows).unwrap().batch_rows(), sizes, "{rows:?}");
    }
}

#[test]
fn periods_come_in_calendar_order_and_the_first_holds_several() {
    let (_folder, path) = file("rows.csv", CSV);
    let every = |text: &str| text.parse::<Every>().unwrap();
    let months = |first| days(&Replay::by_period(&path, &every("month:day"), first).unwrap());
    assert_eq!(
        months(1),
        [vec!["2016-07-02", "2016-07-30"], vec!["2016-08-01"], vec!["2016-10-09"], vec!["2017-01-31"]]
    );
    assert_eq!(months(2)[0], ["2016-07-02", "2016-08-01", "2016-07-30"]);
    // September has no rows and still is one of the first three months.
    assert_eq!(months(3), [vec!["2016-07-02", "2016-08-01", "2016-07-30"], vec!["2016-10-09"], vec!["2017-01-31"]]);
    for column in ["year", "day"] {
        let years = Replay::by_period(&path, &every(&format!("year:{column}")), 1).unwrap();
        assert_eq!(years.batch_rows(), [4, 1], "{column}");
    }
}

#[test]
fn parquet_gives_the_rows_of_its_csv() {
    let (folder, path) = file("rows.csv", "day,n,x,flag,note\n2016-07-02,1,1.5,true,a\n2016-08-01,,,,\n");
    let batch = RecordBatch::try_from_iter(vec![
        ("day", Arc::new(Date32Array::from(vec![16_984, 17_014])) as ArrayRef),
        ("n", Arc::new(Int32Array::from(vec![Some(1), None]))),
        ("x", Arc::new(Float64Array::from(vec![1.5, f64::NAN]))),
        ("flag", Arc::new(BooleanArray::from(vec![Some(true), None]))),
        ("note", Arc::new(StringArray::from(vec![Some("a"), None]))),
    ])
    .unwrap();
    let write = |path: &Path, batch: &RecordBatch| {
        let mut writer = ArrowWriter::try_new(File::create(path).unwrap(), batch.schema(), None).unwrap();
        writer.write(batch).unwrap();
        writer.close().unwrap();
    };
    let parquet = folder.path().join("rows.parquet");
    write(&parquet, &batch);
    assert_eq!(json(&read(&parquet).unwrap()), json(&read(&path).unwrap()));

    let list = ListArray::from_iter_primitive::<Int32Type, _, _>(vec![Some(vec![Some(1)])]);
    write(&parquet, &RecordBatch::try_from_iter(vec![("list", Arc::new(list) as ArrayRef)]).unwrap());
    assert!(read(&parquet).unwrap_err().to_string().starts_with("column `list` of "));
}

#[test]
fn bad_files_are_refused_with_the_reason() {
    for (name, text, message) in [
        ("rows.txt", "a\n1\n", "expected a file ending in .csv, .parquet or .pq"),
        ("rows.csv", "a,b\n", "has no rows"),
        ("rows.csv", "a,a\n1,2\n", "has `a` twice"),
        ("rows.csv", "a,\n1,2\n", "has `` twice or without a name"),
        ("rows.csv", "a,b\n1,2\n3\n", "failed to read the rows of"),
        ("rows.parquet", "not parquet", "failed to read the rows of"),
    ] {
        let (_folder, path) = file(name, text);
        let error = Replay::by_rows(&path, &[10]).unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
    }
    assert!(Replay::by_rows(Path::new("nowhere.csv"), &[10]).unwrap_err().to_string().contains("nowhere.csv"));
    let (_folder, path) = file("rows.csv", CSV);
    for (every, message) in [
        ("month:date", "there is no such column; the columns are day, n,"),
        ("month:n", "row 1 has no date in `n`; expected a date such as 2016-07-02"),
        ("month:note", "row 1 has no date in `note`"),
        ("year:empty", "row 1 has no date in `empty`; expected a year"),
    ] {
        let error = Replay::by_period(&path, &every.parse().unwrap(), 1).unwrap_err().to_string();
        assert!(error.contains(message), "{every}: {error}");
    }
    for text in ["month", "week:day", "month:"] {
        let error = text.parse::<Every>().unwrap_err().to_string();
        assert_eq!(error, format!("--every `{text}`: expected month:COLUMN or year:COLUMN"));
    }
}
