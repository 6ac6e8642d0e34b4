//! The report of a crowd.

use sbridge::eval::Journey;
use sbridge::tensor::{Tensor, head, to_vec_f64};
use sbridge_ot::Points;
use sbridge_report::{Block, Emphasis, Plane, Plot, Row, Section, Series, SeriesStyle, Table, digits};

use super::judge::{COLUMNS, course};
use super::learn::HALF_BRIDGES;
use super::picture::{frame_of, outlines};
use super::{Course, CrowdData, CrowdEvaluation, Crowds};
use crate::error::Result;
use crate::folder::metrics;
use crate::models::bridge::End;
use crate::task::{Page, Run};

/// Paths and particles that are drawn.
const PATHS: usize = 40;
const PARTICLES: usize = 300;

/// Parts of the way at which the crowd is drawn.
const QUARTERS: usize = 4;

/// What the report says.
///
/// # Errors
/// [`RunError`](crate::RunError) if something cannot be drawn.
pub(super) fn page(run: &Run<Crowds>, data: &CrowdData, found: &CrowdEvaluation) -> Result<Page> {
    let start = data.pair.ends.source.held_out_or_train();
    let walk = |bridge: &dyn sbridge::PairBridge| course(bridge, data, start, &mut run.rng("report")).1;
    let crowd = walk(run.learned.model.bridge.as_ref());
    let plain = run.learned.plain.as_ref().map(|bridge| walk(bridge.as_ref()));
    let target = head(&data.pair.ends.target.train, PARTICLES);
    let mut scene = vec![crowd_plot("The crowd on its way", &crowd, data, &target)?];
    scene.push(paths_plot("Its paths", &crowd, data)?);
    if let Some(plain) = &plain {
        scene.push(crowd_plot("Without the cost: the plain bridge", plain, data, &target)?);
        scene.push(paths_plot("Paths of the plain bridge", plain, data)?);
    }
    let text = "Particles of the crowd at five times, and some of its paths, from source to target. Obstacles are outlined.";
    let epsilon = run.settings.epsilon;
    Ok(Page {
        title: format!("Crowd from {} to {}", data.pair.source.source(), data.pair.target.source()),
        summary: summary(found),
        facts: vec![
            (
                "cost".into(),
                if run.settings.cost.is_empty() { "terms".into() } else { run.settings.cost.clone() },
            ),
            (
                "epsilon".into(),
                format!("{} (data units squared; σ = {})", digits(epsilon), digits(epsilon.sqrt())),
            ),
        ],
        sections: vec![
            Section { title: "Scene".into(), text: text.into(), blocks: scene },
            paid_section(run, found),
            spread_section(found),
            ends_section(found),
        ],
    })
}

fn summary(found: &CrowdEvaluation) -> String {
    let of = |course: &Course| {
        format!(
            "objective {} ({} for motion, {} for place), {:.2} % of paths inside of an obstacle",
            digits(course.objective()),
            digits(course.kinetic),
            digits(course.state),
            100.0 * course.collided
        )
    };
    let end = |end: &End| format!("{} W2 {:.3}, floor {:.3}", end.direction, end.carried.w2, end.floor.w2);
    let ends: Vec<String> = found.ends.iter().map(end).collect();
    let plain = found.plain.as_ref().map(|plain| format!(" Without the cost: {}.", of(plain)));
    format!("{}; {}.{}", of(&found.crowd), ends.join(", "), plain.unwrap_or_default())
}

/// What draws places: the first two coordinates where there are up to three, else principal axes.
struct View {
    plane: Option<Plane>,
    dim: usize,
}

impl View {
    fn of(journey: &Journey, data: &CrowdData) -> Result<Self> {
        let dim = data.pair.target.shape().size();
        let is_seen = dim == 2 || dim == 3;
        let cloud = || -> Result<Plane> {
            let some: Vec<f64> = journey.states.iter().step_by(10).flatten().copied().collect();
            Ok(Plane::of(&Points::new(some, dim)?)?)
        };
        Ok(Self { plane: (!is_seen).then(cloud).transpose()?, dim })
    }

    fn places(&self, rows: &[f64]) -> Vec<(f64, f64)> {
        match &self.plane {
            Some(plane) => plane.project(rows),
            None => rows.chunks_exact(self.dim).map(|x| (x[0], x[1])).collect(),
        }
    }

    /// A drawing of `series` with the obstacles behind them.
    fn plot(&self, caption: &str, journey: &Journey, data: &CrowdData, series: Vec<Series>) -> Block {
        let mut all = Vec::new();
        if self.plane.is_none() {
            let frame = frame_of(journey.states.iter().flat_map(|x| x.chunks_exact(self.dim)));
            let walls = outlines(&data.scene.problem, frame, self.dim);
            if !walls.is_empty() {
                all.push(Series { name: "obstacles".into(), style: SeriesStyle::Line, points: walls });
            }
        }
        all.extend(series);
        let names = match self.plane {
            Some(_) => ["first principal axis", "second principal axis"],
            None => ["first column", "second column"],
        };
        Block::Plot(Plot {
            caption: caption.into(),
            x_label: names[0].into(),
            y_label: names[1].into(),
            series: all,
            ..Plot::default()
        })
    }
}

/// The crowd at five times.
fn crowd_plot(caption: &str, journey: &Journey, data: &CrowdData, target: &Tensor<2>) -> Result<Block> {
    let view = View::of(journey, data)?;
    let last = journey.states.len() - 1;
    let at = |quarter: usize| {
        let rows = &journey.states[last * quarter / QUARTERS];
        let some = &rows[..rows.len().min(PARTICLES * view.dim)];
        Series {
            name: format!("t = {}", quarter as f64 / QUARTERS as f64),
            style: SeriesStyle::Points,
            points: view.places(some),
        }
    };
    let wanted = Series {
        name: "target".into(),
        style: SeriesStyle::Points,
        points: view.places(&to_vec_f64(target.clone())),
    };
    let series = std::iter::once(wanted).chain((0..=QUARTERS).map(at)).collect();
    Ok(view.plot(caption, journey, data, series))
}

fn paths_plot(caption: &str, journey: &Journey, data: &CrowdData) -> Result<Block> {
    let view = View::of(journey, data)?;
    let count = (journey.states[0].len() / view.dim).min(PATHS);
    let path = |i: usize| {
        let row = i * view.dim..(i + 1) * view.dim;
        let points = journey.states.iter().flat_map(|x| view.places(&x[row.clone()])).collect();
        Series { name: "paths".into(), style: SeriesStyle::PathLine, points }
    };
    Ok(view.plot(caption, journey, data, (0..count).map(path).collect()))
}

fn line(name: &str, points: Vec<(f64, f64)>, style: SeriesStyle) -> Series {
    Series { name: name.into(), style, points }
}

/// What is paid, and how that fell from one half-bridge forward to the next.
fn paid_section(run: &Run<Crowds>, found: &CrowdEvaluation) -> Section {
    let row = |label: &str, course: &Course, emphasis| Row {
        label: label.into(),
        cells: course.cells().to_vec(),
        emphasis,
    };
    let mut rows = vec![row("crowd", &found.crowd, Emphasis::Model)];
    rows.extend(found.plain.as_ref().map(|plain| row("without the cost", plain, Emphasis::Baseline)));
    let table = Table {
        caption: format!("Paid from source to target; inside of obstacles on {} paths", found.crowd.paths),
        columns: COLUMNS.map(String::from).to_vec(),
        rows,
        note: "Distance: mean distance from the surface that paths are to stay on, where the cost has one."
            .into(),
    };
    let log = run.folder.read("metrics.jsonl").unwrap_or_default();
    let curve = |name: &str| metrics::curve(&log, name, HALF_BRIDGES);
    let plot = |caption: &str, y_label: &str, series| {
        Block::Plot(Plot {
            caption: caption.into(),
            x_label: "half-bridge".into(),
            y_label: y_label.into(),
            series,
            ..Plot::default()
        })
    };
    let costs = ["objective", "kinetic", "state"].map(|name| line(name, curve(name), SeriesStyle::Line));
    Section {
        title: "What is paid".into(),
        text: "The objective is E ∫ |u|²/(2σ²) + V dt, of motion against the drift that there would be without control, and \
               of place. Both are of simulated paths; the law of the crowd is that of its particles, blurred."
            .into(),
        blocks: vec![
            Block::Table(table),
            plot("Objective after every half-bridge forward", "paid", costs.to_vec()),
            plot(
                "Share of time inside of obstacles",
                "share",
                vec![line("inside", curve("inside"), SeriesStyle::Line)],
            ),
        ],
    }
}

/// How wide the crowd is on its way.
fn spread_section(found: &CrowdEvaluation) -> Section {
    let points = |course: &Course| {
        let last = (course.spreads.len() - 1).max(1) as f64;
        course.spreads.iter().enumerate().map(|(k, s)| (k as f64 / last, *s)).collect::<Vec<_>>()
    };
    let mut series = vec![line("crowd", points(&found.crowd), SeriesStyle::Line)];
    series.extend(
        found.plain.as_ref().map(|plain| line("without the cost", points(plain), SeriesStyle::Dashed)),
    );
    Section {
        title: "Spread".into(),
        text: "Root mean square deviation of a coordinate from the mean of the crowd, at every time.".into(),
        blocks: vec![Block::Plot(Plot {
            caption: "Spread on the way".into(),
            x_label: "time".into(),
            y_label: "deviation".into(),
            series,
            ..Plot::default()
        })],
    }
}

fn ends_section(found: &CrowdEvaluation) -> Section {
    let table = |who: &str, end: &End| {
        let row =
            |(label, kind, q): (&str, crate::quality::RowKind, crate::quality::distances::Distances)| Row {
                label: label.into(),
                cells: [q.w1, q.w2, q.sliced_w2, q.energy]
                    .map(digits)
                    .into_iter()
                    .chain([q.shown_mmd2()])
                    .collect(),
                emphasis: kind.into(),
            };
        Block::Table(Table {
            caption: format!("{who}{}: {} {} samples", end.direction, end.count, found.judged_by),
            columns: ["W1", "W2", "sliced W2", "energy distance", "MMD²"].map(String::from).to_vec(),
            rows: end.rows().into_iter().map(row).collect(),
            note: String::new(),
        })
    };
    let crowd = found.ends.iter().map(|end| table("", end));
    let plain = found.plain_ends.iter().map(|end| table("without the cost, ", end));
    Section {
        title: "Both ends".into(),
        text: format!(
            "Distances to {} samples of the end: of what arrives, of training data (nothing can be closer), and of the other \
             set as it is.",
            found.judged_by
        ),
        blocks: crowd.chain(plain).collect(),
    }
}
