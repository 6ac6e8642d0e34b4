//! Paths between known states: bridges of the reference, drawn exactly.
//!
//! Given its states at some times, a path of a Schrödinger bridge is a bridge of the reference between each two of them,
//! independent of all else \[Léo14\]. For Brownian motion, over a step of length h and at a share s of it,
//!
//! X ~ N((1 − s) x + s y, ε h s (1 − s)).   \[KS91, §5.6.B\]

use crate::bridge::StepNoise;
use crate::reference::{GaussianReference, Moments};
use crate::rng::Rng;
use crate::tensor::{Tensor, column};

/// Draws of the states after a share `elapsed`, in [0, 1], of paths that have `states` at equally spaced times, the first
/// at 0 and the last at 1: those of [`skeleton`](crate::PairBridge::skeleton).
///
/// # Shapes
/// `states`: two or more of `[batch, dim]`; result `[batch, dim]`, in units of the state.
///
/// # Panics
/// If there are fewer than two states.
pub fn state_at(
    reference: &dyn GaussianReference,
    states: &[Tensor<2>],
    elapsed: f64,
    rng: &mut Rng,
) -> Tensor<2> {
    let steps = states.len() - 1;
    let k = ((elapsed * steps as f64).floor() as usize).min(steps - 1);
    let share = elapsed * steps as f64 - k as f64;
    let (mean, variances) =
        reference.within_step([k, steps], share, states[k].clone(), states[k + 1].clone());
    let noise = StepNoise::along(None, vec![variances]).draw(0, &states[k], rng);
    mean + noise
}

/// The states of paths at `steps + 1` equally spaced times: `states` itself, or where these are the two ends only, a
/// bridge of `reference` between them, drawn step by step.
///
/// # Shapes
/// `states`: two or more of `[batch, dim]`; results `[batch, dim]`, in units of the state.
pub fn fill_path(
    reference: &dyn GaussianReference,
    states: Vec<Tensor<2>>,
    steps: usize,
    rng: &mut Rng,
) -> Vec<Tensor<2>> {
    let [start, end] = states.as_slice() else { return states };
    let mut path = vec![start.clone()];
    for k in 0..steps - 1 {
        let noise = rng.normal_like(&path[k]);
        let Moments { mean, var } = reference.next_step([k, steps], path[k].clone(), end.clone());
        path.push(mean + noise * column(var.sqrt()));
    }
    path.push(end.clone());
    path
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::reference::Brownian;
    use crate::tensor::{DType, Device, per_row, to_vec_f64};

    const EPSILON: f64 = 0.37;

    fn states(count: usize, dtype: DType) -> Vec<Tensor<2>> {
        let mut rng = Rng::new(8);
        (0..count).map(|_| rng.normal([6, 3], &Device::flex()).cast(dtype)).collect()
    }

    #[test]
    fn states_between_known_ones_are_those_of_a_brownian_bridge_to_the_bit() {
        let reference = Brownian::with_epsilon(EPSILON).unwrap();
        for dtype in [DType::F32, DType::F64] {
            for (count, elapsed) in [(2, 0.3), (4, 0.0), (4, 0.5), (8, 0.7), (8, 1.0)] {
                let states = states(count, dtype);
                let drawn = state_at(&reference, &states, elapsed, &mut Rng::new(5));
                let steps = count - 1;
                let before = ((elapsed * steps as f64).floor() as usize).min(steps - 1);
                let (start, end) = (states[before].clone(), states[before + 1].clone());
                let share = elapsed * steps as f64 - before as f64;
                let deviation = (EPSILON / steps as f64 * share * (1.0 - share)).sqrt();
                let noise = Rng::new(5).normal_like(&start) * deviation;
                let expected = start * (1.0 - share) + end * share + noise;
                assert_eq!(to_vec_f64(drawn), to_vec_f64(expected));
            }
        }
    }

    #[test]
    fn paths_are_filled_by_bridges_of_what_is_left_to_the_bit() {
        let (reference, steps) = (Brownian::with_epsilon(EPSILON).unwrap(), 7);
        for dtype in [DType::F32, DType::F64] {
            let ends = states(2, dtype);
            let path = fill_path(&reference, ends.clone(), steps, &mut Rng::new(5));
            let (mut rng, mut x) = (Rng::new(5), ends[0].clone());
            assert_eq!(path.len(), steps + 1);
            for (k, state) in path.iter().enumerate().take(steps).skip(1) {
                let left = (steps - k + 1) as f64;
                let noise = rng.normal_like(&x);
                let t = per_row(1.0 / left, &x);
                let mean = x.clone() * column(-t.clone() + 1.0) + ends[1].clone() * column(t.clone());
                let var = (-t.clone() + 1.0) * t * EPSILON.sqrt().powi(2);
                x = mean + noise * column((var * (left / steps as f64)).sqrt());
                assert_eq!(to_vec_f64(state.clone()), to_vec_f64(x.clone()));
            }
            assert_eq!(to_vec_f64(path[steps].clone()), to_vec_f64(ends[1].clone()));
        }
        let known = fill_path(&reference, states(3, DType::F32), steps, &mut Rng::new(5));
        assert_eq!(known.len(), 3);
    }
}
