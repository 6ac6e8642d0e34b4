//! How a variational diffusion is learned.

use serde::{Deserialize, Serialize};

use crate::error::{Error, MAX_STEPS, Result, require_count, require_positive};
use crate::fit::FitSettings;
use crate::net::ResidualMlpSettings;
use crate::reference::Schedule;
use crate::solver::vsdm::{Family, StartLaw, ZetaOn};

/// How a variational diffusion is learned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct VsdmSettings {
    /// The noise schedule. Default β = 2 + 18 t³.
    pub schedule: Schedule,
    /// The first node: what noise is left at the data. Default 1e-3; 1e-4 to 1e-2.
    pub t_min: f64,
    /// Nodes of the training, equally spaced in time. Default 100.
    pub nodes: usize,
    /// The forward score before the first stage: `matched` (default), `bridge` or `zero`.
    pub initial: Initial,
    /// Equal parts of the clock in each of which the forward score is constant. Default 1; 50 for a bridge.
    pub intervals: usize,
    /// What the matrix of the forward score may be: `symmetric` (default), `full`, or `diagonal` for many dimensions.
    pub family: Family,
    /// Stages, at most; each but the first begins with a step of the forward score. Default 5.
    pub stages: usize,
    /// How far a step of the forward score goes: `damped` (default) or `stochastic-approximation`.
    pub update: Update,
    /// Share of the way to the minimiser that a damped step goes. Default 0.5. A whole step (1) with many intervals is a
    /// half-bridge: from `zero`, these lead to the Schrödinger bridge.
    pub damping: f64,
    /// Steps of stochastic approximation k = 0, 1, … go min(1, sa_rate/(k + sa_delay)) of the way. Default 5.
    pub sa_rate: f64,
    /// See `sa_rate`. Default 5.
    pub sa_delay: f64,
    /// Weight ζ in the step of the forward score. Default 1. Below, on the divergence, the forward process is noised less,
    /// and what it ends in is off the prior.
    pub zeta: f64,
    /// What ζ is the weight of: `divergence` (default) or `cross`, the product of both scores.
    pub zeta_on: ZetaOn,
    /// Paths simulated for a step of the forward score. Default 3000.
    pub paths: usize,
    /// The law these start from: `prior` (default), `kernel` or `reached`. From what the forward process reaches there is
    /// nothing to learn: the distance of the prior from it is all that moves the forward score.
    pub paths_from: StartLaw,
    /// Steps of the training after the last stage, with the forward score at rest. Default 5000; 0 for none.
    pub cooldown_steps: usize,
    /// The network.
    pub net: ResidualMlpSettings,
    /// Training of a stage.
    pub fit: FitSettings,
}

/// The forward score before the first stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Initial {
    /// None: a score model.
    Zero,
    /// The constant one that ends in the prior, for Gaussian data with the moments of ours.
    Matched,
    /// That of the Schrödinger bridge from such data to the prior. It changes with time.
    Bridge,
}

/// How far a step of the forward score goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Update {
    /// The same share of the way to the minimiser, each time.
    Damped,
    /// Ever less, along the gradient, scaled by the mean of the curvatures so far: for few paths, as the minimiser of few
    /// is off on average.                                                                                          \[RM51\]
    StochasticApproximation,
}

impl Default for VsdmSettings {
    fn default() -> Self {
        Self {
            schedule: Schedule::EVEN,
            t_min: 1e-3,
            nodes: 100,
            initial: Initial::Matched,
            intervals: 1,
            family: Family::Symmetric,
            stages: 5,
            update: Update::Damped,
            damping: 0.5,
            sa_rate: 5.0,
            sa_delay: 5.0,
            zeta: 1.0,
            zeta_on: ZetaOn::Divergence,
            paths: 3000,
            paths_from: StartLaw::Prior,
            cooldown_steps: 5000,
            net: ResidualMlpSettings { width: 128, blocks: 3, time_features: 64 },
            fit: FitSettings {
                steps: 3000,
                batch_size: 512,
                learning_rate: 2e-3,
                weight_decay: 0.0,
                clip_norm: 1.0,
                ema_decay: 0.995,
                patience: 0,
            },
        }
    }
}

/// How samples are drawn along the probability flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FlowSettings {
    /// Steps; each calls the network twice. Default 10.
    pub steps: usize,
    /// The law at t = 1 they start from: `reached` (default), `kernel` or `prior`.
    pub start: StartLaw,
}

impl Default for FlowSettings {
    fn default() -> Self {
        Self { steps: 10, start: StartLaw::Reached }
    }
}

impl FlowSettings {
    /// # Errors
    /// [`Error::Setting`] for no steps, or more than anybody needs.
    pub fn check(&self) -> Result<()> {
        require_count("steps", self.steps, 1..=MAX_NODES, "10 is the default")
    }
}

/// Parts of the clock, and nodes, at most: matrices are kept for each.
const MAX_INTERVALS: usize = 1000;
const MAX_NODES: usize = 100_000;

impl VsdmSettings {
    /// # Errors
    /// [`Error::Setting`] for a value outside its range.
    pub fn check(&self) -> Result<()> {
        self.schedule.check()?;
        self.net.check()?;
        self.fit.check()?;
        require_positive("zeta", self.zeta, "1 is the default, 0.5 to 1 is usual")?;
        require_positive("sa_rate", self.sa_rate, "5 is the default")?;
        require_positive("sa_delay", self.sa_delay, "5 is the default")?;
        if !(self.t_min > 0.0 && self.t_min < 0.5) {
            return Err(Error::setting("t_min", "in (0, 0.5)", self.t_min, "1e-3 is the default"));
        }
        if !(self.damping > 0.0 && self.damping <= 1.0) {
            return Err(Error::setting("damping", "in (0, 1]", self.damping, "0.5 is the default"));
        }
        if self.initial == Initial::Bridge && self.intervals < 2 {
            let fix = "50 is usual; one fits initial = \"matched\"";
            return Err(Error::setting("intervals", "at least 2 for a bridge", self.intervals, fix));
        }
        require_count("nodes", self.nodes, 2..=MAX_NODES, "100 is the default")?;
        require_count("intervals", self.intervals, 1..=MAX_INTERVALS, "50 is usual for a bridge")?;
        require_count("stages", self.stages, 1..=10_000, "5 is the default")?;
        require_count("paths", self.paths, 2..=10_000_000, "3000 is the default")?;
        require_count("cooldown_steps", self.cooldown_steps, 0..=MAX_STEPS, "5000 is the default")
    }

    /// Share of the way that step `k` of the forward score goes.
    pub fn step_size(&self, k: usize) -> f64 {
        match self.update {
            Update::Damped => self.damping,
            Update::StochasticApproximation => (self.sa_rate / (k as f64 + self.sa_delay)).min(1.0),
        }
    }
}
