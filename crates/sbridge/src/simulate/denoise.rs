//! Steps of the bridge from q_ε to p along a variance grid, h_k = v_k − v_{k+1}.
//!
//! - `Euler`:     Z += h s(Z, v_k) + √h ξ
//! - `Ancestral`: the same drift, noise variance h v_{k+1}/v_k
//! - `OdeEuler`:  Z += ½ h s(Z, v_k)
//! - `OdeHeun`:   Z += ½ h · mean of the slopes at both ends; `OdeEuler` where v_{k+1} = 0
//!
//! The multistep rules [LZB+22] solve the linear part of a step exactly and extrapolate the denoised state D = Z + v s from
//! the step before, along −½ ln v, in steps ℓ of it: D̃ = D_k + ½ (ℓ_k/ℓ_{k−1}) (D_k − D_{k−1}). With q = v_{k+1}/v_k,
//!
//! - `Multistep`:    Z = q Z + (1 − q) D̃ + √(v_{k+1} (1 − q)) ξ, which is `Ancestral` for D̃ = D
//! - `OdeMultistep`: Z = √q Z + (1 − √q) D̃
//!
//! `EndRule::Tweedie` adds Z += v s(Z, v) at the last variance above zero. The score is never
//! asked for at v = 0. Tests pin the exact variance of the output for Gaussian laws.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::marginal::SmoothedScore;
use crate::rng::Rng;
use crate::tensor::{Tensor, per_row};

/// One step of the simulation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepRule {
    /// Euler–Maruyama on the bridge.
    Euler,
    /// Euler drift with the posterior's noise variance.
    Ancestral,
    /// Euler on the probability flow.
    OdeEuler,
    /// Heun on the probability flow: second order, two calls a step.
    OdeHeun,
    /// SDE-DPM-Solver++(2M): second order in the drift, one call a step.
    Multistep,
    /// DPM-Solver++(2M) on the probability flow: second order, one call a step.
    OdeMultistep,
}

/// The noise of one step.
pub(crate) struct StepScale {
    /// Its standard deviation.
    pub(crate) std: f64,
    /// What it leaves of the noise that was there, where nothing is learned from it.
    pub(crate) kept: f64,
}

impl StepRule {
    /// Whether a step uses what the one before found.
    pub(crate) fn is_multistep(self) -> bool {
        matches!(self, Self::Multistep | Self::OdeMultistep)
    }

    /// What a step between two variances does to noise.
    pub(crate) fn noise(self, [v, next]: [f64; 2]) -> StepScale {
        match self {
            Self::Euler => StepScale { std: (v - next).sqrt(), kept: 1.0 },
            Self::Ancestral | Self::Multistep => {
                StepScale { std: ((v - next) * next / v).sqrt(), kept: next / v }
            }
            Self::OdeEuler | Self::OdeHeun | Self::OdeMultistep => StepScale { std: 0.0, kept: 1.0 },
        }
    }
}

/// What happens after the last step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EndRule {
    /// Nothing.
    Plain,
    /// The posterior mean of the clean state, Z + v s(Z, v).
    Tweedie,
}

/// A source of standard normal noise. [`Rng`] is the one for sampling; a test can give its own.
pub trait Noise {
    /// Noise of the shape and type of `like`.
    fn draw(&mut self, like: &Tensor<2>) -> Tensor<2>;
}

impl Noise for Rng {
    fn draw(&mut self, like: &Tensor<2>) -> Tensor<2> {
        self.normal_like(like)
    }
}

/// A plan to remove the noise of a smoothed law step by step.
#[derive(Clone, Debug)]
pub struct Denoiser {
    variances: Vec<f64>,
    step: StepRule,
    end: EndRule,
}

impl Denoiser {
    /// A plan along `variances`, v₀ > … > v_K ≥ 0.
    ///
    /// # Errors
    /// [`Error::Setting`] unless there are at least two variances, decreasing, the last not negative.
    pub fn new(variances: Vec<f64>, step: StepRule, end: EndRule) -> Result<Self> {
        let falls = variances.windows(2).all(|w| w[1] < w[0]);
        let last = variances.last().copied().unwrap_or(-1.0);
        if variances.len() < 2 || !falls || last < 0.0 {
            return Err(Error::setting(
                "variances",
                "two or more, decreasing, the last not negative",
                format!("{variances:?}"),
                "build them with VarGrid",
            ));
        }
        Ok(Self { variances, step, end })
    }

    /// The variances v₀ … v_K, `[K + 1]`.
    pub fn variances(&self) -> &[f64] {
        &self.variances
    }

    /// The rule of its steps.
    pub fn rule(&self) -> StepRule {
        self.step
    }

    /// The smallest variance the score is asked for.
    pub fn smallest_query(&self) -> f64 {
        let last = self.variances.len() - 1;
        let asks_at_the_end = self.end == EndRule::Tweedie || self.step == StepRule::OdeHeun;
        if asks_at_the_end && self.variances[last] > 0.0 {
            self.variances[last]
        } else {
            self.variances[last - 1]
        }
    }

    /// Number of times the score is evaluated per sample.
    pub fn score_calls(&self) -> usize {
        let steps = self.variances.len() - 1;
        let ends_at_zero = self.variances[steps] == 0.0;
        let per_run = match self.step {
            StepRule::OdeHeun => 2 * steps - usize::from(ends_at_zero),
            _ => steps,
        };
        per_run + usize::from(self.end == EndRule::Tweedie)
    }

    /// Carries `start`, distributed as q at v₀, to the end of the grid.
    ///
    /// # Shapes
    /// `start: [batch, dim]`, result the same.
    pub fn run(&self, score: &dyn SmoothedScore, start: Tensor<2>, noise: &mut dyn Noise) -> Tensor<2> {
        self.run_observed(score, start, noise, &mut |_, _| {})
    }

    /// [`run`](Self::run), showing `(v_k, Z_k)` to `observe` at every grid point.
    pub fn run_observed(
        &self,
        score: &dyn SmoothedScore,
        start: Tensor<2>,
        noise: &mut dyn Noise,
        observe: &mut dyn FnMut(f64, &Tensor<2>),
    ) -> Tensor<2> {
        let (mut z, mut before) = (start, None);
        for pair in self.variances.windows(2) {
            observe(pair[0], &z);
            z = self.step(score, z, [pair[0], pair[1]], &mut before, noise);
        }
        if self.end == EndRule::Tweedie {
            let v = *self.variances.iter().rfind(|v| **v > 0.0).expect("v₀ > 0");
            z = z.clone() + score_at(score, &z, v) * v;
        }
        observe(self.variances[self.variances.len() - 1], &z);
        z
    }

    /// One step from variance `v` to `next`, after one that began as `before` says, which is replaced by how this one did.
    fn step(
        &self,
        score: &dyn SmoothedScore,
        z: Tensor<2>,
        [v, next]: [f64; 2],
        before: &mut Option<Denoised>,
        noise: &mut dyn Noise,
    ) -> Tensor<2> {
        let h = v - next;
        let slope = score_at(score, &z, v);
        let mut ahead = || {
            let now = Denoised { v, state: z.clone() + slope.clone() * v };
            let denoised = now.extrapolated(before.as_ref(), next);
            *before = Some(now);
            denoised
        };
        match self.step {
            StepRule::Euler | StepRule::Ancestral => {
                let xi = noise.draw(&z);
                z + slope * h + xi * self.step.noise([v, next]).std
            }
            StepRule::OdeHeun if next > 0.0 => {
                let ahead = z.clone() + slope.clone() * (0.5 * h);
                let slope_ahead = score_at(score, &ahead, next);
                z + (slope + slope_ahead) * (0.25 * h)
            }
            StepRule::OdeEuler | StepRule::OdeHeun => z + slope * (0.5 * h),
            StepRule::Multistep => {
                let (denoised, xi) = (ahead(), noise.draw(&z));
                z * (next / v) + denoised * (h / v) + xi * self.step.noise([v, next]).std
            }
            StepRule::OdeMultistep => {
                let (denoised, kept) = (ahead(), (next / v).sqrt());
                z * kept + denoised * (1.0 - kept)
            }
        }
    }
}

/// The posterior mean of the clean state at one variance, Z + v s(Z, v).
struct Denoised {
    v: f64,
    state: Tensor<2>,
}

impl Denoised {
    /// The same in the middle of the step to `next`, on the straight line through `before` and this one along −½ ln v; as it is
    /// in the first step and in one that ends without noise, where the line has no end.
    fn extrapolated(&self, before: Option<&Self>, next: f64) -> Tensor<2> {
        match before {
            Some(before) if next > 0.0 => {
                let share = 0.5 * (self.v / next).ln() / (before.v / self.v).ln();
                self.state.clone() + (self.state.clone() - before.state.clone()) * share
            }
            _ => self.state.clone(),
        }
    }
}

fn score_at(score: &dyn SmoothedScore, z: &Tensor<2>, v: f64) -> Tensor<2> {
    score.score(z.clone(), per_row(v, z))
}
