//! A bridge between two data sets, from data to file.

use std::path::Path;
use std::time::Instant;

use sbridge::eval::points;
use sbridge::rng::Rng;
use sbridge::solver::light_sb::LightSb;
use sbridge::tensor::Device;
use sbridge::{Direction, Error};
use sbridge_data::Dataset;

use crate::data::{self, MIN_SAMPLES, Split};
use crate::error::{Result, RunError};
use crate::evaluate::require_same_shape;
use crate::folder::RunFolder;
use crate::manifest::{DataRecord, FORMAT, Manifest, RunStatus, peak_memory};
use crate::ot::{AUTO_SHARE, auto_epsilon, cost_spread};
use crate::pair_config::PairConfig;
use crate::pair_file;
use crate::watch::Progress;
use crate::{atomic, metrics, shown::digits};

/// Name of the method in manifests.
pub const METHOD: &str = "light-sb";

/// Both data sets of a run, each in a part to train on and a part to judge by.
pub struct Pair {
    /// Where paths start.
    pub source: Dataset,
    /// Where they end.
    pub target: Dataset,
    /// Training and held-out rows of the source.
    pub of_source: Split,
    /// The same of the target.
    pub of_target: Split,
}

impl Pair {
    /// Reads both sets.
    ///
    /// # Errors
    /// [`RunError`] for data that cannot be used together.
    pub fn load(config: &PairConfig) -> Result<Self> {
        for (name, set) in [("source", &config.source), ("target", &config.target)] {
            if set.source.is_empty() {
                return Err(RunError::Input(format!("no {name} (give --{name} DATA)")));
            }
        }
        let (source, target) = (data::load(&config.source)?, data::load(&config.target)?);
        require_same_shape(&source, &target)?;
        let rng = Rng::new(config.seed);
        let split = |data: &Dataset, name: &str| {
            Split::new(data, config.output.held_out, &rng.fork(name), &Device::flex())
        };
        let (of_source, of_target) = (split(&source, "source"), split(&target, "target"));
        let pair = Self { source, target, of_source, of_target };
        pair.check()?;
        Ok(pair)
    }

    fn check(&self) -> Result<()> {
        for (set, split) in [(&self.source, &self.of_source), (&self.target, &self.of_target)] {
            let left = split.train.dims()[0];
            if left < MIN_SAMPLES {
                let problem = format!(
                    "{} has {left} training samples; at least {MIN_SAMPLES} are needed",
                    set.source()
                );
                return Err(RunError::Input(problem));
            }
        }
        Ok(())
    }

    /// ε as it is set, or a share of the spread of the cost between the two sets; with a word on what it means.
    fn epsilon(&self, config: &PairConfig) -> Result<f64> {
        let (x, y) = (points(&self.of_source.train)?, points(&self.of_target.train)?);
        let spread = cost_spread(&x, &y, &mut Rng::new(config.seed).fork("epsilon"));
        if config.epsilon > 0.0 {
            if let Some(doubt) = doubt(config.epsilon / spread) {
                tracing::warn!(
                    "epsilon {} {doubt} (auto would take {})",
                    digits(config.epsilon),
                    digits(AUTO_SHARE * spread)
                );
            }
            return Ok(config.epsilon);
        }
        let auto = auto_epsilon(spread)?;
        eprintln!(
            "epsilon {}: {AUTO_SHARE} of the standard deviation of the cost ½|x − y|²; paths wander by {} on the way",
            digits(auto),
            digits(auto.sqrt())
        );
        Ok(auto)
    }
}

/// What speaks against an ε of so many standard deviations of the cost, in words.
fn doubt(share: f64) -> Option<&'static str> {
    match share {
        s if s < 1e-3 => Some(
            "is tiny beside the spread of the cost: the bridge is all but exact transport, which a smooth potential \
             cannot follow; expect ends off their floor",
        ),
        s if s > 10.0 && s.is_finite() => {
            Some("is large beside the spread of the cost: paths forget where they started")
        }
        _ => None,
    }
}

/// Fits the bridge that `config` asks for into the new folder `out`. Nothing is written before data and settings
/// are known to be usable.
///
/// # Errors
/// [`RunError`], with the exit code the command should end with.
pub fn start(mut config: PairConfig, out: &Path) -> Result<RunFolder> {
    RunFolder::check_free(out)?;
    let pair = Pair::load(&config)?;
    config.epsilon = pair.epsilon(&config)?;
    let folder = RunFolder::create(out)?;
    atomic::write(&folder.file("config.toml"), config.to_toml().as_bytes())?;
    let mut manifest = Manifest {
        format: FORMAT,
        version: env!("CARGO_PKG_VERSION").into(),
        method: METHOD.into(),
        seed: config.seed,
        device: "cpu".into(),
        source: Some(DataRecord::of(&pair.source)),
        target: DataRecord::of(&pair.target),
        pretrain: None,
        status: RunStatus::Running,
        seconds: Vec::new(),
        peak_memory: None,
    };
    folder.write_manifest(&manifest)?;
    let started = Instant::now();
    let fitted = fit(&config, &pair, &folder);
    manifest.add_seconds("fit", started.elapsed().as_secs_f64());
    manifest.peak_memory = peak_memory();
    manifest.status = match &fitted {
        Ok(()) => RunStatus::Finished,
        Err(RunError::Library(Error::Diverged(reason))) => RunStatus::Diverged { reason: reason.clone() },
        Err(error) => RunStatus::Failed { reason: error.to_string() },
    };
    folder.write_manifest(&manifest)?;
    fitted.map(|()| folder)
}

fn fit(config: &PairConfig, pair: &Pair, folder: &RunFolder) -> Result<()> {
    let rng = Rng::new(config.seed).fork(METHOD);
    let mut progress = None;
    let mut log = String::new();
    let mut watch = |direction: Direction, step: usize, loss: f64| {
        let stage = stage_of(direction);
        if step == 1 {
            progress.iter_mut().for_each(Progress::finish);
            progress = Some(Progress::new(stage, 0, config.light_sb.steps));
        }
        progress.iter_mut().for_each(|shown: &mut Progress| shown.advance(step, loss));
        if step.is_multiple_of(metrics::INTERVAL) {
            log += &metrics::line(stage, step, "loss", loss);
        }
    };
    let (source, target) = (&pair.of_source.train, &pair.of_target.train);
    let bridge = LightSb::fit(source, target, config.epsilon, &config.light_sb, &rng, &mut watch)?;
    progress.iter_mut().for_each(Progress::finish);
    atomic::write(&folder.file("metrics.jsonl"), log.as_bytes())?;
    pair_file::save(&folder.file("bridge.safetensors"), &bridge)
}

/// Name of a direction in logs and reports.
pub fn stage_of(direction: Direction) -> &'static str {
    match direction {
        Direction::Forward => "forward",
        Direction::Backward => "backward",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epsilon_far_from_the_spread_of_the_cost_is_doubted() {
        assert!(doubt(1e-4).is_some_and(|words| words.contains("tiny")));
        assert!(doubt(20.0).is_some_and(|words| words.contains("forget")));
        assert!(doubt(0.05).is_none() && doubt(f64::INFINITY).is_none());
    }
}
