//! The current data of one column, borrowed from whoever holds it.

use spec::{Batch, ColumnData, Kind, MISSING_CODE, Spec};

/// The code of a missing category.
pub const MISSING: u32 = MISSING_CODE;

/// The columns of a batch that are compared: the raw inputs, without times. A reference and what is compared with it must
/// both be made of these.
pub fn inputs<'a>(spec: &Spec, batch: &'a Batch) -> Vec<(String, Values<'a>)> {
    let columns = spec.columns.iter().zip(batch.columns()).filter(|((_, column), _)| column.kind != Kind::Time);
    columns.map(|((name, _), cells)| (name.clone(), cells.into())).collect()
}

/// The target of a batch, where its rows have one.
pub fn target<'a>(spec: &Spec, batch: &'a Batch) -> Option<(String, Values<'a>)> {
    batch.target().map(|cells| (spec.target.column.clone(), cells.into()))
}

/// The values of one column, one per row.
#[derive(Clone, Copy, Debug)]
pub enum Values<'a> {
    /// Numbers, `[n_rows]`. NaN is a missing value, and so is an infinity: neither has a place in a distribution.
    Numbers(&'a [f64]),
    /// Categories by code.
    Categories {
        /// The names, `[n_levels]`. A name that occurs twice is one category; a name without rows does not exist.
        levels: &'a [String],
        /// Index into `levels` for each row, `[n_rows]`; [`MISSING`] is a missing value.
        codes: &'a [u32],
    },
}

impl<'a> From<&'a ColumnData> for Values<'a> {
    fn from(column: &'a ColumnData) -> Self {
        match column {
            ColumnData::Numbers(numbers) => Values::Numbers(numbers),
            ColumnData::Categories(categories) => {
                Values::Categories { levels: &categories.levels, codes: &categories.codes }
            }
        }
    }
}

impl Values<'_> {
    /// Number of rows, missing values included.
    pub fn len(&self) -> usize {
        match self {
            Values::Numbers(values) => values.len(),
            Values::Categories { codes, .. } => codes.len(),
        }
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// `numbers` or `categories`, for messages.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Values::Numbers(_) => "numbers",
            Values::Categories { .. } => "categories",
        }
    }
}
