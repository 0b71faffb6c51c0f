use model::Probabilities;
use ndarray::Array2;
use spec::Categories;

use super::*;

/// Rows of two groups, 40 each, in order: how many are positive and called so, positive and not, negative and called
/// positive, negative and not.
const CELLS: [(&str, [usize; 4]); 2] = [("north", [16, 4, 5, 15]), ("south", [6, 4, 3, 27])];

fn spec(task: &str) -> Spec {
    Spec::parse(&format!(
        "name: demo\n{task}\ncolumns:\n  side: {{kind: category, sensitive: true}}\n  size: {{kind: number}}\n"
    ))
    .unwrap()
}

fn sides(n_rows: usize) -> ColumnData {
    let levels = CELLS.map(|(side, _)| side.to_owned()).to_vec();
    ColumnData::Categories(Categories { levels, codes: (0..n_rows).map(|row| (row / 40) as u32).collect() })
}

#[test]
fn rates_and_gaps_by_hand() {
    let spec = spec("task: binary\ntarget: {column: y, classes: ['no', 'yes']}");
    let (mut truth, mut scores) = (Vec::new(), Vec::new());
    for (_, counts) in CELLS {
        for (count, (positive, score)) in counts.into_iter().zip([(1, 0.4), (1, 0.2), (0, 0.4), (0, 0.2)]) {
            truth.extend(vec![positive; count]);
            scores.extend(vec![score; count]);
        }
    }
    let probabilities = Array2::from_shape_fn((80, 2), |(row, class)| [1.0 - scores[row], scores[row]][class]);
    let target = ColumnData::Categories(Categories { levels: vec!["no".into(), "yes".into()], codes: truth });
    let holdout = Batch::new(vec![sides(80), ColumnData::Numbers(vec![0.0; 80])], Some(target.clone()), None, 80);
    let called = scores.iter().map(|score| usize::from(*score >= 0.3)).collect();
    let predictions = Predictions::Probabilities(Probabilities { values: probabilities, called });
    let fairness = fairness(&spec, &predictions, &holdout, &target);
    let [side] = fairness.as_slice() else { panic!("one column is sensitive: {fairness:?}") };
    let measures: Vec<Vec<f64>> = side.groups.iter().map(|group| group.measures.values().copied().collect()).collect();
    // Called positive 21 and 9 of 40; found 16 of 20 and 6 of 10; alarms 5 of 20 and 3 of 30; right 31 and 33 of 40.
    assert_eq!(measures, [[0.525, 0.8, 0.25, 0.775], [0.225, 0.6, 0.1, 0.825]]);
    let gaps: Vec<_> =
        side.gaps.iter().map(|gap| (gap.criterion, gap.measure, (gap.difference * 1e3).round())).collect();
    let expected = [
        (Criterion::DemographicParity, Measure::SelectionRate, 300.0),
        (Criterion::EqualOpportunity, Measure::TruePositiveRate, 200.0),
        (Criterion::EqualisedOdds, Measure::TruePositiveRate, 200.0),
        (Criterion::EqualAccuracy, Measure::Accuracy, 50.0),
    ];
    assert_eq!(gaps, expected);
    assert_eq!((&*side.gaps[3].highest, &*side.gaps[3].lowest, side.left_out_rows), ("south", "north", 0));
}

#[test]
fn numbers_are_compared_by_their_errors() {
    let spec = spec("task: regression\ntarget: {column: y}");
    let target = ColumnData::Numbers(vec![10.0; 90]);
    let predictions = (0..90).map(|row| if row < 40 { 12.0 } else { 9.0 }).collect();
    let levels = ["a", "b", "rare"].map(str::to_owned).to_vec();
    let codes = (0..90).map(|row| row / 40).collect();
    let cells = ColumnData::Categories(Categories { levels, codes });
    let holdout = Batch::new(vec![cells, ColumnData::Numbers(vec![0.0; 90])], Some(target.clone()), None, 90);
    let fairness = fairness(&spec, &Predictions::Numbers(predictions), &holdout, &target);
    assert_eq!(fairness[0].left_out_rows, 10, "ten rows are too few to speak of");
    let gaps: Vec<_> = fairness[0].gaps.iter().map(|gap| (gap.criterion, gap.difference, &*gap.highest)).collect();
    assert_eq!(gaps, [(Criterion::EqualBias, 3.0, "a"), (Criterion::EqualError, 1.0, "a")]);
}
