//! The report of a latent run: what it says of samples, their quality, the error and the paths.

use std::fs;

use sbridge::eval::Decomposition;
use sbridge::latent::start_law;
use sbridge::tensor::{Tensor, points, select_rows, to_vec, to_vec_f64};
use sbridge_data::Dataset;
use sbridge_report::{Block, Emphasis, Picture, Plane, Plot, Row, Section, Series, SeriesStyle, Table};

use super::{Latent, LatentData};
use crate::data::random_rows;
use crate::error::Result;
use crate::quality::samples::{Evaluation, show_frechet, show_ratio};
use crate::samples::unit_range;
use crate::task::{Page, Run};

/// Samples in the strip of nearest neighbours.
const STRIP: usize = 12;

/// Latent paths drawn.
const PATHS: usize = 40;

/// Codes drawn behind the paths, and samples drawn in scatter plots.
const SCATTER: usize = 1000;

/// What the report says.
///
/// # Errors
/// [`RunError`](crate::RunError) if the samples of the run are gone.
pub(super) fn page(run: &Run<Latent>, data: &LatentData, evaluation: &Evaluation) -> Result<Page> {
    let mut sections = vec![samples_section(run, data)?, quality_section(evaluation)];
    sections.extend(evaluation.decomposition.as_ref().map(error_section));
    sections.push(paths_section(run)?);
    Ok(Page {
        title: format!("Latent Schrödinger bridge to {}", run.manifest.target.source),
        summary: summary(evaluation),
        facts: facts(run),
        sections,
    })
}

fn summary(evaluation: &Evaluation) -> String {
    let model = &evaluation.rows[0].quality;
    let copying = match model.neighbour_ratio {
        None => "The reference repeats training samples, so copying cannot be told from novelty.",
        Some(ratio) if ratio < COPYING => {
            "Samples lie closer to the training data than unseen data do: the score may have memorised it."
        }
        Some(_) => {
            "Samples keep the distance from the training data that unseen data keep: no sign of memorising."
        }
    };
    let share = evaluation.excess_share.map_or(String::new(), |share| {
        format!(" Of the Fréchet distance that Gaussian codes would add to the autoencoder's own, {:.1} % is left.", 100.0 * share)
    });
    format!("Precision {:.3}, recall {:.3}.{share} {copying}", model.precision, model.recall)
}

/// Ratio of nearest-neighbour distances below which samples look copied.
const COPYING: f64 = 0.8;

fn facts(run: &Run<Latent>) -> Vec<(String, String)> {
    let (model, sampler) = (&run.learned.model, &run.settings.sampler);
    let calls = sampler.denoiser(model.epsilon).map_or(0, |d| d.score_calls());
    vec![
        ("code dimension d*".into(), model.codes.dims()[1].to_string()),
        ("epsilon".into(), format!("{} (code variance 1 after normalisation)", model.epsilon)),
        ("v_end".into(), format!("{:.2e}", model.epsilon * sampler.one_minus_t)),
        (
            "sampling".into(),
            format!("{:?} start, {:?} grid, {calls} score calls a sample", sampler.start, sampler.grid),
        ),
        ("start error".into(), start_bound(run)),
    ]
}

/// KL(q_ε ‖ N(0, εI)) ≤ E‖Z‖²/2ε: what any Gaussian with the right moments stays below.
fn start_bound(run: &Run<Latent>) -> String {
    let squares = to_vec_f64(run.learned.model.codes.clone().powi_scalar(2).sum_dim(1).mean())[0];
    format!(
        "KL(q_ε ‖ N(0, εI)) at most {:.3}; less for the moment-matched start",
        squares / (2.0 * run.learned.model.epsilon)
    )
}

fn samples_section(run: &Run<Latent>, data: &LatentData) -> Result<Section> {
    let mut blocks = Vec::new();
    let picture = |name: &str, caption: &str| {
        let png = fs::read(run.file(name)).ok()?;
        Some(Block::Picture(Picture { caption: caption.into(), alt: caption.into(), png }))
    };
    blocks.extend(picture("samples.png", "Generated samples"));
    blocks.extend(picture(
        "neighbours.png",
        "Generated samples (top) and the nearest training sample of each (bottom)",
    ));
    if blocks.is_empty() {
        blocks.push(Block::Plot(scatter(run, &data.target)?));
    }
    Ok(Section { title: "Samples".into(), text: String::new(), blocks })
}

/// Generated and training vectors along the first two columns.
fn scatter(run: &Run<Latent>, target: &Dataset) -> Result<Plot> {
    let generated = sbridge_data::load(&run.file("samples.npy").to_string_lossy())?;
    let mut rng = run.rng("scatter");
    let mut series = |name: &str, data: &Dataset| {
        let second = usize::from(data.shape().size() > 1);
        let shown = random_rows(data, SCATTER, &mut rng).into_iter().map(|row| data.row(row));
        let points = shown.map(|row| (f64::from(row[0]), f64::from(row[second])));
        Series { name: name.into(), style: SeriesStyle::Points, points: points.collect() }
    };
    Ok(Plot {
        caption: "Generated and training samples, first two columns".into(),
        x_label: "column 0".into(),
        y_label: "column 1".into(),
        series: vec![series("training data", target), series("generated", &generated)],
        ..Plot::default()
    })
}

/// Writes `neighbours.png`: samples above their nearest training samples.
///
/// # Errors
/// [`RunError`](crate::RunError) if the disk refuses.
pub(super) fn write_neighbours(run: &Run<Latent>, samples: &Tensor<2>, train: &Tensor<2>) -> Result<()> {
    let Some(range) = run.learned.model.codec.scaling.range else { return Ok(()) };
    let shown = samples.clone().narrow(0, 0, STRIP.min(samples.dims()[0]));
    let nearest = select_rows(train, &nearest_rows(&shown, train)?);
    let columns = shown.dims()[0];
    let both = to_vec(Tensor::cat(vec![shown, nearest], 0));
    let values = unit_range(&both, range);
    Ok(sbridge_data::write_png_grid(run.file("neighbours.png"), &values, run.shape(), columns, 2)?)
}

/// The row of `train` nearest to each of `shown`, searched block by block to bound the memory.
fn nearest_rows(shown: &Tensor<2>, train: &Tensor<2>) -> Result<Vec<usize>> {
    let queries = points(shown)?;
    let mut best = vec![(f64::INFINITY, 0); queries.len()];
    let mut first = 0;
    for block in train.clone().split(SEARCHED, 0) {
        let found = sbridge_ot::nearest_neighbours(&queries, &points(&block)?, 1)?;
        for (best, (distance, index)) in best.iter_mut().zip(found.distances.iter().zip(&found.indices)) {
            if *distance < best.0 {
                *best = (*distance, first + index);
            }
        }
        first += block.dims()[0];
    }
    Ok(best.into_iter().map(|(_, row)| row).collect())
}

/// Training rows searched at once.
const SEARCHED: usize = 4000;

fn quality_section(evaluation: &Evaluation) -> Section {
    let rows = evaluation.rows.iter().map(|row| Row {
        label: row.label.clone(),
        cells: vec![
            show_frechet(&row.quality),
            format!("{:.3}", row.quality.precision),
            format!("{:.3}", row.quality.recall),
            format!("{:.4}", row.quality.sliced_w2),
            show_ratio(row.quality.neighbour_ratio),
        ],
        emphasis: row.kind.into(),
    });
    let columns = ["Fréchet distance", "precision", "recall", "sliced W2", "neighbour ratio"];
    let share = evaluation.excess_share.map_or(String::new(), |share| {
        format!(" (D_model − D_autoencoder)/(D_gauss − D_autoencoder) = {share:.4}.")
    });
    let table = Table {
        caption: format!("{} samples against {}", evaluation.count, evaluation.reference),
        columns: columns.map(String::from).to_vec(),
        rows: rows.collect(),
        note: format!(
            "In {}. Precision and recall with k = 5. Neighbour ratio: median distance to the nearest \
             training sample over that of the reference; below 1 means copying.{share}",
            evaluation.feature_space
        ),
    };
    Section {
        title: "Quality".into(),
        text: "The model beside what nothing can beat (rows in italics) and what it should beat.".into(),
        blocks: vec![Block::Table(table)],
    }
}

fn error_section(decomposition: &Decomposition) -> Section {
    let rows = decomposition.terms.iter().enumerate().map(|(i, term)| Row {
        label: term.name.to_string(),
        cells: vec![
            format!("{:.4}", term.value),
            term.floor.map_or("–".into(), |floor| format!("{floor:.4}")),
            term.meaning.clone(),
        ],
        emphasis: if i == 0 { Emphasis::Model } else { Emphasis::Baseline },
    });
    let table = Table {
        caption: "Terms of the error decomposition, in scaled data and normalised code units".into(),
        columns: ["value", "sampling floor", "meaning"].map(String::from).to_vec(),
        rows: rows.collect(),
        note: format!(
            "Exact W2 of {} points on each side. The floor is W2 between two samples of one law of \
             that size; L_D is estimated at the points compared, so the right-hand side is an estimate.",
            decomposition.matched
        ),
    };
    Section {
        title: "Where the error comes from".into(),
        text: "W2(D#π̃_T, p_data) ≤ L_D [W2(π̃_T, q_v) + W2(q_v, p)] + R(p_data), every term measured.".into(),
        blocks: vec![Block::Table(table)],
    }
}

/// Paths of the bridge along the two widest directions of the codes.
fn paths_section(run: &Run<Latent>) -> Result<Section> {
    let (model, sampler) = (&run.learned.model, &run.settings.sampler);
    let mut rng = run.rng("paths");
    let z0 = start_law(model, sampler.start, &mut rng)?.sample(PATHS, &mut rng);
    let plane = Plane::of(&points(&model.codes)?)?;
    let mut paths = plane.paths();
    sampler.denoiser(model.epsilon)?.run_observed(&model.predictor, z0, &mut rng, &mut |_, z| {
        paths.pass(&to_vec_f64(z.clone()));
    });
    let clean = to_vec_f64(model.codes.clone().narrow(0, 0, SCATTER.min(model.codes.dims()[0])));
    let mut series = vec![plane.dots("codes of the target", &clean)];
    series.extend(paths.lines());
    let plot = Plane::plot(&format!("{PATHS} paths of the bridge in latent space"), series);
    let text = "Paths start in the smoothed law and end in the law of the codes.".into();
    Ok(Section { title: "Latent paths".into(), text, blocks: vec![plot] })
}
