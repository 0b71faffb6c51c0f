//! The rows of one column's levels or quarters.

use page::text;
use spec::{ColumnData, MISSING_CODE};

use super::stats::{bin, edges, sorted};

/// Fewest rows of a group that anything is said about.
pub const MIN_GROUP_ROWS: usize = 30;

/// Most levels of a category that are groups, the most frequent ones.
pub const MAX_GROUPS: usize = 12;

/// Rows that have something in common.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Group {
    /// A level, a range such as `above 3, at most 7`, or `missing`.
    pub(super) name: String,
    /// Their places, rising.
    pub(super) rows: Vec<usize>,
}

/// The groups of a column: each of its [`MAX_GROUPS`] most frequent levels, or each quarter of its numbers, and its missing
/// cells; those of at least [`MIN_GROUP_ROWS`] rows.
///
/// Levels stand from the most to the least frequent, equally frequent ones by name, quarters in rising order. Equal numbers
/// are never torn apart, so that a column of few distinct numbers has fewer and unequal quarters.
pub(super) fn groups(cells: &ColumnData) -> Vec<Group> {
    let mut groups = match cells {
        ColumnData::Numbers(numbers) => quarters(numbers),
        ColumnData::Categories(categories) => {
            let mut levels: Vec<Group> =
                categories.levels.iter().map(|level| Group { name: level.clone(), rows: Vec::new() }).collect();
            for (row, code) in categories.codes.iter().enumerate().filter(|(_, code)| **code != MISSING_CODE) {
                levels[*code as usize].rows.push(row);
            }
            levels.sort_by(|a, b| b.rows.len().cmp(&a.rows.len()).then_with(|| a.name.cmp(&b.name)));
            levels.truncate(MAX_GROUPS);
            levels
        }
    };
    groups.push(Group { name: "missing".to_owned(), rows: missing(cells) });
    groups.retain(|group| group.rows.len() >= MIN_GROUP_ROWS);
    groups
}

fn missing(cells: &ColumnData) -> Vec<usize> {
    match cells {
        ColumnData::Numbers(numbers) => (0..numbers.len()).filter(|row| numbers[*row].is_nan()).collect(),
        ColumnData::Categories(categories) => {
            (0..categories.codes.len()).filter(|row| categories.codes[*row] == MISSING_CODE).collect()
        }
    }
}

/// Quarters of the numbers that are not missing.
pub(super) fn quarters(numbers: &[f64]) -> Vec<Group> {
    let edges = edges(&sorted(numbers), 4);
    let mut groups: Vec<Group> = (0..=edges.len())
        .map(|quarter| {
            let low = quarter.checked_sub(1).map(|edge| text::number(edges[edge]));
            let high = edges.get(quarter).map(|edge| text::number(*edge));
            let name = match (low, high) {
                (None, None) => "all".to_owned(),
                (None, Some(high)) => format!("at most {high}"),
                (Some(low), None) => format!("above {low}"),
                (Some(low), Some(high)) => format!("above {low}, at most {high}"),
            };
            Group { name, rows: Vec::new() }
        })
        .collect();
    for (row, number) in numbers.iter().enumerate().filter(|(_, number)| !number.is_nan()) {
        groups[bin(&edges, *number)].rows.push(row);
    }
    groups
}

#[cfg(test)]
mod tests {
    use spec::Categories;

    use super::*;

    fn names(groups: &[Group]) -> Vec<(&str, usize)> {
        groups.iter().map(|group| (group.name.as_str(), group.rows.len())).collect()
    }

    #[test]
    fn numbers_fall_into_quarters() {
        let mut numbers: Vec<f64> = (0..200).map(f64::from).collect();
        numbers.extend([f64::NAN; 30]);
        let groups = groups(&ColumnData::Numbers(numbers));
        let expected = [
            ("at most 49.75", 50),
            ("above 49.75, at most 99.5", 50),
            ("above 99.5, at most 149.2", 50),
            ("above 149.2", 50),
            ("missing", 30),
        ];
        assert_eq!(names(&groups), expected);
        assert_eq!(groups[1].rows, (50..100).collect::<Vec<_>>());
        let two = super::groups(&ColumnData::Numbers([vec![0.0; 90], vec![1.0; 40]].concat()));
        assert_eq!(names(&two), [("at most 0", 90), ("above 0", 40)]);
        assert_eq!(names(&quarters(&[3.0; 4])), [("all", 4)]);
    }

    #[test]
    fn small_groups_are_left_out() {
        let levels = (0..14).map(|level| format!("l{level:02}")).collect();
        // 31 rows of each level but the last, which has 29, and the first, which has 40.
        let mut codes: Vec<u32> = (0..13).flat_map(|level| [level; 31]).collect();
        codes.extend([0; 9]);
        codes.extend([13; 29]);
        codes.extend([MISSING_CODE; 29]);
        let groups = groups(&ColumnData::Categories(Categories { levels, codes }));
        assert_eq!(groups.len(), MAX_GROUPS);
        assert_eq!(names(&groups)[..2], [("l00", 40), ("l01", 31)]);
        assert_eq!(groups[11].name, "l11");
    }
}
