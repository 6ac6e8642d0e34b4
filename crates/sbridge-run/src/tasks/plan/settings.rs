//! The settings of a planner.

use std::fmt;

use sbridge::fit::FitSettings;
use sbridge::net::TemporalUNetSettings;
use sbridge::planning::{GoalKind, Reward};
use sbridge::solver::paired::{Paths, Schedule, Variant};
use serde::{Deserialize, Serialize};

use crate::settings::{Common, Refusal, Settings, in_range};

/// What may be trained beside the bridge: the same network as a diffusion from noise, in as many calls.
pub(super) const DDPM: &str = "ddpm";

/// All settings of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PlanConfig {
    /// Seed of every random stream. Default 0.
    pub seed: u64,
    /// `cpu`, `cuda`, `cuda:n` or `wgpu`. Default `cpu`.
    pub device: String,
    /// Networks of the same size and training beside it: `ddpm`. Default none.
    pub compare: Vec<String>,
    /// A text file of the layout, or `builtin:umaze`, `medium`, `large`, `open` and those with `-eval`.
    pub maze: String,
    /// What is learned from.
    pub trajectories: TrajectoriesConfig,
    /// Where plans start from: `gaussian`, `line`, `polyline` (default), `mlp` or `conv`.
    pub prior: PriorName,
    /// Rows of a plan, one for every hundredth of a second; 0 takes that of the maze, 128 of one that is not built in. Default 0.
    pub horizon: usize,
    /// What is learned.
    pub bridge: PlanBridgeConfig,
    /// How plans are drawn.
    pub sampler: PlanSamplerConfig,
    /// What is left in the run folder, and what judges.
    pub output: PlanOutputConfig,
}

/// Data of how a disc gets around.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrajectoriesConfig {
    /// `builtin` (default), made by the built-in controller; or an archive `.npz` of `observations` (x, y, vx, vy) and `actions`; or
    /// an array `.npy` with the columns ax, ay, x, y, vx, vy.
    pub source: String,
    /// Rows that the built-in controller makes. Default 200000.
    pub rows: usize,
    /// Standard deviation of what is added to its actions. Default 0.5.
    pub noise: f64,
    /// What a plan is learned from: `to-target` (default), pieces in which the target stays the same, and once it is reached the disc
    /// stays; or `whole`, all pieces of so many rows until the goal of the maze is left, as in print.
    pub windows: WindowsName,
}

/// Which pieces of trajectories are learned from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WindowsName {
    /// With one target, held once it is reached.
    ToTarget,
    /// Whatever leads on for so many rows.
    Whole,
}

/// Where plans start from, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PriorName {
    /// Standard normal noise.
    Gaussian,
    /// The straight line.
    Line,
    /// The shortest way through the maze.
    Polyline,
    /// A perceptron of both ends, fitted to the data before.
    Mlp,
    /// Convolutions of both ends, likewise.
    Conv,
}

impl fmt::Display for PriorName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Gaussian => "gaussian",
            Self::Line => "line",
            Self::Polyline => "polyline",
            Self::Mlp => "mlp",
            Self::Conv => "conv",
        })
    }
}

/// The bridge and its network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PlanBridgeConfig {
    /// `stochastic` (default), or `ode` for means alone.
    pub paths: Paths,
    /// Levels of the bridge, even. Default 16.
    pub levels: usize,
    /// `fixed` (default), or `faithful` for sums, scale, last step and straight line of the released program.
    pub variant: Variant,
    /// Size of the network. Default width 16, multipliers 1, 2, 4; in print 32, and 1, 4, 8.
    pub net: TemporalUNetSettings,
    /// Training. Default 10000 steps of 32 windows, learning rate 1e-3.
    pub fit: FitSettings,
    /// Training of `mlp` and `conv`. Default 2000 steps of 64 windows, learning rate 1e-3.
    pub prior_fit: FitSettings,
}

/// How plans are drawn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PlanSamplerConfig {
    /// Calls of the network for a plan. Default 4; below the number of levels.
    pub nfe: usize,
    /// Steps after which the rest is planned anew; 0 (default) for never.
    pub replan: usize,
}

/// What is left in the run folder, and what judges.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PlanOutputConfig {
    /// Episodes that judge. Default 300.
    pub episodes: usize,
    /// Steps of an episode; 0 (default) takes those of the maze, 300 of one that is not built in.
    pub steps: usize,
    /// Whether episodes end at the cell `G` or at a `random` one (default).
    pub goal: GoalKind,
    /// `sparse` (default) or `dense`.
    pub reward: Reward,
    /// Numbers of calls that are judged beside `sampler.nfe`. Default `[1, 15]`.
    pub calls: Vec<usize>,
    /// Seconds between checkpoints. Default 60.
    pub checkpoint_seconds: u64,
}

impl Default for PlanConfig {
    fn default() -> Self {
        Self {
            seed: 0,
            device: "cpu".into(),
            compare: Vec::new(),
            maze: String::new(),
            trajectories: TrajectoriesConfig::default(),
            prior: PriorName::Polyline,
            horizon: 0,
            bridge: PlanBridgeConfig::default(),
            sampler: PlanSamplerConfig::default(),
            output: PlanOutputConfig::default(),
        }
    }
}

impl Default for TrajectoriesConfig {
    fn default() -> Self {
        Self { source: BUILTIN.into(), rows: 200_000, noise: 0.5, windows: WindowsName::ToTarget }
    }
}

/// Trajectories of the built-in controller.
pub(super) const BUILTIN: &str = "builtin";

impl Default for PlanBridgeConfig {
    fn default() -> Self {
        let fit = FitSettings {
            steps: 10_000,
            batch_size: 32,
            learning_rate: 1e-3,
            weight_decay: 0.0,
            clip_norm: 1.0,
            ema_decay: 0.995,
            patience: 0,
        };
        Self {
            paths: Paths::Stochastic,
            levels: 16,
            variant: Variant::Fixed,
            net: TemporalUNetSettings { width: 16, multipliers: vec![1, 2, 4] },
            prior_fit: FitSettings { steps: 2000, batch_size: 64, ..fit.clone() },
            fit,
        }
    }
}

impl Default for PlanSamplerConfig {
    fn default() -> Self {
        Self { nfe: 4, replan: 0 }
    }
}

impl Default for PlanOutputConfig {
    fn default() -> Self {
        Self {
            episodes: 300,
            steps: 0,
            goal: GoalKind::Random,
            reward: Reward::Sparse,
            calls: vec![1, 15],
            checkpoint_seconds: 60,
        }
    }
}

impl PlanConfig {
    /// The variances.
    ///
    /// # Errors
    /// As [`Schedule::of_plans`].
    pub(super) fn schedule(&self) -> sbridge::Result<Schedule> {
        Schedule::of_plans(self.bridge.levels, self.bridge.variant)
    }

    /// Whether the diffusion from noise is trained, too.
    pub(super) fn has_ddpm(&self) -> bool {
        self.compare.iter().any(|name| name == DDPM)
    }
}

impl Settings for PlanConfig {
    const FORMER: &'static [(&'static str, &'static str)] = &[("trajectories.windows", "\"whole\"")];

    fn defaults(_method: &str) -> Self {
        Self::default()
    }

    fn common(&self) -> Common {
        let checkpoint_seconds = self.output.checkpoint_seconds;
        Common { seed: self.seed, device: self.device.clone(), checkpoint_seconds }
    }

    fn check(&self) -> std::result::Result<(), Refusal> {
        if let Some(name) = self.compare.iter().find(|name| *name != DDPM) {
            return Err(Refusal::new("compare", format!("knows {DDPM}, got {name:?} (leave it out)")));
        }
        let Self { trajectories, bridge, sampler, output, .. } = self;
        let schedule = self.schedule().map_err(|error| Refusal::in_section("bridge", &error))?;
        bridge.net.check().map_err(|error| Refusal::in_section("bridge.net", &error))?;
        bridge.fit.check().map_err(|error| Refusal::in_section("bridge.fit", &error))?;
        bridge.prior_fit.check().map_err(|error| Refusal::in_section("bridge.prior_fit", &error))?;
        schedule.visits(sampler.nfe).map_err(|error| Refusal::in_section("sampler", &error))?;
        for calls in &output.calls {
            in_range("output.calls", *calls, 1..=schedule.levels() - 1, "below the number of levels")?;
        }
        in_range("horizon", self.horizon, 0..=4096, "0 takes that of the maze, 128 is usual")?;
        in_range("output.episodes", output.episodes, 2..=100_000, "300 is the default")?;
        in_range("output.steps", output.steps, 0..=100_000, "0 takes those of the maze")?;
        in_range("trajectories.rows", trajectories.rows, 1..=20_000_000, "200000 is the default")?;
        if !(trajectories.noise.is_finite() && trajectories.noise >= 0.0) {
            let problem = format!("must be a finite number >= 0, got {} (0.5 is usual)", trajectories.noise);
            return Err(Refusal::new("trajectories.noise", problem));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::settings::Overrides;
    use crate::tasks::plan::METHOD;

    #[test]
    fn defaults_survive_a_round_trip_and_wrong_values_are_refused() {
        let of = |text: &str, set: &[&str]| {
            PlanConfig::resolved(METHOD, &Overrides { text: text.into(), ..Overrides::of(set) })
        };
        let config = PlanConfig::default();
        assert_eq!(of(&config.to_toml(), &[]).unwrap(), config);
        for (set, problem) in [
            ("bridge.levels=15", "bridge.levels must be even, got 15"),
            ("sampler.nfe=16", "sampler.nfe must be at most 15, got 16"),
            ("output.calls=[0]", "output.calls must be in [1, 15], got 0"),
            ("compare=[\"ddim\"]", "compare knows ddpm, got \"ddim\""),
            ("prior=\"spline\"", "unknown variant"),
            ("trajectories.noise=-1", "trajectories.noise must be a finite number >= 0, got -1"),
            ("bridge.net.width=12", "bridge.net.width must be a multiple of 8, got 12"),
        ] {
            let message = of("", &[set]).unwrap_err().to_string();
            assert!(message.contains(problem), "{message}");
        }
    }
}
