//! How good the samples of a latent run are, beside floors and baselines, and where their error comes from.

use sbridge::eval::decompose;
use sbridge::marginal::{Convolved, Empirical, Gaussian, Marginal as _};
use sbridge::rng::Rng;
use sbridge::tensor::{Tensor, head, points, select_rows};
use sbridge_data::Dataset;

use super::page::write_neighbours;
use super::{Latent, LatentData};
use crate::data::{self, Split, require_same_shape};
use crate::error::{Result, RunError};
use crate::quality::RowKind;
use crate::quality::samples::{Comparison, Evaluation, MIN_REFERENCE, Row};
use crate::task::Run;

/// Judges the samples of `run` by `reference`, or by the samples that were set aside.
///
/// # Errors
/// [`RunError`] if there are none, they do not fit, or numerics went bad.
pub(super) fn judge(run: &Run<Latent>, data: &LatentData, reference: Option<&Dataset>) -> Result<Evaluation> {
    let samples = sbridge_data::load(&run.file("samples.npy").to_string_lossy())?;
    reference.map_or(Ok(()), |reference| require_same_shape(&samples, reference))?;
    let split = Split::new(&data.target, run.settings.output.held_out, &run.rng("target"), &run.device);
    let (rows, name) = match reference {
        Some(reference) => (data::rows(reference, &run.device), reference.source()),
        None => (set_aside(&split)?, "samples set aside"),
    };
    let labels: Option<Vec<u32>> =
        data.target.labels().map(|all| split.train_rows.iter().map(|&i| all[i]).collect());
    let generated = data::rows(&samples, &run.device);
    drop(samples);
    let rng = run.rng("evaluation");
    let comparison = Comparison::new(
        (&split.train, labels.as_deref()),
        (run.shape(), &run.learned.model.codec.scaling),
        (generated.dims()[0], &rows),
        &rng,
        &run.context,
    )?;
    let Table { rows: table, excess_share } =
        table(run, &comparison, (&generated, &rows, &split.train), &mut rng.fork("baselines"))?;
    write_neighbours(run, &generated, &split.train)?;
    let pretrain = data.pretrain.as_ref().map(|data| data::rows(data, &run.device));
    let (model, sampler) = (&run.learned.model, &run.settings.sampler);
    let terms = decompose(model, sampler, &rows, pretrain.as_ref(), &rng.fork("decomposition"))?;
    let evaluation = comparison.evaluation(name, table);
    Ok(Evaluation { excess_share: Some(excess_share), decomposition: Some(terms), ..evaluation })
}

/// What candidates were found to be.
struct Table {
    rows: Vec<Row>,
    /// The Fréchet distance of the model as a share of that of Gaussian codes, each beyond what encoding alone costs.
    excess_share: f64,
}

/// The model beside floors and baselines, one candidate at a time, so that only one is held in memory.
fn table(
    run: &Run<Latent>,
    comparison: &Comparison,
    (generated, reference, train): (&Tensor<2>, &Tensor<2>, &Tensor<2>),
    rng: &mut Rng,
) -> Result<Table> {
    let (model, count) = (&run.learned.model, comparison.count());
    let moments = sbridge_ot::Gaussian::fit(&points(&model.codes)?)?;
    let gaussian = Gaussian::new(&moments, model.codes.dtype(), &model.codes.device())?;
    let v_end = run.settings.sampler.v_min(model.epsilon)?;
    let memorising = Convolved::new(Empirical::new(model.codes.clone()), v_end);
    let seen = train.dims()[0];
    let real = select_rows(train, &rng.permutation(seen)[..count.min(seen)]);
    let restored = |rows: &Tensor<2>| model.codec.decode(&model.codec.encode(rows));
    let row = |label, kind, candidate: &Tensor<2>| comparison.row(label, kind, candidate);
    let generated = row("model", RowKind::Model, generated)?;
    let real = row("training data", RowKind::Floor, &real)?;
    let restored = row("decode(encode(reference))", RowKind::Floor, &restored(&head(reference, count)))?;
    let decoded =
        |label, codes: Tensor<2>| comparison.row(label, RowKind::Baseline, &model.codec.decode(&codes));
    let gaussian = decoded("Gaussian codes, decoded", gaussian.sample(count, rng))?;
    let memorised = decoded("memorising sampler", memorising.sample(count, rng))?;
    let excess = |row: &Row| row.quality.frechet - restored.quality.frechet;
    let excess_share = excess(&generated) / excess(&gaussian);
    Ok(Table { rows: vec![generated, real, restored, gaussian, memorised], excess_share })
}

/// The samples a run set aside, if they are enough to judge by.
fn set_aside(split: &Split) -> Result<Tensor<2>> {
    let count = split.held_out.as_ref().map_or(0, |rows| rows.dims()[0]);
    match &split.held_out {
        Some(rows) if count >= MIN_REFERENCE => Ok(rows.clone()),
        _ => Err(RunError::Input(format!(
            "only {count} samples were set aside, {MIN_REFERENCE} are needed to evaluate \
             (give --reference DATA)"
        ))),
    }
}
