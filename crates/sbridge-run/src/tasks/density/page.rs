//! The report of a sampler of a density.

use sbridge::density::resampled;
use sbridge::solver::density::Draws;
use sbridge::tensor::to_vec_f64;
use sbridge_ot::Points;
use sbridge_report::{Block, Emphasis, Plane, Plot, Row, Scale, Section, Series, SeriesStyle, Table};

use super::baselines::{self, Kept};
use super::judge::COLUMNS;
use super::{Density, DensityEvaluation, picture};
use crate::densities::OpenDensity;
use crate::error::{Result, RunError};
use crate::folder::metrics;
use crate::task::{Page, Run};

/// Draws shown.
const SHOWN: usize = 2000;

/// Paths drawn.
const PATHS: usize = 40;

/// Coordinates whose marginals are drawn, at most, and the bins of each.
const MARGINALS: usize = 6;
const BINS: usize = 60;

/// What the report says.
///
/// # Errors
/// [`RunError`](crate::RunError) if something cannot be drawn.
pub(super) fn page(run: &Run<Density>, open: &OpenDensity, found: &DensityEvaluation) -> Result<Page> {
    let rng = run.rng("report");
    let draws = run.learned.draw(run.settings.sampler.steps, SHOWN, run, &rng.fork("draws"))?;
    let kept = baselines::load_all(&run.folder, &run.settings)?;
    let beside = Beside::of(open, &kept, &rng);
    let mut sections = vec![table_section(found), draws_section(run, open, &draws, beside.as_ref())?];
    sections.push(marginals_section(open, &draws, beside.as_ref(), &rng)?);
    sections.push(weights_section(found, &draws));
    sections.extend(training_section(run, found));
    Ok(Page {
        title: format!("Draws of {}", open.title),
        summary: found.trust.to_string(),
        facts: vec![
            ("loss".into(), run.settings.objective.loss.to_string()),
            ("dimensions".into(), found.dim.to_string()),
            ("target".into(), run.settings.target.source.clone()),
        ],
        sections,
    })
}

/// What draws are shown beside.
struct Beside {
    name: String,
    /// `[count, dim]`.
    states: Vec<f64>,
}

impl Beside {
    /// Exact draws; else those of the baseline of the largest effective sample size.
    fn of(open: &OpenDensity, kept: &[Kept], rng: &sbridge::Rng) -> Option<Self> {
        if let Some(states) = open.target.sample(SHOWN, &mut rng.fork("exact")) {
            return Some(Self { name: "exact draws".into(), states });
        }
        let share = |kept: &&Kept| kept.outcome.as_ref().map_or(-1.0, |outcome| outcome.ess);
        let best = kept.iter().max_by(|a, b| share(a).total_cmp(&share(b)))?;
        let dim = open.target.dim();
        let states = best.states[..best.states.len().min(SHOWN * dim)].to_vec();
        (!states.is_empty()).then(|| Self { name: best.name.clone(), states })
    }
}

fn table_section(found: &DensityEvaluation) -> Section {
    let row = |row: &super::Row| Row {
        label: row.name.clone(),
        cells: row.cells().to_vec(),
        emphasis: Emphasis::from(row.kind),
    };
    let known = found.reference.map_or(String::new(), |(log_z, error)| match error > 0.0 {
        true => format!(" ln Z is known to be {log_z:.4} ± {error}."),
        false => format!(" ln Z is {log_z:.4} exactly."),
    });
    let remarks =
        found.rows.iter().flat_map(|row| row.remarks.iter().map(|remark| format!("{}: {remark}.", row.name)));
    Section {
        title: "What was found".into(),
        text: format!(
            "{} fresh paths, of which {} have no weight.{known} ELBO and EUBO are bounds of ln Z from below and above; the effective \
             sample size (ESS) is a share of the draws, of the worst temperature for smc and of the worst coordinate for nuts. \
             Distance is the entropic transport distance to exact draws, with the cost |x − y|; scores are evaluations of \
             ∇ln ρ with those of training, seconds likewise.",
            found.paths, found.filtered
        ),
        blocks: vec![Block::Table(Table {
            caption: format!("{}, {} dimensions", found.target, found.dim),
            columns: COLUMNS.map(String::from).to_vec(),
            rows: found.rows.iter().map(row).collect(),
            note: remarks.collect::<Vec<_>>().join(" "),
        })],
    }
}

fn draws_section(
    run: &Run<Density>,
    open: &OpenDensity,
    draws: &Draws,
    beside: Option<&Beside>,
) -> Result<Section> {
    let dim = open.target.dim();
    let finite = finite_rows(&draws.states, dim);
    if finite.is_empty() {
        let count = draws.action.len();
        return Err(RunError::PathsDiverged { diverged: count, count });
    }
    let mut blocks = Vec::new();
    if dim == 2 {
        blocks.push(picture::with_draws(&run.file("density.png"), open.target.as_ref(), &finite)?);
    }
    let cloud = Points::new(beside.map_or(&finite, |beside| &beside.states).clone(), dim)?;
    let plane = Plane::of(&cloud)?;
    let mut clouds: Vec<Series> =
        beside.map(|beside| plane.dots(&beside.name, &beside.states)).into_iter().collect();
    clouds.push(plane.dots("draws", &finite));
    blocks.push(Plane::plot("Draws, as they come", clouds));
    blocks.push(Plane::plot("Paths from the start to the law", paths(run, &plane)?));
    Ok(Section { title: "Draws".into(), text: String::new(), blocks })
}

/// A few paths in `plane`.
fn paths(run: &Run<Density>, plane: &Plane) -> Result<Vec<Series>> {
    let mut rng = run.rng("report").fork("paths");
    let model = &run.learned.model;
    let states = run.learned.sampled(run.settings.sampler.steps, run, |sampler| {
        Ok(sampler.paths(&model.controls, PATHS, &mut rng)?.states)
    })?;
    let mut paths = plane.paths();
    for x in states {
        paths.pass(&model.coordinates.outward(&to_vec_f64(x)));
    }
    Ok(paths.lines().collect())
}

fn finite_rows(states: &[f64], dim: usize) -> Vec<f64> {
    states.chunks_exact(dim).filter(|row| row.iter().all(|x| x.is_finite())).flatten().copied().collect()
}

/// Histograms of the first coordinates on the scale of the model: draws by their weights, beside exact ones or a baseline's.
fn marginals_section(
    open: &OpenDensity,
    draws: &Draws,
    beside: Option<&Beside>,
    rng: &sbridge::Rng,
) -> Result<Section> {
    let (target, names) = (&open.target, open.target.output_names());
    let size = names.len();
    let logs: Vec<f64> = draws.action.iter().map(|action| -action).collect();
    let weighted = resampled(&draws.states, target.dim(), &logs, &mut rng.fork("resampled"));
    let mut clouds = vec![
        ("draws".to_owned(), SeriesStyle::Line, target.outputs(&finite_rows(&draws.states, target.dim()))?),
        (
            "draws, weighted".to_owned(),
            SeriesStyle::Line,
            target.outputs(&finite_rows(&weighted, target.dim()))?,
        ),
    ];
    if let Some(beside) = beside {
        clouds.push((beside.name.clone(), SeriesStyle::Dashed, target.outputs(&beside.states)?));
    }
    let plot = |k: usize| {
        let column = |rows: &[f64]| rows.iter().skip(k).step_by(size).copied().collect::<Vec<f64>>();
        let columns: Vec<Vec<f64>> = clouds.iter().map(|(_, _, rows)| column(rows)).collect();
        let range = range_of(&columns.concat());
        let series = clouds.iter().zip(&columns).map(|((name, style, _), values)| Series {
            name: name.clone(),
            style: *style,
            points: histogram(values, range),
        });
        Block::Plot(Plot {
            caption: names[k].clone(),
            x_label: names[k].clone(),
            y_label: "density".into(),
            series: series.collect(),
            ..Plot::default()
        })
    };
    let hidden = size.saturating_sub(MARGINALS);
    let note =
        if hidden > 0 { format!(" The first {MARGINALS} of {size} are shown.") } else { String::new() };
    Ok(Section {
        title: "Marginals".into(),
        text: format!("On the scale of the model.{note}"),
        blocks: (0..size.min(MARGINALS)).map(plot).collect(),
    })
}

/// All but the outermost hundredths, and a little more.
fn range_of(values: &[f64]) -> (f64, f64) {
    let mut sorted: Vec<f64> = values.iter().copied().filter(|x| x.is_finite()).collect();
    sorted.sort_by(f64::total_cmp);
    let Some(last) = sorted.len().checked_sub(1) else { return (0.0, 1.0) };
    let at = |share: f64| sorted[(last as f64 * share).round() as usize];
    let (low, high) = (at(0.002), at(0.998));
    let margin = 0.05 * (high - low).max(1e-12);
    (low - margin, high + margin)
}

/// Densities of the bins of `range`, at their middles.
fn histogram(values: &[f64], (low, high): (f64, f64)) -> Vec<(f64, f64)> {
    let width = (high - low) / BINS as f64;
    let mut counts = [0usize; BINS];
    for value in values.iter().filter(|value| (low..high).contains(*value)) {
        counts[(((value - low) / width) as usize).min(BINS - 1)] += 1;
    }
    let all = values.len().max(1) as f64;
    let point = |(k, count): (usize, usize)| (low + (k as f64 + 0.5) * width, count as f64 / (all * width));
    counts.into_iter().enumerate().map(point).collect()
}

fn weights_section(found: &DensityEvaluation, draws: &Draws) -> Section {
    let mut logs: Vec<f64> =
        draws.action.iter().map(|action| -action).filter(|log| log.is_finite()).collect();
    logs.sort_by(|a, b| b.total_cmp(a));
    let count = logs.len() as f64;
    let mean = sbridge::density::log_mean_weight(&logs);
    let points =
        logs.iter().enumerate().map(|(k, log)| ((k as f64 + 1.0) / count, (log - mean).exp())).collect();
    let tail = found.tail.map_or("Too few weights say nothing of their tail.".into(), |k| {
        format!("The tail of the weights has the shape k̂ = {k:.2}: below 0.7 means over weighted draws can be believed.")
    });
    Section {
        title: "Weights".into(),
        text: tail,
        blocks: vec![Block::Plot(Plot {
            caption: "Weights beside their mean, the largest first".into(),
            x_label: "share of the draws".into(),
            y_label: "weight/mean".into(),
            x_scale: Scale::Log,
            y_scale: Scale::Log,
            series: vec![Series { name: "weights".into(), style: SeriesStyle::Line, points }],
        })],
    }
}

/// What fresh paths said during training.
fn training_section(run: &Run<Density>, found: &DensityEvaluation) -> Option<Section> {
    let log = run.folder.read("metrics.jsonl").unwrap_or_default();
    let curve = |name: &str| metrics::curve(&log, name, "control");
    let line = |name: &str, points| Series { name: name.into(), style: SeriesStyle::Line, points };
    let (ess, log_z, elbo) = (curve("ess"), curve("log_z"), curve("elbo"));
    let ends = ess.first().zip(ess.last()).map(|(first, last)| [first.0, last.0])?;
    let mut bounds = vec![line("ln Z by weights", log_z), line("ELBO", elbo)];
    if let Some((known, _)) = found.reference {
        let points = ends.map(|step| (step, known)).to_vec();
        bounds.push(Series { name: "known".into(), style: SeriesStyle::Dashed, points });
    }
    let plot = |caption: &str, y_label: &str, series| {
        Block::Plot(Plot {
            caption: caption.into(),
            x_label: "step".into(),
            y_label: y_label.into(),
            series,
            ..Plot::default()
        })
    };
    Some(Section {
        title: "On the way".into(),
        text: "By a thousand fresh paths, forty times in training.".into(),
        blocks: vec![
            plot("Effective sample size", "share of the paths", vec![line("ESS", ess)]),
            plot("ln Z and its lower bound", "nats", bounds),
        ],
    })
}
