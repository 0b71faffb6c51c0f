//! Small charts as SVG inside the page.

use maud::{Markup, html};
use page::text;

/// Colours of lines; further ones begin again.
const N_COLOURS: usize = 4;

/// A picture of figures that a table beside it tells too.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Chart {
    Lines(Lines),
    Bars(Bars),
}

/// Lines over a common axis.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Lines {
    pub(super) title: String,
    pub(super) x: &'static str,
    pub(super) y: &'static str,
    /// Names and points, each by rising `x`, all finite.
    pub(super) series: Vec<(String, Vec<(f64, f64)>)>,
    /// Whether both axes are shares, with the diagonal on which they agree.
    pub(super) has_diagonal: bool,
}

/// A bar for each name.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Bars {
    pub(super) title: String,
    /// Names, values and their standard errors, in the order in which they are shown.
    pub(super) bars: Vec<(String, f64, Option<f64>)>,
}

impl Chart {
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Chart::Lines(lines) => lines.series.iter().all(|(_, points)| points.is_empty()),
            Chart::Bars(bars) => bars.bars.is_empty(),
        }
    }
}

/// The chart under its title.
pub(super) fn chart(chart: &Chart) -> Markup {
    match chart {
        Chart::Lines(chart) => html! {
            h3 { (chart.title) }
            (lines(chart))
            @if chart.series.len() > 1 {
                ul {
                    @for (index, (name, _)) in chart.series.iter().enumerate() {
                        li { span class=(format!("key s{}", index % N_COLOURS)) {} (name) }
                    }
                }
            }
        },
        Chart::Bars(chart) => html! { h3 { (chart.title) } (bars(chart)) },
    }
}

/// From values to places on an axis.
#[derive(Clone, Copy)]
struct Axis {
    from: f64,
    to: f64,
    start: f64,
    length: f64,
}

impl Axis {
    fn around(values: impl Iterator<Item = f64>, start: f64, length: f64) -> Self {
        let (from, to) =
            values.fold((f64::INFINITY, f64::NEG_INFINITY), |(from, to), value| (from.min(value), to.max(value)));
        Self { from, to, start, length }
    }

    /// Equal ends are put in the middle.
    fn place(self, value: f64) -> f64 {
        let span = self.to - self.from;
        let share = if span > 0.0 { (value - self.from) / span } else { 0.5 };
        self.start + share * self.length
    }
}

fn lines(chart: &Lines) -> Markup {
    const LEFT: f64 = 52.0;
    const TOP: f64 = 24.0;
    const WIDTH: f64 = 300.0;
    const HEIGHT: f64 = 200.0;
    let points = || chart.series.iter().flat_map(|(_, points)| points.iter().copied());
    let ends = if chart.has_diagonal { vec![(0.0, 0.0), (1.0, 1.0)] } else { Vec::new() };
    let x = Axis::around(points().chain(ends.iter().copied()).map(|(x, _)| x), LEFT, WIDTH);
    // The picture's own axis runs down.
    let y = Axis::around(points().chain(ends.iter().copied()).map(|(_, y)| y), TOP + HEIGHT, -HEIGHT);
    let at = |(of_x, of_y): &(f64, f64)| format!("{:.1},{:.1}", x.place(*of_x), y.place(*of_y));
    let path = |points: &[(f64, f64)]| points.iter().map(at).collect::<Vec<_>>().join(" ");
    html! {
        svg viewBox=(format!("0 0 {} {}", LEFT + WIDTH + 12.0, TOP + HEIGHT + 38.0)) role="img"
            aria-label=(format!("{}: {} over {}", chart.title, chart.y, chart.x)) {
            polyline.axis points=(format!("{LEFT},{TOP} {LEFT},{0} {1},{0}", TOP + HEIGHT, LEFT + WIDTH)) {}
            @if chart.has_diagonal { polyline.ideal points=(path(&ends)) {} }
            @for (index, (_, points)) in chart.series.iter().enumerate() {
                @let class = format!("s{}", index % N_COLOURS);
                polyline class=(class) points=(path(points)) {}
                // A line of many points needs no dots.
                @if points.len() <= 12 {
                    @for point in points {
                        circle class=(class) cx=(format!("{:.1}", x.place(point.0))) cy=(format!("{:.1}", y.place(point.1))) r="3" {}
                    }
                }
            }
            text.quiet x=(LEFT - 6.0) y=(TOP + 8.0) text-anchor="end" { (text::number(y.to)) }
            text.quiet x=(LEFT - 6.0) y=(TOP + HEIGHT) text-anchor="end" { (text::number(y.from)) }
            text.quiet x=(LEFT) y=(TOP + HEIGHT + 14.0) { (text::number(x.from)) }
            text.quiet x=(LEFT + WIDTH) y=(TOP + HEIGHT + 14.0) text-anchor="end" { (text::number(x.to)) }
            text x=(LEFT + WIDTH / 2.0) y=(TOP + HEIGHT + 30.0) text-anchor="middle" { (chart.x) }
            text x=(LEFT) y=(TOP - 10.0) { (chart.y) }
        }
    }
}

fn bars(chart: &Bars) -> Markup {
    const ROW: f64 = 20.0;
    const LABELS: f64 = 130.0;
    const WIDTH: f64 = 170.0;
    const LONGEST_LABEL: usize = 20;
    let ends = chart.bars.iter().flat_map(|(_, value, error)| [*value, value + error.unwrap_or(0.0), 0.0]);
    let axis = Axis::around(ends, LABELS, WIDTH);
    let label = |name: &str| match name.chars().count() {
        0..=LONGEST_LABEL => name.to_owned(),
        _ => name.chars().take(LONGEST_LABEL - 1).chain(['…']).collect(),
    };
    html! {
        svg viewBox=(format!("0 0 {} {}", LABELS + WIDTH + 64.0, ROW * chart.bars.len() as f64 + 4.0)) role="img"
            aria-label=(chart.title) {
            @for (index, (name, value, error)) in chart.bars.iter().enumerate() {
                @let top = ROW * index as f64 + 4.0;
                @let (from, to) = (axis.place(value.min(0.0)), axis.place(value.max(0.0)));
                text x=(LABELS - 8.0) y=(top + 10.0) text-anchor="end" { (label(name)) title { (name) } }
                rect.s0 x=(format!("{from:.1}")) y=(top) width=(format!("{:.1}", to - from)) height="12" {}
                @if let Some(error) = error {
                    @let (low, high) = (axis.place((value - error).max(axis.from)), axis.place(value + error));
                    line.spread x1=(format!("{low:.1}")) x2=(format!("{high:.1}")) y1=(top + 6.0) y2=(top + 6.0) {}
                }
                text.quiet x=(LABELS + WIDTH + 6.0) y=(top + 10.0) { (text::number(*value)) }
            }
        }
    }
}
