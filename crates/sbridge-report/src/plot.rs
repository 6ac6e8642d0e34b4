//! A plot as inline SVG.
//!
//! Values that an axis cannot show (not finite, or not positive on a logarithmic axis) are left
//! out, and a line breaks there rather than bridging the gap. Series of one name share one colour
//! and one entry in the legend, which the page sets beside the drawing as text.
//!
//! Tests, with those of the page: values left out leave no trace; what remains is drawn where the
//! axes say.

use std::error::Error;

use plotters::chart::ChartContext;
use plotters::coord::Shift;
use plotters::coord::cartesian::Cartesian2d;
use plotters::prelude::{
    ChartBuilder, Circle, Color, DashedLineSeries, DrawingArea, IntoDrawingArea, IntoTextStyle, LineSeries,
    SVGBackend, ShapeStyle, TRANSPARENT, TextStyle,
};

use super::axis::Axis;
use super::palette::{self, Ink};
use super::{Plot, Series, SeriesStyle};

/// Drawing units per pixel. Plotters rounds positions to whole units; at one unit per pixel curves
/// look ragged.
const UNITS: u32 = 4;
/// Size in pixels.
const SIZE: (u32, u32) = (840, 340);
/// Font size in pixels.
const FONT: f64 = 13.0;
/// Plotters' SVG text comes out smaller than asked by this factor.
const FONT_SHRINKAGE: f64 = 1.24;
/// Width of a tick label's character, in font sizes.
const CHARACTER_WIDTH: f64 = 0.56;
const NUM_X_TICKS: usize = 8;
const NUM_Y_TICKS: usize = 6;

type Canvas<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Chart<'c, 'a> = ChartContext<'c, SVGBackend<'a>, Cartesian2d<Axis, Axis>>;
type Drawn<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;
/// Consecutive points that can all be shown.
type Run = Vec<(f64, f64)>;

/// The plot as an `<svg>` element, or none if no point can be shown.
pub(super) fn svg(plot: &Plot) -> Drawn<Option<String>> {
    let series: Vec<Vec<Run>> = plot.series.iter().map(|series| runs(plot, series)).collect();
    let points = || series.iter().flatten().flatten();
    let x_axis = Axis::covering(plot.x_scale, points().map(|point| point.0), NUM_X_TICKS);
    let y_axis = Axis::covering(plot.y_scale, points().map(|point| point.1), NUM_Y_TICKS);
    let (Some(x_axis), Some(y_axis)) = (x_axis, y_axis) else {
        return Ok(None);
    };

    let mut svg = String::new();
    let canvas = SVGBackend::with_string(&mut svg, (SIZE.0 * UNITS, SIZE.1 * UNITS)).into_drawing_area();
    let mut chart = draw_axes(&canvas, plot, x_axis, y_axis)?;
    for ((series, runs), ink) in plot.series.iter().zip(series).zip(inks(plot)) {
        draw_series(&mut chart, series.style, runs, ink)?;
    }
    drop(chart);
    drop(canvas);
    Ok(Some(svg))
}

/// The names in the legend, each with the style of its first series and its ink; nameless series
/// have none.
pub(super) fn legend(plot: &Plot) -> Vec<(&str, SeriesStyle, Ink)> {
    let mut entries: Vec<(&str, SeriesStyle, Ink)> = Vec::new();
    for (series, ink) in plot.series.iter().zip(inks(plot)) {
        let known = entries.iter().any(|(name, ..)| *name == series.name);
        if !known && !series.name.is_empty() {
            entries.push((&series.name, series.style, ink));
        }
    }
    entries
}

/// One ink for each series: the n-th distinct name has the n-th ink.
fn inks(plot: &Plot) -> Vec<Ink> {
    let mut names: Vec<&str> = Vec::new();
    let mut inks = Vec::new();
    for series in &plot.series {
        let known = names.iter().position(|name| *name == series.name);
        inks.push(Ink::of_series(known.unwrap_or(names.len())));
        if known.is_none() {
            names.push(&series.name);
        }
    }
    inks
}

/// The points of a series, cut where one cannot be shown.
fn runs(plot: &Plot, series: &Series) -> Vec<Run> {
    series
        .points
        .split(|(x, y)| !(plot.x_scale.admits(*x) && plot.y_scale.admits(*y)))
        .filter(|run| !run.is_empty())
        .map(<[_]>::to_vec)
        .collect()
}

fn draw_axes<'c, 'a>(
    canvas: &'c Canvas<'a>,
    plot: &Plot,
    x_axis: Axis,
    y_axis: Axis,
) -> Drawn<Chart<'c, 'a>> {
    let labels = y_axis.label_length() as f64 * CHARACTER_WIDTH * FONT;
    let mut chart = ChartBuilder::on(canvas)
        .margin_top(units(8.0))
        .margin_right(units(16.0))
        .x_label_area_size(units(44.0))
        .y_label_area_size(units(labels + 36.0))
        .build_cartesian_2d(x_axis, y_axis)?;
    let text = text_style(canvas);
    chart
        .configure_mesh()
        .bold_line_style(stroke(palette::GRID, 1.0, 1.0))
        .light_line_style(TRANSPARENT)
        .axis_style(stroke(palette::AXIS, 1.0, 1.0))
        .set_all_tick_mark_size(units(4.0))
        .label_style(text.clone())
        .axis_desc_style(text)
        .x_desc(plot.x_label.as_str())
        .y_desc(plot.y_label.as_str())
        .draw()?;
    Ok(chart)
}

fn draw_series(chart: &mut Chart<'_, '_>, style: SeriesStyle, runs: Vec<Run>, ink: Ink) -> Drawn {
    let line = match style {
        SeriesStyle::Points => return draw_points(chart, runs.into_iter().flatten(), ink),
        SeriesStyle::PathLine => stroke(ink, 0.35, 1.0),
        SeriesStyle::Line | SeriesStyle::Dashed => stroke(ink, 1.0, 1.8),
    };
    for run in runs {
        if let [lonely] = run[..] {
            draw_points(chart, std::iter::once(lonely), ink)?;
        } else if style == SeriesStyle::Dashed {
            let dashes = DashedLineSeries::new(run, units(7.0), units(4.0), line);
            chart.draw_series(dashes)?;
        } else {
            chart.draw_series(LineSeries::new(run, line))?;
        }
    }
    Ok(())
}

fn draw_points(chart: &mut Chart<'_, '_>, points: impl Iterator<Item = (f64, f64)>, ink: Ink) -> Drawn {
    let dot = ink.rgb().mix(0.6).filled();
    chart.draw_series(points.map(|point| Circle::new(point, units(2.0), dot)))?;
    Ok(())
}

fn stroke(ink: Ink, opacity: f64, pixels: f64) -> ShapeStyle {
    ink.rgb().mix(opacity).stroke_width(units(pixels) as u32)
}

fn text_style(canvas: &Canvas<'_>) -> TextStyle<'static> {
    let size = FONT * FONT_SHRINKAGE * f64::from(UNITS);
    ("sans-serif", size).with_color(palette::TEXT.rgb()).into_text_style(canvas)
}

fn units(pixels: f64) -> i32 {
    (pixels * f64::from(UNITS)).round() as i32
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::Scale;

    fn plot(y_scale: Scale, series: Vec<Series>) -> Plot {
        Plot {
            caption: "loss".to_owned(),
            x_label: "step".to_owned(),
            y_label: "loss".to_owned(),
            x_scale: Scale::Linear,
            y_scale,
            series,
        }
    }

    fn series(name: &str, style: SeriesStyle, points: &[(f64, f64)]) -> Series {
        Series { name: name.to_owned(), style, points: points.to_vec() }
    }

    /// The polylines of the first series' ink, as lists of positions.
    fn lines(svg: &str) -> Vec<Vec<(f64, f64)>> {
        let ink = format!("stroke=\"{}\"", Ink::of_series(0).hex());
        let position = |pair: &str| {
            let (x, y) = pair.split_once(',').unwrap();
            (x.parse().unwrap(), y.parse().unwrap())
        };
        svg.lines()
            .filter(|line| line.contains("<polyline") && line.contains(&ink))
            .map(|line| line.split("points=\"").nth(1).unwrap().split('"').next().unwrap())
            .map(|points| points.split_whitespace().map(position).collect())
            .collect()
    }

    #[test]
    fn lines_break_where_values_cannot_be_shown() {
        let gap = [
            (0.0, 1.0),
            (1.0, 2.0),
            (2.0, f64::NAN),
            (3.0, 2.0),
            (f64::INFINITY, 1.0),
            (4.0, 1.0),
            (5.0, 2.0),
        ];
        let svg = svg(&plot(Scale::Linear, vec![series("", SeriesStyle::Line, &gap)])).unwrap().unwrap();
        let lengths: Vec<usize> = lines(&svg).iter().map(Vec::len).collect();
        assert_eq!(lengths, [2, 2]);
        assert_eq!(svg.matches("<circle").count(), 1, "the lonely point between two gaps is a dot");
        assert!(!svg.contains("NaN") && !svg.contains("inf"));
    }

    #[test]
    fn log_axes_leave_out_what_is_not_positive() {
        let points = [(0.0, 1.0), (1.0, 10.0), (2.0, 100.0), (3.0, 0.0), (4.0, -1.0)];
        let svg = svg(&plot(Scale::Log, vec![series("", SeriesStyle::Line, &points)])).unwrap().unwrap();
        let [line] = &lines(&svg)[..] else { panic!("one line expected") };
        assert_eq!(line.len(), 3);
        // Powers of ten are equally spaced, to within the rounding of each position to a whole
        // unit.
        let (first, second) = (line[0].1 - line[1].1, line[1].1 - line[2].1);
        assert!(first > 0.0 && (first - second).abs() <= 2.0, "{line:?}");
    }

    #[test]
    fn a_plot_without_points_is_no_drawing() {
        assert!(svg(&plot(Scale::Linear, Vec::new())).unwrap().is_none());
        let nothing = series("nan", SeriesStyle::Points, &[(f64::NAN, 1.0)]);
        assert!(svg(&plot(Scale::Linear, vec![nothing])).unwrap().is_none());
    }

    #[test]
    fn series_of_one_name_share_ink_and_legend_entry() {
        let path = |name| series(name, SeriesStyle::PathLine, &[(0.0, 0.0), (1.0, 1.0)]);
        let plot = plot(Scale::Linear, vec![path("model"), path("model"), path(""), path("exact")]);
        let names: Vec<&str> = legend(&plot).iter().map(|(name, ..)| *name).collect();
        assert_eq!(names, ["model", "exact"]);
        let inks = inks(&plot);
        assert_eq!(inks[0], inks[1]);
        assert_ne!(inks[0], inks[3]);
    }

    #[test]
    fn drawings_use_only_inks_that_dark_mode_exchanges() {
        let styles = [SeriesStyle::Line, SeriesStyle::Points, SeriesStyle::PathLine, SeriesStyle::Dashed];
        let all = styles.map(|style| series(&format!("{style:?}"), style, &[(0.0, 0.0), (1.0, 1.0)]));
        let svg = svg(&plot(Scale::Linear, all.to_vec())).unwrap().unwrap();
        let known: Vec<String> = Ink::all().map(Ink::hex).collect();
        for colour in svg.split("=\"#").skip(1).map(|rest| format!("#{}", &rest[..6])) {
            assert!(known.contains(&colour), "{colour} has no dark counterpart");
        }
    }

    #[test]
    fn axis_names_are_escaped() {
        let mut plot = plot(Scale::Linear, vec![series("", SeriesStyle::Line, &[(0.0, 0.0), (1.0, 1.0)])]);
        plot.x_label = "<script>".to_owned();
        assert!(!svg(&plot).unwrap().unwrap().contains("<script>"));
    }
}
