use burn::prelude::*;
use burn::tensor::TensorData;
use burn::tensor::activation::{log_sigmoid, log_softmax};
use features::TargetCode;
use model::Member;
use serde::{Deserialize, Serialize};
use spec::{Metric, Spec, Task};

/// Where the loss of a robust regression turns from squared to absolute, in standard deviations of the target.
const HUBER_DELTA: f32 = 1.0;
/// Logarithm of the target by the answer from which on a gamma deviance follows its tangent.
const GAMMA_TURN: f32 = 3.0;

/// What a fit minimises: the mean over rows, weighted where rows have weights.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Loss {
    /// `-y ln σ(z) - (1-y) ln σ(-z)`, `y` 1 for the positive class; one output.
    BinaryCrossEntropy,
    /// `-ln softmax(z)[y]`, `y` the class's index; one output per class.
    CrossEntropy,
    /// `(z - y)²`, `y` the standardised target; one output.
    SquaredError,
    /// Squared up to one standard deviation, absolute beyond; one output. For metrics of absolute errors.
    Huber,
    /// `(y/μ - ln y/μ - 1) · 2/s²` of a positive number `y`, with `ln y` and `ln μ` the target and the output times `s`,
    /// the standard deviation of the logarithms; one output. Near `y` it is the squared error of standardised logarithms, and
    /// it is smallest at the mean of `y`, as if its spread grew with it. A target `e³` times the answer and more counts in
    /// proportion, so that no single one sends the weights away.
    ///
    /// # Source
    /// The deviance of gamma regression: P. McCullagh and J. A. Nelder, "Generalized linear models" (1989), chapter 8.
    Gamma {
        /// `s`, above 0.
        scale: f32,
    },
}

impl Loss {
    /// The loss for a spec's task and metric.
    pub fn of_spec(spec: &Spec) -> Self {
        match (spec.task, spec.metric()) {
            (Task::Binary, _) => Loss::BinaryCrossEntropy,
            (Task::Multiclass, _) => Loss::CrossEntropy,
            (Task::Regression, Metric::Mae | Metric::MaeLog) => Loss::Huber,
            (Task::Regression, _) => Loss::SquaredError,
        }
    }

    /// The loss for a member: of one that learns the logarithm of numbers beside others that do not, a deviance, as squared
    /// errors of logarithms would make it answer less than the mean.
    pub fn of_member(spec: &Spec, code: &TargetCode, member: &Member) -> Self {
        match (Self::of_spec(spec), code) {
            (Loss::SquaredError, TargetCode::Number { plain: Some(_), log: Some(log) }) if member.log => {
                Loss::Gamma { scale: log.scale as f32 }
            }
            (loss, _) => loss,
        }
    }

    /// Each row's loss, shape `[n_rows, 1]`, of outputs for targets, both of shape `[n_rows, n_outputs]`: shares of classes, of
    /// the positive one where there are two, or numbers. `smoothing` is the share of a class's certainty that is spread evenly
    /// over all classes (Szegedy et al., "Rethinking the Inception architecture", CVPR 2016, §7); numbers have none.
    fn of_rows(self, outputs: Tensor<2>, targets: &[f32], smoothing: f32, device: &Device) -> Tensor<2> {
        let [n_rows, n_outputs] = outputs.dims();
        let spread = smoothing / n_outputs.max(2) as f32;
        let targets = match self {
            Loss::BinaryCrossEntropy | Loss::CrossEntropy => {
                targets.iter().map(|target| target * (1.0 - smoothing) + spread).collect()
            }
            Loss::SquaredError | Loss::Huber | Loss::Gamma { .. } => targets.to_vec(),
        };
        let targets = Tensor::<2>::from_data(TensorData::new(targets, [n_rows, n_outputs]), device);
        match self {
            Loss::BinaryCrossEntropy => (targets.neg() + 1.0) * outputs.clone() - log_sigmoid(outputs),
            Loss::CrossEntropy => (targets * log_softmax(outputs, 1)).sum_dim(1).neg(),
            Loss::Huber => {
                let error = (outputs - targets).abs();
                let square = error.clone().clamp_max(HUBER_DELTA);
                square.clone() * (error - square * 0.5)
            }
            Loss::SquaredError => {
                let error = outputs - targets;
                error.clone() * error
            }
            Loss::Gamma { scale } => {
                let log_ratio = (targets - outputs) * scale;
                let near = log_ratio.clone().clamp_max(GAMMA_TURN);
                let ratio = near.clone().exp() * (log_ratio.clone() - near + 1.0);
                (ratio - log_ratio - 1.0) * (2.0 / (scale * scale))
            }
        }
    }

    /// The mean loss of rows, weighted by `weights`, shape `[n_rows]`, where they have some.
    pub(crate) fn mean(
        self,
        outputs: Tensor<2>,
        targets: &[f32],
        weights: Option<&[f32]>,
        smoothing: f32,
        device: &Device,
    ) -> Tensor<1> {
        let losses = self.of_rows(outputs, targets, smoothing, device);
        let Some(weights) = weights else { return losses.mean() };
        let sum: f32 = weights.iter().sum();
        let shares: Vec<f32> = weights.iter().map(|weight| weight / sum.max(f32::MIN_POSITIVE)).collect();
        let shares = Tensor::<2>::from_data(TensorData::new(shares, [weights.len(), 1]), device);
        (losses * shares).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fit::network::numbers;

    #[test]
    fn losses_are_what_they_are_called() {
        let device = Device::flex();
        let check = |loss: Loss, smoothing, outputs: &[f32], n_outputs: usize, targets: &[f32], expected: f32| {
            let data = TensorData::new(outputs.to_vec(), [outputs.len() / n_outputs, n_outputs]);
            let outputs = Tensor::<2>::from_data(data, &device);
            let mean = numbers(loss.mean(outputs, targets, None, smoothing, &device).into_data())[0];
            assert!((mean - expected).abs() < 1e-6 * expected.max(1.0), "{loss:?}: {mean}");
        };
        let half = 2.0_f32.ln();
        check(Loss::BinaryCrossEntropy, 0.0, &[0.0, 2.0], 1, &[1.0, 0.0], (half + 2.126_928) / 2.0);
        check(Loss::BinaryCrossEntropy, 0.0, &[80.0], 1, &[0.0], 80.0);
        // 0.95 of the negative class's loss at logit 2, and 0.05 of the positive one's.
        check(Loss::BinaryCrossEntropy, 0.1, &[2.0], 1, &[0.0], 0.95 * 2.126_928 + 0.05 * 0.126_928);
        check(
            Loss::CrossEntropy,
            0.0,
            &[0.0, 0.0, 0.0, 2.0, 0.0, 0.0],
            3,
            &[0.0, 1.0, 0.0, 1.0, 0.0, 0.0],
            (3.0_f32.ln() + 0.239_545) / 2.0,
        );
        check(Loss::CrossEntropy, 0.3, &[2.0, 0.0, 0.0], 3, &[1.0, 0.0, 0.0], 0.8 * 0.239_545 + 0.2 * 2.239_545);
        check(Loss::SquaredError, 0.1, &[1.0, 3.0], 1, &[0.0, 0.0], 5.0);
        let gamma = Loss::Gamma { scale: 0.5 };
        // An answer of half and of twice the target: 2 - ln 2 - 1 and 1/2 + ln 2 - 1, times 8.
        let twice = 2.0 * half;
        check(gamma, 0.1, &[-twice, twice], 1, &[0.0, 0.0], 8.0 * (1.0 - half + half - 0.5) / 2.0);
        check(gamma, 0.0, &[-10.0], 1, &[0.0], 8.0 * (3.0 * 3.0_f32.exp() - 5.0 - 1.0));
        check(Loss::Huber, 0.0, &[0.5, -3.0], 1, &[0.0, 0.0], (0.125 + 2.5) / 2.0);
    }

    #[test]
    fn weights_count_rows_more_than_once() {
        let device = Device::flex();
        let outputs =
            |values: &[f32]| Tensor::<2>::from_data(TensorData::new(values.to_vec(), [values.len(), 1]), &device);
        let weighted = Loss::SquaredError.mean(outputs(&[1.0, 3.0]), &[0.0, 0.0], Some(&[3.0, 1.0]), 0.0, &device);
        let repeated = Loss::SquaredError.mean(outputs(&[1.0, 1.0, 1.0, 3.0]), &[0.0; 4], None, 0.0, &device);
        assert_eq!(numbers(weighted.into_data()), numbers(repeated.into_data()));
    }
}
