//! The bridge from the clean states that may belong to degraded ones to these.
//!
//! Whatever the clean end, forward paths are Brownian bridges to the degraded one, with the drift β (x₁ − x)/r²; backward ones
//! have v₋ = −β ε̂/s, in the clock that runs from t = 1 to t = 0.                                       \[I2SB\]

use super::{PairPredictor, Schedule};
use crate::bridge::{Bridge, Direction};
use crate::tensor::{Tensor, TensorData, column, to_vec_f64};

/// A bridge for rows that belong to the rows of `degraded`, one for one.
pub struct PinnedBridge<'a, N> {
    /// ε̂, trained on random paths.
    pub net: &'a N,
    /// The variances.
    pub schedule: &'a Schedule,
    /// x₁, `[batch, dim]`.
    pub degraded: Tensor<2>,
}

impl<N> PinnedBridge<'_, N> {
    /// `value` of β and s² at every time of `t`.
    fn every(&self, t: &Tensor<1>, value: impl Fn(f64, f64) -> f64) -> Tensor<1> {
        let of_time = |t: f64| {
            let (beta, s2) = self.schedule.at(t);
            value(beta, s2)
        };
        let values: Vec<f64> = to_vec_f64(t.clone()).into_iter().map(of_time).collect();
        let count = values.len();
        Tensor::from_data(TensorData::new(values, [count]), (&t.device(), t.dtype()))
    }
}

impl<N: PairPredictor> Bridge for PinnedBridge<'_, N> {
    fn dim(&self) -> usize {
        self.degraded.dims()[1]
    }

    fn drift(&self, direction: Direction, t: Tensor<1>, x: Tensor<2>) -> Tensor<2> {
        match direction {
            Direction::Forward => {
                let whole = self.schedule.whole();
                let pull = self.every(&t, |beta, s2| beta / (whole - s2));
                (self.degraded.clone() - x) * column(pull)
            }
            Direction::Backward => {
                let pull = self.every(&t, |beta, s2| -beta / s2.sqrt());
                // Levels end where their time says.
                let levels = self.schedule.levels() as f64;
                let clock = (t * levels - 1.0).clamp_min(0.0) / (levels - 1.0) * (1.0 - 1e-4) + 1e-4;
                self.net.predict(clock, x, &self.degraded) * column(pull)
            }
        }
    }

    fn diffusion(&self, t: Tensor<1>) -> Tensor<1> {
        self.every(&t, |beta, _| beta.sqrt())
    }
}
