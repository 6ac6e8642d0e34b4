//! Euler–Maruyama along a bridge: X += h v(t, X) + √qₖ ξ on equal steps, in the clock of the direction.
//!
//! The variance q of a step is that of the reference, g²h, or what a bridge says it is along its axes.

use rayon::prelude::*;

use crate::bridge::{Bridge, Direction, StepNoise};
use crate::rng::Rng;
use crate::tensor::{Tensor, per_row, row_blocks};

/// A step of a path.
pub struct Step<'a> {
    /// The time at which it starts.
    pub t: f64,
    /// The drift there, `[batch, dim]`.
    pub drift: &'a Tensor<2>,
    /// Its noise, `[batch, dim]`.
    pub noise: &'a Tensor<2>,
    /// The states in which it ends, `[batch, dim]`.
    pub end: &'a Tensor<2>,
}

/// Carries `start` along `bridge` in as many equal steps as `noise` has, showing every step to `observe`.
///
/// # Shapes
/// `start: [batch, dim]`, result the same.
pub fn integrate(
    bridge: &dyn Bridge,
    direction: Direction,
    start: Tensor<2>,
    noise: &StepNoise,
    rng: &mut Rng,
    observe: &mut dyn FnMut(Step<'_>),
) -> Tensor<2> {
    let steps = noise.steps();
    let time = |k: usize| direction.time(k as f64 / steps as f64);
    let mut x = start;
    for k in 0..steps {
        let drift = bridge.drift(direction, per_row(time(k), &x), x.clone());
        let noise = noise.draw(k, &x, rng);
        x = x + drift.clone() * (1.0 / steps as f64) + noise.clone();
        observe(Step { t: time(k), drift: &drift, noise: &noise, end: &x });
    }
    x
}

/// Where [`integrate`] ends, `[batch, dim]` as `start`, in blocks of rows that run side by side.
pub fn endpoints(
    bridge: &dyn Bridge,
    direction: Direction,
    start: &Tensor<2>,
    noise: &StepNoise,
    rng: &mut Rng,
) -> Tensor<2> {
    let ends =
        in_blocks(start, rng, |block, rng| integrate(bridge, direction, block, noise, rng, &mut |_| {}));
    Tensor::cat(ends, 0)
}

/// States of [`integrate`] at all grid points, one more than there are steps and `[batch, dim]` each, in blocks of rows
/// that run side by side.
pub fn paths(
    bridge: &dyn Bridge,
    direction: Direction,
    start: &Tensor<2>,
    noise: &StepNoise,
    rng: &mut Rng,
) -> Vec<Tensor<2>> {
    let blocks = in_blocks(start, rng, |block, rng| {
        let mut states = vec![block.clone()];
        integrate(bridge, direction, block, noise, rng, &mut |step| states.push(step.end.clone()));
        states
    });
    side_by_side(blocks)
}

/// Blocks of rows, each at several times, as all rows at these times.
pub(crate) fn side_by_side(blocks: Vec<Vec<Tensor<2>>>) -> Vec<Tensor<2>> {
    let at = |k: usize| Tensor::cat(blocks.iter().map(|block| block[k].clone()).collect(), 0);
    (0..blocks[0].len()).map(at).collect()
}

/// `work` on blocks of rows side by side, each with a stream of its own.
pub(crate) fn in_blocks<T: Send>(
    rows: &Tensor<2>,
    rng: &mut Rng,
    work: impl Fn(Tensor<2>, &mut Rng) -> T + Sync,
) -> Vec<T> {
    let blocks: Vec<_> = row_blocks(rows).into_iter().map(|block| (block, Rng::new(rng.seed()))).collect();
    // Inside of the pool, where the work on a single block can be shared too.
    rayon::scope(|_| blocks.into_par_iter().map(|(block, mut rng)| work(block, &mut rng)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::marginal::{Convolved, Gaussian, Marginal as _};
    use crate::reference::Brownian;
    use crate::solver::SmoothingBridge;
    use crate::tensor::{DType, Device, to_vec_f64};

    #[test]
    fn paths_of_the_smoothing_bridge_run_between_its_laws() {
        let (epsilon, count) = (1.0, 20_000);
        let law = Gaussian::isotropic(&[0.0], 0.25, DType::F32, &Device::flex());
        let reference = Brownian::with_epsilon(epsilon).expect("positive");
        let bridge = SmoothingBridge::new(law.clone(), reference);
        let mut rng = Rng::new(1);
        let var = |x: &Tensor<2>| to_vec_f64(x.clone().powi_scalar(2).mean())[0];
        // 4.5 standard errors of a variance; Euler's bias of about ε/2N at 200 steps.
        let allowed = |var: f64| 4.5 * var * (2.0 / count as f64).sqrt() + 0.0025;
        for (direction, start, end) in [
            (Direction::Forward, Convolved::new(law.clone(), epsilon).sample(count, &mut rng), 0.25),
            (Direction::Backward, law.sample(count, &mut rng), 1.25),
        ] {
            let noise = StepNoise::of_reference(&reference, 200);
            let mut times = Vec::new();
            let out = integrate(&bridge, direction, start.clone(), &noise, &mut rng, &mut |step| {
                times.push(step.t)
            });
            assert!((var(&out) - end).abs() < allowed(end), "{direction:?}: {}", var(&out));
            assert_eq!([times[0], times[100]], [direction.time(0.0), 0.5]);
            assert_eq!(times.len(), 200);
            let states = paths(&bridge, direction, &start, &noise, &mut rng);
            assert_eq!(to_vec_f64(states[0].clone()), to_vec_f64(start));
            assert!((var(&states[200]) - end).abs() < allowed(end), "{direction:?}: {}", var(&states[200]));
        }
    }
}
