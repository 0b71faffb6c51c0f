//! How differently a model treats the groups of a sensitive column.

use std::fmt;

use indexmap::IndexMap;
use model::Predictions;
use serde::{Deserialize, Serialize};
use spec::{Batch, ColumnData, Kind, Spec, Task};

use super::classes::Rows;
use super::groups::groups;

/// The groups of one sensitive column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fairness {
    /// The column.
    pub column: String,
    /// Its groups of 30 rows or more.
    pub groups: Vec<GroupMeasures>,
    /// Hold-out rows that are in no such group.
    pub left_out_rows: usize,
    /// The largest differences between two groups; none of fewer than two groups.
    pub gaps: Vec<Gap>,
}

/// How a group is treated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupMeasures {
    /// A level, or a range.
    pub group: String,
    /// Its rows.
    pub rows: usize,
    /// The measures that it has.
    pub measures: IndexMap<Measure, f64>,
}

/// The largest difference between two groups in what a criterion asks to be equal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gap {
    /// What is asked to be equal.
    pub criterion: Criterion,
    /// The measure that differs; of several, the one that differs most.
    pub measure: Measure,
    /// The largest value minus the smallest.
    pub difference: f64,
    /// The group with the largest value.
    pub highest: String,
    /// The group with the smallest value.
    pub lowest: String,
}

/// What is measured in a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// Binary: share of rows that are called positive.
    SelectionRate,
    /// Binary: share of positive rows that are called positive.
    TruePositiveRate,
    /// Binary: share of negative rows that are called positive.
    FalsePositiveRate,
    /// Classes: share of rows that are called what they are.
    Accuracy,
    /// Regression: mean of `prediction - truth`, in target units; above zero where the group is overestimated.
    MeanError,
    /// Regression: mean absolute error, in target units.
    MeanAbsoluteError,
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Measure::SelectionRate => "selection rate",
            Measure::TruePositiveRate => "true positive rate",
            Measure::FalsePositiveRate => "false positive rate",
            Measure::Accuracy => "accuracy",
            Measure::MeanError => "mean error",
            Measure::MeanAbsoluteError => "mean absolute error",
        })
    }
}

/// What is asked to be equal over groups. Where groups truly differ, no model keeps all of them: which one matters is for the
/// people whom it concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Criterion {
    /// Selection rates, whatever the truth.
    DemographicParity,
    /// True positive rates.
    EqualOpportunity,
    /// True and false positive rates; its gap is the larger of theirs.
    EqualisedOdds,
    /// Accuracies.
    EqualAccuracy,
    /// Mean errors of a regression.
    EqualBias,
    /// Mean absolute errors of a regression.
    EqualError,
}

impl Criterion {
    /// All of them.
    pub const ALL: [Criterion; 6] = [
        Criterion::DemographicParity,
        Criterion::EqualOpportunity,
        Criterion::EqualisedOdds,
        Criterion::EqualAccuracy,
        Criterion::EqualBias,
        Criterion::EqualError,
    ];

    /// The measures that it asks to be equal.
    pub fn measures(self) -> &'static [Measure] {
        match self {
            Criterion::DemographicParity => &[Measure::SelectionRate],
            Criterion::EqualOpportunity => &[Measure::TruePositiveRate],
            Criterion::EqualisedOdds => &[Measure::TruePositiveRate, Measure::FalsePositiveRate],
            Criterion::EqualAccuracy => &[Measure::Accuracy],
            Criterion::EqualBias => &[Measure::MeanError],
            Criterion::EqualError => &[Measure::MeanAbsoluteError],
        }
    }

    /// Where it was proposed.
    pub fn source(self) -> &'static str {
        match self {
            Criterion::DemographicParity => {
                "T. Calders and S. Verwer, Three naive Bayes approaches for discrimination-free classification, Data Mining \
                 and Knowledge Discovery 21 (2010)"
            }
            Criterion::EqualOpportunity | Criterion::EqualisedOdds => {
                "M. Hardt, E. Price and N. Srebro, Equality of opportunity in supervised learning, NeurIPS (2016)"
            }
            Criterion::EqualAccuracy => {
                "R. Berk et al., Fairness in criminal justice risk assessments: the state of the art, Sociological Methods \
                 and Research 50 (2021)"
            }
            Criterion::EqualBias | Criterion::EqualError => {
                "A. Agarwal, M. Dudík and Z. S. Wu, Fair regression: quantitative definitions and reduction-based \
                 algorithms, ICML (2019), for losses by group"
            }
        }
    }
}

impl fmt::Display for Criterion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Criterion::DemographicParity => "demographic parity",
            Criterion::EqualOpportunity => "equal opportunity",
            Criterion::EqualisedOdds => "equalised odds",
            Criterion::EqualAccuracy => "equal accuracy",
            Criterion::EqualBias => "equal bias",
            Criterion::EqualError => "equal error",
        })
    }
}

/// Every column that the spec calls sensitive, times aside.
///
/// # Shapes
/// `predictions` and `target` are of the rows of `holdout`.
pub(super) fn fairness(spec: &Spec, predictions: &Predictions, holdout: &Batch, target: &ColumnData) -> Vec<Fairness> {
    let outcomes = Outcome::of(spec, predictions, target);
    let columns = spec.columns.iter().zip(holdout.columns());
    let sensitive = columns.filter(|((_, column), _)| column.sensitive && column.kind != Kind::Time);
    sensitive
        .map(|((name, _), cells)| {
            let groups: Vec<GroupMeasures> = groups(cells)
                .into_iter()
                .map(|group| GroupMeasures {
                    rows: group.rows.len(),
                    measures: measures(spec.task, group.rows.iter().filter_map(|row| outcomes[*row])),
                    group: group.name,
                })
                .collect();
            Fairness {
                column: name.clone(),
                left_out_rows: holdout.n_rows() - groups.iter().map(|group| group.rows).sum::<usize>(),
                gaps: Criterion::ALL.into_iter().filter_map(|criterion| gap(criterion, &groups)).collect(),
                groups,
            }
        })
        .collect()
}

/// What became of a row that has a truth.
#[derive(Clone, Copy)]
enum Outcome {
    Class { is_positive: bool, is_called_positive: bool, is_right: bool },
    Error(f64),
}

impl Outcome {
    /// Per row; none where the row has no truth.
    fn of(spec: &Spec, predictions: &Predictions, target: &ColumnData) -> Vec<Option<Outcome>> {
        let mut outcomes = vec![None; target.len()];
        match (predictions, target) {
            (Predictions::Probabilities(probabilities), target) => {
                let rows = Rows::new(spec, probabilities, target);
                let positive = spec.positive_index();
                for ((row, truth), called) in rows.places.iter().zip(&rows.truths).zip(&rows.called) {
                    outcomes[*row] = Some(Outcome::Class {
                        is_positive: *truth == positive,
                        is_called_positive: *called == positive,
                        is_right: truth == called,
                    });
                }
            }
            (Predictions::Numbers(predictions), ColumnData::Numbers(truths)) => {
                for ((outcome, prediction), truth) in outcomes.iter_mut().zip(predictions).zip(truths) {
                    *outcome = (!truth.is_nan()).then(|| Outcome::Error(prediction - truth));
                }
            }
            _ => {}
        }
        outcomes
    }
}

fn measures(task: Task, outcomes: impl Iterator<Item = Outcome>) -> IndexMap<Measure, f64> {
    let (mut n_rows, mut positives, mut found, mut alarms, mut right) = (0.0, 0.0, 0.0, 0.0, 0.0);
    let (mut error, mut absolute) = (0.0, 0.0);
    for outcome in outcomes {
        n_rows += 1.0;
        match outcome {
            Outcome::Class { is_positive, is_called_positive, is_right } => {
                positives += f64::from(is_positive);
                found += f64::from(is_positive && is_called_positive);
                alarms += f64::from(!is_positive && is_called_positive);
                right += f64::from(is_right);
            }
            Outcome::Error(of_row) => {
                error += of_row;
                absolute += of_row.abs();
            }
        }
    }
    let shares: &[(Measure, f64, f64)] = match task {
        Task::Binary => &[
            (Measure::SelectionRate, found + alarms, n_rows),
            (Measure::TruePositiveRate, found, positives),
            (Measure::FalsePositiveRate, alarms, n_rows - positives),
            (Measure::Accuracy, right, n_rows),
        ],
        Task::Multiclass => &[(Measure::Accuracy, right, n_rows)],
        Task::Regression => &[(Measure::MeanError, error, n_rows), (Measure::MeanAbsoluteError, absolute, n_rows)],
    };
    shares.iter().filter(|(_, _, of)| *of > 0.0).map(|(measure, part, of)| (*measure, part / of)).collect()
}

/// The gap of a criterion; none where fewer than two groups have its measure.
fn gap(criterion: Criterion, groups: &[GroupMeasures]) -> Option<Gap> {
    let gaps = criterion.measures().iter().filter_map(|measure| {
        let with = || groups.iter().filter_map(|group| Some((group, *group.measures.get(measure)?)));
        let (highest, high) = with().max_by(|a, b| a.1.total_cmp(&b.1))?;
        let (lowest, low) = with().min_by(|a, b| a.1.total_cmp(&b.1))?;
        (with().count() > 1).then(|| Gap {
            criterion,
            measure: *measure,
            difference: high - low,
            highest: highest.group.clone(),
            lowest: lowest.group.clone(),
        })
    });
    gaps.max_by(|a, b| a.difference.total_cmp(&b.difference))
}

#[cfg(test)]
mod tests;
