//! Rows to learn from.

use std::borrow::Cow;

use features::{Encoded, Encoder};
use spec::{Batch, Spec};

use super::weights::{class_weights, relative};

/// Encoded rows take more memory than the rows they are made from. Up to so many bytes they are kept; beyond, they are made
/// whenever they are read, some at a time, which costs a sixth of a fit.
const MAX_ENCODED_BYTES: usize = 256 << 20;

/// Rows with what they teach.
#[derive(Clone, Debug)]
pub struct Rows<'a> {
    /// Inputs.
    pub inputs: Source<'a>,
    /// Targets as [`features::TargetCode::encode`] gives them, as they are or, where there is only that, by their
    /// logarithm. Shape `[n_rows]`, finite.
    pub targets: Vec<f32>,
    /// Targets by their logarithm, for members that learn it; none where there is only one scale. Shape `[n_rows]`.
    pub log_targets: Option<Vec<f32>>,
    /// How much each row counts, above 0; none where all count alike. Shape `[n_rows]`.
    pub weights: Option<Vec<f32>>,
    /// How much more the rows of each class count while members learn, above 0, in the order of coded targets; none where
    /// all classes count alike. Shape `[n_classes]`.
    pub class_weights: Option<Vec<f32>>,
    /// When each row is from, in any unit, NaN where that is not known; none where rows have no order. Shape `[n_rows]`.
    pub time: Option<Vec<f64>>,
}

/// Where encoded rows come from.
#[derive(Clone, Debug)]
pub enum Source<'a> {
    /// They are all there.
    Encoded(Encoded),
    /// They are encoded when they are read.
    Stream {
        /// Whose columns the rows have.
        spec: &'a Spec,
        /// What encodes them.
        encoder: &'a Encoder,
        /// The rows.
        batch: &'a Batch,
    },
}

/// Some encoded rows.
pub(super) struct Part<'a> {
    pub(super) encoded: Cow<'a, Encoded>,
    /// Where in `encoded` each of the rows lies.
    pub(super) places: Cow<'a, [usize]>,
}

impl<'a> Rows<'a> {
    /// The rows of a batch, with its weights so that their mean is 1. Rows without any weight, which cannot teach, must not be
    /// there ([`teaching`](super::teaching)).
    ///
    /// # Errors
    /// [`features::Error::NoTarget`] for rows without one.
    pub fn of_batch(spec: &'a Spec, encoder: &'a Encoder, batch: &'a Batch) -> Result<Self, features::Error> {
        let layout = encoder.layout();
        let n_numbers = layout.n_dense + layout.bins.len() + layout.cardinalities.len();
        Self::of_batch_within(MAX_ENCODED_BYTES / (size_of::<f32>() * n_numbers.max(1)), spec, encoder, batch)
    }

    /// The rows of a batch, which are encoded at once if they are no more than `n_kept`.
    fn of_batch_within(
        n_kept: usize,
        spec: &'a Spec,
        encoder: &'a Encoder,
        batch: &'a Batch,
    ) -> Result<Self, features::Error> {
        let target = batch.target().ok_or_else(|| features::Error::NoTarget { column: spec.target.column.clone() })?;
        let code = encoder.target();
        let targets = code.encode(target, code.is_log());
        let log_targets = (code.has_log() && !code.is_log()).then(|| code.encode(target, true));
        let inputs = match batch.n_rows() <= n_kept {
            true => Source::Encoded(encoder.encode(spec, batch)),
            false => Source::Stream { spec, encoder, batch },
        };
        let weights = batch.weight().map(relative);
        let class_weights = class_weights(spec, code, &targets, weights.as_deref());
        let time = batch.time().map(<[f64]>::to_vec);
        Ok(Self { inputs, targets, log_targets, weights, class_weights, time })
    }

    /// Number of rows.
    pub fn n_rows(&self) -> usize {
        self.targets.len()
    }

    /// The rows at `rows`, encoded, in that order.
    pub(super) fn select(&self, rows: &[usize]) -> Encoded {
        match &self.inputs {
            Source::Encoded(encoded) => encoded.select(rows),
            Source::Stream { spec, encoder, batch } => encoder.encode(spec, &batch.select(rows)),
        }
    }

    /// The rows at `rows`, encoded; without a copy where they are at hand.
    pub(super) fn part<'b>(&'b self, rows: &'b [usize]) -> Part<'b> {
        match &self.inputs {
            Source::Encoded(encoded) => Part { encoded: Cow::Borrowed(encoded), places: Cow::Borrowed(rows) },
            Source::Stream { .. } => {
                Part { encoded: Cow::Owned(self.select(rows)), places: Cow::Owned((0..rows.len()).collect()) }
            }
        }
    }

    /// How much some rows count; none where all count alike.
    pub(super) fn weights_of(&self, rows: &[usize]) -> Option<Vec<f32>> {
        self.weights.as_ref().map(|weights| rows.iter().map(|row| weights[*row]).collect())
    }

    /// Targets on the scale that a member learns.
    pub(super) fn targets(&self, log: bool) -> &[f32] {
        self.log_targets.as_ref().filter(|_| log).unwrap_or(&self.targets)
    }

    /// What some rows teach, and how much each counts, by its weight and its class's. Shape `[n, n_outputs]`: shares of the
    /// classes or, of one output, the positive class's share or a number; and shape `[n]`.
    ///
    /// `soften` moves what is taught before classes are weighed, so that a row which teaches a bit of each class counts a bit
    /// of each one's weight.
    pub(super) fn lesson(
        &self,
        rows: &[usize],
        log: bool,
        n_outputs: usize,
        soften: impl FnOnce(&mut [f32]),
    ) -> (Vec<f32>, Option<Vec<f32>>) {
        let targets = rows.iter().map(|row| self.targets(log)[*row]);
        let one_hot = |class: f32| (0..n_outputs).map(move |index| f32::from(u8::from(index == class as usize)));
        let mut targets: Vec<f32> =
            if n_outputs == 1 { targets.collect() } else { targets.flat_map(one_hot).collect() };
        soften(&mut targets);
        let weights = self.weights_of(rows);
        let Some(of_classes) = &self.class_weights else { return (targets, weights) };
        let mut weights = weights.unwrap_or_else(|| vec![1.0; rows.len()]);
        // Of one output the share of the other class is the rest.
        let (of_rest, of_targets) =
            if n_outputs == 1 { (of_classes[0], &of_classes[1..]) } else { (0.0, &of_classes[..]) };
        for (weight, shares) in weights.iter_mut().zip(targets.chunks_mut(n_outputs)) {
            let rest = 1.0 - shares.iter().sum::<f32>();
            shares.iter_mut().zip(of_targets).for_each(|(share, of_class)| *share *= of_class);
            let of_row = rest * of_rest + shares.iter().sum::<f32>();
            shares.iter_mut().for_each(|share| *share /= of_row);
            *weight *= of_row;
        }
        (targets, Some(weights))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ndarray::Array2;
    use spec::{BatchBuilder, Kind, Value};

    use super::*;
    use crate::fit::{Bag, KEEP_NOTHING, fit_bag};

    #[test]
    fn a_row_that_teaches_two_classes_counts_as_much_as_both() {
        let nothing =
            Encoded { dense: Array2::zeros((2, 0)), positions: Array2::zeros((2, 0)), codes: Array2::zeros((2, 0)) };
        let of_classes = |targets: &[f32], class_weights: &[f32]| Rows {
            inputs: Source::Encoded(nothing.clone()),
            targets: targets.to_vec(),
            log_targets: None,
            weights: Some(vec![1.0, 2.0]),
            class_weights: Some(class_weights.to_vec()),
            time: None,
        };
        let binary = of_classes(&[1.0, 0.0], &[1.0, 3.0]);
        assert_eq!(binary.lesson(&[1, 0], false, 1, |_| {}), (vec![0.0, 1.0], Some(vec![2.0, 3.0])));
        let soften = |targets: &mut [f32]| targets[0] = 0.5;
        assert_eq!(binary.lesson(&[0], false, 1, soften), (vec![0.75], Some(vec![2.0])));
        let several = of_classes(&[2.0, 0.0], &[1.0, 3.0, 5.0]);
        assert_eq!(several.lesson(&[0], false, 3, |_| {}), (vec![0.0, 0.0, 1.0], Some(vec![5.0])));
        let soften = |targets: &mut [f32]| targets.copy_from_slice(&[0.5, 0.5, 0.0]);
        assert_eq!(several.lesson(&[1], false, 3, soften), (vec![0.25, 0.75, 0.0], Some(vec![4.0])));
    }

    #[test]
    fn rows_encoded_when_read_teach_the_same() {
        let text = "name: e\ntask: binary\ntarget: {column: y, classes: [a, b]}\ncolumns: {x: {kind: number}, c: {kind: \
                    category}}\ntrain: {kinds: [coarse], members: 2, hidden: 8, epochs: 2}\n";
        let spec = Arc::new(Spec::parse(text).unwrap());
        let mut rows = BatchBuilder::new([Kind::Number, Kind::Category], Some(Kind::Category), false);
        let level = |text: &str| Value::Level(text.to_owned());
        for row in 0..300_usize {
            let (x, c) = (row as f64 * 0.01, ["p", "q", "r"][row % 3]);
            rows.push(&[Value::Number(x), level(c)], &level(if row % 7 < 3 { "a" } else { "b" }), f64::NAN);
        }
        let batch = rows.finish();
        let encoder = Encoder::fit(&spec, &batch).unwrap();
        let [kept, streamed] = [300, 299].map(|n_kept| Rows::of_batch_within(n_kept, &spec, &encoder, &batch).unwrap());
        assert!(matches!(kept.inputs, Source::Encoded(_)) && matches!(streamed.inputs, Source::Stream { .. }));
        let fitted = |rows: &Rows<'_>| {
            let bag = Bag { spec: &spec, encoder: &encoder, rows, over_budget: &|| false };
            fit_bag(&bag, 2, &KEEP_NOTHING).unwrap().weights.to_bytes().unwrap()
        };
        assert_eq!(fitted(&kept), fitted(&streamed));
    }
}
