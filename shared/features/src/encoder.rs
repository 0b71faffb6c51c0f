//! All columns together.

use ndarray::{Array2, Axis};
use serde::{Deserialize, Serialize};
use spec::{Batch, ColumnData, Kind, Origin, Record, Spec};

use crate::category::CategoryEncoding;
use crate::number::NumberEncoding;
use crate::target::TargetCode;
use crate::{Error, category};

/// Most bins of all fine curves together, but for the least that each may have: what a fit costs grows with them.
const BINS_OF_ALL: usize = 2048;
const MIN_BINS: usize = 32;

/// Rows as the network reads them.
#[derive(Clone, Debug, PartialEq)]
pub struct Encoded {
    /// Numbers and indicators, `[n_rows, n_dense]`, each between -3 and 3.
    pub dense: Array2<f32>,
    /// Where numbers stand on their curves, `[n_rows, n_curves]`, each between 0 and its number of bins.
    pub positions: Array2<f32>,
    /// Codes of categories, `[n_rows, n_categorical]`, each below the column's cardinality.
    pub codes: Array2<u32>,
}

impl Encoded {
    /// Number of rows.
    pub fn n_rows(&self) -> usize {
        self.dense.nrows()
    }

    /// The rows at `rows`, in that order.
    pub fn select(&self, rows: &[usize]) -> Self {
        Self {
            dense: self.dense.select(Axis(0), rows),
            positions: self.positions.select(Axis(0), rows),
            codes: self.codes.select(Axis(0), rows),
        }
    }
}

/// Size of the network's input.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layout {
    /// Columns of [`Encoded::dense`].
    pub n_dense: usize,
    /// Number of bins of each column of [`Encoded::positions`], at least 1.
    pub bins: Vec<usize>,
    /// Of each column of [`Encoded::positions`], whether it is a number's fine curve, beside its coarse one.
    pub fine: Vec<bool>,
    /// Number of codes of each column of [`Encoded::codes`], those for unknown (0) and missing (1) included.
    pub cardinalities: Vec<usize>,
}

/// Where a feature stands in an [`Encoded`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    /// Neighbouring columns of the dense block and neighbouring columns of the positions.
    Number {
        /// First of the dense columns.
        start: usize,
        /// How many: the number, and its missing-value indicator where it has one.
        len: usize,
        /// First of the positions: that on the coarse curve.
        first_curve: usize,
        /// How many: none for a constant, one where the fine curve would be the coarse one, else two.
        n_curves: usize,
    },
    /// One column of the codes.
    Code {
        /// Which.
        index: usize,
    },
}

/// A feature with its place and the raw columns it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeatureSlot {
    /// Its name in the spec.
    pub name: String,
    /// Where it stands.
    pub slot: Slot,
    /// Raw columns that it is computed from, rising. One for a raw column.
    pub sources: Vec<usize>,
}

/// How one feature enters the network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Encoding {
    Number(NumberEncoding),
    Category(CategoryEncoding),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Feature {
    name: String,
    encoding: Encoding,
    sources: Vec<usize>,
}

/// Turns rows into the network's inputs. Fitted on train rows only; stored as `encoder.json`.
#[derive(Clone, Debug, PartialEq)]
pub struct Encoder {
    features: Vec<Feature>,
    target: TargetCode,
    slots: Vec<FeatureSlot>,
    layout: Layout,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    features: Vec<Feature>,
    target: TargetCode,
}

impl Encoder {
    /// Fits on a batch of train rows.
    ///
    /// # Errors
    /// [`Error::NoRows`] and [`Error::NoTarget`].
    pub fn fit(spec: &Spec, batch: &Batch) -> Result<Self, Error> {
        if batch.n_rows() == 0 {
            return Err(Error::NoRows);
        }
        let target = TargetCode::fit(spec, batch)?;
        let derived = spec.derivations().of_batch(batch);
        let n_numbers =
            spec.features().iter().filter(|feature| matches!(feature.kind, Kind::Number | Kind::Time)).count();
        let bins = spec.train.bins.min((BINS_OF_ALL / n_numbers.max(1)).max(MIN_BINS));
        let features = spec
            .features()
            .into_iter()
            .map(|feature| {
                let (column, nullable, sources) = match feature.origin {
                    Origin::Raw(index) => (batch.column(index), spec.columns[index].nullable, vec![index]),
                    // A derived cell may be missing in a later row, such as a ratio over zero, whatever the train rows held.
                    Origin::Derived(index) => {
                        (&derived[index], feature.kind == Kind::Number, spec.derivations().sources(index).to_vec())
                    }
                };
                let encoding = match column {
                    ColumnData::Numbers(numbers) => Encoding::Number(NumberEncoding::fit(numbers, nullable, bins)),
                    ColumnData::Categories(categories) => Encoding::Category(CategoryEncoding::fit(
                        &categories.levels,
                        &categories.counts(),
                        feature.max_levels,
                    )),
                };
                Feature { name: feature.name.to_owned(), encoding, sources }
            })
            .collect();
        Ok(Self::new(Stored { features, target }))
    }

    fn new(stored: Stored) -> Self {
        let mut layout = Layout { n_dense: 0, bins: Vec::new(), fine: Vec::new(), cardinalities: Vec::new() };
        let slots = stored
            .features
            .iter()
            .map(|feature| {
                let slot = match &feature.encoding {
                    Encoding::Number(number) => {
                        layout.n_dense += number.width();
                        let first_curve = layout.bins.len();
                        for (index, curve) in number.curves.iter().enumerate() {
                            layout.bins.push(curve.bins());
                            layout.fine.push(index > 0);
                        }
                        let (start, len) = (layout.n_dense - number.width(), number.width());
                        Slot::Number { start, len, first_curve, n_curves: number.curves.len() }
                    }
                    Encoding::Category(category) => {
                        layout.cardinalities.push(category.cardinality());
                        Slot::Code { index: layout.cardinalities.len() - 1 }
                    }
                };
                FeatureSlot { name: feature.name.clone(), slot, sources: feature.sources.clone() }
            })
            .collect();
        Self { features: stored.features, target: stored.target, slots, layout }
    }

    /// The stored form, JSON.
    pub fn to_bytes(&self) -> Vec<u8> {
        let stored = Stored { features: self.features.clone(), target: self.target.clone() };
        serde_json::to_vec_pretty(&stored).expect("an encoder holds only finite numbers and text")
    }

    /// Reads the stored form.
    ///
    /// # Errors
    /// [`Error::Malformed`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        serde_json::from_slice(bytes).map(Self::new).map_err(|source| Error::Malformed { source })
    }

    /// Makes sure that the encoder belongs to the spec's features.
    ///
    /// # Errors
    /// [`Error::OtherFeatures`] with both lists.
    pub fn check(&self, spec: &Spec) -> Result<(), Error> {
        let wanted: Vec<String> =
            spec.features().iter().map(|f| format!("{} ({})", f.name, coded_as(f.kind))).collect();
        let found: Vec<String> = self
            .features
            .iter()
            .map(|feature| match feature.encoding {
                Encoding::Number(_) => format!("{} (number)", feature.name),
                Encoding::Category(_) => format!("{} (category)", feature.name),
            })
            .collect();
        if wanted == found {
            return Ok(());
        }
        Err(Error::OtherFeatures { encoder: found.join(", "), spec: wanted.join(", ") })
    }

    /// Size of the network's input.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The features in the spec's order, with their places.
    pub fn slots(&self) -> &[FeatureSlot] {
        &self.slots
    }

    /// How the target is coded.
    pub fn target(&self) -> &TargetCode {
        &self.target
    }

    /// Encodes a batch whose columns are those of `spec`.
    pub fn encode(&self, spec: &Spec, batch: &Batch) -> Encoded {
        let derived = spec.derivations().of_batch(batch);
        let mut encoded = self.empty(batch.n_rows());
        for (spec_feature, (feature, slot)) in spec.features().iter().zip(self.features.iter().zip(&self.slots)) {
            let column = match spec_feature.origin {
                Origin::Raw(index) => batch.column(index),
                Origin::Derived(index) => &derived[index],
            };
            match (&feature.encoding, column, slot.slot) {
                (
                    Encoding::Number(number),
                    ColumnData::Numbers(numbers),
                    Slot::Number { start, len, first_curve, .. },
                ) => {
                    let mut inputs = [0.0; 2];
                    for (mut row, value) in encoded.dense.rows_mut().into_iter().zip(numbers) {
                        number.encode(*value, &mut inputs);
                        for (offset, input) in inputs.iter().take(len).enumerate() {
                            row[start + offset] = *input;
                        }
                    }
                    for (index, curve) in (first_curve..).zip(&number.curves) {
                        let positions = encoded.positions.column_mut(index);
                        positions.into_iter().zip(numbers).for_each(|(at, value)| *at = number.position(curve, *value));
                    }
                }
                (Encoding::Category(category), ColumnData::Categories(categories), Slot::Code { index }) => {
                    let code_of: Vec<u32> = categories.levels.iter().map(|level| category.code(Some(level))).collect();
                    for (code, level) in encoded.codes.column_mut(index).iter_mut().zip(&categories.codes) {
                        *code = code_of.get(*level as usize).copied().unwrap_or(category::MISSING);
                    }
                }
                _ => unreachable!("`check` compares the kinds of encoder and spec"),
            }
        }
        encoded
    }

    /// Encodes one record, as one row.
    pub fn encode_record(&self, spec: &Spec, record: &Record) -> Encoded {
        let derived = spec.derivations().of_record(record);
        let mut encoded = self.empty(1);
        for (spec_feature, (feature, slot)) in spec.features().iter().zip(self.features.iter().zip(&self.slots)) {
            let value = match spec_feature.origin {
                Origin::Raw(index) => &record.values()[index],
                Origin::Derived(index) => &derived[index],
            };
            match (&feature.encoding, slot.slot) {
                (Encoding::Number(number), Slot::Number { start, len, first_curve, .. }) => {
                    let mut inputs = [0.0; 2];
                    let value = value.as_number().unwrap_or(f64::NAN);
                    number.encode(value, &mut inputs);
                    for (offset, input) in inputs.iter().take(len).enumerate() {
                        encoded.dense[[0, start + offset]] = *input;
                    }
                    for (index, curve) in (first_curve..).zip(&number.curves) {
                        encoded.positions[[0, index]] = number.position(curve, value);
                    }
                }
                (Encoding::Category(category), Slot::Code { index }) => {
                    encoded.codes[[0, index]] = category.code(value.as_level());
                }
                _ => unreachable!("slots are made from the encodings"),
            }
        }
        encoded
    }

    fn empty(&self, n_rows: usize) -> Encoded {
        Encoded {
            dense: Array2::zeros((n_rows, self.layout.n_dense)),
            positions: Array2::zeros((n_rows, self.layout.bins.len())),
            codes: Array2::zeros((n_rows, self.layout.cardinalities.len())),
        }
    }
}

/// The coding of a kind: booleans are categories of two levels.
fn coded_as(kind: Kind) -> &'static str {
    match kind {
        Kind::Number | Kind::Time => "number",
        Kind::Category | Kind::Boolean => "category",
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use spec::{BatchBuilder, Value};

    use super::*;

    fn demo() -> Spec {
        Spec::parse(
            "name: demo
task: regression
target: {column: price, transform: log}
columns:
  size: {kind: number, nullable: true}
  rooms: {kind: number}
  city: {kind: category, nullable: true}
  new: {kind: boolean}
derive:
  size_per_room: {ratio: [size, rooms]}
  region: {first_word: city}
",
        )
        .expect("a good spec")
    }

    /// Size, rooms, city, new, price.
    type Home<'a> = (Option<f64>, f64, Option<&'a str>, bool, f64);

    fn batch(rows: &[Home<'_>]) -> Batch {
        let kinds = [Kind::Number, Kind::Number, Kind::Category, Kind::Boolean];
        let mut builder = BatchBuilder::new(kinds, Some(Kind::Number), false);
        for (size, rooms, city, new, price) in rows {
            let values = [
                size.map_or(Value::Missing, Value::Number),
                Value::Number(*rooms),
                city.map_or(Value::Missing, |city| Value::Level(city.to_owned())),
                Value::Level(new.to_string()),
            ];
            builder.push(&values, &Value::Number(*price), f64::NAN);
        }
        builder.finish()
    }

    proptest! {
        #[test]
        fn a_record_encodes_like_its_row_and_the_stored_form_like_the_first(
            rows in prop::collection::vec(
                (prop::option::of(0.0..500.0_f64), 0.0..4.0_f64, prop::option::of("[a-c] [x-z]"), any::<bool>(), 1.0..9.0_f64),
                1..40,
            )
        ) {
            let spec = demo();
            let rows: Vec<_> =
                rows.iter().map(|(a, b, c, d, e)| (*a, b.floor(), c.as_deref(), *d, *e)).collect();
            let batch = batch(&rows);
            let encoder = Encoder::fit(&spec, &batch).unwrap();
            encoder.check(&spec).unwrap();
            let stored = Encoder::from_bytes(&encoder.to_bytes()).unwrap();
            prop_assert_eq!(&stored, &encoder);
            let encoded = encoder.encode(&spec, &batch);
            for row in 0..batch.n_rows() {
                prop_assert_eq!(&encoder.encode_record(&spec, &batch.record(row)), &encoded.select(&[row]));
            }
            for (column, cardinality) in encoded.codes.columns().into_iter().zip(&encoder.layout().cardinalities) {
                prop_assert!(column.iter().all(|code| (*code as usize) < *cardinality));
            }
        }
    }

    #[test]
    fn slots_name_their_raw_columns() {
        let encoder = Encoder::fit(&demo(), &batch(&[(Some(1.0), 1.0, None, true, 2.0)])).unwrap();
        let slots: Vec<_> = encoder.slots().iter().map(|s| (s.name.as_str(), s.slot, s.sources.clone())).collect();
        assert_eq!(slots[0], ("size", Slot::Number { start: 0, len: 2, first_curve: 0, n_curves: 0 }, vec![0]));
        assert_eq!(
            slots[4],
            ("size_per_room", Slot::Number { start: 3, len: 2, first_curve: 0, n_curves: 0 }, vec![0, 1])
        );
        assert_eq!(slots[5], ("region", Slot::Code { index: 2 }, vec![2]));
    }

    #[test]
    fn another_spec_is_refused() {
        let encoder = Encoder::fit(&demo(), &batch(&[(Some(1.0), 1.0, None, true, 2.0)])).unwrap();
        let other =
            Spec::parse("name: o\ntask: regression\ntarget: {column: y}\ncolumns: {size: {kind: number}}\n").unwrap();
        assert!(matches!(encoder.check(&other), Err(Error::OtherFeatures { .. })));
    }

    #[test]
    fn targets_are_read_back() {
        let batch = batch(&[(None, 1.0, None, true, 2.0), (None, 1.0, None, true, 8.0)]);
        let encoder = Encoder::fit(&demo(), &batch).unwrap();
        let coded = encoder.target().encode(batch.target().unwrap(), true);
        assert_eq!(coded, [-1.0, 1.0]);
        assert!((encoder.target().decode(1.0, true) - 8.0).abs() < 1e-12);
    }

    #[test]
    fn no_rows_are_refused() {
        assert!(matches!(Encoder::fit(&demo(), &batch(&[])), Err(Error::NoRows)));
    }
}
