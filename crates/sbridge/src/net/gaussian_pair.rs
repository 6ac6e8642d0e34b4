//! The clean end of a path between the members of a pair, as far as pairs are jointly Gaussian: where a network starts, so that it
//! learns what is not Gaussian.
//!
//! With x₀ | x₁ ~ N(m(x₁), C) and x_t = a x₀ + b x₁ + c z, where c² = a s²,
//!
//! E\[x₀ | x_t, x₁\] = m + C (aC + s² I)⁻¹ (x_t − b x₁ − a m),   Cov\[x₀ | x_t, x₁\] = s² C (aC + s² I)⁻¹:
//!
//! in the axes of C, one number each. What a network leaves of the second, which is less where pairs are not Gaussian, is measured
//! after training and kept beside it.
//!
//! Tests: draws of a joint law, by its conditional law.

use faer::{Mat, Side, linalg::solvers::Solve as _};
use sbridge_ot::matrix::{symmetric_eigen, symmetric_part};

use crate::error::{Error, Result};
use crate::tensor::{DType, Device, Module, Param, Tensor, from_rows, to_vec_f64};

/// Levels at which it is measured what a network leaves.
pub const KNOTS: usize = 33;

/// What is added to all variances: samples may lie in a plane.
const FLOOR: f64 = 1e-6;

/// A joint law of pairs, by its moments.
#[derive(Module, Debug)]
pub struct GaussianPair {
    /// m(x₁) = x₁ B + d: B, `[dim, dim]`.
    slope: Param<Tensor<2>>,
    /// d, `[1, dim]`.
    offset: Param<Tensor<2>>,
    /// Axes of C in its columns, `[dim, dim]`.
    axes: Param<Tensor<2>>,
    /// Variances along them, `[1, dim]`.
    variances: Param<Tensor<2>>,
    /// Share of the variance of x₀ along every axis that is left at levels equally far apart, clean ones first, `[KNOTS, dim]`.
    left: Param<Tensor<2>>,
}

/// A place on the way: shares of the clean and of the degraded end in its mean, and the variance s² from the clean one; `[batch, 1]`.
#[derive(Clone, Debug)]
pub struct Place {
    /// a.
    pub clean: Tensor<2>,
    /// b.
    pub degraded: Tensor<2>,
    /// s².
    pub variance: Tensor<2>,
}

impl GaussianPair {
    /// Of the moments of `clean` and `degraded`, `[count, dim]`.
    ///
    /// # Errors
    /// [`Error::Transport`] for values that are not finite.
    pub fn between(clean: &Tensor<2>, degraded: &Tensor<2>) -> Result<Self> {
        let [count, dim] = clean.dims();
        let rows = |of: &Tensor<2>| {
            let values = to_vec_f64(of.clone());
            Mat::from_fn(count, dim, |i, j| values[i * dim + j])
        };
        let (x, y) = (rows(clean), rows(degraded));
        let mean = |of: &Mat<f64>| -> Vec<f64> {
            (0..dim).map(|j| (0..count).map(|i| of[(i, j)]).sum::<f64>() / count as f64).collect()
        };
        let (mean_x, mean_y) = (mean(&x), mean(&y));
        let x = Mat::from_fn(count, dim, |i, j| x[(i, j)] - mean_x[j]);
        let y = Mat::from_fn(count, dim, |i, j| y[(i, j)] - mean_y[j]);
        let with_floor = |square: Mat<f64>| {
            Mat::from_fn(dim, dim, |i, j| square[(i, j)] / count as f64 + if i == j { FLOOR } else { 0.0 })
        };
        let of_degraded = with_floor(y.transpose() * &y);
        let Ok(factor) = of_degraded.llt(Side::Lower) else {
            let fix = "leave out values that are not finite";
            return Err(Error::setting("degraded members", "finite", "a covariance that is not", fix));
        };
        let slope = factor.solve((y.transpose() * &x) / faer::Scale(count as f64));
        let rest = &x - &y * &slope;
        let covariance = with_floor(rest.transpose() * &rest);
        let (variances, axes) =
            symmetric_eigen("clean members", symmetric_part(covariance.as_ref()).as_ref())?;
        let offset: Vec<f64> =
            (0..dim).map(|j| mean_x[j] - (0..dim).map(|i| mean_y[i] * slope[(i, j)]).sum::<f64>()).collect();
        let device = clean.device();
        let param = |values: Vec<f64>| {
            let values: Vec<f32> = values.into_iter().map(|x| x as f32).collect();
            Param::from_tensor(from_rows(&values, dim, &device))
        };
        let flat = |of: &Mat<f64>| (0..dim * dim).map(|i| of[(i / dim, i % dim)]).collect();
        Ok(Self {
            slope: param(flat(&slope)),
            offset: param(offset),
            axes: param(flat(&axes)),
            variances: param(variances.into_iter().map(|v| v.max(FLOOR)).collect()),
            left: param(vec![1.0; KNOTS * dim]),
        })
    }

    /// No law, to be filled with the weights of one.
    pub fn zero(dim: usize, device: &Device) -> Self {
        let zeros = |rows| Param::from_tensor(Tensor::zeros([rows, dim], (device, DType::F32)));
        Self {
            slope: zeros(dim),
            offset: zeros(1),
            axes: zeros(dim),
            variances: zeros(1),
            left: zeros(KNOTS),
        }
    }

    /// E\[x₀ | x_t, x₁\] of Gaussian pairs at the rows of `x`, `[batch, dim]`.
    pub fn clean(&self, x: &Tensor<2>, degraded: &Tensor<2>, place: &Place) -> Tensor<2> {
        let mean = degraded.clone().matmul(self.slope.val()) + self.offset.val();
        let apart =
            x.clone() - degraded.clone() * place.degraded.clone() - mean.clone() * place.clean.clone();
        let variances = self.variances.val();
        let gain = variances.clone() / (place.clean.clone() * variances + place.variance.clone());
        mean + self.from_axes(self.along_axes(apart) * gain)
    }

    /// The variance of x₀ along the axes at `place`, of Gaussian pairs: `[batch, dim]`.
    pub fn variance(&self, place: &Place) -> Tensor<2> {
        let variances = self.variances.val();
        let (a, s2) = (place.clean.clone(), place.variance.clone());
        variances.clone() * s2.clone() / (a * variances + s2)
    }

    /// What is left of it at a share `elapsed` of the levels from the clean end, `[1, dim]`.
    pub fn left(&self, elapsed: f64) -> Tensor<2> {
        let at = elapsed.clamp(0.0, 1.0) * (KNOTS - 1) as f64;
        let knot = (at.floor() as usize).min(KNOTS - 2);
        let row = |k: usize| self.left.val().narrow(0, k, 1);
        row(knot) + (row(knot + 1) - row(knot)) * (at - knot as f64)
    }

    /// The same law, of which a network leaves `left`, `[KNOTS, dim]`.
    #[must_use]
    pub fn with_left(mut self, left: Tensor<2>) -> Self {
        self.left = Param::from_tensor(left);
        self
    }

    /// The parts of the rows of `x` along the axes, `[batch, dim]`.
    pub fn along_axes(&self, x: Tensor<2>) -> Tensor<2> {
        x.matmul(self.axes.val())
    }

    /// Back from parts along the axes.
    pub fn from_axes(&self, parts: Tensor<2>) -> Tensor<2> {
        parts.matmul(self.axes.val().transpose())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::rng::Rng;

    const COUNT: usize = 40_000;

    #[test]
    fn what_it_leaves_is_of_its_variance_and_knows_nothing_of_state_and_input() {
        let (mut rng, device) = (Rng::new(1), Device::flex());
        let mut normal = || rng.normal::<2>([COUNT, 2], &device);
        let by = |m: [f32; 4]| from_rows(&m, 2, &Device::flex());
        let degraded = normal() * 1.5 + 2.0;
        let clean = degraded.clone().matmul(by([0.5, -0.3, 0.0, 0.8]))
            + normal().matmul(by([0.9, 0.0, 0.4, 0.3]))
            - 1.0;
        let pair = GaussianPair::between(&clean, &degraded).unwrap();
        for (a, s2) in [(1.0f64, 1e-4), (0.6, 0.3), (0.0, 0.8)] {
            let z = normal();
            let x = clean.clone() * a + degraded.clone() * (1.0 - a) + z * (a * s2).sqrt();
            let column = |value: f64| Tensor::<2>::full([1, 1], value, (&device, DType::F32));
            let place = Place { clean: column(a), degraded: column(1.0 - a), variance: column(s2) };
            let rest = pair.along_axes(clean.clone() - pair.clean(&x, &degraded, &place));
            let found = to_vec_f64(rest.clone().powi_scalar(2).mean_dim(0));
            for (found, known) in found.iter().zip(to_vec_f64(pair.variance(&place))) {
                // Four standard errors √(2/n), and a hundredth of rounding in f32 where the variance is small.
                assert!((found / known - 1.0).abs() < 0.04, "a = {a}: {found} {known}");
            }
            for other in [x, degraded.clone()] {
                let centred = other.clone() - other.mean_dim(0);
                let scale = to_vec_f64(centred.clone().powi_scalar(2).mean())[0].sqrt()
                    * found[0].max(found[1]).sqrt();
                let cross = to_vec_f64(rest.clone().transpose().matmul(centred) / COUNT as f64);
                // Four standard errors 1/√n.
                assert!(cross.iter().all(|c| c.abs() < 0.02 * scale), "a = {a}: {cross:?} of {scale}");
            }
        }
    }

    #[test]
    fn between_knots_what_is_left_is_a_straight_line() {
        let pair = GaussianPair::zero(1, &Device::flex());
        let rising: Vec<f32> = (0..KNOTS).map(|k| k as f32).collect();
        let pair = pair.with_left(from_rows(&rising, 1, &Device::flex()));
        let at = |elapsed: f64| to_vec_f64(pair.left(elapsed))[0];
        assert_eq!([at(0.0), at(0.25), at(1.0)], [0.0, 8.0, 32.0]);
        assert!((at(0.01) - 0.32).abs() < 1e-6);
    }
}
