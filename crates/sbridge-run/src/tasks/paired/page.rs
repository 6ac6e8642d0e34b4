//! The report of a bridge between pairs.

use sbridge::tensor::{Tensor, to_vec};
use sbridge_report::{Block, Picture, Plot, Row, Section, Series, SeriesStyle, Table};

use super::judge::{COLUMNS, DEGRADED};
use super::{Paired, PairedData, PairedEvaluation};
use crate::error::{Result, RunError};
use crate::samples::unit_range;
use crate::task::{Page, Run};

/// Pairs shown, and draws of each.
const SHOWN: usize = 12;
const DRAWS: usize = 3;

/// Vectors shown.
const SCATTER: usize = 600;

/// What the report says.
///
/// # Errors
/// [`RunError`] if something cannot be drawn.
pub(super) fn page(run: &Run<Paired>, data: &PairedData, found: &PairedEvaluation) -> Result<Page> {
    let samples = if run.shape().is_image() { strips(run, data)? } else { scatter(run, data)? };
    Ok(Page {
        title: format!("Restored: {}", found.task),
        summary: summary(found),
        facts: vec![
            ("calls for a draw".into(), run.settings.sampler.nfe.to_string()),
            ("S, variance from end to end".into(), format!("{:.4}", run.learned.schedule.whole())),
        ],
        sections: vec![samples, table(found)],
    })
}

fn summary(found: &PairedEvaluation) -> String {
    let said = |row: &super::RestoredRow| {
        let [_, psnr, _, _, frechet, _] = row.cells();
        format!("{}: PSNR {psnr}, Fréchet distance {frechet}", row.name)
    };
    let [first, .., floor] = &found.rows[..] else { return String::new() };
    let degraded = found.rows.iter().find(|row| row.name == DEGRADED).map(said);
    let degraded = degraded.map_or(String::new(), |said| format!(" {said};"));
    format!("{};{degraded} {}: {}.", said(first), floor.name, floor.cells()[4])
}

fn table(found: &PairedEvaluation) -> Section {
    let row = |row: &super::RestoredRow| Row {
        label: row.name.clone(),
        cells: row.cells().to_vec(),
        emphasis: row.kind.into(),
    };
    let table = Table {
        caption: format!("{} {} pairs", found.count, found.judged_by),
        columns: COLUMNS.map(String::from).to_vec(),
        rows: found.rows.iter().map(row).collect(),
        note: String::new(),
    };
    let text = "PSNR in decibels is highest for the mean of what the clean sample may be, which is no likely sample: the \
                Fréchet distance to other clean samples sees that. Spread is the standard deviation over draws, as a share of \
                the range; of vectors, of a standard deviation.";
    Section { title: "Quality".into(), text: text.into(), blocks: vec![Block::Table(table)] }
}

/// Degraded, several draws, clean: top to bottom.
fn strips(run: &Run<Paired>, data: &PairedData) -> Result<Section> {
    let (learned, mut rng) = (&run.learned, run.rng("pictures"));
    let pairs = data.judges.first(SHOWN, &mut rng);
    let (net, ends) =
        ((&learned.networks.bridge, run.settings.bridge.paths), (&pairs.degraded, pairs.unknown.as_ref()));
    let mut lines = Vec::new();
    let mut caption = format!("{DRAWS} draws, clean (bottom)");
    if !data.differ_in_shape() {
        lines.push(pairs.degraded.clone());
        caption = format!("Degraded (top), {caption}");
    }
    for _ in 0..DRAWS {
        lines.push(learned.restored(net, ends, run.settings.sampler.nfe, &mut rng)?);
    }
    lines.push(pairs.clean.clone());
    let values = unit_range(&to_vec(Tensor::cat(lines, 0)), (-1.0, 1.0));
    let file = run.file("restored.png");
    sbridge_data::write_png_grid(&file, &values, run.shape(), pairs.clean.dims()[0], 2)?;
    let png = std::fs::read(&file).map_err(|e| RunError::disk("read", &file, e))?;
    let picture = Block::Picture(Picture { alt: caption.clone(), caption, png });
    Ok(Section { title: "Restored".into(), text: String::new(), blocks: vec![picture] })
}

/// The first two columns of degraded, restored and clean vectors.
fn scatter(run: &Run<Paired>, data: &PairedData) -> Result<Section> {
    let (learned, mut rng) = (&run.learned, run.rng("pictures"));
    let pairs = data.judges.first(SCATTER, &mut rng);
    let net = (&learned.networks.bridge, run.settings.bridge.paths);
    let restored = learned.restored(net, (&pairs.degraded, None), run.settings.sampler.nfe, &mut rng)?;
    let series = |name: &str, rows: &Tensor<2>| {
        let size = rows.dims()[1];
        let values = to_vec(learned.scaling.undo(rows.clone()));
        let point = |row: &[f32]| (f64::from(row[0]), f64::from(row[usize::from(size > 1)]));
        Series {
            name: name.into(),
            style: SeriesStyle::Points,
            points: values.chunks_exact(size).map(point).collect(),
        }
    };
    let plot = Plot {
        caption: "First two columns".into(),
        x_label: "column 0".into(),
        y_label: "column 1".into(),
        series: match data.differ_in_shape() {
            true => vec![series("clean", &pairs.clean), series("restored", &restored)],
            false => vec![
                series("degraded", &pairs.degraded),
                series("clean", &pairs.clean),
                series("restored", &restored),
            ],
        },
        ..Plot::default()
    };
    Ok(Section { title: "Restored".into(), text: String::new(), blocks: vec![Block::Plot(plot)] })
}
