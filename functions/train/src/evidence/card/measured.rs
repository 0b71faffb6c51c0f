//! What the model card tells of measurements: probabilities, errors, groups, fairness and importance.

use std::collections::BTreeSet;

use page::text;
use spec::{Metric, Space, Spec, Task};

use super::super::{Classification, ColumnImportance, Fairness, GroupedMetrics, Importance, Measure, Residuals};
use super::chart::{Bars, Chart, Lines};
use super::model_card::{count, or_none};
use super::{Section, Table};

/// Most metrics that are told of each group.
const GROUP_METRICS: usize = 3;

/// Most columns in the charts of importance.
const MAX_BARS: usize = 15;

pub(super) fn probabilities(spec: &Spec, classification: &Classification) -> Section {
    let of = if spec.task == Task::Binary { "the positive class" } else { "the most likely class" };
    let mut table = Table::new(
        format!("Calibration: rows by the probability of {of}"),
        &["probability"],
        &["rows", "mean probability", "share that came true"],
    );
    let mut points = Vec::new();
    for bin in classification.calibration.iter().filter(|bin| bin.rows > 0) {
        table.row(vec![
            format!("{} to {}", text::number(bin.from), text::number(bin.to)),
            count(bin.rows),
            or_none(bin.mean_probability),
            or_none(bin.observed_share),
        ]);
        points.extend(bin.mean_probability.zip(bin.observed_share));
    }
    let chart = Chart::Lines(Lines {
        title: "Calibration".to_owned(),
        x: "mean probability",
        y: "share that came true",
        series: vec![(of.to_owned(), points)],
        has_diagonal: true,
    });
    let confusion = &classification.confusion;
    let heads: Vec<String> = confusion.classes.iter().map(|class| format!("called {class}")).collect();
    let called: Vec<&str> = heads.iter().map(String::as_str).chain(["precision", "recall"]).collect();
    let caption = match confusion.threshold {
        Some(threshold) => format!("Confusion at a threshold of {}", text::number(threshold)),
        None => "Confusion of the class that each row is called".to_owned(),
    };
    let mut matrix = Table::new(caption, &["true class"], &called);
    for (class, (name, counts)) in confusion.classes.iter().zip(&confusion.counts).enumerate() {
        let mut cells = vec![name.clone()];
        cells.extend(counts.iter().map(|rows| text::count(*rows)));
        cells.extend([or_none(confusion.precision(class)), or_none(confusion.recall(class))]);
        matrix.row(cells);
    }
    Section::new("What its probabilities are worth")
        .text(
            "Where the model is calibrated, of the rows with a probability of 0.3, three in ten come true: the curve follows \
             the diagonal.",
        )
        .table(table)
        .charts(vec![chart])
        .table(matrix)
}

pub(super) fn errors(spec: &Spec, residuals: &Residuals) -> Section {
    let unit = spec.target.unit.as_deref().unwrap_or("units of the target");
    let mut quantiles = Table::new(format!("Residuals in {unit}"), &["quantile"], &["residual"]);
    quantiles.row(vec!["mean".to_owned(), text::number(residuals.mean)]);
    for quantile in &residuals.quantiles {
        quantiles.row(vec![text::percent(quantile.level), text::number(quantile.value)]);
    }
    let mut quarters =
        Table::new("By quarter of the prediction", &["predictions"], &["rows", "mean residual", "MAE", "RMSE"]);
    for group in &residuals.by_prediction {
        let figures = [group.mean, group.mae, group.rmse].map(text::number);
        quarters.row([vec![group.predictions.clone(), count(group.rows)], figures.to_vec()].concat());
    }
    let interval = match &residuals.interval {
        None => "Its predictions carry no interval.".to_owned(),
        Some(interval) => format!(
            "Its intervals are made to hold {} of truths and hold {} of {} hold-out rows; they are {} {unit} wide in the mean.",
            text::percent(interval.confidence),
            text::percent(interval.coverage),
            count(interval.rows),
            text::number(interval.mean_width)
        ),
    };
    Section::new("Where it is off")
        .text("A residual is the truth minus the prediction: above zero, the prediction was too low.")
        .table(quantiles)
        .table(quarters)
        .text(interval)
}

pub(super) fn groups(grouped: &[GroupedMetrics]) -> Section {
    let mut section = Section::new("How good it is by group").text(
        "Levels of 30 hold-out rows or more, at most twelve of a column, and quarters of numbers. A figure of few rows is a \
         rough one.",
    );
    for column in grouped {
        // A group of one class lacks some metrics, so the first group does not tell which there are.
        let metrics: BTreeSet<Metric> = column.groups.iter().flat_map(|group| group.metrics.keys().copied()).collect();
        let metrics: Vec<Metric> = metrics.into_iter().take(GROUP_METRICS).collect();
        let labels: Vec<&str> = ["rows"].into_iter().chain(metrics.iter().map(|metric| metric.label())).collect();
        let mut table = Table::new(format!("By {}", column.column), &[&column.column], &labels);
        for group in &column.groups {
            let figures = metrics.iter().map(|metric| or_none(group.metrics.get(metric).copied()));
            table.row([group.group.clone(), count(group.rows)].into_iter().chain(figures).collect());
        }
        section = section.table(table);
    }
    section
}

pub(super) fn fairness(columns: &[Fairness]) -> Section {
    let section = Section::new("Fairness");
    if columns.is_empty() {
        return section.text(
            "The spec calls no column sensitive, so nothing was compared. That says nothing about fairness: other columns may \
             stand in for what is not in the data.",
        );
    }
    let mut section = section.text(
        "Groups of the columns that the spec calls sensitive. Where groups truly differ no model keeps all criteria at once; \
         which one matters is for the people whom it concerns.",
    );
    for column in columns {
        let measures: BTreeSet<Measure> =
            column.groups.iter().flat_map(|group| group.measures.keys().copied()).collect();
        let heads: Vec<String> = measures.iter().map(ToString::to_string).collect();
        let heads: Vec<&str> = ["rows"].into_iter().chain(heads.iter().map(String::as_str)).collect();
        let mut table = Table::new(format!("Groups of {}", column.column), &[&column.column], &heads);
        for group in &column.groups {
            let figures = measures.iter().map(|measure| or_none(group.measures.get(measure).copied()));
            table.row([group.group.clone(), count(group.rows)].into_iter().chain(figures).collect());
        }
        let words = ["criterion", "measure", "highest", "lowest", "source"];
        let mut gaps = Table::new(format!("Gaps of {}", column.column), &words, &["gap"]);
        for gap in &column.gaps {
            let end = |group: &str| if gap.difference > 0.0 { group } else { text::NONE }.to_owned();
            gaps.row(vec![
                gap.criterion.to_string(),
                gap.measure.to_string(),
                end(&gap.highest),
                end(&gap.lowest),
                gap.criterion.source().to_owned(),
                text::number(gap.difference),
            ]);
        }
        section = section.table(table).table(gaps);
        if column.left_out_rows > 0 {
            let rows = count(column.left_out_rows);
            section = section.text(format!("{rows} rows are in groups of {} too small to speak of.", column.column));
        }
    }
    section
}

pub(super) fn rests_on(spec: &Spec, importance: &Importance) -> Section {
    let unit = match importance.space {
        Space::Probability => "probability".to_owned(),
        Space::Logit => "log-odds".to_owned(),
        Space::Target => spec.target.unit.clone().unwrap_or_else(|| "units of the target".to_owned()),
    };
    let loss = match importance.metric {
        metric if metric.higher_is_better() => format!("1 − {}", metric.label()),
        metric => metric.label().to_owned(),
    };
    let figures = ["shuffled", "± error", "mean |SHAP|", "± error"];
    let mut table = Table::new("Every column", &["column"], &figures);
    for name in spec.columns.keys() {
        let of = |columns: &[ColumnImportance]| {
            let column = columns.iter().find(|column| column.column == *name);
            [column.map(|column| column.value), column.and_then(|column| column.standard_error)].map(or_none)
        };
        table.row([vec![name.clone()], of(&importance.permutation).to_vec(), of(&importance.shap).to_vec()].concat());
    }
    let bars = |title: String, columns: &[ColumnImportance]| {
        let mut bars: Vec<_> =
            columns.iter().map(|column| (column.column.clone(), column.value, column.standard_error)).collect();
        bars.sort_by(|a, b| b.1.total_cmp(&a.1));
        bars.truncate(MAX_BARS);
        Chart::Bars(Bars { title, bars })
    };
    Section::new("What it rests on")
        .text(format!(
            "Shuffled: how much {loss} grows when a column's cells are dealt to other rows ({} rows, three times). \
             Mean |SHAP|: how far a column moves an answer, in {unit} ({} rows). Both tell what this model uses, not what causes \
             the target; columns that tell the same share or hide each other's part.",
            count(importance.shuffled_rows),
            count(importance.explained_rows)
        ))
        .charts(vec![
            bars(format!("Increase of {loss}"), &importance.permutation),
            bars(format!("Mean |SHAP| in {unit}"), &importance.shap),
        ])
        .table(table)
}
