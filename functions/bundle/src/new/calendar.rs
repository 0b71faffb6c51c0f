//! What time does to columns: parts of dates that come round again, and numbers that only count on.

use dataset::{Cells, TableColumn};
use spec::parse_time;

/// Fewest rows on which a number can be said to follow the time.
const MIN_ROWS: usize = 20;

/// Whether every month that occurs in dates of ISO 8601 does so in two years. A month that was seen once cannot be told from the
/// trend, and a model has nothing to say of those that were not: January would look to it like what lies nearest among the
/// numbers 1 to 12.
pub(super) fn months_come_round(dates: &[&str]) -> bool {
    let mut seen: Vec<(&str, &str)> = dates.iter().filter_map(|date| Some((date.get(5..7)?, date.get(..4)?))).collect();
    seen.sort_unstable();
    seen.dedup();
    let by_month: Vec<usize> = seen.chunk_by(|a, b| a.0 == b.0).map(<[_]>::len).collect();
    by_month.len() > 1 && by_month.iter().all(|years| *years > 1)
}

/// Whether a number never turns back while the rows' time goes on: a year, a day's number, an index. Each batch to come then
/// lies outside of all that was learnt from.
pub(super) fn follows(time: &TableColumn, column: &TableColumn) -> bool {
    let (Cells::Text(text), Cells::Numbers(numbers)) = (&time.cells, &column.cells) else { return false };
    let at = |row: usize| text.level(row).and_then(|level| parse_time(level.trim()));
    let mut rows: Vec<(f64, f64)> = (0..numbers.len())
        .filter(|row| !numbers[*row].is_nan())
        .filter_map(|row| Some((at(row)?, numbers[row])))
        .collect();
    rows.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let (Some(first), Some(last)) = (rows.first(), rows.last()) else { return false };
    let (first, last) = (*first, *last);
    // By days: whatever differs within one is more than a count of time.
    let mut days = rows.chunk_by(|a, b| a.0 == b.0);
    let is_one_a_time = days.all(|of_time| of_time[0].1 == of_time[of_time.len() - 1].1);
    let rises = rows.windows(2).all(|pair| pair[0].1 <= pair[1].1);
    let falls = rows.windows(2).all(|pair| pair[0].1 >= pair[1].1);
    rows.len() >= MIN_ROWS && first.0 < last.0 && first.1 != last.1 && is_one_a_time && (rises || falls)
}

#[cfg(test)]
mod tests {
    use spec::Categories;

    use super::*;

    #[test]
    fn a_month_needs_a_second_year() {
        let dates = |from: usize, months: usize| -> Vec<String> {
            (from..from + months).map(|month| format!("{}-{:02}-03", 2016 + month / 12, 1 + month % 12)).collect()
        };
        for (from, months, expected) in [(6, 14, false), (0, 12, false), (0, 24, true), (5, 23, false), (0, 1, false)] {
            let dates = dates(from, months);
            let dates: Vec<&str> = dates.iter().map(String::as_str).collect();
            assert_eq!(months_come_round(&dates), expected, "{months} months");
        }
    }

    #[test]
    fn a_number_follows_the_time_until_it_turns_back() {
        let levels: Vec<String> = (1..=25).map(|day| format!("2024-03-{day:02}")).collect();
        // Two rows a day, the last day first.
        let codes: Vec<u32> = (0..50).map(|row| 24 - row / 2).collect();
        let time = TableColumn { name: "day".into(), cells: Cells::Text(Categories { levels, codes: codes.clone() }) };
        let column = |of: &dyn Fn(usize, f64) -> f64| {
            let numbers = codes.iter().enumerate().map(|(row, day)| of(row, f64::from(*day))).collect();
            TableColumn { name: "x".into(), cells: Cells::Numbers(numbers) }
        };
        assert!(follows(&time, &column(&|_, day| 2024.0 + day / 366.0)));
        assert!(follows(&time, &column(&|_, day| (-day / 10.0).floor())));
        assert!(follows(&time, &column(&|row, day| if row == 3 { f64::NAN } else { day })));
        assert!(!follows(&time, &column(&|_, day| (day - 12.0).abs())));
        assert!(!follows(&time, &column(&|row, day| day + 0.1 * (row % 2) as f64)), "rows of one day differ");
        assert!(!follows(&time, &column(&|_, _| 7.0)));
        assert!(!follows(&column(&|_, day| day), &time));
    }
}
