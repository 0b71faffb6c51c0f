//! What every reader must do, as tables of bodies and outcomes.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, DictionaryArray, Float32Array, Int64Array, LargeStringArray,
    RecordBatch, TimestampMillisecondArray,
};
use arrow::datatypes::Int32Type;
use fault::{Fault, Kind};
use parquet::arrow::ArrowWriter;
use proptest::prelude::*;
use spec::{Batch, Categories, ColumnData, MISSING_CODE, Spec, Value};

use super::*;

const SPEC: &str = "
name: demo
task: regression
target: {column: price, transform: log}
time: sold_on
source: {http: {url: 'http://localhost/data'}, rename: {price_USD: price}}
columns:
  size: {kind: number, range: [0, 100]}
  state: {kind: category, allowed: [al, ny], nullable: true}
  pool: {kind: boolean, nullable: true}
drop: {id: identifier}
rules: [{column: price, between: [1, 1000]}]
";

fn spec() -> Spec {
    Spec::parse(SPEC).unwrap()
}

fn read_text(text: &str, format: Format) -> Result<Read, Error> {
    let read = read(&spec(), text.to_owned(), format);
    if let Ok(read) = &read {
        assert_eq!(read.batch.n_rows() + read.quarantined.len(), read.n_source_rows as usize);
    }
    read
}

/// Rows that are kept, and of each quarantined one its number and the pointers of its reasons.
fn outcome(text: &str, format: Format) -> (usize, Vec<(u64, Vec<String>)>) {
    let read = read_text(text, format).unwrap();
    let pointers = |row: &QuarantinedRow| row.reasons.iter().map(|reason| reason.pointer.clone()).collect();
    (read.batch.n_rows(), read.quarantined.iter().map(|row| (row.row, pointers(row))).collect())
}

#[test]
fn csv_rows_become_typed_columns() {
    let text = "\u{feff}id,size,state,pool,price_USD,sold_on\r\n1,10,al,yes,5,2020-01-02\r\n2,2.5,,,7,\r\n\"3\",3,\"ny\",0,9,2020-01-01\r\n";
    let read = read_text(text, Format::Csv).unwrap();
    assert_eq!((read.n_source_rows, read.quarantined.len(), read.batch_number), (3, 0, None));
    assert_eq!(*read.batch.column(0), ColumnData::Numbers(vec![10.0, 2.5, 3.0]));
    let states = Categories { levels: vec!["al".into(), "ny".into()], codes: vec![0, MISSING_CODE, 1] };
    assert_eq!(*read.batch.column(1), ColumnData::Categories(states));
    let pools = Categories { levels: vec!["true".into(), "false".into()], codes: vec![0, MISSING_CODE, 1] };
    assert_eq!(*read.batch.column(2), ColumnData::Categories(pools));
    assert_eq!(read.batch.target(), Some(&ColumnData::Numbers(vec![5.0, 7.0, 9.0])));
    let time = read.batch.time().unwrap();
    assert_eq!((time[0], time[1].is_nan(), time[2]), (1_577_923_200.0, true, 1_577_836_800.0));
}

#[test]
fn csv_rows_that_do_not_fit_are_quarantined_with_all_their_reasons() {
    let text = "id,size,state,pool,price_USD,sold_on
1,10,al,yes,5,2020-01-02
2,101,tx,maybe,-1,never
3,1,al
4,1,al,no,5000,2020-01-02
5,,al,no,5,2020
6,1,al,no,5,2020-01-03,7
7,NaN,al,no,,2020-01-03
";
    let expect = (
        1,
        vec![
            (1, vec!["/size", "/state", "/pool", "/price", "/sold_on"]),
            (2, vec![""]),
            (3, vec!["/price"]),
            (4, vec!["/size", "/sold_on"]),
            (5, vec![""]),
            (6, vec!["/size", "/price"]),
        ],
    );
    let (kept, quarantined) = outcome(text, Format::Csv);
    let quarantined: Vec<(u64, Vec<&str>)> =
        quarantined.iter().map(|(row, pointers)| (*row, pointers.iter().map(String::as_str).collect())).collect();
    assert_eq!((kept, quarantined), expect);
    let read = read_text(text, Format::Csv).unwrap();
    assert_eq!(read.quarantined[1].cells, serde_json::json!(["3", "1", "al"]));
    assert_eq!(read.quarantined[0].cells["id"], "2");
    let lines = quarantine_ndjson(&read.quarantined);
    let back: Vec<QuarantinedRow> =
        std::str::from_utf8(&lines).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(back, read.quarantined);
}

#[test]
fn json_is_read_as_an_array_or_as_an_object_with_data() {
    let rows = r#"[{"id": [1], "size": 10, "state": null, "pool": true, "price_USD": 5, "sold_on": "2020-01-02"}, {"sold_on": null, "price_USD": 6.5, "size": 1e1}]"#;
    for (text, batch_number) in [
        (rows.to_owned(), None),
        (format!(r#"{{"group_number": {{"a": []}}, "batch_number": 3, "data": {rows}, "day": "Tuesday"}}"#), Some(3)),
        (format!(r#"{{"data": {rows}, "batch_number": null}}"#), None),
    ] {
        let read = read_text(&text, Format::Json).unwrap();
        assert_eq!((read.batch.n_rows(), read.quarantined.len(), read.batch_number), (2, 0, batch_number), "{text}");
        assert_eq!(read.batch.target(), Some(&ColumnData::Numbers(vec![5.0, 6.5])));
    }
}

#[test]
fn json_rows_that_do_not_fit_are_quarantined() {
    let good = r#"{"size": 1, "price_USD": 5, "sold_on": 7}"#;
    for (row, pointers) in [
        (r#"{"size": "1", "price_USD": 5}"#, vec!["/size"]),
        (r#"{"size": 1, "size": 1, "price_USD": 5}"#, vec!["/size"]),
        (r#"{"size": 1, "price": 5, "price_USD": 5}"#, vec!["/price"]),
        (r#"{"size": 1, "id": 1, "id": 2, "price_USD": 5}"#, vec!["/id"]),
        (r#"{"size": {"a": 1}, "price_USD": [5]}"#, vec!["/size", "/price"]),
        (r#"{"size": 1e999, "price_USD": 5}"#, vec![""]),
        (r#"{"size": 1, "state": "\ud800", "price_USD": 5}"#, vec![""]),
        (r#"{"price_USD": 5}"#, vec!["/size"]),
        (r#"{"size": 1}"#, vec!["/price"]),
        (r#"{"size": 1, "price_USD": 5, "sold_on": "2020-01-01"}"#, vec!["/sold_on"]),
        (r#"{"size": 1, "price_USD": 5, "sold_on": true}"#, vec!["/sold_on"]),
        ("7", vec![""]),
        ("null", vec![""]),
        ("[]", vec![""]),
    ] {
        let (kept, quarantined) = outcome(&format!("[{good}, {row}, {good}]"), Format::Json);
        let pointers = pointers.into_iter().map(str::to_owned).collect();
        assert_eq!((kept, quarantined), (2, vec![(1, pointers)]), "{row}");
    }
}

#[test]
fn columns_that_do_not_fit_are_listed_all_at_once() {
    for (text, format) in [
        ("size,colour,flavour,sold_on\n", Format::Csv),
        ("size,colour,flavour,sold_on\n1,2,3,4\n", Format::Csv),
        (r#"[{"size": 1, "sold_on": 1, "flavour": 2}, {"size": 1, "colour": null}]"#, Format::Json),
    ] {
        match read_text(text, format) {
            Err(error @ Error::Schema { .. }) => {
                let pointers: Vec<String> = error.fields().into_iter().map(|field| field.pointer).collect();
                assert_eq!(pointers, ["/colour", "/flavour", "/price"], "{text}");
                assert_eq!(error.kind(), Kind::Invalid);
            }
            other => panic!("{text}: {other:?}"),
        }
    }
}

#[test]
fn bodies_that_are_not_their_format_say_where() {
    let cases: &[(&[u8], Format, &str)] = &[
        (b"", Format::Json, "the JSON cannot be read: the body is empty"),
        (b" \n", Format::Csv, "the CSV cannot be read: the body is empty"),
        (b"", Format::Parquet, "the Parquet cannot be read: the body is empty"),
        (b"size\n1\n\xff\n", Format::Csv, "the CSV cannot be read at line 3, byte 7: byte 0xff is not UTF-8"),
        (b"[{\"size\": 1},\n{\"si", Format::Json, "the JSON cannot be read at line 2: EOF while parsing a string"),
        (b"[] []", Format::Json, "the JSON cannot be read at line 1: trailing characters"),
        (b"{\"rows\": []}", Format::Json, "the JSON cannot be read at line 1: the object has no `data`"),
        (b"{\"data\": [], \"data\": []}", Format::Json, "the JSON cannot be read at line 1: `data` is given twice"),
        (b"{\"data\": 7}", Format::Json, "the JSON cannot be read at line 1: invalid type: integer `7`"),
        (b"{\"data\": [], \"batch_number\": -1}", Format::Json, "the JSON cannot be read at line 1: invalid value"),
        (b"7", Format::Json, "the JSON cannot be read at line 1: invalid type: integer `7`"),
        (b"[{\"size\": NaN}]", Format::Json, "the JSON cannot be read at line 1: expected value"),
        (b"size,size\n", Format::Csv, "the CSV cannot be read at line 1: the header names `size` twice"),
        (b"size;state\n1;al\n", Format::Csv, "the CSV cannot be read at line 1: cells are separated by commas here"),
        (b"PAR1 and then nothing", Format::Parquet, "the Parquet cannot be read"),
    ];
    for (body, format, message) in cases {
        let error = read(&spec(), *body, *format).unwrap_err();
        assert_eq!(error.kind(), Kind::Malformed, "{message}");
        assert!(error.to_string().starts_with(message), "{error} is not {message}");
    }
}

#[test]
fn a_body_without_rows_is_an_empty_batch() {
    for (text, format) in [
        ("[]", Format::Json),
        (r#"{"data": [], "batch_number": 0}"#, Format::Json),
        ("size,price_USD,sold_on\n", Format::Csv),
    ] {
        let read = read_text(text, format).unwrap();
        assert_eq!((read.batch.n_rows(), read.n_source_rows), (0, 0));
        let stored = write_parquet(&spec(), &read.batch).unwrap();
        assert_eq!(read_parquet(&spec(), stored.clone()).unwrap(), read.batch);
    }
}

#[test]
fn a_time_that_is_an_input_orders_the_rows_too() {
    let text = "name: t\ntask: regression\ntarget: {column: y}\ntime: at\ncolumns:\n  at: {kind: time, nullable: true}\nderive: {m: {month: at}}\n";
    let spec = Spec::parse(text).unwrap();
    let read = read(&spec, "at,y\n1970-01-02,1\n,2\n", Format::Csv).unwrap();
    assert_eq!(read.batch.time().map(|time| (time[0], time[1].is_nan())), Some((86_400.0, true)));
    let back = read_parquet(&spec, write_parquet(&spec, &read.batch).unwrap()).unwrap();
    assert!(same(&back, &read.batch));
}

#[test]
fn rows_are_read_by_their_numbers() {
    let text = "size,state,pool,price_USD,sold_on\n1,al,true,2,1\n2,ny,,3,2\n3,,false,4,3\n4,ny,true,5,4\n5,al,,6,5\n";
    let read = read_text(text, Format::Csv).unwrap();
    let stored = write_parquet(&spec(), &read.batch).unwrap();
    for ranges in [vec![0..2, 2..3, 3..5], vec![0..5, 5..usize::MAX], vec![0..0, 0..4, 4..9, 9..12]] {
        let parts: Vec<Batch> =
            ranges.iter().map(|range| read_parquet_rows(&spec(), stored.clone(), range.clone()).unwrap()).collect();
        assert_eq!(parts.iter().map(Batch::n_rows).sum::<usize>(), 5, "{ranges:?}");
        assert!(same(&Batch::concat(parts).unwrap(), &read.batch), "{ranges:?}");
    }
}

fn parquet_of(columns: Vec<(&str, ArrayRef)>) -> Vec<u8> {
    let batch = RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true)));
    let batch = batch.unwrap();
    let mut out = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut out, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    out
}

fn sample_parquet() -> Vec<u8> {
    let price = Decimal128Array::from(vec![Some(500), Some(725), Some(0)]).with_precision_and_scale(10, 2).unwrap();
    let state: DictionaryArray<Int32Type> = vec![Some("al"), None, Some("ny")].into_iter().collect();
    parquet_of(vec![
        ("size", Arc::new(Float32Array::from(vec![Some(1.5), Some(2.0), None]))),
        ("state", Arc::new(state)),
        ("pool", Arc::new(BooleanArray::from(vec![Some(true), None, Some(false)]))),
        ("price_USD", Arc::new(price)),
        ("sold_on", Arc::new(Date32Array::from(vec![Some(1), Some(2), None]))),
        ("id", Arc::new(Int64Array::from(vec![i64::MAX, 2, 3]))),
    ])
}

#[test]
fn parquet_of_any_writer_is_read() {
    let read = read(&spec(), sample_parquet(), Format::Parquet).unwrap();
    assert_eq!((read.batch.n_rows(), read.n_source_rows), (2, 3));
    assert_eq!(*read.batch.column(0), ColumnData::Numbers(vec![1.5, 2.0]));
    assert_eq!(read.batch.target(), Some(&ColumnData::Numbers(vec![5.0, 7.25])));
    assert_eq!(read.batch.time(), Some([86_400.0, 172_800.0].as_slice()));
    assert_eq!(read.batch.record(0).values()[1], Value::Level("al".into()));
    let refused = &read.quarantined[0];
    assert_eq!((refused.row, refused.reasons.len()), (2, 2), "{:?}", refused.reasons);
    let cells =
        serde_json::json!({"size": null, "state": "ny", "pool": false, "price_USD": 0.0, "sold_on": null, "id": 3.0});
    assert_eq!(refused.cells, cells);

    let timestamps = TimestampMillisecondArray::from(vec![1_500]).with_timezone("America/Bogota");
    let body = parquet_of(vec![
        ("size", Arc::new(Int64Array::from(vec![3]))),
        ("state", Arc::new(LargeStringArray::from(vec!["ny"]))),
        ("price_USD", Arc::new(Float32Array::from(vec![3.0]))),
        ("sold_on", Arc::new(timestamps)),
    ]);
    let read = super::read(&spec(), body, Format::Parquet).unwrap();
    assert_eq!(read.batch.time(), Some([1.5].as_slice()), "{:?}", read.quarantined);
}

#[test]
fn weights_come_with_their_rows() {
    let text = "name: w\ntask: regression\ntarget: {column: y}\ncolumns: {x: {kind: number}}\ntrain: {weight: n}\n";
    let spec = Spec::parse(text).unwrap();
    let csv = "x,n,y\n1,2.5,3\n2,0,4\n3,-1,5\n4,,6\n5,inf,7\n6,many,8\n";
    let read = read(&spec, csv, Format::Csv).unwrap();
    assert_eq!(read.batch.weight(), Some([2.5, 0.0].as_slice()));
    assert_eq!(read.batch.select(&[1]).weight(), Some([0.0].as_slice()));
    let refused: Vec<(u64, String)> =
        read.quarantined.iter().map(|row| (row.row, row.reasons[0].to_string())).collect();
    assert_eq!(refused.iter().map(|(row, _)| *row).collect::<Vec<_>>(), [2, 3, 4, 5]);
    assert!(
        refused.iter().all(|(_, reason)| reason.contains("/n") && reason.contains("a number from 0")),
        "{refused:?}"
    );
    let stored = write_parquet(&spec, &read.batch).unwrap();
    assert_eq!(read_parquet(&spec, stored.clone()).unwrap(), read.batch);
    // What a batch lacks is said, as it is of a column.
    let unweighted = Spec::parse(&text.replace("{weight: n}", "{}")).unwrap();
    assert!(read_parquet(&unweighted, stored).is_err());
    let without = write_parquet(&unweighted, &read.batch).unwrap();
    let error = read_parquet(&spec, without).unwrap_err();
    assert!(format!("{error:?}").contains("the stored batch does not"), "{error:?}");
    let missing = super::read(&spec, "x,y\n1,2\n", Format::Csv).unwrap_err();
    assert!(missing.to_string().contains('n'), "{missing}");
    let both = Batch::concat(vec![read.batch.clone(), read.batch.select(&[0])]).unwrap();
    assert_eq!(both.weight(), Some([2.5, 0.0, 2.5].as_slice()));
}

#[test]
fn damaged_parquet_is_an_error_and_never_a_panic() {
    let whole = sample_parquet();
    for end in 0..whole.len() {
        assert!(read(&spec(), whole[..end].to_vec(), Format::Parquet).is_err());
    }
    for at in 0..whole.len() {
        for bit in [0, 3, 7] {
            let mut damaged = whole.clone();
            damaged[at] ^= 1 << bit;
            // A flipped bit in a cell is another cell; it must only never take the process down.
            let _ = read(&spec(), damaged, Format::Parquet);
        }
    }
}

#[test]
fn stored_batches_of_other_columns_are_refused_by_name() {
    let read = read_text("size,price_USD,sold_on\n1,2,3\n", Format::Csv).unwrap();
    let stored = write_parquet(&spec(), &read.batch).unwrap();
    let other =
        SPEC.replace("size: {kind: number, range: [0, 100]}", "area: {kind: number}").replace("boolean", "category");
    let error = read_parquet(&Spec::parse(&other).unwrap(), stored).unwrap_err();
    let pointers: Vec<String> = error.fields().into_iter().map(|field| field.pointer).collect();
    assert_eq!(pointers, ["/area", "/pool", "/size"]);
    assert_eq!(error.kind(), Kind::Conflict);
    assert!(matches!(read_parquet(&spec(), "nonsense"), Err(Error::Malformed { .. })));
}

#[test]
fn tables_take_the_narrowest_form() {
    let csv = "a,b,zip,mixed\n1,x,01234,1\n,y,00001,z\n2.5,,1,\n1,2\n";
    let table = Table::read(csv, Format::Csv).unwrap();
    assert_eq!((table.n_rows, table.n_skipped), (3, 1));
    assert!(matches!(&table.columns[0].cells, Cells::Numbers(numbers) if numbers[0] == 1.0 && numbers[1].is_nan()));
    for column in &table.columns[1..] {
        assert!(matches!(column.cells, Cells::Text(_)), "{}", column.name);
    }
    let json = r#"[{"a": 1, "b": true}, {"b": null, "c": "x"}, {"a": 2, "b": false}, 7]"#;
    let table = Table::read(json, Format::Json).unwrap();
    assert_eq!((table.n_rows, table.n_skipped), (3, 1));
    assert_eq!(table.column("b").unwrap().cells, Cells::Booleans(vec![Some(true), None, Some(false)]));
    let Cells::Text(c) = &table.column("c").unwrap().cells else { panic!("c is text") };
    assert_eq!(c.codes, [MISSING_CODE, 0, MISSING_CODE]);
    let table = Table::read(sample_parquet(), Format::Parquet).unwrap();
    assert_eq!((table.n_rows, table.columns.len()), (3, 6));
}

/// Equal, with NaN equal to NaN.
fn same(a: &Batch, b: &Batch) -> bool {
    let bits = |numbers: &[f64]| numbers.iter().map(|number| number.to_bits()).collect::<Vec<_>>();
    let column = |a: &ColumnData, b: &ColumnData| match (a, b) {
        (ColumnData::Numbers(a), ColumnData::Numbers(b)) => bits(a) == bits(b),
        (a, b) => a == b,
    };
    a.n_rows() == b.n_rows()
        && a.columns().len() == b.columns().len()
        && a.columns().iter().zip(b.columns()).all(|(a, b)| column(a, b))
        && match (a.target(), b.target()) {
            (Some(a), Some(b)) => column(a, b),
            (a, b) => a.is_none() && b.is_none(),
        }
        && a.time().map(bits) == b.time().map(bits)
}

fn numbers(n_rows: usize) -> impl Strategy<Value = Vec<f64>> {
    let number = prop_oneof![Just(f64::NAN), Just(-0.0), Just(f64::MIN_POSITIVE / 4.0), any::<f64>()];
    let canonical = |number: f64| if number.is_nan() { f64::NAN } else { number };
    prop::collection::vec(number.prop_map(canonical), n_rows)
}

fn categories(levels: &'static [&'static str], n_rows: usize) -> impl Strategy<Value = ColumnData> {
    let n_levels = levels.len() as u32;
    let order = Just(levels).prop_map(|levels| levels.to_vec()).prop_shuffle();
    let code = prop_oneof![Just(MISSING_CODE), 0..n_levels];
    (order, prop::collection::vec(code, n_rows)).prop_map(|(levels, codes)| {
        ColumnData::Categories(Categories { levels: levels.into_iter().map(str::to_owned).collect(), codes })
    })
}

fn stored_batch() -> impl Strategy<Value = Batch> {
    (0_usize..40).prop_flat_map(|n_rows| {
        (
            numbers(n_rows),
            categories(&["al", "ny", "", "é \"x\"\n", "0"], n_rows),
            categories(&["false", "true"], n_rows),
            prop::option::of(numbers(n_rows)),
            prop::option::of(numbers(n_rows)),
        )
            .prop_map(move |(size, state, pool, target, time)| {
                let columns = vec![ColumnData::Numbers(size), state, pool];
                Batch::new(columns, target.map(ColumnData::Numbers), time, n_rows)
            })
    })
}

/// A cell that fits or not, as JSON and as CSV.
fn cell() -> impl Strategy<Value = (&'static str, &'static str)> {
    prop::sample::select(vec![
        ("1", "1"),
        ("-5", "-5"),
        ("1e3", "1e3"),
        ("\"al\"", "al"),
        ("\"zz\"", "zz"),
        ("null", ""),
        ("true", "true"),
        ("[1]", "[1]"),
        ("\"2020-01-01\"", "2020-01-01"),
    ])
}

proptest! {
    #[test]
    fn stored_batches_come_back_exactly(batch in stored_batch()) {
        let stored = write_parquet(&spec(), &batch).unwrap();
        prop_assert_eq!(&stored, &write_parquet(&spec(), &batch).unwrap());
        prop_assert!(same(&read_parquet(&spec(), stored.clone()).unwrap(), &batch));
    }

    #[test]
    fn no_row_is_dropped_in_silence(rows in prop::collection::vec(prop::collection::vec(cell(), 5), 1..30)) {
        let names = ["size", "state", "pool", "price_USD", "sold_on"];
        let csv: String = std::iter::once(names.join(","))
            .chain(rows.iter().map(|row| row.iter().map(|cell| cell.1).collect::<Vec<_>>().join(",")))
            .map(|line| line + "\n")
            .collect();
        let object = |row: &Vec<(&str, &str)>| {
            let cells: Vec<String> = names.iter().zip(row).map(|(name, cell)| format!("{name:?}: {}", cell.0)).collect();
            format!("{{{}}}", cells.join(", "))
        };
        let json = format!("[{}]", rows.iter().map(object).collect::<Vec<_>>().join(", "));
        for (text, format) in [(csv, Format::Csv), (json, Format::Json)] {
            let read = read(&spec(), text.to_owned(), format).unwrap();
            prop_assert_eq!(read.n_source_rows as usize, rows.len());
            prop_assert_eq!(read.batch.n_rows() + read.quarantined.len(), rows.len());
            prop_assert!(read.quarantined.iter().all(|row| !row.reasons.is_empty()));
            prop_assert!(read.quarantined.windows(2).all(|pair| pair[0].row < pair[1].row));
            let spec = spec();
            for row in 0..read.batch.n_rows() {
                let record = read.batch.record(row);
                prop_assert!(spec.broken_rules(record.values(), record.target().unwrap()).is_empty());
            }
        }
    }

    #[test]
    fn json_and_parquet_of_the_same_rows_read_the_same(sizes in prop::collection::vec(0.0..100.0_f64, 1..50)) {
        let json: Vec<String> = sizes
            .iter()
            .map(|size| format!("{{\"size\": {size:?}, \"price_USD\": {:?}, \"sold_on\": 1}}", size + 1.0))
            .collect();
        let from_json = read(&spec(), format!("[{}]", json.join(",")), Format::Json).unwrap().batch;
        let prices = sizes.iter().map(|size| size + 1.0).collect::<Vec<_>>();
        let body = parquet_of(vec![
            ("size", Arc::new(arrow::array::Float64Array::from(sizes.clone()))),
            ("price_USD", Arc::new(arrow::array::Float64Array::from(prices))),
            ("sold_on", Arc::new(Int64Array::from(vec![1; sizes.len()]))),
        ]);
        let from_parquet = read(&spec(), body, Format::Parquet).unwrap().batch;
        prop_assert!(same(&from_json, &from_parquet));
    }
}
