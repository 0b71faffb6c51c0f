//! The first layer while it learns.
//!
//! It has most of the weights, and a row touches few of them: two edges a curve, one code a category. As matrix products
//! they would cost a hundred times what they say, so this layer is summed, differentiated and stepped here; burn has the rest
//! of the network, to which the sums are an input.

use rand::seq::index::sample;
use rand_chacha::ChaCha8Rng;

use super::adamw::{Parameter, Step};
use super::inputs::{EMBEDDING_DIM, Gathered, Inputs};
use super::random::normals;

/// How much faster the scales of the inputs learn than the weights: they are kept divided by it.
const SCALE_SPEED: f32 = 6.0;
/// Embeddings start at this standard deviation.
const EMBEDDING_SCALE: f32 = 0.5;
/// Sums that a dot product keeps apart, so that they are added side by side.
const LANES: usize = 8;

/// What the sums of a layer are made of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Form {
    /// Sums that are bent, or that trees ask.
    pub(super) n_sums: usize,
    /// Those and the ones of the straight path after them.
    pub(super) width: usize,
    /// Whether each feature has a gate.
    pub(super) gated: bool,
    /// Features that each of the `n_sums` reads, drawn for each alone; none: all.
    pub(super) max_features: Option<usize>,
}

/// The first layer of one member.
///
/// A row's sums are `bias + Σ_i scale_i gate_f(i) x_i weights_i` over the inputs `x_i` of [`Inputs`]. The weights of the
/// bins start at zero, so that a curve begins as no more than the dense input says and bends only where the data ask for it.
#[derive(Clone, Debug)]
pub(super) struct FirstLayer {
    inputs: Inputs,
    /// Of each input its addend in the folded layer.
    addends: Vec<usize>,
    width: usize,
    /// Shape `[n_inputs, width]`.
    weights: Parameter,
    /// Shape `[width]`.
    bias: Parameter,
    /// Shape `[n_inputs]`.
    scales: Parameter,
    /// One more scale a feature, for all of its inputs; none without gates. Shape `[n_features]`.
    gates: Option<Parameter>,
    /// 1 where a sum reads a feature, else 0; none where all read all. Shape `[n_features, width]`.
    reads: Option<Vec<f32>>,
    /// Per large category, shape `[cardinality, EMBEDDING_DIM]`.
    embeddings: Vec<Parameter>,
    steps: usize,
}

/// The layer with everything multiplied out: what a row adds up.
#[derive(Clone, Debug)]
pub(super) struct Folded {
    /// The dense inputs', the edges' of the curves, the codes' of the small categories and the embeddings' dimensions'. Shape
    /// `[n_addends, width]`.
    pub(super) addends: Vec<f32>,
    /// Shape `[width]`.
    pub(super) bias: Vec<f32>,
    /// Per large category, shape `[cardinality, EMBEDDING_DIM]`.
    pub(super) embeddings: Vec<Vec<f32>>,
}

/// How a layer is stepped.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// Learning rate.
    pub(super) rate: f64,
    /// Weight decay, in units of the learning rate; biases have none.
    pub(super) decay: f64,
    /// What the sum of the gates' magnitudes costs, so that features of no use are shut out.
    pub(super) sparsity: f64,
}

impl FirstLayer {
    /// A layer that has learnt nothing: He's normal start for `n_sums` of its `width` columns, save for bins and biases,
    /// which are zero as the columns after them; all drawn from `rng`. Sums of few features start as large as those of all.
    pub(super) fn new(inputs: &Inputs, form: Form, rng: &mut ChaCha8Rng) -> Self {
        let Form { n_sums, width, gated, max_features } = form;
        let n_inputs = inputs.n_inputs();
        let mut weights = vec![0.0; n_inputs * width];
        let scale = (2.0 / (n_inputs - inputs.n_bins()).max(1) as f32).sqrt();
        let bins = inputs.bins();
        for (_, weights) in weights.chunks_exact_mut(width).enumerate().filter(|(input, _)| !bins.contains(input)) {
            weights[..n_sums].copy_from_slice(&normals(rng, n_sums, scale));
        }
        let n_features = inputs.features.iter().max().map_or(0, |last| last + 1);
        let reads = max_features.filter(|most| *most < n_features).map(|n_read| {
            let mut reads = vec![0.0; n_features * width];
            for sum in 0..width {
                let read =
                    if sum < n_sums { sample(rng, n_features, n_read).into_vec() } else { (0..n_features).collect() };
                read.into_iter().for_each(|feature| reads[feature * width + sum] = 1.0);
            }
            let larger = (n_features as f32 / n_read as f32).sqrt();
            for (weights, feature) in weights.chunks_exact_mut(width).zip(&inputs.features) {
                let reads = &reads[feature * width..][..width];
                weights.iter_mut().zip(reads).for_each(|(weight, read)| *weight *= larger * read);
            }
            reads
        });
        let open = |n: usize| Parameter::new(vec![1.0 / SCALE_SPEED; n]);
        let embedded = inputs.embedded();
        let embeddings = embedded.map(|(_, n)| Parameter::new(normals(rng, n * EMBEDDING_DIM, EMBEDDING_SCALE)));
        Self {
            addends: inputs.addends(),
            width,
            weights: Parameter::new(weights),
            bias: Parameter::new(vec![0.0; width]),
            scales: open(n_inputs),
            gates: gated.then(|| open(n_features)),
            reads,
            embeddings: embeddings.collect(),
            steps: 0,
            inputs: inputs.clone(),
        }
    }

    /// The layer with everything multiplied out.
    pub(super) fn folded(&self) -> Folded {
        let width = self.width;
        let (scales, gates) = (&self.scales.values, self.gates.as_ref().map(|gates| gates.values.as_slice()));
        let mut addends = vec![0.0; self.inputs.n_addends() * width];
        let bins = self.inputs.bins();
        for (input, weights) in self.weights.values.chunks_exact(width).enumerate() {
            let factor = self.factor(input, scales, gates);
            let (before, addend) = addends.split_at_mut(self.addends[input] * width);
            let addend = addend[..width].iter_mut().zip(weights);
            if bins.contains(&input) {
                let edge = &before[before.len() - width..];
                addend.zip(edge).for_each(|((addend, weight), edge)| *addend = edge + factor * weight);
            } else {
                addend.for_each(|(addend, weight)| *addend = factor * weight);
            }
        }
        let embeddings = self.embeddings.iter().map(|embedding| embedding.values.clone());
        Folded { addends, bias: self.bias.values.clone(), embeddings: embeddings.collect() }
    }

    /// What the weights of an input are multiplied with.
    fn factor(&self, input: usize, scales: &[f32], gates: Option<&[f32]>) -> f32 {
        SCALE_SPEED * scales[input] * self.gate(input, gates)
    }

    /// What the gate of an input's feature lets through; 1 without gates.
    fn gate(&self, input: usize, gates: Option<&[f32]>) -> f32 {
        gates.map_or(1.0, |gates| SCALE_SPEED * gates[self.inputs.features[input]])
    }

    /// One step of the optimizer, against the gradient of the mean loss by the sums of `rows`, shape `[n_rows, width]`, which
    /// `folded` has given.
    pub(super) fn step(&mut self, folded: &Folded, rows: &Gathered, of_sums: &[f32], pace: Pace) {
        let width = self.width;
        let Folded { addends: mut gradient, bias: of_bias, embeddings: of_embeddings } = folded.gradient(rows, of_sums);
        // A bin moves all edges behind it.
        let mut start = self.inputs.n_dense;
        for (_, bins) in &self.inputs.curves {
            for edge in (start + 1..start + bins).rev() {
                let (of_edge, behind) = gradient[edge * width..(edge + 2) * width].split_at_mut(width);
                of_edge.iter_mut().zip(behind).for_each(|(of_edge, behind)| *of_edge += *behind);
            }
            start += bins + 1;
        }
        let step = Step::new(self.steps, pace.rate, pace.decay);
        self.steps += 1;
        let mut of_scales = vec![0.0; self.scales.values.len()];
        let mut of_gates = self.gates.as_ref().map(|gates| {
            let pull = SCALE_SPEED * pace.sparsity as f32;
            gates.values.iter().map(|gate| if *gate == 0.0 { 0.0 } else { pull.copysign(*gate) }).collect::<Vec<f32>>()
        });
        for (input, (addend, feature)) in self.addends.iter().zip(&self.inputs.features).enumerate() {
            let gradient = &mut gradient[addend * width..][..width];
            // What a sum does not read stays at the zero that it started with.
            if let Some(reads) = &self.reads {
                gradient.iter_mut().zip(&reads[feature * width..]).for_each(|(gradient, read)| *gradient *= read);
            }
            let at = input * width..(input + 1) * width;
            let along = dot(gradient, &self.weights.values[at.clone()]);
            let gates = self.gates.as_ref().map(|gates| gates.values.as_slice());
            let gate = self.gate(input, gates);
            let factor = SCALE_SPEED * self.scales.values[input] * gate;
            of_scales[input] = SCALE_SPEED * gate * along;
            if let Some(of_gates) = &mut of_gates {
                of_gates[*feature] += SCALE_SPEED * SCALE_SPEED * self.scales.values[input] * along;
            }
            self.weights.step(at, gradient, factor, &step);
        }
        self.scales.step(0..of_scales.len(), &of_scales, 1.0, &step);
        if let (Some(gates), Some(of_gates)) = (&mut self.gates, of_gates) {
            gates.step(0..of_gates.len(), &of_gates, 1.0, &step);
        }
        for (embedding, gradient) in self.embeddings.iter_mut().zip(&of_embeddings) {
            embedding.step(0..gradient.len(), gradient, 1.0, &step);
        }
        self.bias.step(0..width, &of_bias, 1.0, &step.without_decay());
    }
}

impl Folded {
    /// The sums of rows. Shape `[n_rows, width]`.
    pub(super) fn sums(&self, rows: &Gathered) -> Vec<f32> {
        let width = self.bias.len();
        let mut sums = self.bias.repeat(rows.n_rows);
        for (sums, (terms, codes)) in sums.chunks_exact_mut(width).zip(rows.rows()) {
            for term in terms.iter().filter(|term| term.share != 0.0) {
                add(sums, term.share, &self.addends[term.addend as usize * width..][..width]);
            }
            for ((embedding, code), addends) in self.embeddings.iter().zip(codes).zip(self.of_embeddings()) {
                let vector = &embedding[*code as usize * EMBEDDING_DIM..][..EMBEDDING_DIM];
                for (value, addend) in vector.iter().zip(addends.chunks_exact(width)) {
                    add(sums, *value, addend);
                }
            }
        }
        sums
    }

    /// The addends of each large category's dimensions. Shapes `[EMBEDDING_DIM, width]`.
    pub(super) fn of_embeddings(&self) -> impl Iterator<Item = &[f32]> {
        let size = EMBEDDING_DIM * self.bias.len();
        self.addends[self.addends.len() - self.embeddings.len() * size..].chunks_exact(size.max(1))
    }

    /// The gradient by each of its numbers, from that by the sums.
    fn gradient(&self, rows: &Gathered, of_sums: &[f32]) -> Self {
        let width = self.bias.len();
        let mut addends = vec![0.0; self.addends.len()];
        let mut bias = vec![0.0; width];
        let mut embeddings: Vec<Vec<f32>> = self.embeddings.iter().map(|table| vec![0.0; table.len()]).collect();
        let start = self.addends.len() / width.max(1) - self.embeddings.len() * EMBEDDING_DIM;
        for (of_sums, (terms, codes)) in of_sums.chunks_exact(width).zip(rows.rows()) {
            add(&mut bias, 1.0, of_sums);
            for term in terms.iter().filter(|term| term.share != 0.0) {
                add(&mut addends[term.addend as usize * width..][..width], term.share, of_sums);
            }
            for (large, code) in codes.iter().enumerate() {
                for dim in 0..EMBEDDING_DIM {
                    let at = (start + large * EMBEDDING_DIM + dim) * width;
                    let value = *code as usize * EMBEDDING_DIM + dim;
                    add(&mut addends[at..][..width], self.embeddings[large][value], of_sums);
                    embeddings[large][value] += dot(&self.addends[at..][..width], of_sums);
                }
            }
        }
        Self { addends, bias, embeddings }
    }
}

/// Adds `share` of an addend to the sums.
fn add(sums: &mut [f32], share: f32, addend: &[f32]) {
    sums.iter_mut().zip(addend).for_each(|(sum, addend)| *sum += share * addend);
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0; LANES];
    let (a, b) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest: f32 = a.remainder().iter().zip(b.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in a.zip(b) {
        sums.iter_mut().zip(a.iter().zip(b)).for_each(|(sum, (a, b))| *sum += a * b);
    }
    sums.iter().sum::<f32>() + rest
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rand::RngExt;

    use super::*;

    impl FirstLayer {
        /// How far a probe moves a number.
        pub(crate) const PROBE: f32 = 1e-2;

        /// Gives all weights other values, open gates and scales among them.
        pub(crate) fn scatter(&mut self, rng: &mut ChaCha8Rng) {
            let mut weights = normals(rng, self.weights.values.len(), 0.3);
            weights.iter_mut().enumerate().filter(|(at, _)| !self.is_read(*at)).for_each(|(_, weight)| *weight = 0.0);
            self.weights = Parameter::new(weights);
            let gates = self.gates.iter_mut();
            for parameter in gates.chain([&mut self.scales]) {
                *parameter = Parameter::new(parameter.values.iter().map(|_| rng.random_range(0.05_f32..0.4)).collect());
            }
        }

        /// Whether the sum of a weight reads its input.
        fn is_read(&self, at: usize) -> bool {
            let (input, sum) = (at / self.width, at % self.width);
            let feature = self.inputs.features[input];
            self.reads.as_ref().is_none_or(|reads| reads[feature * self.width + sum] != 0.0)
        }

        /// For some numbers of each kind: a name, the slope of the loss along it, and the layer with it moved by a probe down and
        /// up.
        ///
        /// With a learning rate of 1 and fresh moments the first step says no more than a gradient's sign, so slopes are
        /// taken from the moments that it leaves.
        pub(crate) fn probes(
            &self,
            folded: &Folded,
            rows: &Gathered,
            of_sums: &[f32],
        ) -> Vec<(&'static str, f32, [Folded; 2])> {
            let mut stepped = self.clone();
            stepped.step(folded, rows, of_sums, Pace { rate: 1.0, decay: 0.0, sparsity: 0.0 });
            type Pick = fn(&mut FirstLayer) -> Option<&mut Parameter>;
            let kinds: [(&str, Pick); 5] = [
                ("weight", |layer| Some(&mut layer.weights)),
                ("bias", |layer| Some(&mut layer.bias)),
                ("scale", |layer| Some(&mut layer.scales)),
                ("gate", |layer| layer.gates.as_mut()),
                ("embedding", |layer| layer.embeddings.first_mut()),
            ];
            let mut probes = Vec::new();
            for (name, pick) in kinds {
                let Some(slopes) = pick(&mut stepped).map(|parameter| parameter.slopes()) else { continue };
                // The steepest, the middle and the flattest.
                let mut order: Vec<usize> = (0..slopes.len()).collect();
                order.retain(|at| name != "weight" || self.is_read(*at));
                order.sort_by(|a, b| slopes[*a].abs().total_cmp(&slopes[*b].abs()));
                for at in [order[0], order[order.len() / 2], order[order.len() - 1]] {
                    let moved = |by: f32| {
                        let mut moved = self.clone();
                        pick(&mut moved).expect("both have it").values[at] += by;
                        moved.folded()
                    };
                    probes.push((name, slopes[at], [moved(-Self::PROBE), moved(Self::PROBE)]));
                }
            }
            probes
        }
    }

    #[test]
    fn sums_of_few_features_read_no_others() {
        use crate::fit::network::tests::{architecture, encoded, member, slots};
        let inputs = Inputs::new(&architecture(3, 1), &member(8), &slots(3));
        let features = inputs.features.clone();
        let rows = inputs.gather(&encoded(20, 3, 1), &(0..20).collect::<Vec<_>>(), |code| code);
        for (max_features, n_read) in [(Some(1), 1), (Some(2), 2), (Some(3), 3), (Some(9), 3), (None, 3)] {
            let mut rng = super::super::random::stream(1, super::super::random::Stream::Start, 0);
            let mut first =
                FirstLayer::new(&inputs, Form { n_sums: 8, width: 9, gated: false, max_features }, &mut rng);
            let read = |first: &FirstLayer, sum: usize| {
                let of_sum = first.weights.values.iter().skip(sum).step_by(9).zip(&features);
                of_sum.filter(|(weight, _)| **weight != 0.0).map(|(_, feature)| *feature).collect::<BTreeSet<usize>>()
            };
            let before: Vec<_> = (0..8).map(|sum| read(&first, sum)).collect();
            let folded = first.folded();
            first.step(&folded, &rows, &[0.5; 20 * 9], Pace { rate: 0.01, decay: 0.1, sparsity: 0.0 });
            assert!((0..8).all(|sum| read(&first, sum) == before[sum] && before[sum].len() == n_read), "{before:?}");
            assert_eq!(read(&first, 8).len(), 3, "the straight path reads all");
        }
    }

    #[test]
    fn gates_are_pulled_shut_and_biases_do_not_decay() {
        let architecture = crate::fit::network::tests::architecture(2, 1);
        let member = crate::fit::network::tests::member(4);
        let slots = [features::FeatureSlot {
            name: "f".to_owned(),
            slot: features::Slot::Number { start: 0, len: 2, first_curve: 0, n_curves: 2 },
            sources: vec![0],
        }];
        let inputs = Inputs::new(&architecture, &member, &slots);
        let mut rng = super::super::random::stream(1, super::super::random::Stream::Start, 0);
        let form = Form { n_sums: 4, width: 5, gated: true, max_features: None };
        let mut first = FirstLayer::new(&inputs, form, &mut rng);
        first.bias = Parameter::new(vec![1.0; 5]);
        let none = inputs.gather(&crate::fit::network::tests::encoded(1, 2, 1), &[], |code| code);
        let folded = first.folded();
        let before = first.gates.clone().unwrap().values;
        first.step(&folded, &none, &[], Pace { rate: 0.01, decay: 0.5, sparsity: 0.1 });
        let gates = first.gates.clone().unwrap();
        assert!(gates.values[0] < 0.995 * before[0] - 0.009, "decay alone takes half a per cent: {:?}", gates.values);
        assert_eq!(first.bias.values, [1.0; 5]);
    }
}
