//! Plays batches of 20 columns with and without drift and prints how often they alarm, one JSON line for each size.
//!
//! `cargo run --release -p drift --example error_rates -- 300:400 1000:400 1000000:100`: so many rows on each side, and so
//! many repetitions. Every repetition draws a reference and a batch of the same distributions and compares three times: as
//! they are, with the first column moved by 0.3 of its standard deviations, and with it moved by 0.02.

#[path = "../tests/common/mod.rs"]
mod common;

use std::error::Error;
use std::io::Write;
use std::time::Instant;

use common::{Batch, batch};
use drift::{ColumnReport, Profile, Settings, compare};
use serde_json::json;

/// A shift that matters and one that does not, in standard deviations.
const SHIFTS: [f64; 2] = [0.3, 0.02];

fn main() -> Result<(), Box<dyn Error>> {
    let tasks: Vec<String> = std::env::args().skip(1).collect();
    if tasks.is_empty() {
        return Err("usage: error_rates ROWS:REPETITIONS ..".into());
    }
    for task in tasks {
        let (rows, repetitions) = task.split_once(':').ok_or("expected ROWS:REPETITIONS")?;
        let (rows, repetitions): (usize, u64) = (rows.parse()?, repetitions.parse()?);
        let began = Instant::now();
        let mut counts = Counts::default();
        for repetition in 0..repetitions {
            counts.add(rows, repetition)?;
        }
        let share = |count: u64| count as f64 / repetitions as f64;
        let line = json!({
            "tool": "ebb",
            "rows": rows,
            "repetitions": repetitions,
            "alarms_without_drift": share(counts.false_alarms),
            "found_shift_0.3": share(counts.found),
            "alarms_shift_0.02": share(counts.irrelevant),
            "significant_shift_0.02": share(counts.significant),
            "seconds": began.elapsed().as_secs_f64(),
        });
        writeln!(std::io::stdout(), "{line}")?;
    }
    Ok(())
}

/// In how many repetitions what happened.
#[derive(Default)]
struct Counts {
    /// Any column alarmed without drift.
    false_alarms: u64,
    /// The moved column alarmed.
    found: u64,
    /// Any column alarmed though the shift is too small to matter.
    irrelevant: u64,
    /// The q-value of that column was at most 0.05.
    significant: u64,
}

impl Counts {
    fn add(&mut self, rows: usize, repetition: u64) -> Result<(), drift::Error> {
        // Sizes must not share their draws.
        let seed = (rows as u64) << 20 | repetition << 1;
        let profile = Profile::of(batch(seed, rows, 0.0).columns().into_iter(), None);
        let mut current = batch(seed + 1, rows, 0.0);
        let is_drifted = |report: &ColumnReport| report.drifted;
        let judged = |batch: &Batch| compare(&profile, &batch.columns(), None, &Settings::default());
        self.false_alarms += u64::from(judged(&current)?.iter().any(is_drifted));
        let mut moved = 0.0;
        for shift in SHIFTS {
            current.numbers[0].iter_mut().for_each(|value| *value += shift - moved);
            moved = shift;
            let reports = judged(&current)?;
            if shift == SHIFTS[0] {
                self.found += u64::from(reports[0].drifted);
            } else {
                self.irrelevant += u64::from(reports.iter().any(is_drifted));
                self.significant += u64::from(reports[0].q_value <= 0.05);
            }
        }
        Ok(())
    }
}
