//! How good the samples of a latent run are, beside floors and baselines, and where their error comes from.

use sbridge::Codec as _;
use sbridge::eval::decompose;
use sbridge::marginal::{Convolved, Empirical, Gaussian, Marginal as _};
use sbridge::rng::Rng;
use sbridge::tensor::{Tensor, head, points, select_rows};
use sbridge_data::Dataset;

use super::page::write_neighbours;
use super::{Latent, LatentData};
use crate::data::{self, Split, random_rows, require_same_shape};
use crate::error::Result;
use crate::quality::RowKind;
use crate::quality::samples::{Comparison, Evaluation, MAX_COMPARED, Row};
use crate::task::Run;

/// Judges the samples of `run` by `reference`, or by the samples that were held out, or where there are none, by half of
/// those trained on.
///
/// # Errors
/// [`RunError`](crate::RunError) if they do not fit, or numerics went bad.
pub(super) fn judge(run: &Run<Latent>, data: &LatentData, reference: Option<&Dataset>) -> Result<Evaluation> {
    let samples = run.context.sources.set(&run.file("samples.npy").to_string_lossy())?;
    reference.map_or(Ok(()), |reference| require_same_shape(&samples, reference))?;
    let rng = run.rng("evaluation");
    let split = Split::new(&data.target, run.settings.output.shares(), &run.rng("target"), &run.device);
    let (rows, seen, name) = judging_rows(&split, reference, &mut rng.fork("reference"), run);
    let generated = data::rows(&samples, &run.device);
    drop(samples);
    let seen_rows = &split.train_rows[split.train_rows.len() - seen.dims()[0]..];
    let labels: Option<Vec<u32>> =
        data.target.labels().map(|all| seen_rows.iter().map(|&row| all[row]).collect());
    let comparison = Comparison::new(
        (&seen, labels.as_deref()),
        (run.shape(), &run.learned.model.codec.scaling),
        (generated.dims()[0], &rows),
        &rng,
        &run.context,
    )?;
    // Unseen rows that are not those judged by.
    let unseen = match reference {
        Some(_) => split.held_out.as_ref().or(split.validation.as_ref()),
        None => split.validation.as_ref(),
    };
    let table = table(run, &comparison, (&generated, unseen, &seen), &mut rng.fork("baselines"))?;
    write_neighbours(run, &generated, &split.train)?;
    let pretrain = data.pretrain.as_ref().map(|pretrain| {
        let shares = run.settings.output.shares();
        let own = Split::new(pretrain, shares, &run.rng("pretrain"), &run.device);
        own.held_out_or_train().clone()
    });
    let (model, sampler) = (&run.learned.model, &run.settings.sampler);
    let terms = decompose(model, sampler, &rows, pretrain.as_ref(), &rng.fork("decomposition"))?;
    let excess = excess_share(&table);
    let evaluation = comparison.evaluation(&name, table);
    Ok(Evaluation {
        excess_share: excess.as_ref().ok().copied(),
        decomposition: Some(terms),
        remarks: excess.err().into_iter().collect(),
        ..evaluation
    })
}

/// Rows to judge by, in random order; rows that were trained on; and what the former are, in words.
fn judging_rows(
    split: &Split,
    reference: Option<&Dataset>,
    rng: &mut Rng,
    run: &Run<Latent>,
) -> (Tensor<2>, Tensor<2>, String) {
    if let Some(reference) = reference {
        let chosen = random_rows(reference, MAX_COMPARED, rng);
        let rows = select_rows(&data::rows(reference, &run.device), &chosen);
        return (rows, split.train.clone(), reference.source().into());
    }
    let name = if split.held_out.is_some() { "samples held out" } else { "half of the training samples" };
    let [rows, seen] = split.judges_and_others();
    (rows, seen, name.into())
}

/// Where rows stand in the table.
const MODEL: usize = 0;
const RESTORED: usize = 2;
const GAUSSIAN: usize = 3;

/// The model beside floors and baselines, one candidate at a time, so that only one is held in memory.
fn table(
    run: &Run<Latent>,
    comparison: &Comparison,
    (generated, unseen, seen): (&Tensor<2>, Option<&Tensor<2>>, &Tensor<2>),
    rng: &mut Rng,
) -> Result<Vec<Row>> {
    let (model, count) = (&run.learned.model, comparison.count());
    let moments = sbridge_ot::Gaussian::fit(&points(&model.codes)?)?;
    let gaussian = Gaussian::new(&moments, model.codes.dtype(), &model.codes.device())?;
    let v_end = run.settings.sampler.v_min(model.epsilon)?;
    let memorising = Convolved::new(Empirical::new(model.codes.clone()), v_end);
    let trained = seen.dims()[0];
    let real = select_rows(seen, &rng.permutation(trained)[..count.min(trained)]);
    let restored = |rows: &Tensor<2>| model.codec.decode(&model.codec.encode(rows));
    let floor = |label, rows: &Tensor<2>| comparison.row_of_seen(label, RowKind::Floor, rows);
    let restored = match unseen.filter(|rows| rows.dims()[0] >= count) {
        Some(rows) => {
            comparison.row("decode(encode(unseen data))", RowKind::Floor, &restored(&head(rows, count)))?
        }
        None => floor("decode(encode(training data))", &restored(&real))?,
    };
    let decoded =
        |label, codes: Tensor<2>| comparison.row(label, RowKind::Baseline, &model.codec.decode(&codes));
    Ok(vec![
        comparison.row("model", RowKind::Model, generated)?,
        floor("training data", &real)?,
        restored,
        decoded("Gaussian codes, decoded", gaussian.sample(count, rng))?,
        decoded("memorising sampler", memorising.sample(count, rng))?,
    ])
}

/// The Fréchet distance of the model as a share of that of Gaussian codes, each beyond what encoding alone costs; or why
/// there is none.
fn excess_share(table: &[Row]) -> std::result::Result<f64, String> {
    let [model, restored, gaussian] = [MODEL, RESTORED, GAUSSIAN].map(|row| table[row].quality.frechet);
    if gaussian > restored {
        return Ok((model - restored) / (gaussian - restored));
    }
    Err(format!(
        "Gaussian codes, decoded, lie no further from the reference than what encoding alone costs (Fréchet distance \
         {gaussian:.3} against {restored:.3}), so the model cannot be measured between the two"
    ))
}
