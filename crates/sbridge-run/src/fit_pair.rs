//! A bridge between two data sets, from data to file.

use std::path::{Path, PathBuf};
use std::time::Instant;

use sbridge::Direction;
use sbridge::latent::{Codec, Normalisation};
use sbridge::net::AutoencoderKind;
use sbridge::rng::Rng;
use sbridge::solver::NeuralBridge;
use sbridge::solver::alternation::{Alternation, AlternationSettings, HalfBridge};
use sbridge::solver::light_sb::{LightSb, LightSbSettings};
use sbridge::tensor::{Tensor, open_device, points};
use sbridge_data::Dataset;

use crate::codec_file::{self, CodecDescription};
use crate::data::{self, MIN_SAMPLES, Split};
use crate::error::{Result, RunError};
use crate::evaluate::require_same_shape;
use crate::folder::RunFolder;
use crate::manifest::{DataRecord, Manifest, RunStatus, autoencoder_kind};
use crate::ot::{AUTO_SHARE, auto_epsilon, cost_spread};
use crate::pair_config::{PairConfig, PairMethod};
use crate::pair_evaluation::MIN_COMPARED;
use crate::stage::Stage;
use crate::watch::{self, Progress};
use crate::{
    atomic, chain, checkpoint, metrics, pair_doubts, pair_estimate, pair_evaluation, pair_file, shown::digits,
};

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
    /// Channels, height and width, where what is joined are images.
    pub image: Option<[usize; 3]>,
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
        let (rng, device) = (Rng::new(config.seed), open_device(&config.device)?);
        let split =
            |data: &Dataset, name: &str| Split::new(data, config.output.held_out, &rng.fork(name), &device);
        let (of_source, of_target) = (split(&source, "source"), split(&target, "target"));
        let image = match autoencoder_kind(target.shape()) {
            AutoencoderKind::Image { shape } => Some(shape),
            AutoencoderKind::Vector { .. } => None,
        };
        let pair = Self { source, target, of_source, of_target, image };
        pair.check()?;
        if config.is_latent() {
            config.autoencoder.net.check(pair.target.shape().size())?;
        }
        Ok(pair)
    }

    /// The same with codes in place of samples.
    #[must_use]
    pub fn encoded(self, codec: &Codec) -> Self {
        let [of_source, of_target] =
            [self.of_source, self.of_target].map(|split| split.map(|rows| codec.encode(rows)));
        Self { of_source, of_target, image: None, ..self }
    }

    /// # Errors
    /// [`RunError::Folder`] if the run in `folder` was made from other data.
    pub(crate) fn require_same_data(&self, folder: &RunFolder) -> Result<()> {
        let manifest = folder.manifest()?;
        let [source, target] = [&self.source, &self.target].map(DataRecord::of);
        if (Some(source), target) == (manifest.source, manifest.target) {
            return Ok(());
        }
        Err(RunError::other_data(folder.path(), "source or target"))
    }

    fn check(&self) -> Result<()> {
        for (set, split) in [(&self.source, &self.of_source), (&self.target, &self.of_target)] {
            let (source, left) = (set.source(), split.train.dims()[0]);
            if left < MIN_SAMPLES {
                let held_out = set.len() - left;
                return Err(RunError::Input(format!(
                    "training samples of {source}: {left}, with {held_out} held out; at least {MIN_SAMPLES} are needed \
                     (bring more data, or lower output.held_out)"
                )));
            }
            match split.held_out.as_ref().map(|rows| rows.dims()[0]) {
                Some(aside) if aside < MIN_COMPARED => {
                    return Err(RunError::Input(format!(
                        "only {aside} samples of {source} can be set aside to judge by, {MIN_COMPARED} are needed (raise \
                         output.held_out, or set it to 0 to judge by training samples)"
                    )));
                }
                None if left < 2 * MIN_COMPARED => {
                    return Err(RunError::Input(format!(
                        "samples of {source}: {left}; halves of them are compared, so {} are needed (bring more data)",
                        2 * MIN_COMPARED
                    )));
                }
                _ => (),
            }
        }
        Ok(())
    }

    /// ε that is chosen if nobody sets one: a share of the spread of the cost between the two sets.
    pub(crate) fn suggested_epsilon(&self, config: &PairConfig) -> Result<f64> {
        auto_epsilon(self.cost_spread(config)?)
    }

    pub(crate) fn cost_spread(&self, config: &PairConfig) -> Result<f64> {
        let (x, y) = (points(&self.of_source.train)?, points(&self.of_target.train)?);
        Ok(cost_spread(&x, &y, &mut Rng::new(config.seed).fork("epsilon")))
    }

    /// ε as it is set, or a share of the spread of the cost between the two sets; with a word on what it means.
    fn epsilon(&self, config: &PairConfig) -> Result<f64> {
        let spread = self.cost_spread(config)?;
        if config.epsilon > 0.0 {
            pair_doubts::require_computable(config.epsilon, spread)?;
            if let Some(doubt) = pair_doubts::of_epsilon(config.epsilon / spread) {
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

/// Encoder and decoder of a run whose bridge joins codes.
pub(crate) const CODEC_FILE: &str = "codec.safetensors";

/// A run being made.
struct PairRun {
    method: PairMethod,
    config: PairConfig,
    folder: RunFolder,
    manifest: Manifest,
}

/// Fits the bridge that `method` and `config` ask for into the new folder `out`. Nothing is written before data and
/// settings are known to be usable.
///
/// # Errors
/// [`RunError`], with the exit code the command should end with.
pub fn start(method: PairMethod, mut config: PairConfig, out: &Path) -> Result<RunFolder> {
    if !config.snapshots.is_empty() {
        return chain::start(method, config, out);
    }
    RunFolder::check_free(out)?;
    let pair = Pair::load(&config)?;
    if !config.is_latent() {
        config.epsilon = pair.epsilon(&config)?;
    } else if config.epsilon > 0.0 {
        // Of the cost ½|x − y|² between codes of unit variance.
        let spread = (2.0 * config.autoencoder.net.latent_dim as f64).sqrt();
        pair_doubts::require_computable(config.epsilon, spread)?;
    }
    pair_estimate::announce(&config, &pair)?;
    let folder = RunFolder::create(out)?;
    atomic::write(&folder.file("config.toml"), config.to_toml().as_bytes())?;
    let manifest = Manifest {
        device: config.device.clone(),
        source: Some(DataRecord::of(&pair.source)),
        ..Manifest::new(method.name(), config.seed, DataRecord::of(&pair.target))
    };
    PairRun { method, config, folder, manifest }.complete(pair)
}

/// Continues the run in `path`, which must be of `method`, from its last half-bridge and checkpoint. A method without
/// networks starts anew.
///
/// # Errors
/// [`RunError`]; also if the data have changed since.
pub fn resume(method: PairMethod, path: &Path) -> Result<RunFolder> {
    let folder = RunFolder::open_to_write(path)?;
    folder.require_method(method.name())?;
    let manifest = folder.manifest()?;
    let config = PairConfig::from_toml(method, &folder.read("config.toml")?, &[])?;
    if !config.snapshots.is_empty() {
        return chain::resume(method, folder, &config);
    }
    let pair = Pair::load(&config)?;
    pair.require_same_data(&folder)?;
    let manifest = Manifest { status: RunStatus::Running, ..manifest };
    PairRun { method, config, folder, manifest }.complete(pair)
}

impl PairRun {
    fn complete(mut self, pair: Pair) -> Result<RunFolder> {
        self.folder.write_manifest(&self.manifest)?;
        let fitted = self.encode(pair).and_then(|pair| self.fit(&pair));
        self.folder.conclude(self.manifest, fitted)
    }

    /// The pair as the bridge joins it: where codes are asked for, those of an encoder that is trained first.
    fn encode(&mut self, pair: Pair) -> Result<Pair> {
        if !self.config.is_latent() {
            return Ok(pair);
        }
        let file = self.folder.file(CODEC_FILE);
        if !file.exists() {
            self.train_codec(&pair)?;
        }
        let pair = pair.encoded(&codec_file::load(&file, &open_device(&self.config.device)?)?);
        // Only now is the spread known that ε is measured by.
        self.config.epsilon = pair.epsilon(&self.config)?;
        atomic::write(&self.folder.file("config.toml"), self.config.to_toml().as_bytes())?;
        Ok(pair)
    }

    /// Trains encoder and decoder on the samples of both sets.
    fn train_codec(&mut self, pair: &Pair) -> Result<()> {
        let settings = &self.config.autoencoder;
        let (kind, name) = (autoencoder_kind(pair.target.shape()), "autoencoder");
        let train = Tensor::cat(vec![pair.of_source.train.clone(), pair.of_target.train.clone()], 0);
        let held_out: Vec<Tensor<2>> = [&pair.of_source, &pair.of_target]
            .into_iter()
            .filter_map(|split| split.held_out.clone())
            .collect();
        let held_out = (!held_out.is_empty()).then(|| Tensor::cat(held_out, 0));
        let scaling = data::common_scaling([&pair.source, &pair.target], &train);
        let stage = Stage {
            folder: &self.folder,
            name,
            checkpoint_seconds: self.config.output.checkpoint_seconds,
            learning_rate: "autoencoder.fit.learning_rate",
        };
        let rng = Rng::new(self.config.seed).fork(name);
        let rows = (&train, held_out.as_ref());
        let net = stage.train_autoencoder(&kind, settings, &scaling, rows, &rng, &mut self.manifest)?;
        // One number, so that distances between codes stay what they are.
        let (codec, _) = Codec::measured(net, scaling, Normalisation::Global, &train);
        codec_file::save(&self.folder.file(CODEC_FILE), &codec, &CodecDescription::new(&kind, settings))?;
        checkpoint::remove(&self.folder.checkpoint(name))
    }

    fn fit(&mut self, pair: &Pair) -> Result<()> {
        match (&self.config.light_sb, &self.config.networks) {
            (Some(settings), _) => self.fit_potentials(pair, &settings.clone()),
            (None, Some(settings)) => self.fit_networks(pair, &settings.clone()),
            (None, None) => unreachable!("every method has settings of one kind"),
        }
    }

    fn bridge_file(&self) -> PathBuf {
        self.folder.file("bridge.safetensors")
    }

    /// Both potentials, at one go.
    fn fit_potentials(&mut self, pair: &Pair, settings: &LightSbSettings) -> Result<()> {
        let started = Instant::now();
        let rng = Rng::new(self.config.seed).fork(self.method.name());
        let mut progress = None;
        let mut log = String::new();
        let mut watch = |direction: Direction, step: usize, loss: f64| {
            let stage = stage_of(direction);
            if step == 1 {
                progress.iter_mut().for_each(Progress::finish);
                progress = Some(Progress::new(stage, 0, settings.steps));
            }
            progress.iter_mut().for_each(|shown: &mut Progress| shown.advance(step, loss));
            if step.is_multiple_of(metrics::INTERVAL) {
                log += &metrics::line(stage, step, "loss", loss);
            }
        };
        let (source, target) = (&pair.of_source.train, &pair.of_target.train);
        let bridge = LightSb::fit(source, target, self.config.epsilon, settings, &rng, &mut watch)?;
        progress.iter_mut().for_each(Progress::finish);
        self.manifest.add_seconds("fit", started.elapsed().as_secs_f64());
        atomic::write(&self.folder.file("metrics.jsonl"), log.as_bytes())?;
        pair_file::light_sb::save(&self.bridge_file(), &bridge)
    }

    /// One half-bridge after the other; what there is after each is kept, and the checkpoint on the way to it is not.
    fn fit_networks(&mut self, pair: &Pair, settings: &AlternationSettings) -> Result<()> {
        let device = open_device(&self.config.device)?;
        let rng = Rng::new(self.config.seed).fork(self.method.name());
        let image = pair.image;
        let (source, target) = (&pair.of_source.train, &pair.of_target.train);
        let mut alternation =
            Alternation::new(source, target, image, self.config.epsilon, settings.clone(), rng)?;
        if self.bridge_file().exists() {
            let (bridge, learned) = pair_file::neural::load(&self.bridge_file(), &device)?;
            alternation.continue_from(bridge, learned);
        } else if let Some(doubt) =
            pair_doubts::of_half_bridges(settings, [source, target], self.config.epsilon)
        {
            tracing::warn!("{doubt}");
        }
        while let Some(half) = alternation.next() {
            let name = name_of(half);
            let stage = Stage {
                folder: &self.folder,
                name: &name,
                checkpoint_seconds: self.config.output.checkpoint_seconds,
                learning_rate: "networks.fit.learning_rate",
            };
            let manifest = &mut self.manifest;
            alternation.learn(|_, net, regression, rng| {
                stage.train(net, regression, settings.fit.clone(), rng.clone(), manifest)
            })?;
            let bridge = alternation.bridge();
            self.log_half(half, &bridge, pair)?;
            let learned = (self.method.name(), alternation.learned());
            pair_file::neural::save(&self.bridge_file(), learned, &bridge, (image, &settings.net))?;
            checkpoint::remove(&self.folder.checkpoint(&name))?;
        }
        Ok(())
    }

    /// Writes down how good the bridge is after `half`.
    fn log_half(&self, half: HalfBridge, bridge: &NeuralBridge, pair: &Pair) -> Result<()> {
        let seed = Rng::new(self.config.seed).fork("half-bridges");
        let quality = pair_evaluation::quality(bridge, half.direction, pair, &seed)?;
        let step = half.number + 1;
        let lines: String =
            quality.iter().map(|(name, value)| metrics::line(HALF_BRIDGES, step, name, *value)).collect();
        watch::append(&self.folder, HALF_BRIDGES, half.number, &lines)
    }
}

/// The stage of `metrics.jsonl` that counts half-bridges.
pub const HALF_BRIDGES: &str = "half-bridges";

/// Name of a half-bridge in logs: `backward-1`, `forward-1`, `backward-2`, …
fn name_of(half: HalfBridge) -> String {
    format!("{}-{}", stage_of(half.direction), half.number / 2 + 1)
}

/// Name of a direction in logs and reports.
pub fn stage_of(direction: Direction) -> &'static str {
    match direction {
        Direction::Forward => "forward",
        Direction::Backward => "backward",
    }
}
