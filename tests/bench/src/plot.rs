//! Plots as SVG: bars with their spread, and lines.

use std::fmt::Write as _;

use super::stats::{Spread, grouped, number};

/// One drawing.
#[derive(Debug, Clone)]
pub(super) struct Plot {
    /// Of its file, without `.svg`.
    pub(super) name: String,
    /// Above it.
    pub(super) title: String,
    /// What is drawn.
    pub(super) shape: Shape,
}

/// What is drawn.
#[derive(Debug, Clone)]
pub(super) enum Shape {
    /// A bar for each label, from 0, with the quartiles as a thin line.
    Bars {
        /// From top to bottom.
        bars: Vec<(String, Spread)>,
        /// A line across all bars: what is to be reached, or what the others are compared with.
        mark: Option<f64>,
    },
    /// A line for each series.
    Lines {
        /// Each with its name and its points, from left to right.
        series: Vec<(String, Vec<(f64, f64)>)>,
        /// Under and beside the axes.
        axes: [String; 2],
        /// Texts for the places 0, 1, 2 … on the horizontal axis; without any it has numbers.
        places: Vec<String>,
        /// The vertical axis is logarithmic.
        logarithmic: bool,
    },
}

const WIDTH: f64 = 760.0;
const BAR: f64 = 22.0;
/// Space for labels left of bars, and for figures right of them.
const MARGINS: (f64, f64) = (230.0, 150.0);
const TOP: f64 = 44.0;
/// Where lines are drawn: left, top, right, bottom.
const FRAME: (f64, f64, f64, f64) = (74.0, TOP, 590.0, 330.0);
/// Colours that colour-blind people can tell apart (Okabe and Ito 2008).
const COLOURS: [&str; 7] = ["#d55e00", "#0072b2", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#555555"];

impl Plot {
    /// The file's name.
    #[must_use]
    pub(super) fn file(&self) -> String {
        format!("{}.svg", self.name)
    }

    /// The drawing.
    #[must_use]
    pub(super) fn svg(&self) -> String {
        let (height, body) = match &self.shape {
            Shape::Bars { bars, mark } => draw_bars(bars, *mark),
            Shape::Lines { series, axes, places, logarithmic } => draw_lines(series, axes, places, *logarithmic),
        };
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" \
             font-size=\"12\">\n<rect width=\"{WIDTH}\" height=\"{height}\" fill=\"white\"/>\n{}{body}</svg>\n",
            text(WIDTH / 2.0, 22.0, "middle", &self.title)
        )
    }
}

fn draw_bars(bars: &[(String, Spread)], mark: Option<f64>) -> (f64, String) {
    let most = bars.iter().map(|(_, spread)| spread.high).chain(mark).fold(f64::MIN_POSITIVE, f64::max);
    let x = |value: f64| MARGINS.0 + value / most * (WIDTH - MARGINS.0 - MARGINS.1);
    let mut body = String::new();
    let bottom = TOP + BAR * bars.len() as f64;
    for (at, (label, spread)) in bars.iter().enumerate() {
        let y = TOP + BAR * at as f64;
        let middle = y + BAR / 2.0;
        let width = x(spread.middle) - x(0.0);
        let colour =
            if label.contains(super::peers::TOKEND) || label.contains("tokenctl") { COLOURS[0] } else { COLOURS[1] };
        let _ = writeln!(
            body,
            "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{width:.1}\" height=\"{}\" fill=\"{colour}\"/>",
            x(0.0),
            y + 3.0,
            BAR - 6.0
        );
        body += &line(x(spread.low), middle, x(spread.high), middle, "black");
        body += &text(x(0.0) - 8.0, middle + 4.0, "end", label);
        body += &text(x(spread.high.max(spread.middle)) + 6.0, middle + 4.0, "start", &spread.to_string());
    }
    if let Some(mark) = mark {
        body += &line(x(mark), TOP - 4.0, x(mark), bottom + 4.0, "#888888");
        body += &text(x(mark), bottom + 18.0, "middle", &number(mark));
    }
    (bottom + 28.0, body)
}

fn draw_lines(
    series: &[(String, Vec<(f64, f64)>)],
    axes: &[String; 2],
    places: &[String],
    logarithmic: bool,
) -> (f64, String) {
    let (left, top, right, bottom) = FRAME;
    let points = || series.iter().flat_map(|(_, points)| points.iter().copied());
    let right_end = points().map(|(x, _)| x).fold(1.0, f64::max);
    let most = points().map(|(_, y)| y).fold(f64::MIN_POSITIVE, f64::max);
    let least = points().map(|(_, y)| y).filter(|y| *y > 0.0).fold(most, f64::min);
    // Whole powers of ten, or round steps from 0 to above the largest value.
    let step = round_up(most / 5.0);
    let (from, to) = if logarithmic {
        (least.log10().floor(), most.log10().ceil().max(least.log10().floor() + 1.0))
    } else {
        (0.0, (most / step).ceil() * step)
    };
    let x = |value: f64| left + value / right_end * (right - left);
    let y = |value: f64| {
        // What is 0 has no place on a logarithmic axis but its lower end.
        let value = if logarithmic { value.log10().max(from) } else { value };
        bottom - (value - from) / (to - from) * (bottom - top)
    };
    let mut body = line(left, bottom, right, bottom, "black") + &line(left, top, left, bottom, "black");
    let ticks: Vec<f64> =
        if logarithmic { (from as i32..=to as i32).map(|power| 10_f64.powi(power)).collect() } else { steps(step, to) };
    for tick in ticks {
        body += &line(left, y(tick), right, y(tick), "#dddddd");
        body += &text(left - 6.0, y(tick) + 4.0, "end", &label(tick));
    }
    let labels: Vec<(f64, String)> = if places.is_empty() {
        steps(round_up(right_end / 6.0), right_end).into_iter().map(|value| (value, label(value))).collect()
    } else {
        places.iter().enumerate().map(|(at, place)| (at as f64, place.clone())).collect()
    };
    for (value, label) in labels {
        body += &text(x(value), bottom + 18.0, "middle", &label);
    }
    for (at, (name, points)) in series.iter().enumerate() {
        let colour = COLOURS[at % COLOURS.len()];
        let path: Vec<String> = points.iter().map(|point| format!("{:.1},{:.1}", x(point.0), y(point.1))).collect();
        let _ = writeln!(
            body,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
            path.join(" ")
        );
        // Between places there is nothing.
        for (x, y) in points.iter().filter(|_| !places.is_empty()).map(|point| (x(point.0), y(point.1))) {
            let _ = writeln!(body, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"{colour}\"/>");
        }
        let at = top + 16.0 * at as f64 + 8.0;
        body += &line(right + 12.0, at, right + 32.0, at, colour);
        body += &text(right + 38.0, at + 4.0, "start", name);
    }
    body += &text(f64::midpoint(left, right), bottom + 38.0, "middle", &axes[0]);
    body += &text(left, top - 8.0, "middle", &axes[1]);
    (bottom + 50.0, body)
}

/// From 0 in such steps to there.
fn steps(step: f64, to: f64) -> Vec<f64> {
    // A sum of steps may miss the last one by a rounding.
    (0..=(to / step + 1e-9).floor() as u32).map(|at| f64::from(at) * step).collect()
}

/// A round value of an axis.
fn label(value: f64) -> String {
    if value >= 1_000.0 { grouped(value) } else { ((value * 1e6).round() / 1e6).to_string() }
}

/// The next 1, 2, 2.5 or 5 times a power of ten.
fn round_up(value: f64) -> f64 {
    let power = 10_f64.powf(value.log10().floor());
    [1.0, 2.0, 2.5, 5.0, 10.0].map(|step| step * power).into_iter().find(|step| *step >= value).unwrap_or(value)
}

fn line(x1: f64, y1: f64, x2: f64, y2: f64, colour: &str) -> String {
    format!("<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" stroke=\"{colour}\"/>\n")
}

fn text(x: f64, y: f64, anchor: &str, text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    format!("<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}</text>\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_as_long_as_their_values() {
        let bars = vec![("tokend".to_owned(), Spread::single(1.0)), ("a < b".to_owned(), Spread::single(2.0))];
        let plot = Plot { name: "x".into(), title: "y".into(), shape: Shape::Bars { bars, mark: Some(1.0) } };
        let svg = plot.svg();
        assert!(svg.contains("width=\"190.0\"") && svg.contains("width=\"380.0\""), "{svg}");
        assert!(svg.contains("a &lt; b"));
    }

    #[test]
    fn lines_stay_in_their_frame() {
        let series = vec![("tokend".to_owned(), vec![(0.0, 3.0), (1.0, 40_000.0)])];
        let axes = ["connections".to_owned(), "µs".to_owned()];
        for logarithmic in [false, true] {
            let shape = Shape::Lines { series: series.clone(), axes: axes.clone(), places: Vec::new(), logarithmic };
            let svg = Plot { name: "x".into(), title: "y".into(), shape }.svg();
            let points =
                svg.split("points=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("there is a line");
            for point in points.split(' ') {
                let (x, y) = point.split_once(',').expect("two numbers");
                let (x, y): (f64, f64) = (x.parse().expect("a number"), y.parse().expect("a number"));
                assert!((FRAME.0..=FRAME.2).contains(&x) && (FRAME.1..=FRAME.3).contains(&y), "{svg}");
            }
        }
    }

    #[test]
    fn an_axis_has_round_steps() {
        assert_eq!([0.3, 7.0, 12.0, 230.0].map(round_up), [0.5, 10.0, 20.0, 250.0]);
        assert_eq!(steps(0.1, 0.3).into_iter().map(label).collect::<Vec<_>>(), ["0", "0.1", "0.2", "0.3"]);
        assert_eq!(steps(500.0, 1_100.0).into_iter().map(label).collect::<Vec<_>>(), ["0", "500", "1,000"]);
    }

    #[test]
    fn powers_of_ten_are_evenly_apart_wherever_the_values_begin() {
        let axes = ["x".to_owned(), "y".to_owned()];
        let series = vec![("tokend".to_owned(), vec![(0.0, 5.0), (1.0, 700.0)])];
        let svg = draw_lines(&series, &axes, &[], true).1;
        let heights: Vec<f64> = svg
            .lines()
            .filter(|line| line.contains("#dddddd"))
            .filter_map(|line| line.split("y1=\"").nth(1)?.split('"').next()?.parse().ok())
            .collect();
        let apart: Vec<f64> = heights.windows(2).map(|two| two[0] - two[1]).collect();
        assert_eq!(apart.len(), 3, "from 1 to 1,000: {heights:?}");
        assert!(apart.iter().all(|step| (step - apart[0]).abs() < 0.2), "{heights:?}");
    }
}
