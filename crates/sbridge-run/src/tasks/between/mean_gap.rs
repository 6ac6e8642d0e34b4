//! How far a bridge is from its fixed point, by two means of its paths.
//!
//! E[X₁ | X₀ = x] = x + s·v(0, x) is the mean of the coupling that the drift was regressed on. It is that of simulated paths
//! only where the bridge is its own Markovian projection, that is at the fixed point; so their difference, in units of the
//! spread of what arrives, is a measure of convergence.
//!
//! Tests, through the command: none for LightSB, which is at it.

use sbridge::rng::Rng;
use sbridge::simulate::mean_state;
use sbridge::tensor::{Tensor, head, to_vec_f64};
use sbridge::{Direction, PairBridge};

/// Rows that means are taken from, and paths simulated from each.
const ROWS: usize = 256;
const PATHS: usize = 32;

/// Root of the mean square between both means of the paths that start in some of the rows of `start`, as a share of the
/// standard deviation of all ends; the noise of so few paths is taken off. Nothing where all ends are one.
pub(super) fn mean_gap(
    bridge: &dyn PairBridge,
    direction: Direction,
    start: &Tensor<2>,
    rng: &mut Rng,
) -> Option<f64> {
    let rows = head(start, start.dims()[0].min(ROWS));
    let repeated = Tensor::cat(vec![rows.clone(); PATHS], 0);
    let ends = to_vec_f64(bridge.transport(direction, &repeated, rng));
    let means = to_vec_f64(mean_state(bridge, direction, 1.0, &rows));
    let (values, paths) = (means.len(), PATHS as f64);
    let (mut squared_gap, mut squares) = (0.0, 0.0);
    for (k, mean) in means.iter().enumerate() {
        let draws = || ends.iter().skip(k).step_by(values);
        let simulated = draws().sum::<f64>() / paths;
        let var = draws().map(|x| (x - simulated).powi(2)).sum::<f64>() / (paths - 1.0);
        squared_gap += (mean - simulated).powi(2) - var / paths;
        squares += var;
    }
    let spread = squares + spread_of_rows(&means, rows.dims()[1]);
    (spread > 0.0).then(|| (squared_gap.max(0.0) / spread).sqrt())
}

/// Sum of the squares of rows about their mean.
fn spread_of_rows(values: &[f64], size: usize) -> f64 {
    let count = (values.len() / size) as f64;
    let column = |k: usize| values.iter().skip(k).step_by(size);
    let about_mean = |k: usize| {
        let mean = column(k).sum::<f64>() / count;
        column(k).map(|x| (x - mean).powi(2)).sum::<f64>()
    };
    (0..size).map(about_mean).sum()
}
