//! Samples restored by a finished run, checked before, a block of them at a time.

use sbridge::rng::Rng;
use sbridge::tensor::{Device, Tensor};
use sbridge_data::Dataset;

use crate::context::Context;
use crate::data;
use crate::error::{Result, RunError};
use crate::task::{Damaged, Restorer, Sink};

/// How samples are restored.
#[derive(Clone, Copy, Debug)]
pub struct Restoring {
    /// Draws for every sample: all of them once, then again.
    pub draws: usize,
    /// Calls of the network for a draw; as the run is set if not said.
    pub calls: Option<usize>,
    /// Seed of the noise.
    pub seed: u64,
}

/// Samples of a block.
const BLOCK: usize = 250;

/// Draws of all samples, at most.
const MOST_DRAWS: usize = 1 << 30;

/// Restores `input`, of which values are lost where `mask` is not 0, and hands every block to `sink`, in order.
///
/// # Errors
/// [`RunError`] for an input or a mask of another shape, a number of draws out of range, more calls than there are steps, or what
/// `sink` refuses; also if a stop is asked for.
pub(crate) fn in_blocks(
    run: &dyn Restorer,
    (input, mask): (&Dataset, Option<&Dataset>),
    how: &Restoring,
    (device, context): (&Device, &Context),
    sink: &mut Sink<'_>,
) -> Result<()> {
    let total = count(run, input, mask, how)?;
    let (rows, lost) = (data::rows(input, device), mask.map(|mask| data::rows(mask, device)));
    let mut rng = Rng::new(how.seed).fork("restore");
    let progress = (total > BLOCK).then(|| context.progress("restored", 0, total));
    let _heeding = progress.is_some().then(|| context.cancel.heed());
    let mut done = 0;
    for _ in 0..how.draws {
        for first in (0..input.len()).step_by(BLOCK) {
            let block = |rows: &Tensor<2>| rows.clone().narrow(0, first, BLOCK.min(input.len() - first));
            let (rows, lost) = (block(&rows), lost.as_ref().map(block));
            let damaged = Damaged { rows: &rows, lost: lost.as_ref(), calls: how.calls };
            sink(&run.restore(&damaged, &mut rng)?)?;
            done += rows.dims()[0];
            progress.iter().for_each(|progress| progress.at(done, ""));
            if context.cancel.is_requested() {
                return Err(sbridge::Error::Interrupted.into());
            }
        }
    }
    Ok(())
}

/// Samples that come out.
///
/// # Errors
/// As [`in_blocks`].
pub(crate) fn count(
    run: &dyn Restorer,
    input: &Dataset,
    mask: Option<&Dataset>,
    how: &Restoring,
) -> Result<usize> {
    let refuse = |problem: String| Err(RunError::Input(problem));
    if how.draws == 0 || how.draws.saturating_mul(input.len()) > MOST_DRAWS {
        return refuse(format!(
            "--draws must be at least 1, and at most {}, got {} (4 shows how much is uncertain)",
            MOST_DRAWS / input.len().max(1),
            how.draws
        ));
    }
    for data in [Some(input), mask].into_iter().flatten() {
        if !data.shape().agrees_with(&run.input_shape()) {
            return refuse(format!(
                "{} holds samples of {}, the run restores samples of {} (give data of one shape)",
                data.source(),
                data.shape(),
                run.input_shape()
            ));
        }
    }
    match mask {
        Some(mask) if mask.len() != input.len() => refuse(format!(
            "{} has {} samples and the mask {} {} (give one mask for each)",
            input.source(),
            input.len(),
            mask.source(),
            mask.len()
        )),
        _ => Ok(how.draws * input.len()),
    }
}
