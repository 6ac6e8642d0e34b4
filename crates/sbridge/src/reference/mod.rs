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

    /// The reference as a Gaussian process, if it is one.
    fn as_gaussian(&self) -> Option<&dyn GaussianReference> {
        None
    }
}

/// Mean and variance of an isotropic Gaussian, per row of a batch.
#[derive(Clone, Debug)]
pub struct Moments {
    /// `[batch, dim]`.
    pub mean: Tensor<2>,
    /// `[batch]`.
    pub var: Tensor<1>,
}

/// A reference whose bridges are known in closed form.
pub trait GaussianReference: Reference {
    /// Law of X_t given both ends.
    ///
    /// # Shapes
    /// `t: [batch]`, `x0, x1: [batch, dim]`.
    fn bridge(&self, t: Tensor<1>, x0: Tensor<2>, x1: Tensor<2>) -> Moments;

    /// Forward drift at `x` of the bridge that ends in `x1`, `[batch, dim]`.
    fn bridge_drift(&self, t: Tensor<1>, x: Tensor<2>, x1: Tensor<2>) -> Tensor<2>;
}
