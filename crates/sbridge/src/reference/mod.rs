//! Reference diffusions: what paths look like before they are asked to join two laws.

mod brownian;
mod linear;
mod schedule;

pub use brownian::Brownian;
pub use linear::{Kernel, LinearDiffusion, LinearDrift};
pub(crate) use linear::{decayed, product};
pub use schedule::Schedule;

use crate::tensor::Tensor;

/// A diffusion dX = f dt + g dW.
pub trait Reference {
    /// Drift f(t, x).
    ///
    /// # Shapes
    /// `t: [batch]`, `x: [batch, dim]`, result `[batch, dim]`.
    fn drift(&self, t: Tensor<1>, x: Tensor<2>) -> Tensor<2>;

    /// Diffusion g(t), `[batch]`.
    fn diffusion(&self, t: Tensor<1>) -> Tensor<1>;
}

/// Mean and variance of an isotropic Gaussian, per row of a batch.
#[derive(Clone, Debug)]
pub struct Moments {
    /// `[batch, dim]`.
    pub mean: Tensor<2>,
    /// `[batch]`.
    pub var: Tensor<1>,
}

/// A reference whose bridges are known in closed form. Time runs over [0, 1], and a path is walked in equal steps.
///
/// # Shapes
/// Throughout `t: [batch]` and states `[batch, dim]`.
pub trait GaussianReference: Reference {
    /// ε: the variance a coordinate gains in unit time, on average over coordinates.
    fn epsilon(&self) -> f64;

    /// Law of X_t given both ends.
    fn bridge(&self, t: Tensor<1>, x0: Tensor<2>, x1: Tensor<2>) -> Moments;

    /// Forward drift at `x` of the bridge that ends in `x1`.
    fn bridge_drift(&self, t: Tensor<1>, x: Tensor<2>, x1: Tensor<2>) -> Tensor<2>;

    /// E\[X_s | X_0 = x\] of a mixture of bridges, of which v(0, x) = `drift` is the drift in `x`.
    fn mean_from_drift(&self, s: f64, x: Tensor<2>, drift: Tensor<2>) -> Tensor<2>;

    /// Variances gained in step after step of `steps`: one number for all coordinates, or one for each.
    fn step_variances(&self, steps: usize) -> Vec<Vec<f64>>;

    /// Mean, and variances for all coordinates or for each, of the state after a share `share` of step k of N, `step` = [k, N],
    /// from `x` to `y`.
    fn within_step(&self, step: [usize; 2], share: f64, x: Tensor<2>, y: Tensor<2>) -> (Tensor<2>, Vec<f64>);

    /// Law of the state after step k of N, `step` = [k, N], from `x`, of a path that ends in `x1`.
    fn next_step(&self, step: [usize; 2], x: Tensor<2>, x1: Tensor<2>) -> Moments;
}
