use serde::{Deserialize, Serialize};

use crate::{Decision, Error};

/// What stands between the members' mean and the answer. It is fitted after the members, on rows that they did not learn
/// from, and can be fitted anew on other rows without touching the network.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Readout {
    /// How much each member counts, from 0 and with the sum 1. Shape `[members]`; none where all count alike.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blend: Option<Vec<f64>>,
    /// Of a classification: how its probabilities are corrected. None leaves them as they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration: Option<Calibration>,
    /// Of a regression: how far answers may be off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<Interval>,
    /// Of a binary task: the probability of the positive class from which a row is called positive. None: 0.5.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f64>,
    /// Of several classes: which of them a row is called. None: the most likely one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<Decision>,
}

/// One slope, one bend and a shift per output on the logarithm of the mean probabilities.
///
/// Binary, with the log-odds `z = ln(p / (1 - p))`: `p' = sigmoid(slope z + bend b(z) + shifts[0])`, where
/// `b(z) = z³ / (z² + 4)`. Several classes: `p' = softmax_k(slope ln p_k + bend b(z_k) / 2 + shifts[k])`, which for two is the
/// same. The order of rows by a class's probability stays as it is in a binary task.
///
/// With a slope alone, answers near even odds and sure ones would be off alike. They are not: label smoothing draws sure ones in
/// more, and few rows in a corner of the data leave its answers too sure. So log-odds are multiplied by `slope` near even odds, by
/// `slope + bend` far from them, and by the middle of the two at `z = 2`, a chance of 0.88.
///
/// # Source
/// J. Platt, "Probabilistic outputs for support vector machines" (1999); for several classes, C. Guo et al., "On
/// calibration of modern neural networks" (ICML 2017), §4.2, with one slope for all of them. The bend, which neither has, is
/// a third parameter as that of M. Kull et al., "Beta calibration" (AISTATS 2017), but of certainty instead of class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// Above 1 sharpens, below 1 softens; above 0.
    pub slope: f64,
    /// What is added to the slope far from even odds; `slope + 9/8 bend` is above 0, so that nowhere the curve falls.
    #[serde(default)]
    pub bend: f64,
    /// Shape `[n_outputs]`.
    pub shifts: Vec<f64>,
}

/// Log-odds, squared, at which half of a bend counts: a chance of 0.88.
const HALF_BENT: f64 = 4.0;
/// The largest slope of [`Calibration::bent`], at `z² = 3 HALF_BENT`.
const STEEPEST_BEND: f64 = 9.0 / 8.0;

impl Calibration {
    /// What a bend of 1 adds to the log-odds of a probability that lies strictly between 0 and 1.
    ///
    /// ```
    /// // Log-odds of 2.
    /// let chance = 1.0 / (1.0 + (-2.0_f64).exp());
    /// assert!((model::Calibration::bent(chance) - 1.0).abs() < 1e-12);
    /// ```
    pub fn bent(probability: f64) -> f64 {
        let log_odds = (probability / (1.0 - probability)).ln();
        let square = log_odds * log_odds;
        log_odds * square / (square + HALF_BENT)
    }

    /// The smallest and the largest derivative of the calibrated log-odds by those before.
    pub fn slopes(&self) -> [f64; 2] {
        let far = self.slope + STEEPEST_BEND * self.bend;
        [self.slope.min(far), self.slope.max(far)]
    }
}

/// A prediction interval around a regression's answer, by where the answer lies.
///
/// On the scale on which the target is learnt, standardised: an answer `s` with `cuts[b-1] <= s < cuts[b]` has the interval
/// `[s - below[b], s + above[b]]`. So a logarithmic target has intervals that grow with the answer.
///
/// # Source
/// Split conformal prediction with Mondrian categories by the predicted value: V. Vovk, A. Gammerman, G. Shafer,
/// "Algorithmic learning in a random world" (2005), §4.5.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Interval {
    /// Share of rows whose target it should hold, between 0 and 1.
    pub level: f64,
    /// Borders between the categories, rising. Shape `[n_categories - 1]`.
    pub cuts: Vec<f64>,
    /// How far below the answer the interval reaches, per category.
    pub below: Vec<f64>,
    /// How far above the answer the interval reaches, per category.
    pub above: Vec<f64>,
}

impl Interval {
    /// The interval around a standardised answer.
    pub(crate) fn around(&self, answer: f64) -> [f64; 2] {
        let category = self.cuts.partition_point(|cut| *cut <= answer);
        [answer - self.below[category], answer + self.above[category]]
    }
}

impl Readout {
    /// Makes sure that it belongs to a network of so many outputs and members.
    pub(crate) fn check(&self, n_outputs: usize, n_members: usize) -> Result<(), Error> {
        let fail = |message| Err(Error::Readout(message));
        if let Some(blend) = &self.blend {
            let sum: f64 = blend.iter().sum();
            let shares = blend.iter().all(|share| *share >= 0.0) && (sum - 1.0).abs() < 1e-6;
            if blend.len() != n_members || !shares {
                return fail("its blend does not have one share per member, from 0 and with the sum 1");
            }
        }
        if let Some(calibration) = &self.calibration {
            if calibration.shifts.len() != n_outputs {
                return fail("its calibration does not have one shift per output");
            }
            let [flattest, steepest] = calibration.slopes();
            // Neither of the two tells of a bend that is not a number.
            let numbers = [calibration.slope, calibration.bend, steepest];
            let is_finite = numbers.iter().chain(&calibration.shifts).all(|number| number.is_finite());
            if !(is_finite && flattest > 0.0) {
                return fail("its calibration is not finite, or its slope is not above 0 everywhere");
            }
        }
        if let Some(Interval { level, cuts, below, above }) = &self.interval {
            if below.len() != cuts.len() + 1 || above.len() != below.len() {
                return fail("its interval does not have one reach per category");
            }
            if !(*level > 0.0 && *level < 1.0 && below.iter().chain(above).all(|reach| reach.is_finite())) {
                return fail("its interval is not finite, or its level is not between 0 and 1");
            }
            if !cuts.windows(2).all(|pair| pair[0] < pair[1]) {
                return fail("the categories of its interval do not rise");
            }
        }
        if self.threshold.is_some_and(|threshold| !(0.0..=1.0).contains(&threshold)) {
            return fail("its threshold is not a probability");
        }
        if self.decision.as_ref().is_some_and(|decision| n_outputs < 2 || !decision.fits(n_outputs)) {
            return fail("its decision does not have one finite weight, above 0, per class");
        }
        Ok(())
    }
}
