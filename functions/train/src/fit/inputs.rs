//! The inputs of a network while it learns: one wide vector a row.

use std::collections::BTreeMap;

use burn::prelude::*;
use burn::tensor::TensorData;
use features::{Encoded, FeatureSlot, Slot};
use model::{Architecture, Member};

/// Categories of more codes are embedded; the others are one-hot.
const MOST_ONE_HOT_CODES: usize = 64;
/// Width of an embedding.
pub(super) const EMBEDDING_DIM: usize = 8;

/// Where the inputs of a network lie: how `model`'s curves and tables are learnt.
#[derive(Clone, Debug)]
pub struct Inputs {
    /// Of each input its feature, for networks with gates.
    pub(super) features: Option<Vec<i32>>,
    pub(super) n_dense: usize,
    /// The curves that the member reads, with their bins.
    pub(super) curves: Vec<(usize, usize)>,
    pub(super) cardinalities: Vec<usize>,
}

impl Inputs {
    /// The inputs of a member.
    pub fn new(architecture: &Architecture, member: &Member) -> Self {
        Self {
            features: None,
            n_dense: architecture.n_dense,
            curves: member.curves.iter().map(|curve| (*curve, architecture.bins[*curve])).collect(),
            cardinalities: architecture.cardinalities.clone(),
        }
    }

    /// The same inputs with a gate for each feature.
    pub fn gated(self, slots: &[FeatureSlot]) -> Self {
        let n_codes = self.cardinalities.len();
        let (mut of_dense, mut of_curve, mut of_code) = (Vec::new(), BTreeMap::new(), vec![0; n_codes]);
        for (feature, slot) in (0..).zip(slots) {
            match slot.slot {
                Slot::Number { len, first_curve, n_curves, .. } => {
                    of_dense.extend(vec![feature; len]);
                    of_curve.extend((first_curve..first_curve + n_curves).map(|curve| (curve, feature)));
                }
                Slot::Code { index } => of_code[index] = feature,
            }
        }
        let of_bins = self.curves.iter().flat_map(|(curve, bins)| vec![of_curve[curve]; *bins]);
        let codes = |one_hot: bool| {
            let codes = self.cardinalities.iter().zip(&of_code);
            codes.filter(move |(cardinality, _)| Self::is_one_hot(**cardinality) == one_hot)
        };
        let of_one_hot = codes(true).flat_map(|(cardinality, feature)| vec![*feature; *cardinality]);
        let of_embedded = codes(false).flat_map(|(_, feature)| vec![*feature; EMBEDDING_DIM]);
        let features = of_dense.into_iter().chain(of_bins).chain(of_one_hot).chain(of_embedded).collect();
        Self { features: Some(features), ..self }
    }

    /// Of each input its feature, as a tensor.
    pub(super) fn features(&self, device: &Device) -> Option<Tensor<1, Int>> {
        let features = self.features.as_ref()?;
        Some(Tensor::from_data(TensorData::new(features.clone(), [features.len()]), device))
    }

    pub(super) fn n_bins(&self) -> usize {
        self.curves.iter().map(|(_, bins)| bins).sum()
    }

    pub(super) fn is_one_hot(cardinality: usize) -> bool {
        cardinality <= MOST_ONE_HOT_CODES
    }

    /// Inputs that are written on the host: all but the embeddings.
    fn n_host(&self) -> usize {
        let one_hot = self.cardinalities.iter().filter(|cardinality| Self::is_one_hot(**cardinality));
        self.n_dense + self.n_bins() + one_hot.sum::<usize>()
    }

    fn n_embedded(&self) -> usize {
        self.cardinalities.iter().filter(|cardinality| !Self::is_one_hot(**cardinality)).count()
    }

    pub(super) fn n_inputs(&self) -> usize {
        self.n_host() + self.n_embedded() * EMBEDDING_DIM
    }

    /// Whether an input is a bin of a curve.
    pub(super) fn is_bin(&self, input: usize) -> bool {
        (self.n_dense..self.n_dense + self.n_bins()).contains(&input)
    }

    /// Gathers `rows` of `encoded`. `recode` may replace each code, in order of feature, then row.
    pub fn gather(
        &self,
        encoded: &Encoded,
        rows: &[usize],
        mut recode: impl FnMut(u32) -> u32,
        device: &Device,
    ) -> Gathered {
        let width = self.n_host();
        let mut host = vec![0.0_f32; rows.len() * width];
        for (inputs, row) in host.chunks_exact_mut(width.max(1)).zip(rows) {
            let dense = encoded.dense.row(*row);
            inputs.iter_mut().zip(dense).for_each(|(input, value)| *input = *value);
            let mut start = self.n_dense;
            let positions = encoded.positions.row(*row);
            for (curve, bins) in &self.curves {
                let position = positions[*curve];
                let bin = (position as usize).min(bins - 1);
                inputs[start..start + bin].fill(1.0);
                inputs[start + bin] = position - bin as f32;
                start += bins;
            }
        }
        let mut start = self.n_dense + self.n_bins();
        let mut codes = Vec::new();
        for (column, cardinality) in encoded.codes.columns().into_iter().zip(&self.cardinalities) {
            let column = rows.iter().map(|row| recode(column[*row]));
            if Self::is_one_hot(*cardinality) {
                for (inputs, code) in host.chunks_exact_mut(width).zip(column) {
                    inputs[start + code as usize] = 1.0;
                }
                start += cardinality;
            } else {
                let column: Vec<i32> = column.map(|code| code as i32).collect();
                codes.push(Tensor::from_data(TensorData::new(column, [rows.len()]), device));
            }
        }
        let host = (width > 0).then(|| Tensor::from_data(TensorData::new(host, [rows.len(), width]), device));
        Gathered { host, codes, features: self.features(device) }
    }
}

/// Rows as tensors.
#[derive(Clone, Debug)]
pub struct Gathered {
    /// Shape `[n_rows, n_host]`; none where every input is embedded.
    pub(super) host: Option<Tensor<2>>,
    /// Per large category, shape `[n_rows]`.
    pub(super) codes: Vec<Tensor<1, Int>>,
    /// Of each input its feature, for networks with gates. Shape `[n_inputs]`.
    pub(super) features: Option<Tensor<1, Int>>,
}
