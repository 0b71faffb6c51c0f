//! The inputs of a network while it learns: where they lie, and what each row puts in.

use std::collections::BTreeMap;
use std::ops::Range;

use features::{Encoded, FeatureSlot, Slot};
use model::{Architecture, Member};

/// Categories of more codes are embedded; the others are one-hot.
const MOST_ONE_HOT_CODES: usize = 64;
/// Width of an embedding.
pub(super) const EMBEDDING_DIM: usize = 8;

/// Where the inputs of a network lie: how `model`'s curves and tables are learnt.
///
/// In this order: the dense inputs; per curve one input a bin, which says how far the row has come through it, 0 to 1; one
/// input a code for each small category; the embeddings of the large ones.
#[derive(Clone, Debug)]
pub(super) struct Inputs {
    /// Of each input its feature.
    pub(super) features: Vec<usize>,
    pub(super) n_dense: usize,
    /// The curves that the member reads, with their bins.
    pub(super) curves: Vec<(usize, usize)>,
    pub(super) cardinalities: Vec<usize>,
}

impl Inputs {
    /// The inputs of a member, which belong to the features of `slots`.
    pub(super) fn new(architecture: &Architecture, member: &Member, slots: &[FeatureSlot]) -> Self {
        let inputs = Self {
            features: Vec::new(),
            n_dense: architecture.n_dense,
            curves: member.curves.iter().map(|curve| (*curve, architecture.bins[*curve])).collect(),
            cardinalities: architecture.cardinalities.clone(),
        };
        Self { features: inputs.features_of(slots), ..inputs }
    }

    fn features_of(&self, slots: &[FeatureSlot]) -> Vec<usize> {
        let n_codes = self.cardinalities.len();
        let (mut of_dense, mut of_curve, mut of_code) = (Vec::new(), BTreeMap::new(), vec![0; n_codes]);
        for (feature, slot) in slots.iter().enumerate() {
            match slot.slot {
                Slot::Number { len, first_curve, n_curves, .. } => {
                    of_dense.extend(vec![feature; len]);
                    of_curve.extend((first_curve..first_curve + n_curves).map(|curve| (curve, feature)));
                }
                Slot::Code { index } => of_code[index] = feature,
            }
        }
        let of_bins = self.curves.iter().flat_map(|(curve, bins)| vec![of_curve[curve]; *bins]);
        let of_one_hot = self.one_hot().flat_map(|(index, cardinality)| vec![of_code[index]; cardinality]);
        let of_embedded = self.embedded().flat_map(|(index, _)| vec![of_code[index]; EMBEDDING_DIM]);
        of_dense.into_iter().chain(of_bins).chain(of_one_hot).chain(of_embedded).collect()
    }

    pub(super) fn n_bins(&self) -> usize {
        self.curves.iter().map(|(_, bins)| bins).sum()
    }

    /// The small categories, each with its number of codes.
    pub(super) fn one_hot(&self) -> impl Iterator<Item = (usize, usize)> {
        let cardinalities = self.cardinalities.iter().copied().enumerate();
        cardinalities.filter(|(_, cardinality)| *cardinality <= MOST_ONE_HOT_CODES)
    }

    /// The large categories, each with its number of codes.
    pub(super) fn embedded(&self) -> impl Iterator<Item = (usize, usize)> {
        let cardinalities = self.cardinalities.iter().copied().enumerate();
        cardinalities.filter(|(_, cardinality)| *cardinality > MOST_ONE_HOT_CODES)
    }

    fn n_codes(&self) -> usize {
        self.one_hot().map(|(_, cardinality)| cardinality).sum()
    }

    pub(super) fn n_inputs(&self) -> usize {
        self.n_dense + self.n_bins() + self.n_codes() + self.embedded().count() * EMBEDDING_DIM
    }

    /// The inputs that are bins of curves.
    pub(super) fn bins(&self) -> Range<usize> {
        self.n_dense..self.n_dense + self.n_bins()
    }

    /// Addends of the folded layer: as many as inputs, but that a curve has one at each edge of its bins.
    pub(super) fn n_addends(&self) -> usize {
        self.n_inputs() + self.curves.len()
    }

    /// Of each input, in order, the addend it moves; a bin moves the edge behind it and all later ones of its curve, and the
    /// first of those is named.
    pub(super) fn addends(&self) -> Vec<usize> {
        let of_bins = self.curves.iter().scan(self.n_dense, |start, (_, bins)| {
            let edges = *start + 1..*start + 1 + bins;
            *start += bins + 1;
            Some(edges)
        });
        let rest = self.n_dense + self.n_bins() + self.curves.len()..self.n_addends();
        (0..self.n_dense).chain(of_bins.flatten()).chain(rest).collect()
    }

    /// Gathers `rows` of `encoded`. `recode` may replace each code, in order of row, then feature.
    pub(super) fn gather(&self, encoded: &Encoded, rows: &[usize], mut recode: impl FnMut(u32) -> u32) -> Gathered {
        let n_terms = self.n_dense + 2 * self.curves.len() + self.one_hot().count();
        let n_embedded = self.embedded().count();
        let mut terms = Vec::with_capacity(rows.len() * n_terms);
        let mut codes = Vec::with_capacity(rows.len() * n_embedded);
        for row in rows {
            let dense = encoded.dense.row(*row);
            terms.extend((0..).zip(dense).map(|(addend, value)| Term { addend, share: *value }));
            let mut start = self.n_dense;
            let positions = encoded.positions.row(*row);
            for (curve, bins) in &self.curves {
                let position = positions[*curve];
                let bin = (position as usize).min(bins - 1);
                let (edge, share) = ((start + bin) as u32, position - bin as f32);
                terms.push(Term { addend: edge, share: 1.0 - share });
                terms.push(Term { addend: edge + 1, share });
                start += bins + 1;
            }
            for (code, cardinality) in encoded.codes.row(*row).iter().zip(&self.cardinalities) {
                let code = recode(*code);
                if *cardinality <= MOST_ONE_HOT_CODES {
                    terms.push(Term { addend: start as u32 + code, share: 1.0 });
                    start += cardinality;
                } else {
                    codes.push(code);
                }
            }
        }
        Gathered { n_rows: rows.len(), n_terms, terms, n_embedded, codes }
    }
}

/// What rows put into the first layer.
#[derive(Clone, Debug)]
pub(super) struct Gathered {
    pub(super) n_rows: usize,
    n_terms: usize,
    /// Shape `[n_rows, n_terms]`.
    terms: Vec<Term>,
    n_embedded: usize,
    /// Codes of the large categories. Shape `[n_rows, n_embedded]`.
    codes: Vec<u32>,
}

/// An addend of the folded layer, and how much of it a row has.
#[derive(Clone, Copy, Debug)]
pub(super) struct Term {
    pub(super) addend: u32,
    pub(super) share: f32,
}

impl Gathered {
    /// Per row its terms, and its codes of the large categories.
    pub(super) fn rows(&self) -> impl Iterator<Item = (&[Term], &[u32])> {
        (0..self.n_rows).map(|row| {
            let terms = &self.terms[row * self.n_terms..][..self.n_terms];
            (terms, &self.codes[row * self.n_embedded..][..self.n_embedded])
        })
    }
}
