//! The settings of a forecast.

use sbridge::fit::FitSettings;
use sbridge::forecast::{Bounds, ForecastNetSettings};
use sbridge::net::ResidualMlpSettings;
use sbridge::reference::Schedule;
use sbridge::solver::vsdm::{FlowSettings, VsdmSettings};
use sbridge_data::{DateOrder, SeriesLayout, Step};
use serde::{Deserialize, Serialize};

use crate::error::{Result, RunError};
use crate::models::variational::check_learned;
use crate::settings::{Common, Refusal, Settings};

/// All settings of a forecast.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ForecastConfig {
    /// Seed of every random stream. Default 0.
    pub seed: u64,
    /// `cpu`, `cuda`, `cuda:n` or `wgpu`. Default `cpu`.
    pub device: String,
    /// Times forecast at once.
    pub horizon: usize,
    /// Times of the past a forecast looks at; 0 (default) takes three horizons, or a week if that is more.
    pub context: usize,
    /// Windows of the length of the horizon at the end of the series that are not learned from, to judge by. Default 5.
    pub windows: usize,
    /// Paths drawn for each window. Default 100.
    pub samples: usize,
    /// Whether score models of the same network and training are fitted beside it, to compare. Default false.
    pub baselines: bool,
    /// What no value of any series is below, and no draw. Default -inf, no bound.
    pub at_least: f64,
    /// What no value of any series is above, and no draw. Default inf, no bound.
    pub at_most: f64,
    /// Seconds between checkpoints. Default 60.
    pub checkpoint_seconds: u64,
    /// What to forecast.
    pub series: SeriesConfig,
    /// The network that reads the past.
    pub past: ForecastNetSettings,
    /// What is learned. Differs from the defaults of vsdm in noise (`schedule.beta_max` 20, `t_min` 0.01), network
    /// and training.
    pub vsdm: VsdmSettings,
    /// How paths are drawn.
    pub sampler: FlowSettings,
}

/// A file of series, and how it holds them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SeriesConfig {
    /// A table or JSON lines.
    pub source: String,
    /// Column of the times; the first that holds dates if empty.
    pub time: String,
    /// Column that names the series, for a long table; empty for a wide one.
    pub series: String,
    /// Column of the values of a long table; the only one left if empty.
    pub value: String,
    /// Series to keep; all if empty.
    pub keep: Vec<String>,
    /// Series, or columns of words, to leave out.
    pub drop: Vec<String>,
    /// The step in time: H, 15min, D, B, W, M, Q or Y; seen in the file if empty.
    pub every: String,
    /// Words and numbers that stand for a missing value, besides the usual.
    pub missing: Vec<String>,
    /// The order of day, month and year: day-first, month-first or year-first; seen in the file if empty.
    pub dates: String,
    /// Where the clock of the times stands, as Europe/Berlin; as their offsets say if empty.
    pub zone: String,
}

impl Default for ForecastConfig {
    fn default() -> Self {
        Self {
            seed: 0,
            device: "cpu".into(),
            horizon: 0,
            context: 0,
            windows: 5,
            samples: 100,
            baselines: false,
            at_least: f64::NEG_INFINITY,
            at_most: f64::INFINITY,
            checkpoint_seconds: 60,
            series: SeriesConfig::default(),
            past: ForecastNetSettings::default(),
            vsdm: VsdmSettings {
                schedule: Schedule { beta_max: 20.0, ..Schedule::default() },
                t_min: 1e-2,
                stages: 2,
                cooldown_steps: 0,
                paths: 1000,
                net: ResidualMlpSettings { width: 96, blocks: 2, time_features: 32 },
                fit: FitSettings {
                    steps: 1500,
                    batch_size: 256,
                    learning_rate: 1e-3,
                    weight_decay: 1e-2,
                    patience: 8,
                    ..VsdmSettings::default().fit
                },
                ..VsdmSettings::default()
            },
            sampler: FlowSettings::default(),
        }
    }
}

impl SeriesConfig {
    /// How to read the file.
    ///
    /// # Errors
    /// [`RunError::Config`] for a step that is none.
    pub fn layout(&self) -> Result<SeriesLayout> {
        let given = |name: &String| (!name.is_empty()).then(|| name.clone());
        let every = given(&self.every).map(|name| {
            Step::named(&name).map_err(|problem| RunError::Config(format!("series.every {problem}")))
        });
        let dates = given(&self.dates).map(|name| {
            let problem =
                || format!("series.dates must be day-first, month-first or year-first, got {name:?}");
            DateOrder::of_name(&name).ok_or_else(|| RunError::Config(problem()))
        });
        if !self.keep.is_empty() && !self.drop.is_empty() {
            return Err(RunError::Config(
                "series.keep and series.drop exclude each other (leave one out)".into(),
            ));
        }
        Ok(SeriesLayout {
            time: given(&self.time),
            series: given(&self.series),
            value: given(&self.value),
            keep: self.keep.clone(),
            drop: self.drop.clone(),
            every: every.transpose()?,
            missing: self.missing.clone(),
            dates: dates.transpose()?,
            zone: given(&self.zone),
        })
    }
}

impl ForecastConfig {
    /// The bounds of series whose steps have this `spread`; none if none are set.
    ///
    /// # Errors
    /// As [`Bounds::new`].
    pub(super) fn bounds(&self, spread: Vec<f64>) -> sbridge::Result<Option<Bounds>> {
        let at_least = Some(self.at_least).filter(|bound| *bound != f64::NEG_INFINITY);
        let at_most = Some(self.at_most).filter(|bound| *bound != f64::INFINITY);
        Bounds::new(at_least, at_most, spread)
    }
}

impl Settings for ForecastConfig {
    fn defaults(_method: &str) -> Self {
        Self::default()
    }

    fn common(&self) -> Common {
        let checkpoint_seconds = self.checkpoint_seconds;
        Common { seed: self.seed, device: self.device.clone(), checkpoint_seconds }
    }

    fn check(&self) -> std::result::Result<(), Refusal> {
        self.past.check().map_err(|error| Refusal::in_section("past", &error))?;
        check_learned(&self.vsdm, &self.sampler)?;
        self.bounds(Vec::new()).map_err(|error| {
            let key = if self.at_least.is_finite() || self.at_least == f64::NEG_INFINITY {
                "at_most"
            } else {
                "at_least"
            };
            Refusal::new(key, error.to_string().trim_start_matches(&format!("{key} ")).to_owned())
        })?;
        let counts = [
            ("horizon", self.horizon, 1, "give --horizon"),
            ("windows", self.windows, 1, "5 is the default"),
            ("samples", self.samples, 2, "100 is the default"),
        ];
        match counts.into_iter().find(|(_, value, least, _)| value < least) {
            None => Ok(()),
            Some((key, value, least, fix)) => {
                Err(Refusal::new(key, format!("must be at least {least}, got {value} ({fix})")))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::settings::Overrides;
    use crate::tasks::forecast::METHOD;

    fn of(text: &str, set: &[&str]) -> Result<ForecastConfig> {
        ForecastConfig::resolved(METHOD, &Overrides { text: text.into(), ..Overrides::of(set) })
    }

    #[test]
    fn settings_survive_a_round_trip_and_wrong_values_are_refused() {
        let config = of("", &["horizon=24"]).unwrap();
        assert_eq!(of(&config.to_toml(), &[]).unwrap(), config);
        let refused = |set: &str| of("horizon = 5", &[set]).unwrap_err().to_string();
        assert!(of("", &[]).unwrap_err().to_string().contains("horizon must be at least 1"));
        assert!(refused("vsdm.zeta=-1").contains("vsdm.zeta must be a finite number > 0, got -1"));
        assert!(refused("vsdm.schedule.beta_min=0").contains("vsdm.schedule.beta_min"));
        assert!(refused("samples=1").contains("samples must be at least 2"));
        assert!(refused("at_least=nan").contains("at_least must be a finite number"));
        let crossed = of("horizon = 5", &["at_least=2", "at_most=1"]).unwrap_err().to_string();
        assert!(crossed.contains("at_most must be more than at_least, 2, got 1"), "{crossed}");
        let minutes = SeriesConfig { every: "15m".into(), ..SeriesConfig::default() }.layout();
        assert!(minutes.unwrap_err().to_string().contains("write 15min or 15M"));
        assert!(refused("horizn=1").contains("nearest setting is horizon"));
        let layout = SeriesConfig { every: "soon".into(), ..SeriesConfig::default() }.layout();
        assert!(layout.unwrap_err().to_string().contains("got \"soon\""));
    }
}
