//! A latent run from data to model: autoencoder, codes, score; each stage resumes where it stopped.

use std::path::Path;

use sbridge::fit::FitSettings;
use sbridge::latent::{Codec, DataScaling, LatentModel, StartLaw};
use sbridge::net::{Autoencoder, AutoencoderKind, NoisePredictor};
use sbridge::objective::{DenoisingScore, DensityRatio, Objective, RatioNet};
use sbridge::rng::Rng;
use sbridge::tensor::{Device, Tensor, open_device};

use crate::config::{Config, Encoder};
use crate::data::{self, RunData, Split};
use crate::error::{Result, RunError};
use crate::estimate;
use crate::folder::RunFolder;
use crate::manifest::{DataRecord, Manifest, RunStatus, autoencoder_kind};
use crate::model_file;
use crate::stage::Stage;

/// A run being made.
struct LatentRun {
    config: Config,
    folder: RunFolder,
    manifest: Manifest,
    device: Device,
    rng: Rng,
}

/// Starts a new run in `out`. Nothing is written before data and settings are known to be usable.
///
/// # Errors
/// [`RunError`], with the exit code the command should end with.
pub fn start(mut config: Config, out: &Path) -> Result<RunFolder> {
    RunFolder::check_free(out)?;
    let device = open_device(&config.device)?;
    let data = RunData::load(&mut config)?;
    estimate::announce(&config, &data, &device)?;
    let folder = RunFolder::create(out)?;
    let manifest = Manifest {
        device: config.device.clone(),
        pretrain: data.pretrain.as_ref().map(DataRecord::of),
        ..Manifest::new("latent", config.seed, DataRecord::of(&data.target))
    };
    crate::atomic::write(&folder.file("config.toml"), config.to_toml().as_bytes())?;
    train(config, folder, manifest, device, &data)
}

/// Continues the run in `path` from its last checkpoints.
///
/// # Errors
/// [`RunError`]; also if the data have changed since.
pub fn resume(path: &Path) -> Result<RunFolder> {
    let folder = RunFolder::open_to_write(path)?;
    folder.require_method("latent")?;
    let mut config = folder.config()?;
    let mut manifest = folder.manifest()?;
    let device = open_device(&config.device)?;
    let data = RunData::load(&mut config)?;
    let records = (DataRecord::of(&data.target), data.pretrain.as_ref().map(DataRecord::of));
    if records != (manifest.target.clone(), manifest.pretrain.clone()) {
        return Err(RunError::other_data(path, "target or pre-training data"));
    }
    manifest.status = RunStatus::Running;
    train(config, folder, manifest, device, &data)
}

fn train(
    config: Config,
    folder: RunFolder,
    manifest: Manifest,
    device: Device,
    data: &RunData,
) -> Result<RunFolder> {
    let rng = Rng::new(config.seed);
    let mut run = LatentRun { config, folder, manifest, device, rng };
    run.folder.write_manifest(&run.manifest)?;
    let trained = run.model(data);
    run.folder.conclude(run.manifest, trained)
}

impl LatentRun {
    /// Trains what is not trained yet and writes the model.
    fn model(&mut self, data: &RunData) -> Result<()> {
        let split =
            Split::new(&data.target, self.config.output.held_out, &self.rng.fork("target"), &self.device);
        let encoder = self.config.autoencoder.encoder;
        let kind = autoencoder_kind(data.target.shape());
        let of_target = data::scaling(&data.target, &split.train, encoder, &self.device);
        let (autoencoder, scaling) = match (&data.pretrain, encoder) {
            (_, Encoder::Identity) => (Autoencoder::identity(data.target.shape().size()), of_target),
            (None, Encoder::Trained) => (self.autoencoder(&kind, &split, &of_target)?, of_target),
            (Some(pretrain), Encoder::Trained) => {
                let rng = self.rng.fork("pretrain");
                let own = Split::new(pretrain, self.config.output.held_out, &rng, &self.device);
                // The networks see the units they were trained in; samples keep the target's range.
                let DataScaling { low, high, .. } = of_target;
                let of_pretrain = data::scaling(pretrain, &own.train, encoder, &self.device);
                let scaling = DataScaling { low, high, ..of_pretrain };
                (self.autoencoder(&kind, &own, &scaling)?, scaling)
            }
        };
        let model = self.bridge(autoencoder, scaling, &split)?;
        model_file::save(&self.folder.file("model.safetensors"), &model, &self.config, &kind)
    }

    /// Stage A: encoder and decoder.
    fn autoencoder(
        &mut self,
        kind: &AutoencoderKind,
        split: &Split,
        scaling: &DataScaling,
    ) -> Result<Autoencoder> {
        let stage = stage(&self.folder, "autoencoder", self.config.output.checkpoint_seconds);
        let rows = (&split.train, split.held_out.as_ref());
        let rng = self.rng.fork("autoencoder");
        stage.train_autoencoder(kind, &self.config.autoencoder, scaling, rows, &rng, &mut self.manifest)
    }

    /// Stage B: codes of the target, and the score of their smoothed law.
    fn bridge(
        &mut self,
        autoencoder: Autoencoder,
        scaling: DataScaling,
        split: &Split,
    ) -> Result<LatentModel> {
        let settings = self.config.bridge.score.clone();
        let (codec, codes) = Codec::measured(autoencoder, scaling, settings.normalisation, &split.train);
        let held_out = split.held_out.as_ref().map(|rows| codec.encode(rows));
        let epsilon = settings.epsilon;
        let v_min = self.config.sampler.v_min(epsilon)?;
        let mut objective =
            DenoisingScore::new(codes.clone(), held_out.clone(), settings.noise_sampling, v_min, epsilon)?;
        let rng = self.rng.fork("score");
        let dim = codes.dims()[1];
        let net = NoisePredictor::new(
            dim,
            settings.parametrisation,
            &settings.net,
            &mut rng.fork("init"),
            &self.device,
        );
        let predictor = self.stage("score", net, &mut objective, self.config.bridge.fit.clone(), &rng)?;
        let ratio = self.density_ratio(&codes, held_out.as_ref())?;
        Ok(LatentModel { codec, predictor, ratio, codes, held_out, epsilon, v_min })
    }

    /// The density ratio, where the start law wants one.
    fn density_ratio(&mut self, codes: &Tensor<2>, held_out: Option<&Tensor<2>>) -> Result<Option<RatioNet>> {
        let StartLaw::DensityRatio { tau_over_epsilon, .. } = self.config.sampler.start else {
            return Ok(None);
        };
        let settings = &self.config.bridge.score;
        let rng = self.rng.fork("ratio");
        let net = RatioNet::new(codes.dims()[1], &settings.net, &mut rng.fork("init"), &self.device);
        let centre = codes.clone().mean_dim(0);
        let held_out = held_out.map(|rows| rows.clone() - centre.clone());
        let codes = codes.clone() - centre;
        let tau = tau_over_epsilon * settings.epsilon;
        let mut objective = DensityRatio::new(codes, held_out, settings.epsilon, tau);
        self.stage("ratio", net, &mut objective, self.config.bridge.ratio_fit.clone(), &rng).map(Some)
    }

    /// Trains one network.
    fn stage<O: Objective>(
        &mut self,
        name: &'static str,
        net: O::Model,
        objective: &mut O,
        fit: FitSettings,
        rng: &Rng,
    ) -> Result<O::Model> {
        let stage = stage(&self.folder, name, self.config.output.checkpoint_seconds);
        stage.train(net, objective, fit, rng.fork("fit"), &mut self.manifest)
    }
}

fn stage<'a>(folder: &'a RunFolder, name: &'a str, checkpoint_seconds: u64) -> Stage<'a> {
    let learning_rate = match name {
        "autoencoder" => "autoencoder.fit.learning_rate",
        "score" => "bridge.fit.learning_rate",
        _ => "bridge.ratio_fit.learning_rate",
    };
    Stage { folder, name, checkpoint_seconds, learning_rate }
}
