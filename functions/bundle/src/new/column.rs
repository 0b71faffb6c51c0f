//! What one column is: an input of some kind, a date, or something that the model must not see.
//!
//! Proposed for `drop` as an identifier is
//! - text with more than 50 levels and fewer than five rows for each;
//! - whole numbers, each in one row only, that count the rows (each one more than the row before, or rising all the way)
//!   or that are drawn from a range so narrow that chance would have repeated some.

use dataset::{Cells, TableColumn};
use spec::{Categories, Kind, parse_time};

use super::calendar::months_come_round;
use super::examples;
use super::yaml::{counted, number, percent, scalar};

/// Fewest rows on which a column can be called an identifier.
const MIN_ROWS: usize = 20;
/// Repeats that chance would have brought in a column without any, for it to be an identifier.
const MIN_EXPECTED_REPEATS: f64 = 10.0;
/// Fewest rows of a level for it to have a place of its own in the network.
const MIN_ROWS_PER_LEVEL: u64 = 10;
/// Most levels that are listed under `allowed`.
const MAX_ALLOWED: usize = 12;
/// Most different whole numbers for a remark that they may be codes.
const FEW_NUMBERS: usize = 12;

/// What is guessed of a column.
#[derive(Debug)]
pub(super) enum Guess {
    /// An input: its kind, its declaration, and what that was guessed from.
    Input { kind: Kind, declaration: String, comment: String },
    /// Dates, and which of their parts differ between rows.
    Time { nullable: bool, parts: Vec<&'static str>, comment: String },
    /// Not to be seen by the model, with the reason.
    Drop(String),
}

/// A column with what all guesses need to know.
#[derive(Debug)]
pub(super) struct Profile<'a> {
    column: &'a TableColumn,
    n_rows: usize,
    n_missing: usize,
    n_distinct: usize,
    /// Present numbers, rising; of a column of numbers.
    sorted: Vec<f64>,
}

/// The kind of a column that shall be compared with another file's, or why it is no ground for a comparison: dates and
/// identifiers differ between any two files. A constant column is one, because it may move.
pub(crate) fn kind_of(column: &TableColumn) -> Result<Kind, String> {
    let profile = Profile::of(column);
    if profile.is_constant() {
        return Ok(match &column.cells {
            Cells::Numbers(_) => Kind::Number,
            Cells::Booleans(_) => Kind::Boolean,
            Cells::Text(_) => Kind::Category,
        });
    }
    match profile.guess() {
        Guess::Input { kind, .. } => Ok(kind),
        Guess::Time { comment, .. } => Err(format!("dates, {comment}")),
        Guess::Drop(reason) => Err(reason),
    }
}

impl<'a> Profile<'a> {
    pub(super) fn of(column: &'a TableColumn) -> Self {
        let mut sorted = Vec::new();
        let (n_rows, n_missing, n_distinct) = match &column.cells {
            Cells::Numbers(numbers) => {
                sorted = numbers.iter().copied().filter(|number| !number.is_nan()).collect();
                sorted.sort_by(f64::total_cmp);
                let n_distinct =
                    usize::from(!sorted.is_empty()) + sorted.windows(2).filter(|pair| pair[0] < pair[1]).count();
                (numbers.len(), numbers.len() - sorted.len(), n_distinct)
            }
            Cells::Booleans(values) => {
                let n_distinct = [true, false].iter().filter(|value| values.contains(&Some(**value))).count();
                (values.len(), values.iter().filter(|value| value.is_none()).count(), n_distinct)
            }
            Cells::Text(text) => {
                let n_present: u64 = text.counts().iter().sum();
                (text.codes.len(), text.codes.len() - n_present as usize, text.levels.len())
            }
        };
        Self { column, n_rows, n_missing, n_distinct, sorted }
    }

    /// Whether all cells are the same: a missing cell beside others tells something.
    pub(super) fn is_constant(&self) -> bool {
        self.n_distinct == 0 || self.n_distinct == 1 && self.n_missing == 0
    }

    pub(super) fn guess(&self) -> Guess {
        if self.n_distinct == 0 {
            return Guess::Drop("no cell has a value".to_owned());
        }
        if self.is_constant() {
            return Guess::Drop(format!("constant: every row has {}", self.examples(1)));
        }
        match &self.column.cells {
            Cells::Booleans(_) => self.boolean("false and true"),
            Cells::Numbers(numbers) => self.guess_number(numbers),
            Cells::Text(text) => self.guess_text(text),
        }
    }

    fn guess_number(&self, numbers: &[f64]) -> Guess {
        if self.sorted.iter().all(|number| *number == 0.0 || *number == 1.0) {
            return self.boolean(&self.examples(2));
        }
        let (low, high) = (self.sorted[0], self.sorted[self.sorted.len() - 1]);
        let is_whole = self.sorted.iter().all(|number| number.fract() == 0.0);
        if let Some(reason) = self.number_identifier(numbers, is_whole) {
            return Guess::Drop(reason);
        }
        let range = range(low, high, is_whole).map(|(from, to)| format!(", range: [{from}, {to}]")).unwrap_or_default();
        let mut comment = format!("{} to {}", number(low), number(high));
        if let Some(what) = self.dates(is_whole) {
            comment += &format!(
                "; {what}? those to come were never seen: if it orders the rows, name it under `time` and take it out here"
            );
        } else if is_whole && self.n_distinct <= FEW_NUMBERS {
            // An order may be real, as in counts and grades, and a network can learn steps; codes lose by it.
            comment +=
                &format!("; only {} whole numbers: kept in order, a category if they are codes", self.n_distinct);
        }
        Guess::Input {
            kind: Kind::Number,
            declaration: format!("{{kind: number{range}{}}}", self.nullable()),
            comment: self.with_missing(comment),
        }
    }

    /// Which form of dates the numbers may be: by their values where these can hardly be anything else, else by values and
    /// the column's name together.
    fn dates(&self, is_whole: bool) -> Option<&'static str> {
        const NAMES: [&str; 5] = ["date", "year", "yr", "timestamp", "epoch"];
        let name = self.column.name.to_lowercase();
        let is_named = name.split(|c: char| !c.is_alphanumeric()).any(|word| NAMES.contains(&word));
        let all = |is_date: &dyn Fn(f64) -> bool| self.sorted.iter().all(|number| is_date(*number));
        let in_years = |number: f64| (1900.0..=2100.0).contains(&number);
        let in_months = |number: f64| in_years((number / 100.0).floor()) && (1.0..=12.0).contains(&(number % 100.0));
        let in_days = |number: f64| in_months((number / 100.0).floor()) && (1.0..=31.0).contains(&(number % 100.0));
        // 1990 to 2050 in seconds; in days since 1900, as spreadsheets count.
        let in_seconds = |number: f64| (631_152_000.0..2_524_608_000.0).contains(&number);
        let in_serials = |number: f64| (32_874.0..54_789.0).contains(&number);
        if is_whole && all(&in_years) {
            Some("years")
        } else if is_whole && (all(&in_days) || all(&in_months)) {
            Some("dates written as numbers")
        } else if is_named && all(&in_years) {
            Some("dates as fractions of years")
        } else if is_named && (all(&in_seconds) || all(&|number| in_seconds(number / 1000.0)) || all(&in_serials)) {
            Some("dates as numbers")
        } else {
            None
        }
    }

    fn number_identifier(&self, numbers: &[f64], is_whole: bool) -> Option<String> {
        let n = self.sorted.len();
        if !is_whole || self.n_missing > 0 || n < MIN_ROWS || self.n_distinct < n {
            return None;
        }
        let rises = numbers.windows(2).all(|pair| pair[0] < pair[1]);
        let steps = numbers.windows(2).all(|pair| pair[1] - pair[0] == 1.0);
        if steps {
            return Some(format!("row number: counts from {} to {}", number(numbers[0]), number(numbers[n - 1])));
        }
        let n = n as f64;
        let width = self.sorted[self.sorted.len() - 1] - self.sorted[0] + 1.0;
        let expected_repeats = n * (n - 1.0) / (2.0 * width);
        if rises {
            return Some("identifier: a whole number in one row each, rising from row to row".to_owned());
        }
        (expected_repeats > MIN_EXPECTED_REPEATS).then(|| {
            let repeats = counted(expected_repeats as usize);
            format!("identifier: whole numbers without a repeat, where chance would have brought about {repeats}")
        })
    }

    fn guess_text(&self, text: &Categories) -> Guess {
        let words = |list: [&str; 5]| text.levels.iter().any(|level| list.contains(&level.to_lowercase().as_str()));
        let (no, yes) = (["false", "0", "0.0", "no", "no"], ["true", "1", "1.0", "yes", "yes"]);
        let is_word = |level: &String| {
            let level = level.to_lowercase();
            no.contains(&level.as_str()) || yes.contains(&level.as_str())
        };
        let two_words = words(no) && words(yes) || self.n_distinct == 1;
        if two_words && text.levels.iter().all(is_word) {
            return self.boolean(&self.examples(4));
        }
        if text.levels.iter().all(|level| parse_time(level.trim()).is_some()) {
            return self.guess_time(text);
        }
        let n_present = self.n_rows - self.n_missing;
        if self.n_distinct > 50 && n_present < 5 * self.n_distinct {
            let n = counted(self.n_distinct);
            return Guess::Drop(format!("identifier: {n} different texts in {} rows", counted(n_present)));
        }
        self.category(text)
    }

    fn category(&self, text: &Categories) -> Guess {
        let counts = text.counts();
        let least = (self.n_rows as u64).div_ceil(100).max(MIN_ROWS_PER_LEVEL);
        let mut comment = format!("{} levels", counted(self.n_distinct));
        let levels = if self.n_distinct <= MAX_ALLOWED && counts.iter().all(|count| *count >= least) {
            let mut levels: Vec<&String> = text.levels.iter().collect();
            levels.sort();
            comment += ", none rare: a new one goes to quarantine";
            format!("allowed: [{}]", levels.iter().map(|level| scalar(level)).collect::<Vec<_>>().join(", "))
        } else {
            let n_frequent = counts.iter().filter(|count| **count >= MIN_ROWS_PER_LEVEL).count();
            comment += &match self.n_distinct - n_frequent {
                0 => format!(", each in {MIN_ROWS_PER_LEVEL} rows or more; new ones share a place"),
                n_rare => format!("; the {} in fewer than {MIN_ROWS_PER_LEVEL} rows share a place", counted(n_rare)),
            };
            format!("max_levels: {}", n_frequent.max(1))
        };
        let n_numbers =
            text.levels.iter().filter(|level| level.trim().parse::<f64>().is_ok_and(f64::is_finite)).count();
        if n_numbers > 0 && 10 * n_numbers >= 9 * self.n_distinct {
            comment +=
                &match text.levels.iter().find(|level| level.trim().parse::<f64>().is_err() || level.contains("nan")) {
                    Some(other) => format!(
                        "; numbers but for {}: empty those cells for a number",
                        examples([other.as_str()].into_iter(), 1)
                    ),
                    None => "; digits that are a code, with leading zeros or as text".to_owned(),
                };
        }
        Guess::Input {
            kind: Kind::Category,
            declaration: format!("{{kind: category, {levels}{}}}", self.nullable()),
            comment: self.with_missing(comment),
        }
    }

    fn boolean(&self, seen: &str) -> Guess {
        let comment = if self.n_distinct == 1 { format!("{seen} or nothing") } else { format!("written {seen}") };
        Guess::Input {
            kind: Kind::Boolean,
            declaration: format!("{{kind: boolean{}}}", self.nullable()),
            comment: self.with_missing(comment),
        }
    }

    fn guess_time(&self, text: &Categories) -> Guess {
        let mut times: Vec<&str> = text.levels.iter().map(|level| level.trim()).collect();
        times.sort_unstable();
        let days = |level: &&str| parse_time(level).map(|seconds| (seconds / 86_400.0).floor() as i64);
        let varies = |part: &dyn Fn(i64) -> i64| {
            let mut parts: Vec<i64> = times.iter().filter_map(days).map(part).collect();
            parts.sort_unstable();
            parts.dedup();
            parts.len() > 1
        };
        // All on the first of their months: the weekday is an accident of the calendar.
        let is_monthly = times.iter().all(|time| time.get(8..10) == Some("01"));
        let mut parts = Vec::new();
        if months_come_round(&times) {
            parts.push("month");
        }
        if !is_monthly && varies(&|day: i64| day.rem_euclid(7)) {
            parts.push("weekday");
        }
        let comment = format!("{} to {}", times[0], times[times.len() - 1]);
        Guess::Time { nullable: self.n_missing > 0, parts, comment: self.with_missing(comment) }
    }

    fn nullable(&self) -> &'static str {
        if self.n_missing > 0 { ", nullable: true" } else { "" }
    }

    fn with_missing(&self, comment: String) -> String {
        if self.n_missing == 0 {
            comment
        } else {
            format!("{comment}; {} missing", percent(self.n_missing, self.n_rows))
        }
    }

    fn examples(&self, n: usize) -> String {
        match &self.column.cells {
            Cells::Text(text) => examples(text.levels.iter().map(String::as_str), n),
            Cells::Booleans(values) => {
                examples(values.iter().flatten().map(|value| if *value { "true" } else { "false" }), 1)
            }
            Cells::Numbers(_) => {
                let mut distinct = self.sorted.clone();
                distinct.dedup();
                distinct.iter().take(n).map(|value| number(*value)).collect::<Vec<_>>().join(" and ")
            }
        }
    }
}

/// The observed range, widened by half its width on both sides but not across zero, rounded outward to a step of the power
/// of ten at or below its width; to whole numbers where all are. None where floats cannot hold that.
fn range(low: f64, high: f64, is_whole: bool) -> Option<(String, String)> {
    let width = if high > low { high - low } else { low.abs().max(1.0) };
    let exponent = width.log10().floor() as i32;
    let exponent = if is_whole { exponent.max(0) } else { exponent };
    let step = 10_f64.powi(exponent);
    // A millionth of a step is a rounding error, not a reason for one step more.
    let from = ((low - width / 2.0) / step + 1e-6).floor() * step;
    let to = ((high + width / 2.0) / step - 1e-6).ceil() * step;
    let from = if low >= 0.0 { from.max(0.0) } else { from };
    let to = if high <= 0.0 { to.min(0.0) } else { to };
    // Exactly the decimals of the step: 0.3, not 0.30000000000000004.
    let text = |value: f64| match usize::try_from(-exponent).unwrap_or_default() {
        decimals if decimals <= 12 && value.abs() < 1e15 => format!("{:.decimals$}", value + 0.0),
        _ => format!("{value:e}"),
    };
    let (from, to) = (text(from), text(to));
    let holds = |text: &str| text.parse::<f64>().ok().filter(|value| value.is_finite());
    (holds(&from)? <= low && holds(&to)? >= high).then_some((from, to))
}

#[cfg(test)]
mod tests {
    use super::range;

    #[test]
    fn ranges_are_round_and_hold_what_was_seen() {
        for (low, high, is_whole, from, to) in [
            (0.0, 300.0, true, "0", "500"),
            (1969.0, 2021.0, true, "1940", "2050"),
            (1.0, 9.0, true, "0", "13"),
            (0.02, 0.31, false, "0.0", "0.5"),
            (-3.0, 4.0, false, "-7", "8"),
            (-4.5, -1.0, false, "-7", "0"),
            (41.98, 42.06, false, "41.94", "42.10"),
            (5.0, 5.0, true, "2", "8"),
        ] {
            assert_eq!(range(low, high, is_whole), Some((from.to_owned(), to.to_owned())), "{low} to {high}");
        }
        for (low, high) in [
            (1e-300, 3e-300),
            (1e300, 1.5e300),
            (f64::MIN, f64::MAX),
            (9_007_199_254_740_991.0, 9_007_199_254_740_993.0),
        ] {
            if let Some((from, to)) = range(low, high, false) {
                assert!(from.parse::<f64>().unwrap() <= low && to.parse::<f64>().unwrap() >= high, "{from} to {to}");
            }
        }
    }
}
