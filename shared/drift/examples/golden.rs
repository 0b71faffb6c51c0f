//! Computes the cases of a golden file and prints them with every figure as computed here.
//!
//! `cargo run --release -p drift --example golden -- FILE`. Standard output is JSON of the file's layout, without the
//! samples; each figure of the file that differs goes to standard error and is a failure: p-values by more than 1e-6 of
//! themselves, others by more than 1e-9 of the larger of 1 and themselves.

#[path = "../tests/common/golden.rs"]
mod golden;

use std::error::Error;
use std::io::Write;

use serde_json::{Map, Value};

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("usage: golden FILE")?;
    let file: Value = serde_json::from_str(&std::fs::read_to_string(path)?)?;
    let lists = file.as_object().ok_or("expected an object with lists of cases")?;
    let mut all = Map::new();
    let (mut n_compared, mut n_different) = (0, 0);
    for (key, cases) in lists {
        let Some(cases) = cases.as_array() else { continue };
        let mut computed = Vec::new();
        for (idx, case) in cases.iter().enumerate() {
            let own = golden::computed(case).ok_or_else(|| format!("case {idx} of {key} is of no known kind"))?;
            let (differences, n) = golden::differences(case, &own);
            for difference in &differences {
                writeln!(std::io::stderr(), "{key} {} {difference}", case.get("name").unwrap_or(&idx.into()))?;
            }
            n_compared += n;
            n_different += differences.len();
            computed.push(own);
        }
        all.insert(key.clone(), computed.into());
    }
    writeln!(std::io::stdout(), "{}", serde_json::to_string_pretty(&all)?)?;
    writeln!(std::io::stderr(), "{n_compared} figures compared, {n_different} differ")?;
    if n_different > 0 { Err(format!("{n_different} figures differ").into()) } else { Ok(()) }
}
