//! Compares two tables of columns that another program wrote, and prints how long that took and every figure: Ebb's side of
//! `benches/drift/compare.py`.
//!
//! `cargo run --release -p drift --example compare_columns -- FOLDER REPETITIONS`. `FOLDER/columns.json` lists the columns,
//! `[{"column", "levels"}]`, of which those of numbers have no levels; `FOLDER/SIDE.COLUMN` has the values of a column on a
//! side, `reference` or `current`: 64-bit floats or 32-bit codes, little-endian. The answer is one line of JSON:
//! - `seconds`: of `compare` with the profile that a version stores, of making such a profile of the current side (`profile`),
//!   and of both profiles whole and their comparison (`whole`), each the least of the repetitions, of `compare` five times as
//!   many;
//! - `stored` and `whole`: the reports of the columns with the stored profile, and with one of every value.

use std::error::Error;
use std::fs;
use std::hint::black_box;
use std::io::Write;
use std::path::Path;
use std::time::Instant;

use drift::{Profile, Settings, Values, compare};
use serde::Deserialize;
use serde_json::json;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(folder), Some(repetitions)) = (arguments.next(), arguments.next()) else {
        return Err("usage: compare_columns FOLDER REPETITIONS".into());
    };
    let (folder, repetitions) = (Path::new(&folder), repetitions.parse::<usize>()?);
    let columns: Vec<Column> = serde_json::from_slice(&fs::read(folder.join("columns.json"))?)?;
    let [reference, current] = ["reference", "current"].map(|side| {
        columns.iter().map(|column| column.read(folder, side)).collect::<Result<Vec<Rows>, Box<dyn Error>>>()
    });
    let (reference, current) = (reference?, current?);
    let (reference, current) = (values(&columns, &reference), values(&columns, &current));

    let settings = Settings::default();
    let stored = Profile::of(reference.iter().cloned(), None);
    let (mut comparing, mut profiling, mut exactly) = (f64::INFINITY, f64::INFINITY, f64::INFINITY);
    let (mut by_stored, mut by_whole) = Default::default();
    for _ in 0..repetitions.max(1) {
        // More often than the rest, which takes longer: on a machine that does other work few of them are undisturbed.
        for _ in 0..5 {
            by_stored = timed(&mut comparing, || compare(&stored, &current, None, &settings))?;
        }
        black_box(timed(&mut profiling, || Profile::of(current.iter().cloned(), None)));
        by_whole = timed(&mut exactly, || {
            compare(&Profile::whole(reference.iter().cloned(), None), &current, None, &settings)
        })?;
    }
    let seconds = json!({"compare": comparing, "profile": profiling, "whole": exactly});
    writeln!(std::io::stdout(), "{}", json!({"seconds": seconds, "stored": by_stored, "whole": by_whole}))?;
    Ok(())
}

/// What some work answers; `least` becomes its seconds if they are fewer.
fn timed<T>(least: &mut f64, work: impl FnOnce() -> T) -> T {
    let began = Instant::now();
    let answer = work();
    *least = least.min(began.elapsed().as_secs_f64());
    answer
}

/// A column as `columns.json` describes it.
#[derive(Deserialize)]
struct Column {
    column: String,
    levels: Option<Vec<String>>,
}

/// The values of a column on one side.
enum Rows {
    Numbers(Vec<f64>),
    Codes(Vec<u32>),
}

impl Column {
    fn read(&self, folder: &Path, side: &str) -> Result<Rows, Box<dyn Error>> {
        let bytes = fs::read(folder.join(format!("{side}.{}", self.column)))?;
        let size = if self.levels.is_some() { 4 } else { 8 };
        if bytes.len() % size != 0 {
            return Err(format!("{side}.{} has {} bytes, no multiple of {size}", self.column, bytes.len()).into());
        }
        let word = |bytes: &[u8]| -> [u8; 8] { std::array::from_fn(|idx| bytes.get(idx).copied().unwrap_or(0)) };
        let words = bytes.chunks(size).map(|bytes| u64::from_le_bytes(word(bytes)));
        Ok(match self.levels {
            Some(_) => Rows::Codes(words.map(|word| word as u32).collect()),
            None => Rows::Numbers(words.map(f64::from_bits).collect()),
        })
    }
}

fn values<'a>(columns: &'a [Column], rows: &'a [Rows]) -> Vec<(String, Values<'a>)> {
    let of = |(column, rows): (&'a Column, &'a Rows)| {
        let values = match rows {
            Rows::Numbers(numbers) => Values::Numbers(numbers),
            Rows::Codes(codes) => Values::Categories { levels: column.levels.as_deref().unwrap_or_default(), codes },
        };
        (column.column.clone(), values)
    };
    columns.iter().zip(rows).map(of).collect()
}
