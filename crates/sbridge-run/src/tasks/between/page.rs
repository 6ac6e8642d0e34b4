//! The report of a bridge between two data sets.

use sbridge::Direction;
use sbridge::rng::Rng;
use sbridge::simulate::{integrate, state_at};
use sbridge::tensor::{Tensor, head, points, to_vec, to_vec_f64};
use sbridge_report::{
    Block, Emphasis, Picture, Plane, Plot, Row, Section, Series, SeriesStyle, Table, digits,
};

use super::{Between, BridgeEvaluation, HALF_BRIDGES};
use crate::error::{Result, RunError};
use crate::folder::metrics;
use crate::models::bridge::{End, Ends, PairData, direction_name};
use crate::quality::distances::Distances;
use crate::samples::unit_range;
use crate::task::{Page, Run};

/// Paths drawn each way.
const PATHS: usize = 40;

/// Samples of each side drawn behind them.
const SCATTER: usize = 600;

/// What the report says.
///
/// # Errors
/// [`RunError`] if something cannot be drawn.
pub(super) fn page(run: &Run<Between>, data: &PairData, evaluation: &BridgeEvaluation) -> Result<Page> {
    let mut sections = Vec::new();
    if run.shape().is_image() {
        sections.push(pictures_section(run, data)?);
    }
    let codes = run.learned.model.codec.as_ref().map(|codec| data.ends.encoded(codec));
    sections.extend([paths_section(run, codes.as_ref().unwrap_or(&data.ends))?, ends_section(evaluation)]);
    sections.extend(half_bridges_section(run));
    let epsilon = run.settings.epsilon;
    let unit = run.settings.epsilon_unit();
    Ok(Page {
        title: format!("Bridge from {} to {}", data.source.source(), data.target.source()),
        summary: summary(evaluation),
        facts: vec![(
            "epsilon".into(),
            format!("{} ({unit}; σ = {})", digits(epsilon), digits(epsilon.sqrt())),
        )],
        sections,
    })
}

fn summary(evaluation: &BridgeEvaluation) -> String {
    let end = |end: &End| {
        format!(
            "{}: W2 {:.3}, floor {:.3}, untouched {:.3}",
            end.direction, end.carried.w2, end.floor.w2, end.untouched.w2
        )
    };
    let ends: Vec<String> = evaluation.ends.iter().map(end).collect();
    format!("{}.", ends.join("; "))
}

/// Pictures in a row, and times at which they are shown on their way.
const STRIP: usize = 12;
const TIMES: [f64; 5] = [0.0, 0.25, 0.5, 0.75, 1.0];

/// Held-out images on their way to the other side, top to bottom.
fn pictures_section(run: &Run<Between>, data: &PairData) -> Result<Section> {
    let (mut rng, bridge) = (run.rng("pictures"), &run.learned.model.bridge);
    let (a, b) = (data.source.value_range(), data.target.value_range());
    let range = (f64::from(a.0.min(b.0)), f64::from(a.1.max(b.1)));
    let mut blocks = Vec::new();
    for direction in [Direction::Forward, Direction::Backward] {
        let [from, _] = direction.along([&data.ends.source, &data.ends.target]);
        let start = head(from.held_out_or_train(), STRIP);
        let skeleton = bridge.skeleton(direction, &run.learned.model.encode(&start), &mut rng);
        let at = |time: &f64| {
            run.learned.model.decode(&state_at(bridge.reference().as_ref(), &skeleton, *time, &mut rng))
        };
        let states: Vec<Tensor<2>> = TIMES.iter().map(at).collect();
        let values = unit_range(&to_vec(Tensor::cat(states, 0)), range);
        let file = run.file(&format!("{}.png", direction_name(direction)));
        sbridge_data::write_png_grid(&file, &values, run.shape(), start.dims()[0], 2)?;
        let png = std::fs::read(&file).map_err(|e| RunError::disk("read", &file, e))?;
        let caption = format!("{}: images on their way, at times {TIMES:?}", direction_name(direction));
        blocks.push(Block::Picture(Picture { alt: caption.clone(), caption, png }));
    }
    Ok(Section { title: "Images".into(), text: String::new(), blocks })
}

fn paths_section(run: &Run<Between>, ends: &Ends) -> Result<Section> {
    let (x, y) = (&ends.source.train, &ends.target.train);
    let some = |rows: &Tensor<2>| to_vec_f64(head(rows, SCATTER));
    let plane = Plane::of(&points(&Tensor::cat(vec![head(x, SCATTER), head(y, SCATTER)], 0))?)?;
    let (mut rng, bridge) = (run.rng("report"), run.learned.model.bridge.as_ref());
    let plot = |direction: Direction, from: &Tensor<2>, rng: &mut Rng| {
        let (noise, start, mut paths) = (bridge.step_noise(direction), head(from, PATHS), plane.paths());
        paths.pass(&to_vec_f64(start.clone()));
        integrate(bridge, direction, start, &noise, rng, &mut |step| {
            paths.pass(&to_vec_f64(step.end.clone()))
        });
        let mut series = vec![plane.dots("source", &some(x)), plane.dots("target", &some(y))];
        series.extend(paths.lines());
        let caption = match direction {
            Direction::Forward => "Paths from source to target",
            Direction::Backward => "Paths from target to source",
        };
        Plane::plot(caption, series)
    };
    let blocks = vec![plot(Direction::Forward, x, &mut rng), plot(Direction::Backward, y, &mut rng)];
    let text = "The bridge is the most likely random path between the two sets, given Brownian motion of variance ε.";
    Ok(Section { title: "Paths".into(), text: text.into(), blocks })
}

fn ends_section(evaluation: &BridgeEvaluation) -> Section {
    let row = |label: &str, q: &Distances, emphasis: Emphasis| Row {
        label: label.into(),
        cells: [q.w1, q.w2, q.sliced_w2, q.energy].map(digits).into_iter().chain([q.shown_mmd2()]).collect(),
        emphasis,
    };
    let table = |end: &End| {
        Block::Table(Table {
            caption: format!(
                "{}: {} {} samples, carried to the other side",
                end.direction, end.count, evaluation.judged_by
            ),
            columns: ["W1", "W2", "sliced W2", "energy distance", "MMD²"].map(String::from).to_vec(),
            rows: end.rows().into_iter().map(|(name, kind, q)| row(name, &q, kind.into())).collect(),
            note: String::new(),
        })
    };
    let converged = if evaluation.entropic_converged { "" } else { ", which did not converge and is rough" };
    Section {
        title: "Both ends".into(),
        text: format!(
            "Distances to {} samples of the end: of what arrives, of training data (nothing can be closer), and \
             of the other set as it is.\n\nThe coupling costs ½E|x − y|² = {}; the entropic plan between the samples \
             costs {}{converged}. Energy of the paths, E∫½|v|²dt: {}.",
            evaluation.judged_by,
            digits(evaluation.coupling_cost),
            digits(evaluation.entropic_cost),
            digits(evaluation.path_energy)
        ),
        blocks: evaluation.ends.iter().map(table).collect(),
    }
}

/// How good the bridge was after each half-bridge, where there were several.
fn half_bridges_section(run: &Run<Between>) -> Option<Section> {
    let log = run.folder.read("metrics.jsonl").unwrap_or_default();
    run.settings.networks.as_ref()?;
    let line = |name: &str, points| Series { name: name.into(), style: SeriesStyle::Line, points };
    let plot = |caption: &str, y_label: &str, name: &str| {
        // Odd half-bridges go backward.
        let curve = metrics::curve(&log, name, HALF_BRIDGES);
        let (backward, forward) = curve.into_iter().partition(|(number, _)| number % 2.0 == 1.0);
        Block::Plot(Plot {
            caption: caption.into(),
            x_label: "half-bridge".into(),
            y_label: y_label.into(),
            series: vec![line("backward", backward), line("forward", forward)],
            ..Plot::default()
        })
    };
    Some(Section {
        title: "Half-bridges".into(),
        text: "The coupling's cost, by samples that every half-bridge carries, and how far they end from those of the \
               other side. When both level off, more half-bridges do nothing."
            .into(),
        blocks: vec![
            plot("Cost of the coupling", "½E|x − y|²", "coupling_cost"),
            plot("Distance at the end", "sliced W2", "sliced_w2"),
        ],
    })
}
