//! The drift of the Schrödinger bridge between Gaussians: where a network starts, so that it learns what is not Gaussian.
//!
//! The potential of the end is that of a Gaussian, ln φ₁(y) = −½ yᵀ(P/ε) y, and it diffuses: with s the share of the way
//! that is behind,
//!
//! v(s, x) = ε ∇ ln φ_s(x) = −P (I + (1 − s) P)⁻¹ x,   P = (C + εI) S⁻¹ − I > −I
//!
//! for laws about zero, C the covariance of start and end, S that of the end: in the axes of P, one number each.

use faer::Mat;
use sbridge_ot::matrix::{symmetric_eigen, symmetric_part};
use sbridge_ot::{Gaussian, GaussianBridge};

use crate::bridge::Direction;
use crate::error::Result;
use crate::tensor::{DType, Device, Module, Param, Tensor, column, from_rows, from_rows_f64, to_vec_f64};

/// A drift that is linear in the state.
#[derive(Module, Debug)]
pub struct GaussianDrift {
    /// Axes of P in its columns, `[dim, dim]`.
    axes: Param<Tensor<2>>,
    /// What P multiplies them by, `[1, dim]`.
    stiffness: Param<Tensor<2>>,
    #[module(skip)]
    direction: Direction,
}

/// What is added to all variances: samples of variance about one may lie in a plane.
const FLOOR: f64 = 1e-3;

impl GaussianDrift {
    /// The drift of `direction` between Gaussians with the covariances of the rows of `ends`, which are about zero and of
    /// variance about one.
    ///
    /// # Errors
    /// [`Error::Transport`](crate::Error::Transport) for samples that are not finite.
    pub fn between(ends: [&Tensor<2>; 2], epsilon: f64, direction: Direction) -> Result<Self> {
        let bridge = GaussianBridge::new(&law_of(ends[0])?, &law_of(ends[1])?, epsilon)?;
        let at_end = match direction {
            Direction::Forward => bridge.forward_drift(1.0),
            Direction::Backward => bridge.backward_drift(0.0),
        };
        let (slopes, axes) = symmetric_eigen("the drift", symmetric_part(at_end.matrix.as_ref()).as_ref())?;
        let dim = slopes.len();
        let axes: Vec<f32> = (0..dim * dim).map(|i| axes[(i / dim, i % dim)] as f32).collect();
        let stiffness: Vec<f32> = slopes.into_iter().map(|slope| -slope as f32).collect();
        let param = |values: &[f32]| Param::from_tensor(from_rows(values, dim, &ends[0].device()));
        Ok(Self { axes: param(&axes), stiffness: param(&stiffness), direction })
    }

    /// No drift, to be filled with the weights of one.
    pub fn zero(dim: usize, direction: Direction, device: &Device) -> Self {
        let zeros = |rows| Param::from_tensor(Tensor::zeros([rows, dim], (device, DType::F32)));
        Self { axes: zeros(dim), stiffness: zeros(1), direction }
    }

    /// Axes of the drift, in columns, `[dim, dim]`.
    pub fn axes(&self) -> Tensor<2> {
        self.axes.val()
    }

    /// The parts of the rows of `x` along the axes, `[batch, dim]`.
    pub fn along_axes(&self, x: Tensor<2>) -> Tensor<2> {
        x.matmul(self.axes())
    }

    /// # Shapes
    /// `t: [batch]`, `x: [batch, dim]`, result `[batch, dim]`.
    pub fn forward(&self, t: Tensor<1>, x: Tensor<2>) -> Tensor<2> {
        let left = match self.direction {
            Direction::Forward => -t + 1.0,
            Direction::Backward => t,
        };
        let stiffness = self.stiffness.val();
        let slope = stiffness.clone() / (column(left) * stiffness + 1.0);
        -(self.along_axes(x) * slope).matmul(self.axes().transpose())
    }
}

/// The Gaussian about zero with the covariance of `rows`, drawn towards a multiple of the identity as far as their number
/// leaves it open, and a little more in all directions.                                                       \[LW04\]
fn law_of(rows: &Tensor<2>) -> Result<Gaussian> {
    let [count, dim] = rows.dims();
    // Not every device computes in f64.
    let rows = from_rows_f64(&to_vec_f64(rows.clone()), dim, &Device::flex());
    let of = |value: Tensor<1>| to_vec_f64(value)[0];
    let covariance = rows.clone().transpose().matmul(rows.clone()) / count as f64;
    let square = of(covariance.clone().powi_scalar(2).sum());
    let squared_norms = rows.powi_scalar(2).sum_dim(1);
    let level = of(squared_norms.clone().mean()) / dim as f64;
    let noise = (of(squared_norms.powi_scalar(2).mean()) - square) / count as f64;
    let shape = (square - dim as f64 * level * level).max(f64::MIN_POSITIVE);
    let share = (noise / shape).clamp(0.0, 1.0);
    let diagonal = share * level + FLOOR;
    let values = to_vec_f64(covariance * (1.0 - share));
    let moments = Mat::from_fn(dim, dim, |i, j| values[i * dim + j] + if i == j { diagonal } else { 0.0 });
    Ok(Gaussian::new(vec![0.0; dim], symmetric_part(moments.as_ref()))?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::net::{load_weights, weights_of};
    use crate::rng::Rng;
    use crate::tensor::{per_row, to_vec};

    /// Samples of two laws of different shape, about their means.
    fn ends(count: usize) -> [Tensor<2>; 2] {
        let mut rng = Rng::new(1);
        let mut draw = |map: [f64; 9]| {
            let z = rng.normal([count, 3], &Device::flex());
            let x = z.matmul(from_rows_f64(&map, 3, &Device::flex()).cast(DType::F32));
            x.clone() - x.mean_dim(0)
        };
        [
            draw([1.0, 0.3, 0.0, -0.2, 0.5, 0.1, 0.4, 0.0, 1.5]),
            draw([0.3, 0.0, 0.2, 0.0, 1.2, 0.0, 0.6, 0.5, 0.2]),
        ]
    }

    #[test]
    fn it_is_the_drift_of_the_bridge_between_the_moments() {
        let (ends, epsilon) = (ends(500), 0.7);
        let exact =
            GaussianBridge::new(&law_of(&ends[0]).unwrap(), &law_of(&ends[1]).unwrap(), epsilon).unwrap();
        let [forward, backward] = [Direction::Forward, Direction::Backward]
            .map(|direction| GaussianDrift::between(ends.each_ref(), epsilon, direction).unwrap());
        let x = Rng::new(2).normal([5, 3], &Device::flex());
        for t in [0.0, 0.35, 0.8, 1.0] {
            for (computed, exact) in
                [(&forward, exact.forward_drift(t)), (&backward, exact.backward_drift(t))]
            {
                let computed = to_vec_f64(computed.forward(per_row(t, &x), x.clone()));
                let states = to_vec_f64(x.clone());
                let exact = states.chunks(3).flat_map(|x| exact.apply(x));
                for (a, b) in computed.iter().zip(exact) {
                    assert!((a - b).abs() < 1e-5 * (1.0 + b.abs()), "t = {t}: {a} {b}"); // f32
                }
            }
        }
    }

    #[test]
    fn samples_in_a_plane_and_a_single_one_have_a_finite_drift() {
        let [x, y] = ends(50);
        let flat = Tensor::cat(vec![y.narrow(1, 0, 2), x.clone().narrow(1, 0, 1).zeros_like()], 1);
        for end in [flat, Tensor::zeros([1, 3], &Device::flex())] {
            let drift = GaussianDrift::between([&x, &end], 2.0, Direction::Forward).unwrap();
            let computed = drift.forward(per_row(1.0, &x), x.clone());
            assert!(to_vec(computed).into_iter().all(f32::is_finite));
        }
    }

    #[test]
    fn few_samples_say_less_than_their_covariance() {
        // Variances 0.5 and 1.5 in thirty dimensions, seen forty times.
        let (count, dim) = (40, 30);
        let variance = |i: usize| 0.5 + (i % 2) as f64;
        let deviations: Vec<f64> = (0..dim).map(|i| variance(i).sqrt()).collect();
        let x = Rng::new(5).normal([count, dim], &Device::flex())
            * from_rows_f64(&deviations, dim, &Device::flex()).cast(DType::F32);
        let products = to_vec_f64(x.clone().transpose().matmul(x.clone()) / count as f64);
        let law = law_of(&x).unwrap();
        let error = |of: &dyn Fn(usize, usize) -> f64| -> f64 {
            let exact = |i, j| if i == j { variance(i) } else { 0.0 };
            (0..dim * dim).map(|k| (of(k / dim, k % dim) - exact(k / dim, k % dim)).powi(2)).sum()
        };
        let (drawn, plain) = (error(&|i, j| law.cov()[(i, j)]), error(&|i, j| products[i * dim + j]));
        // The best multiple of the identity alone is off by d/4; the plain covariance by about d²/n.
        assert!(drawn < 0.4 * plain && drawn < 0.25 * dim as f64, "{drawn} {plain}");
    }

    #[test]
    fn its_weights_make_it_again() {
        let [x, y] = ends(50);
        let drift = GaussianDrift::between([&x, &y], 2.0, Direction::Backward).unwrap();
        let zero = GaussianDrift::zero(3, Direction::Backward, &Device::flex());
        let again = load_weights(zero, weights_of(&drift)).unwrap();
        let of = |drift: &GaussianDrift| to_vec(drift.forward(per_row(0.3, &x), x.clone()));
        assert_eq!(of(&drift), of(&again));
    }
}
