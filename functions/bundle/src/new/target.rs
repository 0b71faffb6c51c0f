//! What is to be predicted.

use dataset::{Cells, TableColumn};

use super::examples;
use super::yaml::{counted, number, percent, scalar};

/// Most classes that whole numbers are taken for.
const MAX_NUMBER_CLASSES: usize = 20;
/// Fewest rows for each whole number on average, for them to be classes.
const MIN_ROWS_PER_CLASS: usize = 10;
/// Most classes that text is taken for.
const MAX_TEXT_CLASSES: usize = 100;
/// Skewness beyond which a positive target is looked at by its logarithm; 1 is usually called high.
const MAX_SKEWNESS: f64 = 1.0;
/// A class with less than this part of an even share of the rows is rare.
const RARE: f64 = 0.5;

/// The task, the target's declaration, and the target of each row for finding leaks.
#[derive(Debug)]
pub(super) struct Goal {
    pub(super) kind: GoalKind,
    /// What the task was guessed from.
    pub(super) task_comment: String,
    /// What the target's declaration was guessed from.
    pub(super) comment: String,
}

/// The target of each row.
#[derive(Debug)]
pub(super) enum GoalKind {
    /// Classes in order, which is positive, and per row the class.
    Classes { classes: Vec<String>, positive: Option<usize>, of_row: Vec<Option<usize>> },
    /// Per row the number, NaN where missing; of the logarithm where that is less skewed.
    Number { values: Vec<f64> },
}

impl Goal {
    pub(super) fn task_name(&self) -> &'static str {
        match &self.kind {
            GoalKind::Classes { classes, .. } if classes.len() == 2 => "binary",
            GoalKind::Classes { .. } => "multiclass",
            GoalKind::Number { .. } => "regression",
        }
    }

    /// The rarest of several classes, its rows and all rows, where it has less than half of an even share.
    pub(super) fn rare_class(&self) -> Option<(&str, usize, usize)> {
        let GoalKind::Classes { classes, of_row, .. } = &self.kind else { return None };
        let mut counts = vec![0; classes.len()];
        of_row.iter().flatten().for_each(|class| counts[*class] += 1);
        let n_rows = counts.iter().sum::<usize>();
        let (class, count) = counts.into_iter().enumerate().min_by_key(|(_, count)| *count)?;
        let is_rare = classes.len() > 2 && (count as f64) < RARE * n_rows as f64 / classes.len() as f64;
        is_rare.then(|| (classes[class].as_str(), count, n_rows))
    }

    /// What stands behind the target's name.
    pub(super) fn declaration(&self) -> String {
        match &self.kind {
            GoalKind::Classes { classes, positive, .. } => {
                let list: Vec<String> = classes.iter().map(|class| scalar(class)).collect();
                let positive = positive.map(|index| format!(", positive: {}", scalar(&classes[index])));
                format!(", classes: [{}]{}", list.join(", "), positive.unwrap_or_default())
            }
            GoalKind::Number { .. } => String::new(),
        }
    }
}

/// Guesses the task from the target's cells, or says why nothing can be learnt.
pub(super) fn infer(column: &TableColumn) -> Result<Goal, String> {
    match &column.cells {
        Cells::Booleans(values) => {
            let cells: Vec<Option<String>> = values.iter().map(|value| value.map(|value| value.to_string())).collect();
            classes(&cells, "booleans")
        }
        Cells::Text(categories) => {
            let cells: Vec<Option<String>> =
                (0..categories.codes.len()).map(|row| categories.level(row).map(str::to_owned)).collect();
            classes(&cells, "texts")
        }
        Cells::Numbers(numbers) => of_numbers(numbers),
    }
}

fn of_numbers(numbers: &[f64]) -> Result<Goal, String> {
    let mut distinct: Vec<f64> = numbers.iter().copied().filter(|number| !number.is_nan()).collect();
    let n_present = distinct.len();
    distinct.sort_by(f64::total_cmp);
    distinct.dedup();
    let is_whole = distinct.iter().all(|number| number.fract() == 0.0);
    let few = distinct.len() <= MAX_NUMBER_CLASSES && n_present >= MIN_ROWS_PER_CLASS * distinct.len();
    if distinct.len() <= 2 || is_whole && few {
        let cells: Vec<Option<String>> =
            numbers.iter().map(|number| (!number.is_nan()).then(|| (number + 0.0).to_string())).collect();
        return classes(&cells, "numbers");
    }
    let present: Vec<f64> = numbers.iter().copied().filter(|number| !number.is_nan()).collect();
    let skew = skewness(&present);
    let (low, high) = (distinct[0], distinct[distinct.len() - 1]);
    let log = low > 0.0 && skew > MAX_SKEWNESS;
    let why = match log {
        true => format!("; all above 0 and skewed to the right ({skew:.1}): learnt as it is and by its logarithm"),
        false => String::new(),
    };
    let values = if log { numbers.iter().map(|number| number.ln()).collect() } else { numbers.to_vec() };
    Ok(Goal {
        kind: GoalKind::Number { values },
        task_comment: format!("{} different numbers", counted(distinct.len())),
        comment: format!("{} to {}{why}{}", number(low), number(high), missing(numbers.len() - n_present)),
    })
}

fn classes(cells: &[Option<String>], what: &str) -> Result<Goal, String> {
    let mut classes: Vec<String> = cells.iter().flatten().cloned().collect();
    let n_present = classes.len();
    classes.sort();
    classes.dedup();
    match classes.len() {
        0 => return Err("all of its cells are missing".to_owned()),
        1 => return Err(format!("every row has {}", examples(classes.iter().map(String::as_str), 1))),
        n if n > MAX_TEXT_CLASSES => {
            let shown = examples(classes.iter().map(String::as_str), 3);
            return Err(format!(
                "it holds {} different texts, such as {shown}: neither numbers nor classes",
                counted(n)
            ));
        }
        _ => {}
    }
    if what == "numbers" {
        classes.sort_by(|a, b| a.parse().unwrap_or(f64::NAN).total_cmp(&b.parse().unwrap_or(f64::NAN)));
    }
    let count = |class: &String| cells.iter().flatten().filter(|cell| *cell == class).count();
    let mut positive = None;
    if classes.len() == 2 {
        let says_yes =
            |class: &String| ["1", "true", "yes", "y", "t", "positive"].contains(&class.to_lowercase().as_str());
        let index = classes.iter().position(says_yes).unwrap_or_else(|| {
            // Of two classes without a yes, the rarer one is usually what is looked for.
            usize::from(count(&classes[1]) <= count(&classes[0]))
        });
        if index == 0 {
            classes.swap(0, 1);
        }
        positive = Some(1);
    }
    let of_row = cells
        .iter()
        .map(|cell| cell.as_ref().and_then(|cell| classes.iter().position(|class| class == cell)))
        .collect();
    let comment = match positive {
        Some(index) => format!("{} of rows are positive", percent(count(&classes[index]), n_present)),
        None => {
            let rarest = classes.iter().map(count).min().unwrap_or_default();
            format!("the rarest has {} rows", counted(rarest))
        }
    };
    let task_comment = format!("{} different {what}", classes.len());
    Ok(Goal {
        comment: comment + &missing(cells.len() - n_present),
        kind: GoalKind::Classes { classes, positive, of_row },
        task_comment,
    })
}

fn missing(n: usize) -> String {
    if n == 0 { String::new() } else { format!("; {} rows without one will go to quarantine", counted(n)) }
}

/// Third standardised moment; 0 without spread.
fn skewness(values: &[f64]) -> f64 {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let moment = |power: i32| values.iter().map(|value| (value - mean).powi(power)).sum::<f64>() / n;
    let variance = moment(2);
    if variance > 0.0 { moment(3) / variance.powf(1.5) } else { 0.0 }
}
