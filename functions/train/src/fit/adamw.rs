//! AdamW on plain numbers, in one pass over them: what the first layer learns with, whose weights are many and its rows few.

use std::ops::Range;

/// Rates of change of the moments.
pub(super) const BETA_1: f32 = 0.9;
pub(super) const BETA_2: f32 = 0.98;
/// Keeps a division defined where a gradient has always been 0.
pub(super) const EPSILON: f32 = 1e-8;

/// One step of the optimizer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    /// Learning rate.
    pub(super) rate: f32,
    /// Decoupled weight decay, in units of the learning rate.
    pub(super) decay: f32,
    /// `1 / (1 - βᵗ)` of both moments at step `t`, from 1.
    corrections: [f32; 2],
}

impl Step {
    /// The step after `done` others.
    pub(super) fn new(done: usize, rate: f64, decay: f64) -> Self {
        let step = i32::try_from(done + 1).unwrap_or(i32::MAX);
        let corrections = [BETA_1, BETA_2].map(|beta| 1.0 / (1.0 - beta.powi(step)));
        Self { rate: rate as f32, decay: decay as f32, corrections }
    }

    /// The same step without weight decay.
    pub(super) fn without_decay(self) -> Self {
        Self { decay: 0.0, ..self }
    }
}

/// Numbers that learn.
#[derive(Clone, Debug)]
pub(super) struct Parameter {
    /// As they are.
    pub(super) values: Vec<f32>,
    moments: [Vec<f32>; 2],
}

impl Parameter {
    pub(super) fn new(values: Vec<f32>) -> Self {
        let zeros = vec![0.0; values.len()];
        Self { values, moments: [zeros.clone(), zeros] }
    }

    /// Moves the numbers at `at` against `factor * gradient`.
    ///
    /// # Source
    /// I. Loshchilov, F. Hutter, "Decoupled weight decay regularization" (ICLR 2019), algorithm 2.
    pub(super) fn step(&mut self, at: Range<usize>, gradient: &[f32], factor: f32, step: &Step) {
        let Step { rate, decay, corrections: [first_correction, second_correction] } = *step;
        let keep = 1.0 - rate * decay;
        let [first, second] = &mut self.moments;
        let moments = first[at.clone()].iter_mut().zip(&mut second[at.clone()]);
        for ((value, (first, second)), gradient) in self.values[at].iter_mut().zip(moments).zip(gradient) {
            let gradient = factor * gradient;
            *first = BETA_1 * *first + (1.0 - BETA_1) * gradient;
            *second = BETA_2 * *second + (1.0 - BETA_2) * gradient * gradient;
            let change = *first * first_correction / ((*second * second_correction).sqrt() + EPSILON);
            *value = keep * *value - rate * change;
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::module::{Module, Param};
    use burn::optim::{AdamWConfig, GradientsParams};
    use burn::prelude::*;

    use super::*;
    use crate::fit::network::numbers;

    #[derive(Module, Debug)]
    struct Numbers {
        values: Param<Tensor<1>>,
    }

    impl Parameter {
        /// The gradient of the first step.
        pub(crate) fn slopes(&self) -> Vec<f32> {
            self.moments[0].iter().map(|moment| moment / (1.0 - BETA_1)).collect()
        }
    }

    #[test]
    fn steps_are_those_of_burn() {
        let device = Device::flex().autodiff();
        let start = [0.5, -1.0, 0.0];
        let mut network = Numbers { values: Param::from_tensor(Tensor::from_floats(start, &device)) };
        let config = AdamWConfig::new().with_beta_1(BETA_1).with_beta_2(BETA_2).with_epsilon(EPSILON);
        let mut optimizer = config.with_weight_decay(0.1).init();
        let mut parameter = Parameter::new(start.to_vec());
        for done in 0..20 {
            // The gradient of Σ (x - 2)² / 2.
            let error = network.values.val() - 2.0;
            let loss = (error.clone() * error).sum() / 2.0;
            let gradients = GradientsParams::from_grads(loss.backward(), &network);
            network = optimizer.step(0.01, network, gradients);
            let gradient: Vec<f32> = parameter.values.iter().map(|value| (value - 2.0) / 3.0).collect();
            parameter.step(0..3, &gradient, 3.0, &Step::new(done, 0.01, 0.1));
        }
        let expected = numbers(network.values.val().into_data());
        for (value, expected) in parameter.values.iter().zip(&expected) {
            assert!((value - expected).abs() < 1e-5, "{value} {expected}");
        }
    }

    #[test]
    fn decay_is_of_the_numbers_stepped() {
        let mut parameter = Parameter::new(vec![1.0, 2.0]);
        parameter.step(1..2, &[0.0], 1.0, &Step::new(0, 0.5, 0.1));
        assert_eq!(parameter.values, [1.0, 1.9]);
        parameter.step(1..2, &[0.0], 1.0, &Step::new(1, 0.5, 0.1).without_decay());
        assert_eq!(parameter.values, [1.0, 1.9]);
    }
}
