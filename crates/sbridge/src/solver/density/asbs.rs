//! Adjoint Schrödinger bridge sampler: from samples of any law to a density of which nothing can be drawn.          \[ASBS, Alg. 1\]
//!
//! The bridge of dX = √ε dW has v₊ = ε ∇ln φ and v₋ = ε ∇ln φ̂ with φ φ̂ = p_t, so at the end ∇ln φ = ∇ln ρ − ∇ln φ̂, and
//!
//! v₊(t, x) = E\[ε ∇ln ρ(X₁) − v₋(1, X₁) | X_t = x\],   v₋(t, x) = E\[(X₀ − x)/t | X_t = x\].
//!
//! The first is regressed along paths of the last v₊, the second, which is bridge matching, after it, in turn: proportional
//! fitting with a density for one end. Without v₋ it is adjoint sampling, which is right from a single point alone. Steps have the
//! variance that bridge matching along the same paths leaves. Scores know nothing of the masses of modes that are far apart: which
//! share of the paths ends at each changes from regression to regression, where the paths of a log-variance loss have weights.
//!
//! Tests: the bridge between Gaussians in closed form, and what is found without v₋.

use std::sync::Arc;

use crate::bridge::Direction;
use crate::coupling::{Coupling as _, Pairs, Simulated};
use crate::density::LogDensity;
use crate::error::{Error, Result, require_count, require_positive};
use crate::executor::run_silently;
use crate::fit::{FitSettings, Trainer};
use crate::net::{DriftNet, DriftNetSettings};
use crate::objective::{AdjointMatching, BridgeMatching, DriftRegression};
use crate::reference::{Brownian, GaussianReference as _};
use crate::rng::Rng;
use crate::solver::alternation::half_bridge_fit;
use crate::solver::{Frame, NeuralBridge, Way};
use crate::tensor::{Tensor, per_row};

use super::chain::score_at;

/// How the two drifts are learned in turn.
#[derive(Clone, Debug)]
pub struct AsbsSettings {
    /// Regressions one after the other, v₊ first; at least 1. Default 40.
    pub half_bridges: usize,
    /// Steps of a path; the error falls as one over them. Default 50.
    pub steps: usize,
    /// Paths that a regression is made along. Default 10 240.
    pub paths: usize,
    /// Bound of every coordinate of the score: where a density is steep the first paths would run away. Default 100.
    pub clip: f64,
    /// Size of the networks.
    pub net: DriftNetSettings,
    /// Training of a half-bridge.
    pub fit: FitSettings,
}

impl Default for AsbsSettings {
    fn default() -> Self {
        let (net, fit) = (DriftNetSettings::default(), half_bridge_fit(300));
        Self { half_bridges: 40, steps: 50, paths: 10_240, clip: 100.0, net, fit }
    }
}

impl AsbsSettings {
    /// # Errors
    /// [`Error::Setting`] for a value out of range.
    pub fn check(&self) -> Result<()> {
        require_count("half_bridges", self.half_bridges, 1..=10_000, "40 is usual")?;
        require_count("steps", self.steps, 2..=1000, "50 is usual")?;
        require_count(
            "paths",
            self.paths,
            self.fit.batch_size..=1 << 24,
            "10240 is usual, a batch the least",
        )?;
        require_positive("clip", self.clip, "100 is usual")?;
        self.net.check()?;
        self.fit.check()
    }
}

/// A bridge to a density between two regressions.
pub struct Asbs {
    density: Arc<dyn LogDensity>,
    source: Tensor<2>,
    settings: AsbsSettings,
    bridge: NeuralBridge,
    learned: usize,
    rng: Rng,
}

impl Asbs {
    /// From the rows of `source`, `[count, dim]`, to `density`, in its coordinates, for ε in their squares.
    ///
    /// # Errors
    /// [`Error::Shape`] for a source of another dimension, [`Error::Setting`] for settings out of range.
    pub fn new(
        density: Arc<dyn LogDensity>,
        source: Tensor<2>,
        epsilon: f64,
        settings: AsbsSettings,
        rng: Rng,
    ) -> Result<Self> {
        settings.check()?;
        let dim = density.dim();
        if source.dims()[1] != dim {
            let fix = "start in the space of the density";
            return Err(Error::shape("dimension of the source", dim, source.dims()[1], fix));
        }
        let reference = Brownian::with_epsilon(epsilon)?;
        let bridge = NeuralBridge::untrained(Frame::identity(dim), reference, settings.steps);
        Ok(Self { density, source, settings, bridge, learned: 0, rng })
    }

    /// The bridge as far as it is learned.
    pub fn bridge(&self) -> &NeuralBridge {
        &self.bridge
    }

    /// The direction whose drift is learned next, if one is left.
    pub fn next(&self) -> Option<Direction> {
        let direction = if self.learned.is_multiple_of(2) { Direction::Forward } else { Direction::Backward };
        (self.learned < self.settings.half_bridges).then_some(direction)
    }

    /// Learns all drifts that are left.
    ///
    /// # Errors
    /// As [`learn`](Self::learn).
    pub fn run(mut self) -> Result<NeuralBridge> {
        while let Some(direction) = self.next() {
            self.learn(direction)?;
        }
        Ok(self.bridge)
    }

    /// Learns the drift of `direction` along paths of the bridge.
    ///
    /// # Errors
    /// [`Error::Diverged`] if the numbers go bad, and what the density cannot be evaluated for.
    pub fn learn(&mut self, direction: Direction) -> Result<()> {
        let rng = self.rng.fork(&format!("half-bridge {}", self.learned));
        let AsbsSettings { steps, paths, net, fit, .. } = &self.settings;
        let pairs = paths / fit.batch_size * fit.batch_size;
        let (bridge, starts) = (Arc::new(self.bridge.clone()), self.source.clone());
        let walked =
            || Simulated { bridge: bridge.clone(), direction: Direction::Forward, starts: starts.clone() };
        let net = match &self.bridge.way(direction).net {
            Some(net) => net.clone(),
            None => {
                DriftNet::new(self.density.dim(), None, net, &mut rng.fork("init"), &self.source.device())
            }
        };
        let trainer = Trainer::new(net, fit.clone(), rng.fork("fit"))?;
        let (reference, steps, uses) =
            (self.bridge.reference, *steps, (fit.steps * fit.batch_size).div_ceil(pairs));
        let matching = BridgeMatching::new(Box::new(walked()), reference, direction, steps, (pairs, uses));
        let mut matching = DriftRegression::new(Box::new(matching), None, rng.fork("bridges"));
        let learned = match direction {
            Direction::Forward => {
                let pairs = walked().pairs(pairs, &mut rng.fork("paths"));
                let pulls = self.pulls(&pairs)?;
                run_silently(trainer, &mut AdjointMatching { pairs, pulls, reference, steps })?
            }
            Direction::Backward => run_silently(trainer, &mut matching)?,
        };
        let in_f32 = |step: Vec<f64>| step.into_iter().map(|q| q as f32).collect();
        let step_variances = matching.step_variances(&learned, steps).into_iter().map(in_f32).collect();
        let way = Way { gaussian: None, net: Some(learned), step_variances };
        self.bridge.set_way(direction, way);
        self.learned += 1;
        Ok(())
    }

    /// ε ∇ln ρ − v₋(1, ·) where paths ended, `[count, dim]`.
    fn pulls(&self, Pairs { x1, .. }: &Pairs) -> Result<Tensor<2>> {
        let clip = self.settings.clip;
        let score = score_at(self.density.as_ref(), x1)?.clamp(-clip, clip);
        let backward = match &self.bridge.backward.net {
            Some(net) => net.forward(per_row(1.0, x1), x1.clone()),
            None => x1.zeros_like(),
        };
        Ok(score * self.bridge.reference.epsilon() - backward)
    }
}
