//! Samples carried along a finished run, checked before and after.

use sbridge::rng::Rng;
use sbridge::tensor::{Device, Tensor, to_vec};
use sbridge_data::Dataset;

use crate::data;
use crate::error::{Result, RunError};
use crate::task::{Carried, Carrier, Course, Route};

/// Values carried at once, at most: 4 GB of them, several times.
const MOST_VALUES: usize = 1 << 30;

/// Carries the samples of `input` along `route`, computing on `device`.
///
/// # Errors
/// [`RunError`] for an input of another shape or too large, a route that leads nowhere, or samples that are carried to
/// no finite place.
pub(crate) fn carry(run: &dyn Carrier, input: &Dataset, route: &Route, device: &Device) -> Result<Carried> {
    route.check()?;
    let size = run.shape().size();
    if !input.shape().agrees_with(&run.shape()) {
        return Err(RunError::Input(format!(
            "{} holds samples of {}, the bridge joins samples of {} (give data of one shape)",
            input.source(),
            input.shape(),
            run.shape()
        )));
    }
    let states = run.states(route);
    let values = [size, route.draws, states].into_iter().fold(input.len(), usize::saturating_mul);
    if values > MOST_VALUES {
        return Err(RunError::Input(format!(
            "{} draws of {} samples in {states} states are {values} values, more than the {MOST_VALUES} that are held \
             in memory (lower --draws, leave --paths out, or carry parts of the input)",
            route.draws,
            input.len()
        )));
    }
    let rows = Tensor::cat(vec![data::rows(input, device); route.draws], 0);
    let carried = run.carry_rows(&rows, route, &mut Rng::new(route.seed).fork("transport"))?;
    carried.paths.iter().flatten().chain([&carried.ends]).try_for_each(require_finite)?;
    Ok(carried)
}

impl Route {
    /// # Errors
    /// [`RunError::Input`] for no draws, or for the states on the way of a mean.
    pub fn check(&self) -> Result<()> {
        let problem = match (self.draws, self.course) {
            (0, _) => "--draws must be at least 1, got 0",
            (_, Course::Mean) if self.keeps_paths => {
                "a mean is one state, without paths (leave one of the two out)"
            }
            _ => return Ok(()),
        };
        Err(RunError::Input(problem.into()))
    }
}

fn require_finite(rows: &Tensor<2>) -> Result<()> {
    let [count, size] = rows.dims();
    let is_lost = |row: &&[f32]| row.iter().any(|x| !x.is_finite());
    match to_vec(rows.clone()).chunks_exact(size).filter(is_lost).count() {
        0 => Ok(()),
        diverged => Err(RunError::CarriedNowhere { diverged, count }),
    }
}
