//! A bridge: the drifts of a diffusion that joins two laws, and what follows from them.
//!
//! dX = v₊(t, X) dt + g(t) dW from `π₀` at t = 0; in the reversed clock,
//! dX = v₋(t, X) ds + g(t) dW from `π₁`. Nelson's identity ties them to the marginal density:
//! v₊ + v₋ = g² ∇log pₜ, and the probability flow moves with u = ½ (v₊ − v₋).   \[Nel67\]

use crate::rng::Rng;
use crate::tensor::{Tensor, column};

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

    /// Velocity of the probability flow, u = ½ (v₊ − v₋).
    fn velocity(&self, t: Tensor<1>, x: Tensor<2>) -> Tensor<2> {
        let forward = self.drift(Direction::Forward, t.clone(), x.clone());
        let backward = self.drift(Direction::Backward, t, x);
        (forward - backward) * 0.5
    }

    /// Score of the marginal law, ∇log pₜ = (v₊ + v₋) / g².
    fn score(&self, t: Tensor<1>, x: Tensor<2>) -> Tensor<2> {
        let forward = self.drift(Direction::Forward, t.clone(), x.clone());
        let backward = self.drift(Direction::Backward, t.clone(), x);
        (forward + backward) / column(self.diffusion(t).powi_scalar(2))
    }
}

/// A bridge between two laws that carries samples from either end to the other.
pub trait PairBridge: Bridge {
    /// ε of the reference, in units of the state squared.
    fn epsilon(&self) -> f64;

    /// One draw at the other end for every row of `x`, `[batch, dim]`.
    fn transport(&self, direction: Direction, x: &Tensor<2>, rng: &mut Rng) -> Tensor<2>;

    /// States at equally spaced times of a path from every row of `x`, both ends included. Between two of them the path
    /// is a Brownian bridge.
    fn skeleton(&self, direction: Direction, x: &Tensor<2>, rng: &mut Rng) -> Vec<Tensor<2>>;

    /// Variances of the noise in the steps of a simulated path, in the clock of `direction`; as many as there are
    /// steps, all of one length.
    fn step_variances(&self, direction: Direction) -> Vec<f64>;
}
