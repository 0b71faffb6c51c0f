//! Guesses from small files, and that whatever is guessed can be read.

use super::*;

/// The lines of a spec without its comments.
fn spec_of(csv: &str, target: &str) -> String {
    let text = infer_spec("My data (1)", csv.to_owned(), Format::Csv, target).unwrap();
    let spec = Spec::parse(&text).unwrap();
    let read = dataset::read(&spec, csv.to_owned(), Format::Csv).unwrap();
    assert_eq!(read.quarantined, [], "{text}");
    text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).collect::<Vec<_>>().join("\n")
}

/// A CSV of `n_rows` rows from a function of the row number.
fn csv(header: &str, n_rows: usize, row: impl Fn(usize) -> String) -> String {
    std::iter::once(header.to_owned()).chain((0..n_rows).map(row)).map(|line| line + "\n").collect()
}

/// Numbers that look random, the same every time: a multiplicative hash of row and salt, from 0 to below `n`.
fn noise(row: usize, salt: usize, n: usize) -> usize {
    let mixed = ((row * 31 + salt + 1) as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    ((mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 33) as usize % n
}

#[test]
fn every_kind_of_column_is_recognised() {
    let text = csv("id,day,x,count,flag,answer,colour,town,name,same,empty,code,y", 400, |row| {
        let town = noise(row, 1, 30).min(noise(row, 2, 30));
        let flag = ["yes", "no", ""][noise(row, 3, 3)];
        let colour = ["red", "green", "blue"][noise(row, 4, 3)];
        format!(
            "{},2024-{:02}-{:02},{}.5,{},{flag},{},{colour},town {town},n{row},7,,{:04},{}",
            row + 10,
            1 + row / 40,
            1 + row % 28,
            noise(row, 5, 90),
            noise(row, 6, 5),
            noise(row, 7, 2),
            noise(row, 8, 300),
            ["stay", "leave"][usize::from(noise(row, 9, 10) == 0)],
        )
    });
    let spec = spec_of(&text, "y");
    for line in [
        "name: my-data-1",
        "task: binary",
        "target: {column: \"y\", classes: [stay, leave], positive: leave}",
        "time: day",
        "  day: {kind: time}",
        "  x: {kind: number, range: [0, 140]}",
        "  count: {kind: number, range: [0, 6]}",
        "  flag: {kind: boolean, nullable: true}",
        "  answer: {kind: boolean}",
        "  colour: {kind: category, allowed: [blue, green, red]}",
        "  day_weekday: {weekday: day}",
        "  id: \"row number: counts from 10 to 409\"",
        "  name: \"identifier: 400 different texts in 400 rows\"",
        "  same: \"constant: every row has 7\"",
        "  empty: no cell has a value",
    ] {
        assert!(
            spec.lines().any(|found| found == line || found.starts_with(&format!("{line} #"))),
            "{line} is not in\n{spec}"
        );
    }
    assert!(spec.contains("  town: {kind: category, max_levels: "), "{spec}");
}

#[test]
fn tasks_follow_from_the_target() {
    let target_line = |cell: &dyn Fn(usize) -> String| {
        let text = csv("x,y", 300, |row| format!("{},{}", noise(row, 1, 50), cell(row)));
        let spec = spec_of(&text, "y");
        let line =
            |key: &str| spec.lines().find(|line| line.starts_with(key)).unwrap().split(" #").next().unwrap().to_owned();
        (line("task:"), line("target:"))
    };
    for (cell, task, target) in [
        (
            &(|row| noise(row, 2, 2).to_string()) as &dyn Fn(usize) -> String,
            "binary",
            ", classes: [\"0\", \"1\"], positive: \"1\"",
        ),
        (
            &|row| ["yes", "no"][noise(row, 2, 2)].to_owned(),
            "binary",
            ", classes: [\"no\", \"yes\"], positive: \"yes\"",
        ),
        (&|row| ["5.0", "7.0"][noise(row, 2, 2)].to_owned(), "binary", "classes: ["),
        (&|row| ["a", "b b", "c:d"][noise(row, 2, 3)].to_owned(), "multiclass", ", classes: [a, b b, \"c:d\"]"),
        (
            &|row| (1 + noise(row, 2, 12)).to_string(),
            "multiclass",
            ", classes: [\"1\", \"2\", \"3\", \"4\", \"5\", \"6\", \"7\", \"8\", \"9\", \"10\", \"11\", \"12\"]",
        ),
        (&|row| format!("{}.5", noise(row, 2, 900)), "regression", "column: \"y\"}"),
        (&|row| format!("{:.4}", (noise(row, 2, 900) as f64 / 100.0).exp()), "regression", "column: \"y\"}"),
    ] {
        let (found_task, found_target) = target_line(cell);
        assert_eq!(found_task, format!("task: {task}"));
        assert!(found_target.contains(target), "{found_target} has no {target}");
    }
}

#[test]
fn a_rare_class_of_several_is_to_be_found() {
    let spec = |rare: usize| {
        let class = |row: usize| if noise(row, 2, 100) < rare { "rare" } else { ["a", "b"][noise(row, 3, 2)] };
        spec_of(&csv("x,y", 900, |row| format!("{},{}", noise(row, 1, 9_000), class(row))), "y")
    };
    let found = spec(8);
    assert!(found.contains("serve:\n  threshold: f1 # `rare` has "), "{found}");
    assert!(!spec(30).contains("threshold"));
}

#[test]
fn leaks_and_identifiers_are_proposed_for_drop_with_the_reason() {
    let text = csv("paid,cost,noisy,account,y", 600, |row| {
        let y = noise(row, 1, 10_000);
        let account = 70_000 + (row * 7_919) % 9_973;
        format!("{},{},{},{account},{y}", y * 3 + noise(row, 2, 9), y / 2 + noise(row, 3, 9), y + noise(row, 4, 9_000))
    });
    let spec = spec_of(&text, "y");
    for start in
        ["  paid: \"leak: ", "  cost: \"leak: ", "  account: \"identifier: whole numbers", "  noisy: {kind: number"]
    {
        assert!(spec.contains(start), "{start} is not in\n{spec}");
    }
    let text = csv("cancelled_on,x,y", 600, |row| {
        let gone = noise(row, 1, 5) == 0;
        format!("{},{},{}", if gone { "2024-05-01" } else { "" }, noise(row, 2, 99), u8::from(gone))
    });
    assert!(
        spec_of(&text, "y")
            .contains("  cancelled_on: \"leak: alone it tells the target of unseen rows with AUC 1.0000\"")
    );
}

#[test]
fn numbers_that_may_be_dates_are_pointed_out() {
    let header = "year,arrival_date_num,month_id,day_key,updated_epoch,price,grade,y";
    let text = csv(header, 400, |row| {
        let (year, month, day) = (2015 + noise(row, 1, 3), 1 + noise(row, 2, 12), 1 + noise(row, 3, 28));
        format!(
            "{year},{},{year}{month:02},{year}{month:02}{day:02},{},{}.5,{},{}",
            year as f64 + month as f64 / 12.5,
            1_500_000_000 + noise(row, 4, 90_000_000),
            1_900 + noise(row, 5, 200),
            noise(row, 6, 5),
            noise(row, 7, 2),
        )
    });
    let written = infer_spec("x", text.clone(), Format::Csv, "y").unwrap();
    let line = |name: &str| written.lines().find(|line| line.starts_with(&format!("  {name}: "))).unwrap().to_owned();
    for (name, what) in [
        ("year", "; years? those to come were never seen"),
        ("arrival_date_num", "; dates as fractions of years?"),
        ("month_id", "; dates written as numbers?"),
        ("day_key", "; dates written as numbers?"),
        ("updated_epoch", "; dates as numbers?"),
        ("grade", "; only 5 whole numbers"),
    ] {
        assert!(line(name).contains(what), "{}", line(name));
    }
    assert!(!line("price").contains("dates"), "numbers like years whose name says nothing of it: {}", line("price"));
}

#[test]
fn strange_names_are_quoted() {
    let names = [
        "a: b",
        "yes",
        "No",
        "null",
        "true",
        "1st",
        "3",
        "~",
        "- x",
        "#",
        "say \"hi\"",
        "back\\slash",
        "{x}",
        "[y]",
        "a, b",
        "é",
        " lead",
        "trail ",
        "x#y",
        "x #y",
        "*",
        "&a",
        "!t",
        "%",
        "@",
        "`",
        "|",
        ">",
        "'",
        "tab\there",
        "line\nbreak",
        "?",
        ": ",
        "on",
        ".inf",
        "0x10",
        "1e3",
        "=",
        "<<",
        "long name with many words",
        "\u{85}next",
        "\u{7f}",
    ];
    let header: Vec<String> = names.iter().map(|name| format!("\"{}\"", name.replace('"', "\"\""))).collect();
    let text = csv(&format!("{},target: y", header.join(",")), 60, |row| {
        let cells: Vec<String> = (0..names.len()).map(|column| noise(row, column, 20).to_string()).collect();
        format!("{},{}", cells.join(","), ["yes: it is", "\"no, \"\"it\"\" is not\""][noise(row, 99, 2)])
    });
    let spec = Spec::parse(&infer_spec("x", text.clone(), Format::Csv, "target: y").unwrap()).unwrap();
    let declared: Vec<&str> = spec.columns.keys().map(String::as_str).collect();
    assert_eq!(declared, names);
    spec_of(&text, "target: y");
}

#[test]
fn names_become_addresses() {
    for (name, expect) in
        [("Bank Churn", "bank-churn"), ("users_behavior", "users-behavior"), ("__", "model"), ("É1", "1")]
    {
        assert_eq!(address(name), expect);
    }
}

#[test]
fn what_cannot_be_guessed_is_said() {
    let check = |text: &str, target: &str, message: &str| {
        let error = infer_spec("x", text.to_owned(), Format::Csv, target).unwrap_err();
        assert!(error.to_string().contains(message), "{error} has no {message}");
    };
    check("a,b\n1,2\n", "c", "there is no column `c`; there is `a`, `b`");
    check("a,b\n1,2\n2,2\n", "b", "every row has `2`");
    check("a,b\n1,\n2,\n", "b", "all of its cells are missing");
    check("a,b\n1,2\n1,3\n", "b", "no column of the file can be an input: `a` is constant: every row has 1");
    check("a,b\n", "b", "all of its cells are missing");
    check("", "b", "failed to read the rows");
    let names = csv("a,b", 200, |row| format!("{row},n{row}"));
    check(&names, "b", "it holds 200 different texts");
}

#[test]
fn the_shipped_data_give_a_spec_that_holds_every_row() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/data/mlc_churn.csv");
    let text = std::fs::read_to_string(path).unwrap();
    let spec = spec_of(&text, "churn");
    assert!(spec.contains("target: {column: churn, classes: [\"no\", \"yes\"], positive: \"yes\"}"), "{spec}");
    assert!(!spec.contains("drop:"), "{spec}");
}
