//! The data of a run: read, cut to what was asked for, checked against each other, put on a device.

use sbridge::latent::DataScaling;
use sbridge::rng::Rng;
use sbridge::tensor::{Device, Tensor, from_rows, select_rows};
use sbridge_data::{Dataset, ElementType, SampleShape};

use crate::config::{Config, DataConfig, Encoder};
use crate::error::{Result, RunError};

/// Held-out samples, at most.
const MAX_HELD_OUT: usize = 2000;

/// Reads a data set, or the part of it that was asked for.
///
/// # Errors
/// [`RunError::Data`] for data that cannot be used.
pub fn load(config: &DataConfig) -> Result<Dataset> {
    let all = sbridge_data::load(&config.source)?;
    let chosen = if config.labels.is_empty() { all } else { all.with_labels_in(&config.labels)? };
    match config.limit {
        0 => Ok(chosen),
        limit if limit <= chosen.len() => Ok(chosen.take(limit)),
        limit => Err(RunError::Input(format!(
            "limit must be at most the {} samples of {}, got {limit} (lower it, or leave it out)",
            chosen.len(),
            config.source
        ))),
    }
}

/// Target and pre-training data of a run.
pub struct RunData {
    /// What to generate.
    pub target: Dataset,
    /// What to train encoder and decoder on, if not the target.
    pub pretrain: Option<Dataset>,
}

impl RunData {
    /// Reads what `config` asks for, and decides the settings that depend on the data.
    ///
    /// # Errors
    /// [`RunError::Data`] or [`RunError::Input`] for data that cannot be used together.
    pub fn load(config: &mut Config) -> Result<Self> {
        if config.target.source.is_empty() {
            return Err(RunError::Input("no target (give --target DATA)".into()));
        }
        let unused = DataConfig { source: String::new(), ..config.pretrain.clone() };
        if config.pretrain.source.is_empty() && unused != DataConfig::default() {
            return Err(RunError::Input(
                "pretrain.labels and pretrain.limit select from a pre-training set, and there is none \
                 (give --pretrain DATA)"
                    .into(),
            ));
        }
        let target = load(&config.target)?;
        let pretrain = match config.pretrain.source.as_str() {
            "" => None,
            _ => Some(load(&config.pretrain)?),
        };
        let data = Self { target, pretrain };
        config.autoencoder.net = config.autoencoder.net.clone().resolved(data.target.shape().size());
        data.check(config)?;
        Ok(data)
    }

    fn check(&self, config: &Config) -> Result<()> {
        let shape = self.target.shape();
        if let Some(pretrain) = &self.pretrain
            && pretrain.shape() != shape
        {
            return Err(RunError::Input(format!(
                "samples of the pre-training data are {}, those of the target {shape} (bring both to one shape)",
                pretrain.shape()
            )));
        }
        match config.autoencoder.encoder {
            Encoder::Identity if shape.is_image() => Err(RunError::Input(format!(
                "--encoder identity wants vectors, the target holds images {shape} (leave --encoder out)"
            )))?,
            Encoder::Identity if self.pretrain.is_some() => Err(RunError::Input(
                "--encoder identity trains no encoder, so --pretrain has no use (leave one of them out)"
                    .into(),
            ))?,
            Encoder::Identity => {}
            Encoder::Trained => config.autoencoder.net.check(shape.size())?,
        }
        self.check_counts(config)
    }

    fn check_counts(&self, config: &Config) -> Result<()> {
        let held_out = held_out_count(self.target.len(), config.output.held_out);
        let needed = config.autoencoder.fit.batch_size.max(config.bridge.fit.batch_size);
        let left = self.target.len() - held_out;
        // Batches are drawn with replacement, so a short sample is legal; below this it is a mistake.
        if left < MIN_SAMPLES {
            return Err(RunError::Input(format!(
                "{} has {left} training samples after {held_out} were set aside; at least {MIN_SAMPLES} are needed",
                self.target.source()
            )));
        }
        if left < needed {
            tracing::warn!(
                "{left} training samples are fewer than a batch of {needed}: samples repeat within a batch"
            );
        }
        Ok(())
    }
}

/// Training samples below which nothing can be learned.
pub(crate) const MIN_SAMPLES: usize = 16;

fn held_out_count(count: usize, share: f64) -> usize {
    ((count as f64 * share).round() as usize).min(MAX_HELD_OUT)
}

/// A sample on a device, split into a part to train on and a part to watch.
pub struct Split {
    /// In data units, `[count, size]`.
    pub train: Tensor<2>,
    /// In data units, `[count, size]`, if anything was set aside.
    pub held_out: Option<Tensor<2>>,
    /// Positions of the training rows in the data set.
    pub train_rows: Vec<usize>,
}

impl Split {
    /// The same rows as `map` makes them.
    pub(crate) fn map(self, map: impl Fn(&Tensor<2>) -> Tensor<2>) -> Self {
        Self { train: map(&self.train), held_out: self.held_out.as_ref().map(map), ..self }
    }

    /// Sets a share of `data` aside at random.
    pub fn new(data: &Dataset, share: f64, rng: &Rng, device: &Device) -> Self {
        let mut order = rng.fork("split").permutation(data.len());
        let train_rows = order.split_off(held_out_count(data.len(), share));
        let rows = from_rows(data.values(), data.shape().size(), device);
        Self {
            train: select_rows(&rows, &train_rows),
            held_out: (!order.is_empty()).then(|| select_rows(&rows, &order)),
            train_rows,
        }
    }
}

/// How samples are brought into the networks' units.
pub fn scaling(data: &Dataset, train: &Tensor<2>, encoder: Encoder, device: &Device) -> DataScaling {
    match (data.shape(), encoder) {
        (SampleShape::Image { .. }, _) => {
            let (low, high) = image_range(data);
            DataScaling::of_images(data.shape().size(), low, high, device)
        }
        (SampleShape::Vector { .. }, Encoder::Trained) => DataScaling::of_vectors(train),
        // Codes are used as they come; normalisation is the bridge's.
        (SampleShape::Vector { dim }, Encoder::Identity) => {
            let mut scaling = DataScaling::of_vectors(train);
            scaling.offset = Tensor::zeros([1, dim], device);
            scaling.scale = Tensor::ones([1, dim], device);
            scaling
        }
    }
}

/// How samples of two sets are brought into the units of one network, which sees `train`, rows of both.
pub(crate) fn common_scaling(sets: [&Dataset; 2], train: &Tensor<2>) -> DataScaling {
    if !sets[0].shape().is_image() {
        return DataScaling::of_vectors(train);
    }
    let [(a, b), (c, d)] = sets.map(image_range);
    DataScaling::of_images(sets[0].shape().size(), a.min(c), b.max(d), &train.device())
}

/// Black and white of an image format, or the observed range where the format has none.
pub(crate) fn image_range(data: &Dataset) -> (f64, f64) {
    let (low, high) = data.value_range();
    match data.dtype() {
        ElementType::U8 => (0.0, 255.0),
        ElementType::U16 if high > 255.0 => (0.0, 65535.0),
        _ if low >= 0.0 && high <= 1.0 => (0.0, 1.0),
        _ => (f64::from(low), f64::from(high)),
    }
}
