//! `--system bankchurn|carvision|telecomai|planrec`: synthetic rows with those systems' own columns.
//!
//! Every generator is a formula, so the probability or expectation behind each row is known, and with it the best score
//! that any model can reach. Batches are independent draws of the same distribution: what changes between them is only
//! what `--drift` says. The numbers beside each generator are measured again by a test.

mod bankchurn;
mod carvision;
mod planrec;
mod telecomai;

use std::collections::HashMap;
use std::sync::Arc;

use clap::ValueEnum;

use super::draw::{Draw, Purpose};
use super::rows::{Column, NULL_CODE, Table, Text};

/// A system whose data are generated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum System {
    /// Six batches of US homes, target `price`: the sequence of the course's data source.
    RealEstate,
    /// Bank customers, binary target `Exited`.
    Bankchurn,
    /// Used cars, regression target `price`.
    Carvision,
    /// Phone usage, binary target `is_ultra`.
    Telecomai,
    /// Phone usage, target `plan` with four classes.
    Planrec,
}

/// One system's generator.
#[derive(Debug)]
pub(super) struct Generator {
    /// The column to predict.
    pub(super) target: &'static str,
    /// The target's classes; empty for regression.
    pub(super) classes: &'static [&'static str],
    /// The best reachable scores, by name.
    pub(super) best: &'static [(&'static str, f64)],
    /// So many rows, numbered from the given position.
    rows: fn(&mut Draw, usize, usize) -> Table,
}

impl System {
    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            System::RealEstate => "real-estate",
            System::Bankchurn => "bankchurn",
            System::Carvision => "carvision",
            System::Telecomai => "telecomai",
            System::Planrec => "planrec",
        }
    }

    /// The generator of independent rows; `None` for real estate, whose batches differ.
    pub(super) fn generator(self) -> Option<&'static Generator> {
        match self {
            System::RealEstate => None,
            System::Bankchurn => Some(&bankchurn::GENERATOR),
            System::Carvision => Some(&carvision::GENERATOR),
            System::Telecomai => Some(&telecomai::GENERATOR),
            System::Planrec => Some(&planrec::GENERATOR),
        }
    }
}

impl Generator {
    /// Batch `batch` of `n_rows` rows, the first of which is row `first` of the sequence.
    pub(super) fn batch(&self, seed: u64, batch: usize, first: usize, n_rows: usize) -> Table {
        let mut draw = Draw::new(seed, Purpose::Rows, 0, batch);
        (self.rows)(&mut draw, first, n_rows)
    }
}

fn ints<R>(name: &str, rows: &[R], cell: impl Fn(&R) -> i64) -> (String, Column) {
    (name.to_owned(), Column::Int(rows.iter().map(cell).collect()))
}

/// NaN is a missing cell.
fn floats<R>(name: &str, rows: &[R], cell: impl Fn(&R) -> f64) -> (String, Column) {
    (name.to_owned(), Column::Float(rows.iter().map(cell).collect()))
}

/// An empty text is a missing cell.
fn texts<R, T: AsRef<str>>(name: &str, rows: &[R], cell: impl Fn(&R) -> T) -> (String, Column) {
    let mut known: HashMap<String, u32> = HashMap::new();
    let mut levels = Vec::new();
    let mut codes = Vec::with_capacity(rows.len());
    for row in rows {
        let level = cell(row);
        let level = level.as_ref();
        let code = match known.get(level) {
            _ if level.is_empty() => NULL_CODE,
            Some(&code) => code,
            None => {
                let code = levels.len() as u32;
                levels.push(level.to_owned());
                known.insert(level.to_owned(), code);
                code
            }
        };
        codes.push(code);
    }
    (name.to_owned(), Column::Text(Text { codes, levels: Arc::new(levels) }))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Area under the ROC curve of `(probability, label)`, by ranks; ties do not occur.
    pub(super) fn auc(mut rows: Vec<(f64, bool)>) -> f64 {
        rows.sort_by(|a, b| a.0.total_cmp(&b.0));
        let positives = rows.iter().filter(|row| row.1).count() as f64;
        let ranks: f64 = rows.iter().enumerate().filter(|(_, row)| row.1).map(|(rank, _)| rank as f64 + 1.0).sum();
        (ranks - positives * (positives + 1.0) / 2.0) / (positives * (rows.len() as f64 - positives))
    }

    /// AUC and log-loss of the true probabilities against what is stated, on labels drawn from them.
    pub(super) fn check_binary(generator: &Generator, rate: (f64, f64), draw_one: impl Fn(&mut Draw) -> f64) {
        let mut draw = Draw::new(3, Purpose::Rows, 0, 0);
        let rows: Vec<(f64, bool)> = (0..200_000)
            .map(|_| {
                let p = draw_one(&mut draw);
                (p, draw.chance(p))
            })
            .collect();
        let n = rows.len() as f64;
        let log_loss = rows.iter().map(|(p, label)| if *label { -p.ln() } else { -(1.0 - p).ln() }).sum::<f64>() / n;
        let positives = rows.iter().filter(|row| row.1).count() as f64 / n;
        check_best(generator, &[("auc", auc(rows)), ("log_loss", log_loss)]);
        assert!(positives > rate.0 && positives < rate.1, "rate {positives}");
    }

    /// Measured scores against the stated ones.
    pub(super) fn check_best(generator: &Generator, measured: &[(&str, f64)]) {
        for (name, value) in measured {
            let stated = generator.best.iter().find(|best| best.0 == *name).map(|best| best.1).unwrap();
            assert!((value - stated).abs() < 0.006, "{name}: measured {value}, stated {stated}");
        }
    }

    #[test]
    fn columns_are_the_systems_own() {
        let cases = [
            (
                System::Bankchurn,
                "RowNumber,CustomerId,Surname,CreditScore,Geography,Gender,Age,Tenure,Balance,NumOfProducts,HasCrCard,\
                 IsActiveMember,EstimatedSalary,Exited",
            ),
            (
                System::Carvision,
                "price,model_year,model,condition,cylinders,fuel,odometer,transmission,type,paint_color,is_4wd,\
                 date_posted,days_listed",
            ),
            (System::Telecomai, "calls,minutes,messages,mb_used,is_ultra"),
            (
                System::Planrec,
                "customer_id,age,region,device,tenure_months,num_lines,minutes,messages,data_gb,intl_minutes,\
                 roaming_days,support_calls,autopay,plan",
            ),
        ];
        for (system, columns) in cases {
            let generator = system.generator().unwrap();
            let table = generator.batch(7, 0, 0, 300);
            assert_eq!(table.names().join(","), columns);
            assert_eq!(table.n_rows(), 300);
            assert!(table.position(generator.target).is_some());
            assert_eq!(table.to_json(), generator.batch(7, 0, 0, 300).to_json());
            assert_ne!(table.to_json(), generator.batch(8, 0, 0, 300).to_json());
            assert_ne!(table.to_json(), generator.batch(7, 1, 0, 300).to_json());
        }
    }
}
