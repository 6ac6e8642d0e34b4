//! A controlled diffusion in steps, and the weight of its paths.
//!
//! All methods with one control step alike,
//!
//! x_{k+1} = a_k x_k + m_k w + n_k ξ_k,   ξ_k ~ N(0, I),
//!
//! with w the control that is simulated. For the control c that is scored
//!
//! A = base − ln ρ(x_K) + Σ (m_k/n_k)² c·(w − ½c) + (m_k/n_k) c·ξ_k,                              \[LV, Eq. 8; DDS, Eq. 13\]
//!
//! where base is ln of the density of x_K without control, or of the noising read backward. Both are ratios of normalised kernels,
//! so E\[e^−A\] = Z exactly, for every control and every number of steps.
//!
//! Tests: published values; E\[e^−A\] for arbitrary controls; controls for which A is constant.

use std::f64::consts::TAU;

use crate::density::LogDensity;
use crate::error::Result;
use crate::rng::Rng;
use crate::simulate::Noise;
use crate::tensor::{Tensor, from_rows_f64, to_vec_f64};

/// One step.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// When it starts, in the diffusion's own time.
    pub time: f64,
    /// The same as a share of the whole.
    pub share: f64,
    /// g, by which a control is worth less or more.
    pub diffusion: f64,
    /// a: what is kept of the state.
    pub kept: f64,
    /// m: what a control moves.
    pub moved: f64,
    /// n: standard deviation of the noise.
    pub noise: f64,
}

/// What A counts beside the control and ln ρ.
#[derive(Clone, Copy, Debug)]
pub enum Base {
    /// ln N(x_K; 0, variance): the law of the end without control.
    OfEnd {
        /// Its variance.
        var: f64,
    },
    /// ln N(x_0; 0, variance) − d Σ ln a_k: the noising of data, from the end back to the start.
    OfStart {
        /// Variance of the start.
        var: f64,
    },
}

/// A diffusion in steps.
#[derive(Clone, Debug)]
pub struct Chain {
    /// Variance of the first state along every axis, 0 for the origin.
    pub start_var: f64,
    /// In the order of time.
    pub steps: Vec<Step>,
    /// What is held fixed.
    pub base: Base,
}

/// A control of states at a step.
pub trait Control: Sync {
    /// Whether [`at`](Self::at) wants the score.
    fn uses_score(&self) -> bool;

    /// The control, `[count, dim]`, of step `k` at `states`, `[count, dim]`, where ∇ln ρ is `score`, `[count, dim]`, if it is
    /// wanted.
    fn at(&self, k: usize, step: &Step, states: &Tensor<2>, score: Option<&Tensor<2>>) -> Tensor<2>;
}

/// Paths, and what they weigh.
pub struct Paths {
    /// K + 1 states, `[count, dim]` each.
    pub states: Vec<Tensor<2>>,
    /// K draws, `[count, dim]` each.
    pub noise: Vec<Tensor<2>>,
    /// ∇ln ρ of the first K states, `[count, dim]` each, where the control used it.
    pub scores: Vec<Tensor<2>>,
    /// A of every path; −A is the logarithm of its weight.
    pub action: Vec<f64>,
}

impl Chain {
    /// First states, `[count, dim]`, like `like`.
    pub fn start(&self, like: &Tensor<2>, rng: &mut Rng) -> Tensor<2> {
        rng.normal_like(like) * self.start_var.sqrt()
    }

    /// Paths from `start`, `[count, dim]`, under `control`, weighed against `density`.
    ///
    /// # Errors
    /// What the density cannot be evaluated for.
    pub fn simulate(
        &self,
        control: &dyn Control,
        density: &dyn LogDensity,
        start: Tensor<2>,
        noise: &mut dyn Noise,
    ) -> Result<Paths> {
        let mut action = vec![0.0; start.dims()[0]];
        let (mut states, mut draws, mut scores) = (vec![start], Vec::new(), Vec::new());
        for (k, step) in self.steps.iter().enumerate() {
            let x = &states[states.len() - 1];
            let score = control.uses_score().then(|| score_at(density, x)).transpose()?;
            let (c, xi) = (control.at(k, step, x, score.as_ref()), noise.draw(x));
            let ratio = step.moved / step.noise;
            let gained = c.clone().powi_scalar(2) * (0.5 * ratio * ratio) + c.clone() * xi.clone() * ratio;
            action.iter_mut().zip(to_vec_f64(gained.sum_dim(1))).for_each(|(sum, gained)| *sum += gained);
            states.push(x.clone() * step.kept + c * step.moved + xi.clone() * step.noise);
            draws.push(xi);
            scores.extend(score);
        }
        let end = to_vec_f64(states[states.len() - 1].clone());
        let base = self.base_of(&to_vec_f64(states[0].clone()), &end, density.dim());
        let log_density = density.values(&end)?;
        for ((sum, base), log_density) in action.iter_mut().zip(base).zip(log_density) {
            *sum += base - log_density;
        }
        Ok(Paths { states, noise: draws, scores, action })
    }

    /// The base of paths from `start` to `end`, `[count, dim]` both.
    fn base_of(&self, start: &[f64], end: &[f64], dim: usize) -> Vec<f64> {
        let (states, var, log_volume) = match self.base {
            Base::OfEnd { var } => (end, var, 0.0),
            Base::OfStart { var } => (start, var, self.steps.iter().map(|step| step.kept.ln()).sum()),
        };
        let log_normal = |x: &f64| -0.5 * (x * x / var + (TAU * var).ln());
        let of_row = |row: &[f64]| row.iter().map(log_normal).sum::<f64>() - dim as f64 * log_volume;
        states.chunks_exact(dim).map(of_row).collect()
    }

    /// Variance of the end along every axis without control.
    pub(super) fn end_var(start_var: f64, steps: &[Step]) -> f64 {
        steps.iter().fold(start_var, |var, step| step.kept.powi(2) * var + step.noise.powi(2))
    }
}

/// ∇ln ρ at `states`, `[count, dim]`.
fn score_at(density: &dyn LogDensity, states: &Tensor<2>) -> Result<Tensor<2>> {
    let (_, gradients) = density.values_and_gradients(&to_vec_f64(states.clone()))?;
    Ok(from_rows_f64(&gradients, density.dim(), &states.device()).cast(states.dtype()))
}
