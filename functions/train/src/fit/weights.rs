//! How much rows and classes count while members learn, and how what that adds is taken back.

use std::borrow::Cow;
use std::collections::BTreeMap;

use features::TargetCode;
use model::Weights;
use spec::{Batch, ClassWeight, Spec};

/// The rows that teach: those with a weight above 0, which is all of them where rows have no weights.
pub fn teaching(rows: &Batch) -> Cow<'_, Batch> {
    let Some(weight) = rows.weight().filter(|weight| weight.iter().any(|weight| *weight <= 0.0)) else {
        return Cow::Borrowed(rows);
    };
    let teaching: Vec<usize> = (0..rows.n_rows()).filter(|row| weight[*row] > 0.0).collect();
    Cow::Owned(rows.select(&teaching))
}

/// Weights by their mean, so that a unit does not matter.
pub(super) fn relative(weights: &[f64]) -> Vec<f32> {
    let mean = weights.iter().sum::<f64>() / weights.len() as f64;
    weights.iter().map(|weight| (weight / mean) as f32).collect()
}

/// How much more each class counts, in the order of coded targets; none where the spec lets all count alike.
///
/// `balanced` is `n / (n_classes n_class)`, with `n` the sum of the rows' weights: the rows of each class then count alike in
/// sum. A class without a row counts 1.
///
/// # Source
/// G. King and L. Zeng, "Logistic regression in rare events data", Political Analysis 9 (2001), on weighting; the formula is that of
/// scikit-learn 1.9.1 (`compute_class_weight`).
pub(super) fn class_weights(
    spec: &Spec,
    code: &TargetCode,
    targets: &[f32],
    weights: Option<&[f32]>,
) -> Option<Vec<f32>> {
    let TargetCode::Classes { labels, positive } = code else { return None };
    let weights = match spec.train.class_weight.as_ref()? {
        ClassWeight::Balanced(_) => {
            let mut sums = vec![0.0; labels.len()];
            for (row, class) in targets.iter().enumerate().filter(|(_, class)| class.is_finite()) {
                sums[*class as usize] += weights.map_or(1.0, |weights| f64::from(weights[row]));
            }
            let n: f64 = sums.iter().sum();
            let n_classes = labels.len() as f64;
            sums.iter().map(|sum| if *sum > 0.0 { (n / (n_classes * sum)) as f32 } else { 1.0 }).collect()
        }
        ClassWeight::Of(of_classes) => {
            let of = |label: &String| of_classes.get(label).map_or(1.0, |weight| *weight as f32);
            let of_labels: Vec<f32> = labels.iter().map(of).collect();
            // A binary target is coded as 1 for the positive class, whichever of the two that is.
            if labels.len() == 2 { vec![of_labels[1 - positive], of_labels[*positive]] } else { of_labels }
        }
    };
    Some(weights)
}

/// A member's weights with what class weights added taken back from the biases of its head.
///
/// Rows of class `k` that count `w_k` times teach probabilities `p'_k` in proportion to `w_k p_k`. So `ln w_k` comes off each
/// class's output, of a binary task `ln w_1 - ln w_0` off its one; what is left are the probabilities of the data.
///
/// # Source
/// C. Elkan, "The foundations of cost-sensitive learning", IJCAI (2001), on a change of base rate.
///
/// # Errors
/// [`model::Error`] when a bias leaves the finite numbers.
pub(super) fn without_class_weights(member: &Weights, class_weights: &[f32]) -> Result<Weights, model::Error> {
    let logs: Vec<f32> = class_weights.iter().map(|weight| weight.ln()).collect();
    let offsets = if member.architecture().n_outputs == 1 { vec![logs[1] - logs[0]] } else { logs };
    let names = member.architecture().member_tensors(&member.architecture().members[0]);
    let tensors: BTreeMap<String, Vec<f32>> = names
        .into_iter()
        .filter_map(|(name, _)| {
            let mut values = member.tensor(0, &name)?.to_vec();
            if name == "head.bias" {
                values.iter_mut().zip(&offsets).for_each(|(bias, offset)| *bias -= offset);
            }
            Some((format!("member.0.{name}"), values))
        })
        .collect();
    Weights::new(member.architecture().clone(), tensors)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(class_weight: &str, classes: &str, positive: &str) -> Spec {
        let text = format!(
            "name: w\ntask: {}\ntarget: {{column: y, classes: {classes}{positive}}}\ncolumns: {{x: {{kind: number}}}}\ntrain: \
             {{class_weight: {class_weight}}}\n",
            if classes.matches(',').count() == 1 { "binary" } else { "multiclass" }
        );
        Spec::parse(&text).unwrap()
    }

    fn of(spec: &Spec, targets: &[f32], weights: Option<&[f32]>) -> Option<Vec<f32>> {
        let code = TargetCode::Classes { labels: spec.target.classes.clone(), positive: spec.positive_index() };
        class_weights(spec, &code, targets, weights)
    }

    #[test]
    fn balanced_classes_count_alike_in_sum() {
        let binary = spec("balanced", "[a, b]", "");
        // scikit-learn: compute_class_weight('balanced', classes=[0, 1], y=[0, 0, 0, 1]) is [0.667, 2].
        assert_eq!(of(&binary, &[0.0, 0.0, 0.0, 1.0], None), Some(vec![2.0 / 3.0, 2.0]));
        assert_eq!(of(&binary, &[0.0, 0.0, 0.0, 1.0], Some(&[1.0, 1.0, 1.0, 3.0])), Some(vec![1.0, 1.0]));
        let several = spec("balanced", "[a, b, c]", "");
        assert_eq!(
            of(&several, &[0.0, 0.0, 1.0, 1.0], None),
            Some(vec![2.0 / 3.0, 2.0 / 3.0, 1.0]),
            "none of the third"
        );
    }

    #[test]
    fn weights_by_name_follow_the_coded_target() {
        let said = "{a: 3}";
        assert_eq!(of(&spec(said, "[a, b]", ""), &[], None), Some(vec![3.0, 1.0]), "`b` is positive, and coded 1");
        assert_eq!(of(&spec(said, "[a, b]", ", positive: a"), &[], None), Some(vec![1.0, 3.0]));
        assert_eq!(of(&spec(said, "[b, a, c]", ""), &[], None), Some(vec![1.0, 3.0, 1.0]));
    }

    #[test]
    fn rows_without_weight_do_not_teach() {
        let column = spec::ColumnData::Numbers(vec![1.0, 2.0, 3.0]);
        let rows = Batch::new(vec![column], None, None, 3);
        assert!(matches!(teaching(&rows), Cow::Borrowed(_)));
        let rows = rows.with_weight(Some(vec![0.0, 4.0, 2.0]));
        assert_eq!(teaching(&rows).weight(), Some([4.0, 2.0].as_slice()));
        assert_eq!(relative(teaching(&rows).weight().unwrap()), [4.0 / 3.0, 2.0 / 3.0]);
    }
}
