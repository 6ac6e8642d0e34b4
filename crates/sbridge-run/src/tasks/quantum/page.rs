//! The report of a bridge between quantum states.

use sbridge::quantum::{Partition, States, entropies, negativities, purities};
use sbridge_report::{Block, Emphasis, Plot, Row, Section, Series, SeriesStyle, Table, digits};

use super::judge::{COLUMNS, Side, StateEnd};
use super::{BRIDGE, DUAL_COST, Quantum, QuantumData, QuantumEvaluation};
use crate::error::Result;
use crate::folder::metrics;
use crate::models::bridge::Leg;
use crate::task::{Carry, Evolve as _, Page, Route, Run};

/// States whose histograms are drawn.
const SHOWN: usize = 2000;

/// Bins of a histogram.
const BINS: usize = 40;

/// What the report says.
///
/// # Errors
/// [`RunError`](crate::RunError) if something cannot be drawn.
pub(super) fn page<L: Leg + Carry>(
    run: &Run<Quantum<L>>,
    data: &QuantumData,
    found: &QuantumEvaluation,
) -> Result<Page> {
    let mut sections: Vec<Section> = found.ends.iter().map(|end| end_section(end, found)).collect();
    sections.push(validity_section(found));
    sections.push(histograms_section(run, data, found)?);
    sections.extend(way_section(found));
    sections.push(training_section(run));
    let title = match &data.source {
        None => format!("Quantum states like {}", data.target.record.source),
        Some(source) => format!("Bridge from {} to {}", source.record.source, data.target.record.source),
    };
    let cut = found.partition.as_ref().map_or("none".into(), |qubits| format!("{qubits:?}"));
    let kind = run.settings.codec(false);
    Ok(Page {
        title,
        summary: format!("{}. {}{}.", found.validity(), DUAL_COST[..1].to_uppercase(), &DUAL_COST[1..]),
        facts: vec![
            ("rows of a matrix".into(), found.dim.to_string()),
            ("cut of the negativity".into(), cut),
            ("coordinates, gauge".into(), format!("{:?}, {:?}", kind.coordinates, kind.gauge).to_lowercase()),
            ("depolarised by".into(), digits(run.settings.depolarise)),
            ("scale of the dual space".into(), digits(run.learned.joined.codec.units().1)),
        ],
        sections,
    })
}

fn end_section(end: &StateEnd, found: &QuantumEvaluation) -> Section {
    let row = |row: &super::StateRow| Row {
        label: row.name.clone(),
        cells: row.cells().to_vec(),
        emphasis: Emphasis::from(row.kind),
    };
    let novelty = |row: &super::StateRow| Some(format!("{} {:.2}", row.name, row.novelty?));
    let novelty: Vec<String> = end.rows.iter().filter_map(novelty).collect();
    let [purity, entropy, negativity] = end.judges.map(|mean| mean.map_or("–".into(), digits));
    Section {
        title: format!("What is {}", if end.name == "generated" { "generated" } else { "carried" }),
        text: format!(
            "Beside {} {} states, whose mean purity is {purity}, entropy {entropy} nats and negativity {negativity}. λ < 0 is the \
             share with an eigenvalue below −1e-12. Sliced W2 and energy are distances between matrices as vectors of {} real \
             numbers; trace distance is the mean over the best matching of some; fidelity and Bures distance are those of the \
             mean states. Two samples of the data are as far apart as chance alone makes them.",
            end.compared,
            found.judged_by,
            2 * found.dim * found.dim
        ),
        blocks: vec![Block::Table(Table {
            caption: end.name.clone(),
            columns: COLUMNS.map(String::from).to_vec(),
            rows: end.rows.iter().map(row).collect(),
            note: format!(
                "Distance to the nearest training state over that of the states that judge (0 is copied): {}.",
                novelty.join(", ")
            ),
        })],
    }
}

fn validity_section(found: &QuantumEvaluation) -> Section {
    let rows = found.ends.iter().flat_map(|end| end.rows.iter().map(move |row| (end, row)));
    let row = |(end, row): (&StateEnd, &super::StateRow)| Row {
        label: format!("{}: {}", end.name, row.name),
        cells: vec![
            format!("{} of {}", row.valid, row.count),
            row.negative.to_string(),
            digits(row.least_eigenvalue),
            digits(row.trace_error),
            digits(row.hermitian_error),
        ],
        emphasis: Emphasis::from(row.kind),
    };
    let columns = ["states", "eigenvalue < −1e-12", "least eigenvalue", "|Tr X − 1|", "|X − X†|"];
    Section {
        title: "Are they states?".into(),
        text: "A state is Hermitian to the last bit, has trace 1 to two units of the last place, and no eigenvalue below 0, in \
               double precision."
            .into(),
        blocks: vec![Block::Table(Table {
            caption: "Matrices that are states".into(),
            columns: columns.map(String::from).to_vec(),
            rows: rows.map(row).collect(),
            note: String::new(),
        })],
    }
}

/// Histograms of what is made beside those of the states that judge.
fn histograms_section<L: Leg + Carry>(
    run: &Run<Quantum<L>>,
    data: &QuantumData,
    found: &QuantumEvaluation,
) -> Result<Section> {
    let judges = Side::of(&data.target, &data.target_parts).judges;
    let made = match data.source.as_ref().zip(data.source_parts.as_ref()) {
        None => Quantum::draw_states(run, judges.count().min(SHOWN), run.seed())?,
        Some((source, parts)) => {
            let start = Side::of(source, parts).judges;
            run.learned.joined.carried(&start, &Route::default(), &mut run.rng("report"))?.ends
        }
    };
    let name = if data.source.is_none() { "generated" } else { "carried" };
    let sets = [("data", &judges), (name, &made)];
    let cut = found.partition.as_ref().map(|qubits| Partition::new(found.dim, qubits)).transpose()?;
    let of = |caption: &str, x_label: &str, of: &dyn Fn(&States) -> Result<Vec<f64>>| {
        let values =
            sets.iter().map(|(name, states)| Ok((*name, of(states)?))).collect::<Result<Vec<_>>>()?;
        Ok::<_, crate::RunError>(Block::Plot(histogram(caption, x_label, &values)))
    };
    let logs = |states: &States| Ok(states.eigenvalues().iter().map(|l| l.log10()).collect());
    let mut blocks = vec![
        of("Eigenvalues", "log₁₀ of an eigenvalue", &logs)?,
        of("Purity", "Tr X²", &|states| Ok(purities(states)))?,
        of("Entropy", "−Tr X log X", &|states| Ok(entropies(states)))?,
    ];
    if let Some(cut) = cut {
        blocks.push(of("Negativity", "negativity", &|states| Ok(negativities(states, cut)?))?);
    }
    let first = |states: &States| Ok(states.matrices().map(|matrix| matrix[0].re).collect());
    blocks.push(of("The first entry", "x₁₁", &first)?);
    let text = "Shares per bin of what is made, beside those of the states that judge.";
    Ok(Section { title: "Histograms".into(), text: text.into(), blocks })
}

/// Shares of values in equal bins.
fn histogram(caption: &str, x_label: &str, sets: &[(&str, Vec<f64>)]) -> Plot {
    let all = || sets.iter().flat_map(|(_, values)| values).copied().filter(|x| x.is_finite());
    let (low, high) = (all().fold(f64::INFINITY, f64::min), all().fold(f64::NEG_INFINITY, f64::max));
    let width = ((high - low) / BINS as f64).max(f64::MIN_POSITIVE);
    let series = |(name, values): &(&str, Vec<f64>)| {
        let mut counts = [0.0; BINS];
        for x in values.iter().filter(|x| x.is_finite()) {
            counts[(((x - low) / width) as usize).min(BINS - 1)] += 1.0 / values.len() as f64;
        }
        let points = counts.iter().enumerate().map(|(bin, share)| (low + (bin as f64 + 0.5) * width, *share));
        let style = if *name == "data" { SeriesStyle::Dashed } else { SeriesStyle::Line };
        Series { name: (*name).into(), style, points: points.collect() }
    };
    Plot {
        caption: caption.into(),
        x_label: x_label.into(),
        y_label: "share".into(),
        series: sets.iter().map(series).collect(),
        ..Plot::default()
    }
}

/// Means on the way between two ensembles.
fn way_section(found: &QuantumEvaluation) -> Option<Section> {
    let way = &found.on_the_way;
    let line = |name: &str, value: &dyn Fn(&super::judge::OnTheWay) -> Option<f64>| Series {
        name: name.into(),
        style: SeriesStyle::Line,
        points: way.iter().filter_map(|at| Some((at.time, value(at)?))).collect(),
    };
    let plot = |caption: &str, series: Vec<Series>| {
        Block::Plot(Plot {
            caption: caption.into(),
            x_label: "t".into(),
            y_label: caption.to_lowercase(),
            series,
            ..Plot::default()
        })
    };
    let valid: usize = way.iter().map(|at| at.valid).sum();
    let count: usize = way.iter().map(|at| at.count).sum();
    let mut blocks = vec![
        plot("Purity", vec![line("purity", &|at| Some(at.purity))]),
        plot("Entropy", vec![line("entropy", &|at| Some(at.entropy))]),
    ];
    if way.iter().any(|at| at.negativity.is_some()) {
        blocks.push(plot("Negativity", vec![line("negativity", &|at| at.negativity)]));
    }
    let cost = found.dual_cost.map_or("–".into(), digits);
    (!way.is_empty()).then(|| Section {
        title: "On the way".into(),
        text: format!(
            "Means over paths from the source. Of {count} states on the way {valid} are states. The paths cost ½E|y₁ − y₀|² = \
             {cost}: {DUAL_COST}."
        ),
        blocks,
    })
}

/// Losses of the bridge between codes, whose run is a folder of this one.
fn training_section<L: Leg + Carry>(run: &Run<Quantum<L>>) -> Section {
    let log = run.learned.joined.leg.folder.read("metrics.jsonl").unwrap_or_default();
    let mut series: Vec<Series> = Vec::new();
    for number in 1..=32 {
        for way in ["backward", "forward"] {
            let name = format!("{way}-{number}");
            let points = metrics::curve(&log, "loss", &name);
            if !points.is_empty() {
                series.push(Series { name, style: SeriesStyle::Line, points });
            }
        }
    }
    let text =
        format!("The bridge joins standardised duals and is a run of its own, in the folder {BRIDGE}.");
    let plot = Plot {
        caption: "Loss of each half-bridge".into(),
        x_label: "step".into(),
        y_label: "loss".into(),
        series,
        ..Plot::default()
    };
    let blocks = if plot.series.is_empty() { Vec::new() } else { vec![Block::Plot(plot)] };
    Section { title: "Learning".into(), text, blocks }
}
