//! Pairs as codes: an encoder and a decoder in front of the bridge and behind it.

use sbridge::Codec as _;
use sbridge::latent::{DataScaling, LatentCodec, Normalisation};
use sbridge::rng::Rng;
use sbridge::tensor::{Device, Tensor};
use sbridge_data::Dataset;

use super::{PairedConfig, PairedData, Pairs};
use crate::data::{self, autoencoder_kind, common_scaling};
use crate::error::{Result, RunError};
use crate::folder::RunFolder;
use crate::models::codec::{self, CodecDescription};
use crate::settings::Encoder;
use crate::training::{Learning, Stage};

/// Encoder and decoder of the clean members, and of the degraded ones where both have one shape.
const FILE: &str = "codec.safetensors";

/// Those of degraded members of another shape.
const DEGRADED_FILE: &str = "codec-degraded.safetensors";

const DEGRADED: Stage<'static> =
    Stage { name: "autoencoder-degraded", learning_rate: "autoencoder.fit.learning_rate" };

/// From pairs in units of their networks to codes, and back.
pub struct Coding {
    /// Units of the clean members.
    pub(super) scaling: DataScaling,
    /// Units of the degraded ones.
    pub(super) entry: DataScaling,
    clean: LatentCodec,
    /// Where degraded members have another shape.
    degraded: Option<LatentCodec>,
}

impl Coding {
    /// Codes of clean members, `[count, dim]` from `[count, size]`.
    pub(super) fn of_clean(&self, clean: &Tensor<2>) -> Tensor<2> {
        self.clean.encode(&self.scaling.undo(clean.clone()))
    }

    /// Codes of degraded members.
    pub(super) fn of_degraded(&self, degraded: &Tensor<2>) -> Tensor<2> {
        self.degraded.as_ref().unwrap_or(&self.clean).encode(&self.entry.undo(degraded.clone()))
    }

    /// Values of a code.
    pub(super) fn dim(&self) -> usize {
        self.clean.autoencoder.latent_dim()
    }

    /// Clean members from their codes.
    pub(super) fn to_clean(&self, codes: &Tensor<2>) -> Tensor<2> {
        self.scaling.apply(self.clean.decode(codes))
    }

    /// What [`learn`] wrote into `folder`, for clean members with these units, in codes of `dim` values.
    ///
    /// # Errors
    /// [`RunError::Folder`] if a file is missing, damaged, or of another run.
    pub(super) fn load(
        folder: &RunFolder,
        scaling: &DataScaling,
        dim: usize,
        device: &Device,
    ) -> Result<Self> {
        let (path, other) = (folder.file(FILE), folder.file(DEGRADED_FILE));
        let clean = codec::load(&path, device)?;
        let degraded = other.exists().then(|| codec::load(&other, device)).transpose()?;
        let size = |scaling: &DataScaling| scaling.offset.dims()[1];
        for (codec, path) in [(Some(&clean), &path), (degraded.as_ref(), &other)] {
            if codec.is_some_and(|codec| codec.autoencoder.latent_dim() != dim) {
                return Err(RunError::folder(
                    path,
                    format!("does not have codes of {dim} values; it is of another run"),
                ));
            }
        }
        if size(&clean.scaling) != size(scaling) {
            return Err(RunError::folder(&path, "is for samples of another size; it is of another run"));
        }
        let entry = degraded
            .as_ref()
            .map_or_else(|| scaling.clone(), |codec| units_of_data(size(&codec.scaling), device));
        Ok(Self { scaling: scaling.clone(), entry, clean, degraded })
    }
}

/// Data as they are.
pub(super) fn units_of_data(size: usize, device: &Device) -> DataScaling {
    DataScaling {
        offset: Tensor::zeros([1, size], device),
        scale: Tensor::ones([1, size], device),
        range: None,
    }
}

/// Trains what is not trained yet, if the bridge joins codes, and writes it.
///
/// # Errors
/// As [`Learning::train`].
pub(super) fn learn(run: &mut Learning<'_, PairedConfig>, data: &PairedData) -> Result<Option<Coding>> {
    if !run.settings.is_latent() {
        return Ok(None);
    }
    let is_apart = data.differ_in_shape();
    // In one shape both are codes of one encoder, so that the bridge leads from like to like.
    let rows = |pairs: &Pairs, rng: &mut Rng| {
        let pairs = pairs.first(pairs.count(), rng);
        let [clean, degraded] = [data.scaling.undo(pairs.clean), data.entry.undo(pairs.degraded)];
        if is_apart { [clean, degraded] } else { [Tensor::cat(vec![clean, degraded.clone()], 0), degraded] }
    };
    let mut rng = run.rng("degraded for codes");
    let train = rows(&data.train, &mut rng);
    let validation = data.validation.as_ref().map(|pairs| rows(pairs, &mut rng));
    let part = |k: usize| (&train[k], validation.as_ref().map(|rows| &rows[k]));
    train_codec(
        run,
        (Stage::AUTOENCODER, FILE),
        (&data.clean, data.degraded.as_ref().filter(|_| !is_apart)),
        part(0),
    )?;
    if let Some(degraded) = data.degraded.as_ref().filter(|_| is_apart) {
        train_codec(run, (DEGRADED, DEGRADED_FILE), (degraded, None), part(1))?;
    }
    Coding::load(run.folder, &data.scaling, run.settings.autoencoder.net.latent_dim, &run.device).map(Some)
}

/// Writes `file` if it is not there: encoder and decoder for rows of `sets`, which have one shape.
fn train_codec(
    run: &mut Learning<'_, PairedConfig>,
    (stage, file): (Stage<'static>, &str),
    (set, other): (&Dataset, Option<&Dataset>),
    (train, validation): (&Tensor<2>, Option<&Tensor<2>>),
) -> Result<()> {
    let path = run.file(file);
    if path.exists() {
        return Ok(());
    }
    let settings = run.settings.autoencoder.clone();
    let kind = autoencoder_kind(set.shape());
    let scaling = match other {
        Some(other) => common_scaling([set, other], train),
        None => data::scaling(set, train, Encoder::Trained, &run.device),
    };
    let net = run.train_autoencoder(stage, &kind, &settings, &scaling, (train, validation))?;
    // One number, so that distances between codes stay what they are.
    let (codec, _) = LatentCodec::measured(net, scaling, Normalisation::Global, train);
    codec::save(&path, &codec, &CodecDescription::new(&kind, &settings))?;
    run.forget(stage.name)
}
