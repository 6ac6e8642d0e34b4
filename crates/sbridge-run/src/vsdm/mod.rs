//! A run of a variational diffusion: stages, samples, evaluation, report.

mod config;
pub(crate) mod estimate;
mod evaluation;
pub(crate) mod file;
mod report;
pub(crate) mod stages;

pub use config::VsdmConfig;
pub(crate) use config::check_learned;
pub(crate) use evaluation::{Candidate, Judge, Whitening};
pub use evaluation::{Likelihood, Row, Travel, VsdmEvaluation};
pub use file::load_model;

use std::path::Path;

use sbridge::rng::Rng;
use sbridge::solver::vsdm::{Family, FlowSettings, Learned, VariationalModel, Vsdm};
use sbridge::tensor::{Tensor, open_device};
use sbridge_data::{Dataset, SampleShape};

use crate::atomic;
use crate::data::{self, MIN_SAMPLES, Split};
use crate::error::{Result, RunError};
use crate::folder::RunFolder;
use crate::manifest::{DataRecord, Manifest, RunStatus};
use stages::Stages;

/// The method's name.
pub const METHOD: &str = "vsdm";

/// Values in a sample, at most, where matrices of as many rows and columns are kept for every node.
const MAX_DIM: usize = 256;

/// Data of a run.
struct RunData {
    target: Dataset,
    split: Split,
}

impl RunData {
    fn load(config: &VsdmConfig) -> Result<Self> {
        if config.target.source.is_empty() {
            return Err(RunError::Input("no target (give --target DATA)".into()));
        }
        let target = data::load(&config.target)?;
        let size = target.shape().size();
        if size > MAX_DIM && config.vsdm.family != Family::Diagonal {
            return Err(RunError::Input(format!(
                "samples of {} have {size} values, vsdm takes at most {MAX_DIM} with full matrices (use --set \
                 vsdm.family=diagonal, or sbridge fit latent for images)",
                target.source()
            )));
        }
        let rng = Rng::new(config.seed).fork("target");
        let split = Split::new(&target, config.output.held_out, &rng, &open_device(&config.device)?);
        let left = split.train.dims()[0];
        let least = match config.vsdm.family {
            Family::Diagonal => MIN_SAMPLES,
            Family::Full | Family::Symmetric => MIN_SAMPLES.max(2 * size),
        };
        if left < least {
            return Err(RunError::Input(format!(
                "{} has {left} training samples; at least {least} are needed for samples of {size} values",
                target.source()
            )));
        }
        Ok(Self { target, split })
    }

    fn held_out(&self) -> &Tensor<2> {
        self.split.held_out.as_ref().unwrap_or(&self.split.train)
    }
}

/// Learns what `config` asks for into the new folder `out`. Nothing is written before data and settings are known to be
/// usable.
///
/// # Errors
/// [`RunError`], with the exit code the command should end with.
pub fn start(config: VsdmConfig, out: &Path) -> Result<RunFolder> {
    RunFolder::check_free(out)?;
    let data = RunData::load(&config)?;
    // As read, in units of the network, and whitened.
    let bytes = 3 * data.target.len() * data.target.shape().size() * size_of::<f32>();
    let trial = estimate::trial(data.split.train.clone(), &config.vsdm)?;
    estimate::say_what_noise_hides(trial.model());
    estimate::announce(trial, &config.vsdm, models(&config).len(), bytes)?;
    let folder = RunFolder::create(out)?;
    atomic::write(&folder.file("config.toml"), config.to_toml().as_bytes())?;
    let manifest = Manifest {
        device: config.device.clone(),
        ..Manifest::new(METHOD, config.seed, DataRecord::of(&data.target))
    };
    folder.complete(manifest, |folder, manifest| fit_all(&config, folder, manifest, &data))
}

/// Continues the run in `path` from its last stage and checkpoint.
///
/// # Errors
/// [`RunError`]; also if the data have changed since.
pub fn resume(path: &Path) -> Result<RunFolder> {
    let folder = RunFolder::open_to_write(path)?;
    folder.require_method(METHOD)?;
    let config = VsdmConfig::from_toml(&folder.read("config.toml")?, &[])?;
    let data = RunData::load(&config)?;
    let manifest = Manifest { status: RunStatus::Running, ..folder.manifest()? };
    if DataRecord::of(&data.target) != manifest.target {
        return Err(RunError::other_data(path, "the target"));
    }
    folder.complete(manifest, |folder, manifest| fit_all(&config, folder, manifest, &data))
}

/// The model of the run; and beside it, if they are asked for, score models on the data and on whitened data.
fn fit_all(config: &VsdmConfig, folder: &RunFolder, manifest: &mut Manifest, data: &RunData) -> Result<()> {
    for name in models(config) {
        let rows = match *name {
            WHITENED => Whitening::of(&data.split.train)?.apply(&data.split.train),
            _ => data.split.train.clone(),
        };
        fit(config, folder, manifest, &rows, name)?;
    }
    Ok(())
}

/// Names of the models there will be.
fn models(config: &VsdmConfig) -> &'static [&'static str] {
    if config.baselines { &[METHOD, SCORE_MODEL, WHITENED] } else { &[METHOD] }
}

/// Names of the baselines: files and stages.
pub(crate) const SCORE_MODEL: &str = "score-model";
pub(crate) const WHITENED: &str = "whitened-score-model";

/// One model, stage by stage.
fn fit(
    config: &VsdmConfig,
    folder: &RunFolder,
    manifest: &mut Manifest,
    rows: &Tensor<2>,
    name: &'static str,
) -> Result<()> {
    let rng = Rng::new(config.seed).fork(name);
    let vsdm = match name {
        METHOD => Vsdm::new(rows.clone(), config.vsdm.clone(), rng)?,
        _ => Vsdm::score_model(rows.clone(), config.vsdm.clone(), rng)?,
    };
    let stages = Stages { folder, name, checkpoint_seconds: config.output.checkpoint_seconds };
    let device = open_device(&config.device)?;
    stages.learn(vsdm, manifest, &|path| load_model(path, &device), &|path, model, learned| {
        file::save(path, METHOD, model, (&config.vsdm.net, ()), learned)
    })
}

/// A finished run, opened.
pub struct OpenVsdm {
    /// Where it lies.
    pub folder: RunFolder,
    /// Its settings.
    pub config: VsdmConfig,
    /// Its description.
    pub manifest: Manifest,
    /// The model.
    pub model: VariationalModel,
    /// What its stages found.
    pub learned: Learned,
}

impl OpenVsdm {
    /// Opens what `folder` holds.
    ///
    /// # Errors
    /// [`RunError::Folder`] if it is of another method, or was not finished.
    pub fn of(folder: RunFolder) -> Result<Self> {
        folder.require_method(METHOD)?;
        let manifest = folder.manifest()?;
        let config = VsdmConfig::from_toml(&folder.read("config.toml")?, &[])?;
        let (model, learned) = Self::model(&folder, &config, METHOD)?;
        Ok(Self { folder, config, manifest, model, learned })
    }

    fn model(folder: &RunFolder, config: &VsdmConfig, name: &str) -> Result<(VariationalModel, Learned)> {
        load_model(&folder.model_file(name)?, &open_device(&config.device)?)
    }

    /// Shape of one sample.
    pub fn shape(&self) -> SampleShape {
        self.manifest.target.shape
    }

    /// `count` samples in data units by the probability flow.
    ///
    /// # Errors
    /// [`RunError::Library`] for a grid that cannot be.
    pub fn sample(&self, count: usize, sampler: &FlowSettings, seed: u64) -> Result<Tensor<2>> {
        Ok(self.model.sample(count, sampler, &mut Rng::new(seed).fork("sample"))?)
    }
}
