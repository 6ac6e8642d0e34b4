//! Where samples come from, and what is known of their laws.

mod convolved;
mod empirical;
mod gaussian;
mod mixture;

pub use convolved::Convolved;
pub use empirical::Empirical;
pub use gaussian::Gaussian;
pub use mixture::Mixture;

use crate::rng::Rng;
use crate::tensor::Tensor;

/// A law one can sample from.
pub trait Marginal {
    /// Dimension of a sample.
    fn dim(&self) -> usize;

    /// Independent samples, `[batch, dim]`.
    fn sample(&self, batch: usize, rng: &mut Rng) -> Tensor<2>;
}

/// The score of a law smoothed by Gaussian noise, `s(z, v) = ∇log (p * N(0, vI))(z)`.
///
/// The Brownian bridge from `p * N(0, εI)` to `p` needs nothing else, see
/// [`SmoothingBridge`](crate::solver::SmoothingBridge).
pub trait SmoothedScore: Send + Sync {
    /// Dimension of a state.
    fn dim(&self) -> usize;

    /// Score at `z` of the law smoothed with variance `v`.
    ///
    /// # Shapes
    /// `z: [batch, dim]`, `v: [batch]` (a variance, not a standard deviation), result `[batch, dim]`.
    fn score(&self, z: Tensor<2>, v: Tensor<1>) -> Tensor<2>;
}
