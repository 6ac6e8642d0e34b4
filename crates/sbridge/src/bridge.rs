//! A bridge: the drifts of a diffusion that joins two laws, and what follows from them.
//!
//! dX = v₊(t, X) dt + g(t) dW from `π₀` at t = 0; in the reversed clock,
//! dX = v₋(t, X) ds + g(t) dW from `π₁`. Nelson's identity ties them to the marginal density:
//! v₊ + v₋ = g² ∇log pₜ, and the probability flow moves with u = ½ (v₊ − v₋).   \[Nel67\]

use crate::reference::GaussianReference;
use crate::rng::Rng;
use crate::tensor::{Tensor, TensorData, column};

/// Which end a path starts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From `π₀` at t = 0 to `π₁` at t = 1.
    Forward,
    /// From `π₁` at t = 1 to `π₀` at t = 0.
    Backward,
}

impl Direction {
    /// The other one.
    pub fn reversed(self) -> Self {
        match self {
            Self::Forward => Self::Backward,
            Self::Backward => Self::Forward,
        }
    }

    /// What belongs to source and target, in the order in which it meets them.
    pub fn along<T>(self, [source, target]: [T; 2]) -> [T; 2] {
        match self {
            Self::Forward => [source, target],
            Self::Backward => [target, source],
        }
    }

    /// Times at which it starts and ends.
    pub fn ends(self) -> [f64; 2] {
        self.along([0.0, 1.0])
    }

    /// Time after a share `elapsed` of the way.
    pub fn time(self, elapsed: f64) -> f64 {
        match self {
            Self::Forward => elapsed,
            Self::Backward => 1.0 - elapsed,
        }
    }
}

/// A diffusion between two laws, seen from both ends.
pub trait Bridge: Send + Sync {
    /// Dimension of the state.
    fn dim(&self) -> usize;

    /// Drift in the clock of `direction`.
    ///
    /// # Shapes
    /// `t: [batch]`, `x: [batch, dim]`, result `[batch, dim]`.
    fn drift(&self, direction: Direction, t: Tensor<1>, x: Tensor<2>) -> Tensor<2>;

    /// Diffusion g(t), the same in both directions.
    ///
    /// # Shapes
    /// `t: [batch]`, result `[batch]`.
    fn diffusion(&self, t: Tensor<1>) -> Tensor<1>;

    /// Velocity of the probability flow, u = ½ (v₊ − v₋), with shapes as in [`drift`](Self::drift).
    fn velocity(&self, t: Tensor<1>, x: Tensor<2>) -> Tensor<2> {
        let forward = self.drift(Direction::Forward, t.clone(), x.clone());
        let backward = self.drift(Direction::Backward, t, x);
        (forward - backward) * 0.5
    }

    /// Score of the marginal law, ∇log pₜ = (v₊ + v₋) / g², with shapes as in [`drift`](Self::drift).
    fn score(&self, t: Tensor<1>, x: Tensor<2>) -> Tensor<2> {
        let forward = self.drift(Direction::Forward, t.clone(), x.clone());
        let backward = self.drift(Direction::Backward, t.clone(), x);
        (forward + backward) / column(self.diffusion(t).powi_scalar(2))
    }
}

/// A bridge between two laws that carries samples from either end to the other.
pub trait PairBridge: Bridge {
    /// The reference it is a bridge of, in units of the state: what its paths are between two known states.
    fn reference(&self) -> Box<dyn GaussianReference>;

    /// One draw at the other end for every row of `x`, `[batch, dim]`.
    fn transport(&self, direction: Direction, x: &Tensor<2>, rng: &mut Rng) -> Tensor<2>;

    /// States at equally spaced times of a path from every row of `x`, `[batch, dim]`, both ends included. Between two of
    /// them the path is a bridge of the [`reference`](Self::reference).
    fn skeleton(&self, direction: Direction, x: &Tensor<2>, rng: &mut Rng) -> Vec<Tensor<2>>;

    /// The noise of the steps of a simulated path, in the clock of `direction`; all steps are of one length.
    fn step_noise(&self, direction: Direction) -> StepNoise;
}

/// The noise of the steps of a simulated path: independent along some axes, with a variance for each.
#[derive(Clone, Debug)]
pub struct StepNoise {
    /// Variances of step after step, along all axes; one number where they are equal.
    variances: Vec<Vec<f64>>,
    /// In columns, `[dim, dim]`; where there are none, those of the coordinates.
    axes: Option<Tensor<2>>,
}

impl StepNoise {
    /// That of `reference` in `steps` equal steps.
    pub fn of_reference(reference: &dyn GaussianReference, steps: usize) -> Self {
        Self::along(None, reference.step_variances(steps))
    }

    /// That of one step for each of `variances`, which are along the columns of `axes`, or where there are none, along
    /// the coordinates; one number stands for all of a step.
    ///
    /// # Shapes
    /// `axes: [dim, dim]`, `variances: [steps][dim]` or `[steps][1]`, in units of the state squared.
    pub fn along(axes: Option<Tensor<2>>, variances: Vec<Vec<f64>>) -> Self {
        Self { variances, axes }
    }

    /// Number of steps.
    pub fn steps(&self) -> usize {
        self.variances.len()
    }

    /// The mean over all axes of the variance of step `k`.
    pub fn mean_variance(&self, k: usize) -> f64 {
        self.variances[k].iter().sum::<f64>() / self.variances[k].len() as f64
    }

    /// Noise of step `k` for every row of `x`, `[batch, dim]`.
    pub fn draw(&self, k: usize, x: &Tensor<2>, rng: &mut Rng) -> Tensor<2> {
        let normal = rng.normal_like(x);
        let deviations: Vec<f64> = self.variances[k].iter().map(|variance| variance.sqrt()).collect();
        if let [deviation] = deviations[..] {
            return normal * deviation;
        }
        let shape = [1, deviations.len()];
        let scaled = normal * Tensor::from_data(TensorData::new(deviations, shape), (&x.device(), x.dtype()));
        match &self.axes {
            Some(axes) => scaled.matmul(axes.clone().transpose().cast(x.dtype())),
            None => scaled,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::{DType, Device, from_rows_f64, to_vec_f64};

    #[test]
    fn noise_has_its_variances_along_its_axes() {
        let (c, s, count) = (0.6, 0.8, 50_000);
        let axes = from_rows_f64(&[c, -s, s, c], 2, &Device::flex());
        let noise = StepNoise::along(Some(axes.clone()), vec![vec![1.0], vec![0.5, 2.0]]);
        assert_eq!((noise.steps(), noise.mean_variance(1)), (2, 1.25));
        let x = Tensor::zeros([count, 2], (&Device::flex(), DType::F64));
        for (k, variances) in [(0, [1.0, 1.0]), (1, [0.5, 2.0])] {
            let along = noise.draw(k, &x, &mut Rng::new(3)).matmul(axes.clone());
            let products = to_vec_f64(along.clone().transpose().matmul(along) / count as f64);
            // 4.5 standard errors of a (co)variance.
            let allowed =
                |i: usize, j: usize| 4.5 * (2.0 * variances[i] * variances[j] / count as f64).sqrt();
            for (i, j) in [(0, 0), (0, 1), (1, 1)] {
                let exact = if i == j { variances[i] } else { 0.0 };
                assert!((products[2 * i + j] - exact).abs() < allowed(i, j), "{k}: {products:?}");
            }
        }
    }
}
