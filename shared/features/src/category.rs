//! Categories: a code per level, with codes for unknown and for missing.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

/// Code of a level that the train rows did not hold often enough.
pub const UNKNOWN: u32 = 0;

/// Code of a missing cell.
pub const MISSING: u32 = 1;

/// First code of a level.
const FIRST: u32 = 2;

/// Train rows that a level needs for a code of its own; rarer ones are learnt together as unknown.
const MIN_ROWS: u64 = 3;

/// Levels that get a code of their own where the spec does not say.
const MAX_LEVELS: usize = 1000;

/// How a category column enters the network: codes 0 (unknown), 1 (missing), then the levels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "Stored", into = "Stored")]
pub struct CategoryEncoding {
    levels: Vec<String>,
    codes: HashMap<String, u32>,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    levels: Vec<String>,
}

impl From<Stored> for CategoryEncoding {
    fn from(stored: Stored) -> Self {
        let codes = (FIRST..).zip(&stored.levels).map(|(code, level)| (level.clone(), code)).collect();
        Self { levels: stored.levels, codes }
    }
}

impl From<CategoryEncoding> for Stored {
    fn from(encoding: CategoryEncoding) -> Self {
        Stored { levels: encoding.levels }
    }
}

impl CategoryEncoding {
    /// Fits on levels with their number of train rows: the most frequent first, ties by name.
    pub fn fit(levels: &[String], counts: &[u64], max_levels: Option<usize>) -> Self {
        let mut kept: Vec<(&String, u64)> =
            levels.iter().zip(counts.iter().copied()).filter(|(_, count)| *count >= MIN_ROWS).collect();
        kept.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        kept.truncate(max_levels.unwrap_or(MAX_LEVELS));
        Stored { levels: kept.into_iter().map(|(level, _)| level.clone()).collect() }.into()
    }

    /// Number of codes, those for unknown and missing included.
    pub fn cardinality(&self) -> usize {
        self.levels.len() + FIRST as usize
    }

    /// Levels with a code of their own, in the order of their codes.
    pub fn levels(&self) -> &[String] {
        &self.levels
    }

    /// The code of a level, or of a missing cell.
    pub fn code(&self, level: Option<&str>) -> u32 {
        match level {
            Some(level) => self.codes.get(level).copied().unwrap_or(UNKNOWN),
            None => MISSING,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frequent_levels_get_codes_and_the_rest_share_one() {
        let levels = ["a", "b", "c", "d"].map(str::to_owned);
        let encoding = CategoryEncoding::fit(&levels, &[3, 9, 3, 2], Some(2));
        assert_eq!(encoding.levels(), ["b", "a"]);
        assert_eq!(encoding.code(Some("b")), 2);
        assert_eq!(encoding.code(Some("c")), UNKNOWN, "over max_levels");
        assert_eq!(encoding.code(Some("d")), UNKNOWN, "too rare");
        assert_eq!(encoding.code(Some("new")), UNKNOWN);
        assert_eq!(encoding.code(None), MISSING);
        assert_eq!(encoding.cardinality(), 4);
    }
}
