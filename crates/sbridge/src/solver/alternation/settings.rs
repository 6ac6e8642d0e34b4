//! Settings of bridges that are learned half by half.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, require_count};
use crate::fit::FitSettings;
use crate::net::DriftNetSettings;
use crate::objective::PathSettings;
use crate::solver::alternation::AlternationMethod;
use crate::solver::{Dsb, Dsbm, Sdsb};

/// How half-bridges are learned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlternationSettings {
    /// What a drift is regressed on.
    pub target: Target,
    /// Where pairs come from before there is a bridge to simulate.
    pub start: StartingPairs,
    /// Half-bridges learned one after the other, backward first; at least 1.
    pub half_bridges: usize,
    /// Steps of a path; 10 to 200. The error falls as one over them.
    pub steps: usize,
    /// The noise of a step.
    pub step_variance: StepVariance,
    /// Whether networks add to the drift between Gaussians of the same moments, which is known in closed form; the default.
    /// Without, they learn the whole drift and no mean is taken out, which shows what they find by themselves.
    #[serde(default = "known")]
    pub known_drift: bool,
    /// What is simulated ahead.
    pub cache: CacheSettings,
    /// Paths on which pairs pay least for where they go, instead of Brownian bridges between them; the default of `crowd`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paths: Option<PathSettings>,
    /// Size of the networks.
    pub net: DriftNetSettings,
    /// Training of a half-bridge.
    pub fit: FitSettings,
}

/// As in settings of earlier runs, which do not say.
fn known() -> bool {
    true
}

/// What a drift is regressed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// The mean of a step forward, carried over to where it ended.
    Mean,
    /// The state before a step.
    State,
    /// The end of the Brownian bridge.
    Bridge,
}

impl Target {
    /// The method that regresses on it.
    fn method(self) -> &'static dyn AlternationMethod {
        match self {
            Self::Mean => &Dsb,
            Self::State => &Sdsb,
            Self::Bridge => &Dsbm,
        }
    }
}

/// Where pairs come from before there is a bridge to simulate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StartingPairs {
    /// Source samples, and where Brownian motion takes them.
    Reference,
    /// Samples of both ends, drawn independently.
    Independent,
    /// The entropic plan between parts of both samples.
    Entropic,
}

/// The noise of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepVariance {
    /// That of the reference, ε/N.
    Reference,
    /// What the learned mean leaves of the reversed step: no bias of order 1/N.
    Matched,
}

/// What is simulated ahead of training.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CacheSettings {
    /// Pairs or paths simulated at a time. Default 10000.
    pub rows: usize,
    /// Memory they may take, in megabytes. Default 256.
    pub megabytes: usize,
    /// How often a pair is used, each time with another time and other noise; steps of paths are used once. Default 4.
    pub uses: usize,
}

impl Default for CacheSettings {
    fn default() -> Self {
        Self { rows: 10_000, megabytes: 256, uses: 4 }
    }
}

/// The training of a half-bridge in `steps` steps, as methods have it unless they say otherwise.
pub(in crate::solver) fn half_bridge_fit(steps: usize) -> FitSettings {
    FitSettings {
        steps,
        batch_size: 256,
        learning_rate: 5e-3,
        weight_decay: 0.0,
        clip_norm: 1.0,
        ema_decay: 0.99,
        patience: 0,
    }
}

/// Plans between samples made for a half-bridge: they cost more than all else.
const PLANS: usize = 8;

impl AlternationSettings {
    /// Checks the ranges, and what the method of the target demands.
    ///
    /// # Errors
    /// [`Error::Setting`] for a value outside its range, or values that do not go together.
    pub fn check(&self) -> Result<()> {
        for (name, value, most, usual) in [
            ("half_bridges", self.half_bridges, 10_000, "20 is usual"),
            ("cache.rows", self.cache.rows, 1 << 30, "10000 is usual"),
            ("cache.megabytes", self.cache.megabytes, 1 << 20, "256 is usual"),
            ("cache.uses", self.cache.uses, 1_000_000, "4 is usual"),
        ] {
            require_count(name, value, 1..=most, usual)?;
        }
        require_count("steps", self.steps, 2..=1000, "20 to 100 is usual")?;
        self.target.method().check(self)?;
        if let Some(paths) = &self.paths {
            if self.target != Target::Bridge {
                let fix = "paths are between pairs of ends; take the target \"bridge\"";
                return Err(Error::setting("paths", "left out with this target", "settings of them", fix));
            }
            paths.check()?;
        }
        if self.fit.patience > 0 {
            let fix =
                "a half-bridge is trained to its end: its loss on held-out paths says nothing of the bridge";
            return Err(Error::setting("fit.patience", "0", self.fit.patience, fix));
        }
        self.net.check()?;
        self.fit.check()
    }

    /// Pairs held at a time, for samples of `dim` values: a multiple of the batch.
    pub(super) fn pairs(&self, dim: usize) -> usize {
        self.held(2 * dim, self.fit.batch_size)
    }

    /// Paths held at a time, with all their states: a multiple of the batch, so that their steps are one, and no more
    /// than a half-bridge uses.
    pub(super) fn paths(&self, dim: usize) -> usize {
        let batch = self.fit.batch_size;
        let used = (self.fit.steps * batch).div_ceil(self.steps).next_multiple_of(batch);
        self.held(self.values_of_path(dim), batch).min(used)
    }

    /// What is kept of a path: its states, and the targets of its steps where they are not states.
    fn values_of_path(&self, dim: usize) -> usize {
        let targets = if self.target == Target::Mean { self.steps } else { 0 };
        dim * (self.steps + 1 + targets)
    }

    /// Rows of so many values that fit, at least one batch of them.
    fn held(&self, values: usize, batch: usize) -> usize {
        let fits = self.cache.megabytes * 1_000_000 / (values * size_of::<f32>());
        (self.cache.rows.min(fits) / batch).max(1) * batch
    }

    /// Bytes of what is simulated ahead, for samples of `dim` values.
    pub fn cache_bytes(&self, dim: usize) -> usize {
        let values = match self.target {
            Target::Bridge => self.pairs(dim) * 2 * dim,
            Target::Mean | Target::State => self.paths(dim) * self.values_of_path(dim),
        };
        values * size_of::<f32>()
    }

    /// Paths along networks that have to be walked for an example.
    pub fn paths_per_example(&self) -> f64 {
        let walked = if self.start == StartingPairs::Reference { 1 } else { 2 };
        match self.target {
            _ if self.half_bridges <= walked => 0.0,
            Target::Bridge => 1.0 / self.cache.uses as f64,
            Target::Mean | Target::State => 1.0 / self.steps as f64,
        }
    }

    /// How often each of `count` pairs is used in a half-bridge, where it has pairs of its own.
    pub(super) fn uses_of_paths(&self, count: usize) -> usize {
        (self.fit.steps * self.fit.batch_size).div_ceil(count)
    }

    /// How often each of `count` pairs of a plan is used, so that few plans are made.
    pub(super) fn uses_of_plans(&self, count: usize) -> usize {
        (self.fit.steps * self.fit.batch_size).div_ceil(PLANS * count)
    }
}
