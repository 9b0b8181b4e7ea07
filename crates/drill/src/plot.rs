//! Plots as inline SVG: lines and areas over time, with the gaps in which nothing was there.

use maud::{Markup, PreEscaped, html};
use std::fmt::Write;

/// Width of the drawing, without the margins; user units of the SVG.
const WIDTH: f64 = 760.0;
/// Height of the drawing.
const HEIGHT: f64 = 180.0;
/// Room for the numbers on the left.
const LEFT: f64 = 64.0;
/// Room for the seconds below.
const BELOW: f64 = 26.0;
/// Room above the highest line.
const ABOVE: f64 = 12.0;

/// A line of a plot. A point without a value breaks the line.
#[derive(Debug, Clone)]
pub(crate) struct Series {
    /// What it shows.
    pub(crate) name: &'static str,
    /// Which of the page's colours it has, from 1.
    pub(crate) colour: u8,
    /// Whether the room below is filled.
    pub(crate) filled: bool,
    /// Seconds and values.
    pub(crate) points: Vec<(f64, Option<f64>)>,
}

/// A plot over seconds.
#[derive(Debug, Clone)]
pub(crate) struct Plot {
    /// What it shows.
    pub(crate) title: &'static str,
    /// Unit of the values.
    pub(crate) unit: &'static str,
    /// Its lines.
    pub(crate) series: Vec<Series>,
    /// Gaps to mark: from, and how long, seconds.
    pub(crate) gaps: Vec<(f64, f64)>,
    /// Whether the values grow by powers of ten.
    pub(crate) scale: Scale,
}

/// How values become heights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scale {
    /// Twice the value, twice the height.
    Linear,
    /// Ten times the value, one step more.
    Logarithmic,
}

impl Plot {
    /// The drawing with its legend.
    pub(crate) fn draw(&self) -> Markup {
        let frame = Frame::of(self);
        let box_size = format!("0 0 {} {}", LEFT + WIDTH + 8.0, ABOVE + HEIGHT + BELOW);
        html! {
            figure {
                figcaption {
                    strong { (self.title) } " " span.unit { (self.unit) }
                    @for series in &self.series {
                        span.key { span.{ "dot c" (series.colour) } {} (series.name) }
                    }
                }
                svg viewBox=(box_size) role="img" aria-label=(self.title) {
                    @for gap in &self.gaps { (frame.gap(*gap)) }
                    @for value in frame.marks() { (frame.mark(value)) }
                    @for second in frame.seconds() { (frame.second(second)) }
                    @for series in &self.series { (frame.series(series)) }
                }
            }
        }
    }
}

/// From values to places.
struct Frame {
    seconds_max: f64,
    least: f64,
    most: f64,
    scale: Scale,
}

impl Frame {
    fn of(plot: &Plot) -> Self {
        let points = || plot.series.iter().flat_map(|series| &series.points);
        let seconds_max = points().map(|(second, _)| *second).fold(1.0, f64::max);
        let values = || points().filter_map(|(_, value)| *value);
        let most = values().fold(0.0, f64::max);
        let positive = values().filter(|value| *value > 0.0);
        let (least, most) = match plot.scale {
            Scale::Linear => (0.0, round_up(most.max(1.0))),
            Scale::Logarithmic => {
                let least = positive.fold(f64::INFINITY, f64::min).clamp(0.001, 1e9);
                let floor = 10_f64.powf(least.log10().floor());
                (floor, 10_f64.powf(most.max(floor * 10.0).log10().ceil()))
            }
        };
        Self {
            seconds_max,
            least,
            most,
            scale: plot.scale,
        }
    }

    fn x(&self, second: f64) -> f64 {
        LEFT + WIDTH * (second / self.seconds_max).clamp(0.0, 1.0)
    }

    fn y(&self, value: f64) -> f64 {
        let height = match self.scale {
            Scale::Linear => value / self.most,
            Scale::Logarithmic => {
                (value.max(self.least) / self.least).log10() / (self.most / self.least).log10()
            }
        };
        ABOVE + HEIGHT * (1.0 - height.clamp(0.0, 1.0))
    }

    /// Values that get a line and a number.
    fn marks(&self) -> Vec<f64> {
        match self.scale {
            Scale::Linear => (0..=4)
                .map(|nth| self.most * f64::from(nth) / 4.0)
                .collect(),
            Scale::Logarithmic => {
                let mut marks = vec![self.least];
                while let Some(last) = marks.last().copied()
                    && last * 9.0 < self.most
                {
                    marks.push(last * 10.0);
                }
                marks
            }
        }
    }

    /// Seconds that get a number: at most about ten of them.
    fn seconds(&self) -> Vec<f64> {
        let step = [1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0]
            .into_iter()
            .find(|step| self.seconds_max / step <= 10.0)
            .unwrap_or(1800.0);
        let mut seconds = Vec::new();
        let mut second = 0.0;
        while second <= self.seconds_max && seconds.len() < 40 {
            seconds.push(second);
            second += step;
        }
        seconds
    }

    fn gap(&self, (from, lasted): (f64, f64)) -> Markup {
        let (left, right) = (self.x(from), self.x(from + lasted));
        // A gap of a few milliseconds must still be seen.
        let width = (right - left).max(2.0);
        html! {
            rect.gap x=(pixel(left)) y=(ABOVE) width=(pixel(width)) height=(HEIGHT) {
                title { "server killed at " (format!("{from:.2}")) " s, back after " (format!("{:.0}", lasted * 1000.0)) " ms" }
            }
        }
    }

    fn mark(&self, value: f64) -> Markup {
        let y = self.y(value);
        html! {
            line.grid x1=(LEFT) x2=(LEFT + WIDTH) y1=(pixel(y)) y2=(pixel(y)) {}
            text.left x=(LEFT - 8.0) y=(pixel(y + 4.0)) { (short(value)) }
        }
    }

    fn second(&self, second: f64) -> Markup {
        html! {
            text.below x=(pixel(self.x(second))) y=(ABOVE + HEIGHT + 18.0) { (format!("{second:.0} s")) }
        }
    }

    fn series(&self, series: &Series) -> Markup {
        let class = format!("c{}", series.colour);
        let mut drawn = String::new();
        for run in series.points.split(|(_, value)| value.is_none()) {
            let _ = write!(drawn, "{}", self.run(run, series.filled, &class));
        }
        html! { (PreEscaped(drawn)) }
    }

    /// One unbroken piece of a line. Only numbers and the class go in, so nothing needs escaping.
    fn run(&self, points: &[(f64, Option<f64>)], filled: bool, class: &str) -> String {
        let places: Vec<String> = points
            .iter()
            .map(|(second, value)| {
                let value = value.unwrap_or_default();
                format!("{},{}", pixel(self.x(*second)), pixel(self.y(value)))
            })
            .collect();
        let (Some(first), Some(last)) = (points.first(), points.last()) else {
            return String::new();
        };
        let line = places.join(" ");
        let mut drawn = format!(r#"<polyline class="line {class}" points="{line}"/>"#);
        if filled {
            let floor = pixel(ABOVE + HEIGHT);
            let (from, to) = (pixel(self.x(first.0)), pixel(self.x(last.0)));
            let _ = write!(
                drawn,
                r#"<polygon class="area {class}" points="{from},{floor} {line} {to},{floor}"/>"#
            );
        }
        drawn
    }
}

fn pixel(place: f64) -> String {
    format!("{place:.1}")
}

/// The next number of the form 1, 2, 4, 5 or 8 times a power of ten.
fn round_up(value: f64) -> f64 {
    let power = 10_f64.powf(value.log10().floor());
    [1.0, 2.0, 4.0, 5.0, 8.0, 10.0]
        .into_iter()
        .map(|step| step * power)
        .find(|step| *step >= value)
        .unwrap_or(value)
}

/// A number as people write it beside an axis.
fn short(value: f64) -> String {
    match value {
        v if v >= 10_000.0 => format!("{:.0}k", v / 1000.0),
        v if v >= 1_000.0 => format!("{:.1}k", v / 1000.0),
        v if v >= 10.0 || v.fract().abs() < f64::EPSILON => format!("{v:.0}"),
        v => format!("{v}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plot(scale: Scale, values: &[Option<f64>]) -> String {
        let seconds = (0..).map(f64::from);
        let plot = Plot {
            title: "orders",
            unit: "a second",
            series: vec![Series {
                name: "accepted",
                colour: 1,
                filled: true,
                points: seconds.zip(values.iter().copied()).collect(),
            }],
            gaps: vec![(1.0, 0.2)],
            scale,
        };
        plot.draw().into_string()
    }

    #[test]
    fn a_missing_value_breaks_the_line() {
        let drawn = plot(Scale::Linear, &[Some(1.0), Some(2.0), None, Some(3.0)]);
        assert_eq!(drawn.matches("<polyline").count(), 2);
        assert!(drawn.contains("server killed at 1.00 s, back after 200 ms"));
    }

    #[test]
    fn no_point_lies_outside_and_nothing_is_no_number() {
        for scale in [Scale::Linear, Scale::Logarithmic] {
            for values in [
                &[][..],
                &[Some(0.0)],
                &[None],
                &[Some(1e9), Some(0.0), Some(0.3)],
            ] {
                let drawn = plot(scale, values);
                assert!(!drawn.contains("NaN") && !drawn.contains("inf"), "{drawn}");
            }
        }
    }

    #[test]
    fn axes_end_at_round_numbers() {
        let rounds = [
            (1.0, 1.0),
            (3.1, 4.0),
            (4.5, 5.0),
            (61.0, 80.0),
            (990.0, 1000.0),
        ];
        for (value, round) in rounds {
            assert!((round_up(value) - round).abs() < 1e-9, "{value}");
        }
        assert_eq!(
            [short(0.01), short(250.0), short(2_500.0)],
            ["0.01", "250", "2.5k"]
        );
    }
}
