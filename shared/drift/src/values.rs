//! The current data of one column, borrowed from whoever holds it.

/// The code of a missing category.
pub const MISSING: u32 = u32::MAX;

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
