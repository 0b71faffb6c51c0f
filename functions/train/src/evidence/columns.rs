//! What the rows look like, column by column.

use serde::{Deserialize, Serialize};
use spec::{Batch, Column, ColumnData, Kind, MISSING_CODE, Spec};

use super::residuals::{Quantile, quantiles};
use super::stats::sorted;

/// The levels at which numbers are told: the ends, the tails and the quarters.
const LEVELS: [f64; 7] = [0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0];

/// Most levels of a category that are told, the most frequent ones.
const MAX_LEVELS: usize = 10;

/// The train rows by column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Data {
    /// Train rows.
    pub rows: usize,
    /// The raw columns, in the spec's order.
    pub columns: Vec<ColumnSummary>,
    /// The target: of classes, their balance.
    pub target: Option<ColumnSummary>,
}

/// The cells of one column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ColumnSummary {
    /// Its name.
    pub column: String,
    /// What its cells are.
    pub kind: Kind,
    /// Its unit, where the spec names one.
    pub unit: Option<String>,
    /// What it means, where the spec says so.
    pub description: Option<String>,
    /// Whether the spec calls it sensitive.
    pub sensitive: bool,
    /// Share of cells that are missing, 0 to 1.
    pub missing_share: f64,
    /// How many different cells there are, the missing ones aside.
    pub distinct: usize,
    /// Of numbers and times (seconds since 1970-01-01 UTC): smallest, 5 %, quarters, 95 % and largest.
    pub quantiles: Vec<Quantile>,
    /// Of categories and booleans: the most frequent levels, at most ten.
    pub levels: Vec<LevelShare>,
}

/// A level and how frequent it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LevelShare {
    /// The level.
    pub level: String,
    /// Its share of all rows, 0 to 1.
    pub share: f64,
}

/// The train rows by column.
pub(super) fn data(spec: &Spec, train: &Batch) -> Data {
    let columns = spec.columns.iter().zip(train.columns()).map(|((name, column), cells)| {
        let Column { kind, unit, description, sensitive, .. } = column;
        let summary = summary(name, *kind, cells);
        ColumnSummary { unit: unit.clone(), description: description.clone(), sensitive: *sensitive, ..summary }
    });
    let target = train.target().map(|cells| ColumnSummary {
        unit: spec.target.unit.clone(),
        ..summary(&spec.target.column, spec.target_kind(), cells)
    });
    Data { rows: train.n_rows(), columns: columns.collect(), target }
}

fn summary(name: &str, kind: Kind, cells: &ColumnData) -> ColumnSummary {
    let n_rows = cells.len().max(1) as f64;
    let (n_present, distinct, quantiles, levels) = match cells {
        ColumnData::Numbers(numbers) => {
            let mut sorted = sorted(numbers);
            let (n_present, quantiles) = (sorted.len(), quantiles(&sorted, &LEVELS));
            sorted.dedup();
            (n_present, sorted.len(), quantiles, Vec::new())
        }
        ColumnData::Categories(categories) => {
            let mut counts: Vec<(&String, u64)> =
                categories.levels.iter().zip(categories.counts()).filter(|(_, count)| *count > 0).collect();
            counts.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0)));
            let shares = counts.iter().take(MAX_LEVELS);
            let levels =
                shares.map(|(level, count)| LevelShare { level: (*level).clone(), share: *count as f64 / n_rows });
            let n_present = categories.codes.iter().filter(|code| **code != MISSING_CODE).count();
            (n_present, counts.len(), Vec::new(), levels.collect())
        }
    };
    ColumnSummary {
        column: name.to_owned(),
        kind,
        unit: None,
        description: None,
        sensitive: false,
        missing_share: (cells.len() - n_present) as f64 / n_rows,
        distinct,
        quantiles,
        levels,
    }
}

#[cfg(test)]
mod tests {
    use spec::Categories;

    use super::*;

    #[test]
    fn columns_by_hand() {
        let spec = Spec::parse(
            "name: demo\ntask: regression\ntarget: {column: y, unit: EUR}\ncolumns:\n  size: {kind: number, unit: m, nullable: true}\n  \
             city: {kind: category, nullable: true, sensitive: true}\n",
        )
        .unwrap();
        let levels = ["Ulm", "Köln", "gone"].map(str::to_owned).to_vec();
        let cities = ColumnData::Categories(Categories { levels, codes: vec![0, 1, 1, MISSING_CODE] });
        let sizes = ColumnData::Numbers(vec![2.0, f64::NAN, 4.0, 2.0]);
        let train = Batch::new(vec![sizes, cities], Some(ColumnData::Numbers(vec![1.0; 4])), None, 4);
        let data = data(&spec, &train);
        let [size, city] = data.columns.as_slice() else { panic!("two columns: {data:?}") };
        assert_eq!((size.missing_share, size.distinct, size.unit.as_deref()), (0.25, 2, Some("m")));
        assert_eq!(size.quantiles[3], Quantile { level: 0.5, value: 2.0 });
        assert_eq!((size.quantiles[0].value, size.quantiles[6].value), (2.0, 4.0));
        assert_eq!((city.missing_share, city.distinct, city.sensitive), (0.25, 2, true));
        let shares: Vec<_> = city.levels.iter().map(|level| (&*level.level, level.share)).collect();
        assert_eq!(shares, [("Köln", 0.5), ("Ulm", 0.25)], "a level without rows is not there");
        assert_eq!(data.target.unwrap().unit.as_deref(), Some("EUR"));
    }
}
