//! A controlled diffusion in steps, and the weight of its paths.
//!
//! All methods step alike,
//!
//! x_{k+1} = a_k x_k + m_k u + n_k ξ_k,   ξ_k ~ N(0, I),
//!
//! with the control u at (x_k, t_k). What is held fixed is a noising, read from the end: its step back from x_{k+1} has the mean
//! (x_{k+1} + m_k v)/a_k and the deviation n_k/a_k, with v at (x_{k+1}, t_{k+1}), zero where nothing is learned of it. With
//! r_k = m_k/n_k the logarithm of the ratio of both laws of a path is
//!
//! A = base − ln ρ(x_K) + Σ ½ r_k² |u + v|² + r_k (u + v)·ξ_k,                              \[LV, Eq. 8; DDS, Eq. 13\]
//!
//! where base is ln of the density of x_K without control, or of the noising read backward. Both laws are products of normalised
//! kernels, so E\[e^−A\] = Z exactly, for every control and every number of steps. Draws ξ that are larger than N(0, I), to
//! explore, change nothing in A: they are what a path under another control has.
//!
//! Tests: published values; E\[e^−A\] for arbitrary controls; controls for which A is constant; draws of π noised and weighed.

use std::f64::consts::TAU;

use crate::density::LogDensity;
use crate::error::Result;
use crate::rng::Rng;
use crate::simulate::Noise;
use crate::tensor::{Tensor, from_rows_f64, to_vec_f64};

/// A time of the grid.
#[derive(Clone, Copy, Debug)]
pub struct Knot {
    /// In the diffusion's own time.
    pub time: f64,
    /// The same as a share of the whole.
    pub share: f64,
    /// g, by which a control is worth less or more.
    pub diffusion: f64,
}

/// One step.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// a: what is kept of the state.
    pub kept: f64,
    /// m: what a control moves.
    pub moved: f64,
    /// n: standard deviation of the noise.
    pub noise: f64,
}

impl Step {
    /// r = m/n: what a control is worth beside the noise.
    pub fn ratio(&self) -> f64 {
        self.moved / self.noise
    }
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
    /// K + 1 times.
    pub knots: Vec<Knot>,
    /// K steps between them.
    pub steps: Vec<Step>,
    /// What is held fixed.
    pub base: Base,
}

/// The controls of a chain.
pub trait Control: Sync {
    /// Whether [`forward`](Self::forward) wants the score.
    fn uses_score(&self) -> bool;

    /// u, `[count, dim]`, at knot `k` and `states`, `[count, dim]`, where ∇ln ρ is `score`, `[count, dim]`, if it is wanted.
    fn forward(&self, k: usize, knot: &Knot, states: &Tensor<2>, score: Option<&Tensor<2>>) -> Tensor<2>;

    /// v, `[count, dim]`, at knot `k` and `states`, `[count, dim]`; nothing where it is zero.
    fn backward(&self, _k: usize, _knot: &Knot, _states: &Tensor<2>) -> Option<Tensor<2>> {
        None
    }
}

/// Paths, and what they weigh.
pub struct Paths {
    /// K + 1 states, `[count, dim]` each.
    pub states: Vec<Tensor<2>>,
    /// K draws ξ, `[count, dim]` each.
    pub noise: Vec<Tensor<2>>,
    /// u + v of the K steps, `[count, dim]` each.
    pub controls: Vec<Tensor<2>>,
    /// ∇ln ρ of the first K states, `[count, dim]` each, where the control used it.
    pub scores: Vec<Tensor<2>>,
    /// A of every path; −A is the logarithm of its weight.
    pub action: Vec<f64>,
}

impl Paths {
    /// The last states, `[count, dim]`.
    pub fn ends(&self) -> &Tensor<2> {
        &self.states[self.states.len() - 1]
    }
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
        let mut paths = Paths::from(start);
        for (k, step) in self.steps.iter().enumerate() {
            let x = paths.ends().clone();
            let (u, xi) = (paths.control_at(k, &self.knots[k], control, density)?, noise.draw(&x));
            let next = x * step.kept + u.clone() * step.moved + xi.clone() * step.noise;
            let v = control.backward(k + 1, &self.knots[k + 1], &next);
            paths.push(step, next, v.map_or(u.clone(), |v| u + v), xi);
        }
        self.weigh(paths, density)
    }

    /// Draws of π, `[count, dim]`, taken back to the start by the noising that is held fixed, and weighed as paths of
    /// `control`: the mean of e^A over them is 1/Z.
    ///
    /// # Errors
    /// What the density cannot be evaluated for.
    pub fn noised(
        &self,
        control: &dyn Control,
        density: &dyn LogDensity,
        ends: Tensor<2>,
        noise: &mut dyn Noise,
    ) -> Result<Paths> {
        let mut states = vec![ends];
        for (k, step) in self.steps.iter().enumerate().rev() {
            let x = &states[states.len() - 1];
            let v = control.backward(k + 1, &self.knots[k + 1], x);
            let moved = v.map_or(x.clone(), |v| x.clone() + v * step.moved);
            let (kept, deviation) = self.backward_kernel(k);
            states.push(moved * kept + noise.draw(x) * deviation);
        }
        let mut states = states.into_iter().rev();
        let mut paths = Paths::from(states.next().expect("a state at least"));
        for ((k, step), next) in self.steps.iter().enumerate().zip(states) {
            let x = paths.ends().clone();
            let u = paths.control_at(k, &self.knots[k], control, density)?;
            let xi = (next.clone() - x * step.kept - u.clone() * step.moved) / step.noise;
            let v = control.backward(k + 1, &self.knots[k + 1], &next);
            paths.push(step, next, v.map_or(u.clone(), |v| u + v), xi);
        }
        self.weigh(paths, density)
    }

    /// What the noising keeps of x_{k+1} on its step back, and the deviation of its noise.
    fn backward_kernel(&self, k: usize) -> (f64, f64) {
        let step = &self.steps[k];
        match self.base {
            Base::OfStart { .. } => (1.0 / step.kept, step.noise / step.kept),
            Base::OfEnd { .. } => {
                // The diffusion without control, read backward.
                let before = Self::end_var(self.start_var, &self.steps[..k]);
                let shrink = before / (step.kept.powi(2) * before + step.noise.powi(2));
                (step.kept * shrink, step.noise * shrink.sqrt())
            }
        }
    }

    /// `paths` with base and ln ρ in A.
    fn weigh(&self, mut paths: Paths, density: &dyn LogDensity) -> Result<Paths> {
        let end = to_vec_f64(paths.ends().clone());
        let base = self.base_of(&to_vec_f64(paths.states[0].clone()), &end, density.dim());
        let log_density = density.values(&end)?;
        for ((sum, base), log_density) in paths.action.iter_mut().zip(base).zip(log_density) {
            *sum += base - log_density;
        }
        Ok(paths)
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

impl Paths {
    fn from(start: Tensor<2>) -> Self {
        let action = vec![0.0; start.dims()[0]];
        Self { states: vec![start], noise: Vec::new(), controls: Vec::new(), scores: Vec::new(), action }
    }

    /// u at the states reached.
    fn control_at(
        &mut self,
        k: usize,
        knot: &Knot,
        control: &dyn Control,
        density: &dyn LogDensity,
    ) -> Result<Tensor<2>> {
        let score = control.uses_score().then(|| score_at(density, self.ends())).transpose()?;
        let u = control.forward(k, knot, self.ends(), score.as_ref());
        self.scores.extend(score);
        Ok(u)
    }

    /// A step to `next`, with `control` = u + v and the draw `xi`.
    fn push(&mut self, step: &Step, next: Tensor<2>, control: Tensor<2>, xi: Tensor<2>) {
        let r = step.ratio();
        let gained = control.clone().powi_scalar(2) * (0.5 * r * r) + control.clone() * xi.clone() * r;
        self.action.iter_mut().zip(to_vec_f64(gained.sum_dim(1))).for_each(|(sum, gained)| *sum += gained);
        self.states.push(next);
        self.noise.push(xi);
        self.controls.push(control);
    }
}

/// ∇ln ρ at `states`, `[count, dim]`.
pub(super) fn score_at(density: &dyn LogDensity, states: &Tensor<2>) -> Result<Tensor<2>> {
    let (_, gradients) = density.values_and_gradients(&to_vec_f64(states.clone()))?;
    Ok(from_rows_f64(&gradients, density.dim(), &states.device()).cast(states.dtype()))
}
