//! States of paths at times between those at which they are known.

use sbridge::reference::{Brownian, GaussianReference as _, Moments};
use sbridge::rng::Rng;
use sbridge::tensor::{Tensor, column, per_row};

use crate::error::Result;

/// States after a share `elapsed` of paths that were at `states` at equally spaced times: a draw of the Brownian
/// bridge of variance `epsilon` between the two about it.
pub fn state_at(states: &[Tensor<2>], elapsed: f64, epsilon: f64, rng: &mut Rng) -> Tensor<2> {
    let steps = states.len() - 1;
    let before = ((elapsed * steps as f64).floor() as usize).min(steps - 1);
    let (start, end) = (states[before].clone(), states[before + 1].clone());
    let share = elapsed * steps as f64 - before as f64;
    let deviation = (epsilon / steps as f64 * share * (1.0 - share)).sqrt();
    let noise = rng.normal_like(&start) * deviation;
    start * (1.0 - share) + end * share + noise
}

/// The states of paths at `steps + 1` equally spaced times: `states` itself, or where it knows both ends only, a
/// Brownian bridge drawn step by step between them.
///
/// # Errors
/// [`RunError::Library`](crate::RunError::Library) if `epsilon` is no variance.
pub fn filled(states: Vec<Tensor<2>>, steps: usize, epsilon: f64, rng: &mut Rng) -> Result<Vec<Tensor<2>>> {
    let [start, end] = states.as_slice() else { return Ok(states) };
    let reference = Brownian::with_epsilon(epsilon)?;
    let mut path = vec![start.clone()];
    for k in 1..steps {
        // The rest of the way from where the path is: a bridge of what is left of ε.
        let x = path[k - 1].clone();
        let left = (steps - k + 1) as f64;
        let noise = rng.normal_like(&x);
        let Moments { mean, var } = reference.bridge(per_row(1.0 / left, &x), x, end.clone());
        path.push(mean + noise * column((var * (left / steps as f64)).sqrt()));
    }
    path.push(end.clone());
    Ok(path)
}
