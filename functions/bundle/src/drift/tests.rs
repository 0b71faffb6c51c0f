//! `ebb drift` on files.

use std::fmt::Write as _;
use std::path::PathBuf;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Args, Error, column_effect, judge, preset};

/// `rows` lines of an identifier, a number, a category, a flag and a date; the number moves by `shift` of its own width.
fn csv(rows: usize, shift: f64, colours: &[&str]) -> String {
    let mut text = String::from("id,size,colour,paid,day\n");
    for row in 0..rows {
        let size = ((row * 7919) % rows) as f64 / rows as f64 + shift;
        let (colour, paid, day) = (colours[row % colours.len()], u8::from(row % 3 == 0), 1 + row % 28);
        writeln!(text, "{row},{size},{colour},{paid},2026-01-{day:02}").unwrap();
    }
    text
}

struct Files {
    folder: TempDir,
}

impl Files {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    fn args(&self, reference: &str, current: &str) -> Args {
        Args {
            reference: self.write("reference.csv", reference),
            current: self.write("current.csv", current),
            preset: preset("default").unwrap(),
            columns: Vec::new(),
            multivariate: false,
            report: None,
            json: true,
        }
    }

    fn answer(&self, reference: &str, current: &str) -> Value {
        serde_json::to_value(judge(&self.args(reference, current)).unwrap()).unwrap()
    }
}

const COLOURS: [&str; 3] = ["red", "green", "blue"];

#[test]
fn the_same_again_is_steady_and_told_by_column() {
    let answer = Files::new().answer(&csv(2_000, 0.0, &COLOURS), &csv(1_500, 0.0, &COLOURS));
    assert_eq!((&answer["drifted"], &answer["decision"]), (&json!(false), &json!("skip")), "{answer}");
    assert_eq!(answer["rows"], json!({"reference": 2000, "current": 1500}));
    let columns: Vec<&str> =
        answer["columns"].as_array().unwrap().iter().map(|column| column["column"].as_str().unwrap()).collect();
    assert_eq!(columns, ["size", "colour", "paid"]);
    assert_eq!(answer["columns"][0]["test"], "ks");
    assert!(answer["columns"][0]["statistics"]["cramer_von_mises"]["p_value"].as_f64().unwrap() > 0.5);
    assert!(answer["columns"][1]["statistics"]["g_test"]["statistic"].is_number());
    assert_eq!(answer["columns"][2]["distribution"]["bins"], json!(["false", "true"]));
    let not_compared = &answer["not_compared"];
    assert!(not_compared["id"].as_str().unwrap().contains("row number"), "{not_compared}");
    assert!(not_compared["day"].as_str().unwrap().contains("dates"), "{not_compared}");
}

#[test]
fn what_moved_is_drift_and_has_a_page() {
    let files = Files::new();
    let mut args = files.args(&csv(2_000, 0.0, &COLOURS), &csv(2_000, 0.2, &["red", "green", "mauve"]));
    args.report = Some(files.folder.path().join("report.html"));
    let answer = judge(&args).unwrap();
    assert!(answer.drifted);
    assert!(answer.reasons[0].contains("new category `mauve`"), "{:?}", answer.reasons);
    let page = std::fs::read_to_string(args.report.unwrap()).unwrap();
    assert!(page.contains("<strong>current.csv</strong> against <strong>reference.csv</strong>"));
    assert!(page.contains("Cramér-von Mises") && !page.contains("http") && !page.contains("<script"));

    let mut args = files.args(&csv(8_000, 0.0, &COLOURS), &csv(8_000, 0.04, &COLOURS));
    assert!(judge(&args).unwrap().drifted);
    args.columns = vec![column_effect("size=0.2").unwrap()];
    assert!(!judge(&args).unwrap().drifted, "an effect of 0.14 is below the column's own threshold");
    (args.columns, args.preset) = (Vec::new(), preset("tolerant").unwrap());
    assert!(!judge(&args).unwrap().drifted);
}

#[test]
fn repeated_rows_and_what_columns_show_together_are_seen() {
    let files = Files::new();
    let pairs = |apart: bool, n: usize| {
        let line = |row: usize| {
            let x = (row * 7919) % n;
            format!("{}.5,{}.5\n", x, if apart { (x * 31 + 7) % n } else { x })
        };
        format!("x,y\n{}", (0..n).map(line).collect::<String>())
    };
    let mut args = files.args(&pairs(false, 900), &pairs(true, 900));
    assert!(!judge(&args).unwrap().drifted);
    args.multivariate = true;
    let answer = judge(&args).unwrap();
    assert!(answer.reasons[0].contains("a classifier tells"), "{:?}", answer.reasons);
    assert!(answer.multivariate.unwrap().auc > 0.8);

    let twice = pairs(false, 450) + pairs(false, 450).split_once('\n').unwrap().1;
    let answer = files.answer(&pairs(false, 900), &twice);
    assert_eq!(answer["duplicates"], json!({"reference": 0.0, "current": 0.5}));
    let reasons = answer["reasons"].as_array().unwrap();
    assert!(reasons.iter().any(|reason| reason.as_str().unwrap().contains("repeated rows rose")), "{reasons:?}");
}

#[test]
fn columns_that_come_and_go_are_drift() {
    let (reference, current) = ("a,b\n1.5,2\n2.5,4\n3.5,7\n", "a,c\n1.5,2\n2.5,4\n3.5,7\n");
    let answer = Files::new().answer(reference, current);
    assert_eq!(answer["drifted"], true);
    assert_eq!(answer["reasons"], json!(["column `b` is gone", "column `c` is new"]));
}

#[test]
fn codes_stay_text_and_misfits_count_as_missing() {
    let codes = |cells: &[&str]| format!("code,x\n{}", cells.repeat(200).join(",1.5\n") + ",2.5\n");
    let files = Files::new();
    let answer = files.answer(&codes(&["007", "1"]), &codes(&["1", "1"]));
    assert!(answer["reasons"][0].as_str().unwrap().contains("category `007` is gone"), "{answer}");

    let numbers = |odd: &str| {
        let rows = (0..400).map(|row| if row % 10 == 0 { odd.to_owned() } else { format!("{row}.5") });
        format!("x,y\n{}", rows.map(|cell| format!("{cell},{}\n", cell.len())).collect::<String>())
    };
    let answer = files.answer(&numbers("3.25"), &numbers("none"));
    assert_eq!(answer["columns"][0]["missing_rate"]["current"], 0.1, "{answer}");
    let changed = files.answer(&numbers("3.25"), &numbers("none").replace(".5", "-"));
    assert!(changed["reasons"][0].as_str().unwrap().contains("`x` was a number and is none any more"), "{changed}");
}

#[test]
fn what_cannot_be_compared_is_an_error_never_drift() {
    let files = Files::new();
    let good = csv(30, 0.0, &COLOURS);
    assert!(matches!(judge(&files.args("a\n1.5\n2\n", "b\n1\n")), Err(Error::NothingToCompare(_))));
    assert!(matches!(judge(&files.args(&good, "id,size,colour,paid,day\n")), Err(Error::Comparison(_))));
    assert!(matches!(judge(&files.args(&good, "a;b\n1;2\n")), Err(Error::File(crate::files::Error::Rows { .. }))));
    let mut args = files.args(&good, &good);
    args.columns = vec![column_effect("nothing=0.2").unwrap()];
    assert!(matches!(judge(&args), Err(Error::Comparison(_))));
    args.current = files.folder.path().join("absent.csv");
    assert!(matches!(judge(&args), Err(Error::File(crate::files::Error::Read { .. }))));
    assert!(preset("lax").is_err() && column_effect("size").is_err() && column_effect("size=much").is_err());
}
