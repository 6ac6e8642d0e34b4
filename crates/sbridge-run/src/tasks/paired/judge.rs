//! How near restored samples are to the clean ones they belong to, and to the law of these.

use std::fmt;

use sbridge::eval::{psnr, ssim};
use sbridge::rng::Rng;
use sbridge::solver::Ddpm;
use sbridge::solver::paired::{PairBatch, Paths};
use sbridge::tensor::{Tensor, map_rows, per_row, to_vec, to_vec_f64};
use serde::{Deserialize, Serialize};

use super::learn::denoised;
use super::settings::{DIFFUSION, DIFFUSION_CALLS, REGRESSION};
use super::{Paired, PairedData};
use crate::data::image_shape;
use crate::error::Result;
use crate::quality::samples::Comparison;
use crate::quality::{Headline, JudgedBy, Judgement, RowKind};
use crate::task::Run;

/// Pairs judged, at most.
const MOST_JUDGED: usize = 2000;

/// Pairs of which several draws are made.
const DRAWN_AGAIN: usize = 100;

/// The row of what went in.
pub(super) const DEGRADED: &str = "degraded, as it is";

/// One way to restore.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RestoredRow {
    /// Name for people.
    pub name: String,
    /// What it stands for.
    pub kind: RowKind,
    /// Calls of the network for a draw.
    pub calls: Option<usize>,
    /// Peak signal-to-noise ratio and its standard error, in decibels; of vectors 20 log₁₀ of the standard deviation over the
    /// error.
    pub psnr: Option<(f64, f64)>,
    /// Structural similarity, of images.
    pub ssim: Option<f64>,
    /// Fréchet distance to other clean samples, and its standard error if that is known.
    pub frechet: (f64, Option<f64>),
    /// Standard deviation of a value over draws, as a share of the range, or of the standard deviation.
    pub spread: Option<f64>,
}

/// The evaluation of a bridge between pairs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PairedEvaluation {
    /// What goes in, in a few words.
    pub task: String,
    /// Pairs judged.
    pub count: usize,
    /// Which they are.
    pub judged_by: JudgedBy,
    /// The bridge, what stands beside it, the floor.
    pub rows: Vec<RestoredRow>,
    /// What is not as it should be, in words.
    pub remarks: Vec<String>,
}

impl Judgement for PairedEvaluation {
    fn headline(&self) -> Option<Headline> {
        self.rows.first().and_then(|row| Some(("PSNR", row.psnr?.0)))
    }

    fn remarks(&self) -> &[String] {
        &self.remarks
    }
}

/// What restored samples are judged beside.
struct Bench<'a> {
    run: &'a Run<Paired>,
    pairs: PairBatch,
    image: Option<[usize; 3]>,
    comparison: Comparison,
}

/// Judges what `run` makes of the degraded samples that were held out.
///
/// # Errors
/// [`RunError`](crate::RunError) for numerics that went bad.
pub(super) fn judge(run: &Run<Paired>, data: &PairedData) -> Result<PairedEvaluation> {
    let rng = run.rng("evaluation");
    let pairs = data.judges.first(MOST_JUDGED, &mut rng.fork("degraded"));
    let clean = run.learned.scaling.undo(pairs.clean.clone());
    let (seen, places) = &data.seen;
    let labels: Option<Vec<u32>> =
        data.clean.labels().map(|all| places.iter().map(|&row| all[row]).collect());
    let scaling = crate::data::scaling(&data.clean, seen, crate::settings::Encoder::Trained, &run.device);
    let comparison = Comparison::new(
        (seen, labels.as_deref()),
        (run.shape(), &scaling),
        (clean.dims()[0], &clean),
        &rng,
        &run.context,
    )?;
    let bench = Bench { run, pairs, image: image_shape(data.clean.shape()), comparison };
    let settings = &run.settings;
    let mut rows = vec![bench.bridge(settings.sampler.nfe, &rng)?];
    for calls in settings.output.calls.iter().filter(|calls| **calls != settings.sampler.nfe) {
        rows.push(bench.bridge(*calls, &rng)?);
    }
    rows.extend(bench.regression(&rng)?);
    rows.extend(bench.diffusion(&rng)?);
    if !data.differ_in_shape() {
        rows.push(bench.row(DEGRADED, RowKind::Baseline, None, &bench.pairs.degraded)?);
    }
    rows.extend(bench.codes()?);
    rows.push(bench.floor(seen)?);
    let task = match settings.degradation() {
        Some(degradation) => format!("{} undone on {}", degradation.name(), data.clean.source()),
        None => format!("{} from {}", data.clean.source(), settings.degraded.source),
    };
    let judged_by = JudgedBy::of(data.are_held_out);
    let remarks = remarks(&rows);
    Ok(PairedEvaluation { task, count: bench.pairs.clean.dims()[0], judged_by, rows, remarks })
}

impl Bench<'_> {
    fn bridge(&self, calls: usize, rng: &Rng) -> Result<RestoredRow> {
        let (learned, paths) = (&self.run.learned, self.run.settings.bridge.paths);
        let net = (&learned.networks.bridge, paths);
        let ends = (&self.pairs.degraded, self.pairs.unknown.as_ref());
        let restored = learned.restored(net, ends, calls, &mut rng.fork(&format!("{calls} calls")))?;
        let row = self.row("bridge", RowKind::Model, Some(calls), &restored)?;
        Ok(RestoredRow { spread: Some(self.spread(calls, rng)?), ..row })
    }

    /// Standard deviation over draws from the same degraded samples: the root of the mean variance.
    fn spread(&self, calls: usize, rng: &Rng) -> Result<f64> {
        let (learned, draws) = (&self.run.learned, self.run.settings.output.draws);
        let count = DRAWN_AGAIN.min(self.pairs.degraded.dims()[0]);
        let few = |rows: &Tensor<2>| rows.clone().narrow(0, 0, count).repeat_dim(0, draws);
        let (degraded, unknown) = (few(&self.pairs.degraded), self.pairs.unknown.as_ref().map(few));
        let net = (&learned.networks.bridge, self.run.settings.bridge.paths);
        let ends = (&degraded, unknown.as_ref());
        let restored = learned.restored(net, ends, calls, &mut rng.fork(&format!("{calls} calls again")))?;
        let size = restored.dims()[1];
        let variances = restored.reshape([draws, count * size]).var(0);
        Ok(to_vec_f64(variances.mean())[0].sqrt() / self.range())
    }

    fn regression(&self, rng: &Rng) -> Result<Option<RestoredRow>> {
        let learned = &self.run.learned;
        let Some(net) = &learned.networks.regression else { return Ok(None) };
        let ends = (&self.pairs.degraded, self.pairs.unknown.as_ref());
        let restored = learned.restored((net, Paths::Ode), ends, 1, &mut rng.fork(REGRESSION))?;
        self.row(REGRESSION, RowKind::Baseline, Some(1), &restored).map(Some)
    }

    fn diffusion(&self, rng: &Rng) -> Result<Option<RestoredRow>> {
        let Some(net) = &self.run.learned.networks.diffusion else { return Ok(None) };
        let (degraded, dim) = (&self.pairs.degraded, self.pairs.degraded.dims()[1]);
        let call = |step: Tensor<1>, x: Tensor<2>| {
            let step = step.narrow(0, 0, 1).into_scalar::<f32>();
            map_rows(&Tensor::cat(vec![x, degraded.clone()], 1), |rows| {
                let (x, degraded) = (rows.clone().narrow(1, 0, dim), rows.narrow(1, dim, dim));
                denoised(net, per_row(f64::from(step), &x), x, &degraded)
            })
        };
        let mut rng = rng.fork(DIFFUSION);
        let start = rng.normal_like(degraded);
        let restored = Ddpm::cosine(DIFFUSION_CALLS)?.sample(call, start, None, &mut rng);
        let restored = match &self.pairs.unknown {
            None => restored,
            Some(unknown) => degraded.clone().mask_where(unknown.clone().greater_scalar(0.5), restored),
        };
        self.row(DIFFUSION, RowKind::Baseline, Some(DIFFUSION_CALLS), &restored).map(Some)
    }

    /// What encoder and decoder leave of the clean samples: no bridge between codes comes nearer.
    fn codes(&self) -> Result<Option<RestoredRow>> {
        let Some(coding) = &self.run.learned.coding else { return Ok(None) };
        let back = coding.to_clean(&coding.of_clean(&self.pairs.clean));
        self.row("clean, as its code", RowKind::Floor, None, &back).map(Some)
    }

    /// Clean samples that were trained on, beside those that judge.
    fn floor(&self, seen: &Tensor<2>) -> Result<RestoredRow> {
        let found = self.comparison.row_of_seen("", RowKind::Floor, seen)?.quality;
        Ok(RestoredRow {
            name: "other clean samples".into(),
            kind: RowKind::Floor,
            calls: None,
            psnr: None,
            ssim: None,
            frechet: (found.frechet, found.frechet_error),
            spread: None,
        })
    }

    /// The row of `restored`, `[count, size]` in units of the networks.
    fn row(
        &self,
        name: &str,
        kind: RowKind,
        calls: Option<usize>,
        restored: &Tensor<2>,
    ) -> Result<RestoredRow> {
        let outward = self.run.learned.scaling.undo(restored.clone());
        let quality = self.comparison.row("", kind, &outward)?.quality;
        let size = restored.dims()[1];
        let [restored, clean] = [restored.clone(), self.pairs.clean.clone()].map(to_vec);
        let pairs = || restored.chunks_exact(size).zip(clean.chunks_exact(size));
        let ratios: Vec<f64> =
            pairs().map(|(x, y)| psnr(x, y, self.range())).filter(|x| x.is_finite()).collect();
        let similarity = |shape: [usize; 3]| -> Result<f64> {
            let all = pairs().map(|(x, y)| ssim(x, y, shape, self.range()));
            Ok(all.sum::<sbridge::Result<f64>>()? / (clean.len() / size) as f64)
        };
        Ok(RestoredRow {
            name: name.into(),
            kind,
            calls,
            psnr: mean_and_error(&ratios),
            ssim: self.image.map(similarity).transpose()?,
            frechet: (quality.frechet, quality.frechet_error),
            spread: None,
        })
    }

    /// Range of images in units of the networks; a standard deviation of vectors.
    fn range(&self) -> f64 {
        if self.image.is_some() { 2.0 } else { 1.0 }
    }
}

fn mean_and_error(values: &[f64]) -> Option<(f64, f64)> {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let var = values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (count - 1.0);
    (values.len() > 1).then(|| (mean, (var / count).sqrt()))
}

/// What is not as it should be.
fn remarks(rows: &[RestoredRow]) -> Vec<String> {
    let of = |name: &str| rows.iter().find(|row| row.name == name);
    let (Some(bridge), Some(degraded)) = (rows.first(), of(DEGRADED)) else { return Vec::new() };
    let mut remarks = Vec::new();
    if let (Some((here, error)), Some((there, _))) = (bridge.psnr, degraded.psnr)
        && here < there - 4.0 * error
        && bridge.frechet.0 > degraded.frechet.0
    {
        remarks.push(
            "restored samples are further from the clean ones than degraded ones are, in PSNR and in law (train longer: \
             bridge.fit.steps)"
                .into(),
        );
    }
    if let Some(regression) = of(REGRESSION)
        && let (Some((here, error)), Some((there, _))) = (bridge.psnr, regression.psnr)
        && there > here + 4.0 * error
        && regression.frechet.0 < bridge.frechet.0
    {
        remarks.push(
            "the regression is nearer in PSNR and in law: these samples have one answer, and need no bridge"
                .into(),
        );
    }
    remarks
}

/// The columns of the table.
pub(super) const COLUMNS: [&str; 6] = ["calls", "PSNR", "±", "SSIM", "Fréchet", "spread"];

impl RestoredRow {
    /// The cells of the table.
    pub(super) fn cells(&self) -> [String; 6] {
        let number =
            |value: Option<f64>, digits: usize| value.map_or("–".into(), |x| format!("{x:.digits$}"));
        let frechet = match self.frechet {
            (value, Some(error)) => format!("{value:.2} ± {error:.2}"),
            (value, None) => format!("{value:.3}"),
        };
        [
            self.calls.map_or("–".into(), |calls| calls.to_string()),
            number(self.psnr.map(|(psnr, _)| psnr), 2),
            number(self.psnr.map(|(_, error)| error), 2),
            number(self.ssim, 3),
            frechet,
            number(self.spread, 3),
        ]
    }
}

impl fmt::Display for PairedEvaluation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}; {} {} pairs", self.task, self.count, self.judged_by)?;
        writeln!(f)?;
        let line = |f: &mut fmt::Formatter<'_>, name: &str, cells: &[String; 6]| {
            let [calls, psnr, error, ssim, frechet, spread] = cells;
            writeln!(f, "{name:20} {calls:>6} {psnr:>8} {error:>6} {ssim:>7} {frechet:>16} {spread:>8}")
        };
        line(f, "", &COLUMNS.map(String::from))?;
        self.rows.iter().try_for_each(|row| line(f, &row.name, &row.cells()))?;
        self.remarks.iter().try_for_each(|remark| write!(f, "\nnote: {remark}"))
    }
}
