//! An encoder and a decoder on disk: a file of their own, `codec.safetensors`, or a part of a model's.

use std::path::Path;

use sbridge::latent::{DataScaling, LatentCodec, Normaliser, ReferenceCovariance};
use sbridge::net::{Autoencoder, AutoencoderKind, AutoencoderSettings, Weights, load_weights, weights_of};
use sbridge::rng::Rng;
use sbridge::tensor::{DType, Device, Module as _, Tensor, TensorData, to_vec};
use serde::{Deserialize, Serialize};

use crate::error::{Result, RunError};
use crate::folder::tensor_file;
use crate::settings::{AutoencoderConfig, Encoder};

/// How codes are made of samples.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Map {
    Trained,
    Identity,
    Linear,
}

impl From<Encoder> for Map {
    fn from(encoder: Encoder) -> Self {
        match encoder {
            Encoder::Trained => Self::Trained,
            Encoder::Identity => Self::Identity,
        }
    }
}

/// What the arrays do not say.
#[derive(Serialize, Deserialize)]
pub struct CodecDescription {
    kind: AutoencoderKind,
    encoder: Map,
    autoencoder: AutoencoderSettings,
}

impl CodecDescription {
    /// Of a codec trained with `config` on samples of `kind`.
    pub fn new(kind: &AutoencoderKind, config: &AutoencoderConfig) -> Self {
        Self { kind: kind.clone(), encoder: config.encoder.into(), autoencoder: config.net.clone() }
    }

    /// Of the coordinates of `reference` for samples of `dim` values. Unlike images they are clipped to no range.
    pub fn of_reference(dim: usize, reference: ReferenceCovariance) -> Self {
        let encoder = match reference {
            ReferenceCovariance::Isotropic | ReferenceCovariance::Scaled => Map::Identity,
            ReferenceCovariance::Covariance => Map::Linear,
        };
        Self { kind: AutoencoderKind::Vector { dim }, encoder, autoencoder: AutoencoderSettings::default() }
    }

    /// Checks that a file of so many `values` can hold networks of these sizes: none is built that it cannot.
    pub fn check(&self, values: usize) -> sbridge::Result<()> {
        match self.encoder {
            Map::Identity => return require_weights(values, [[self.size(), 1, 1]]),
            Map::Linear => return require_weights(values, [[self.size(), self.size(), 1]]),
            Map::Trained => {}
        }
        let net = &self.autoencoder;
        net.check(self.size())?;
        let of_codes = [net.hidden, net.latent_dim, 1];
        match self.kind {
            AutoencoderKind::Vector { dim } => require_weights(values, [of_codes, [net.hidden, dim, 1]]),
            AutoencoderKind::Image { shape: [_, height, width] } => {
                let pixels = height.div_ceil(4).saturating_mul(width.div_ceil(4));
                let convolutions = [[net.hidden, net.channels, pixels], [net.channels, net.channels, 1]];
                require_weights(values, [of_codes, convolutions[0], convolutions[1]])
            }
        }
    }

    /// Values in one code.
    pub fn latent_dim(&self) -> usize {
        match self.encoder {
            Map::Identity | Map::Linear => self.size(),
            Map::Trained => self.autoencoder.latent_dim,
        }
    }

    /// Values in one sample.
    pub fn size(&self) -> usize {
        match &self.kind {
            AutoencoderKind::Vector { dim } => *dim,
            AutoencoderKind::Image { shape } => shape.iter().fold(1, |size, side| size.saturating_mul(*side)),
        }
    }
}

/// Refuses a description with layers of more weights, each the product of three sizes, than there are `values`.
pub fn require_weights(values: usize, layers: impl IntoIterator<Item = [usize; 3]>) -> sbridge::Result<()> {
    let weights = |[a, b, c]: [usize; 3]| a.saturating_mul(b).saturating_mul(c);
    match layers.into_iter().map(weights).max() {
        Some(most) if most > values => Err(sbridge::Error::Weights(format!(
            "layers of {most} weights are described, and the file holds {values} values"
        ))),
        _ => Ok(()),
    }
}

/// Black and white of images, once for each value of one.
const LOW: &str = "scaling/low";
const HIGH: &str = "scaling/high";

/// Puts `codec` among the arrays of a file.
pub fn insert(arrays: &mut Weights, codec: &LatentCodec) {
    tensor_file::insert(arrays, "autoencoder", weights_of(&codec.autoencoder));
    for (name, tensor) in [
        ("scaling/offset", &codec.scaling.offset),
        ("scaling/scale", &codec.scaling.scale),
        ("normaliser/mean", &codec.normaliser.mean),
        ("normaliser/scale", &codec.normaliser.scale),
    ] {
        arrays.insert(name.into(), (tensor.dims().to_vec(), to_vec(tensor.clone())));
    }
    if let Some((low, high)) = codec.scaling.range {
        for (name, value) in [(LOW, low), (HIGH, high)] {
            let shape = codec.scaling.offset.dims();
            arrays.insert(name.into(), (shape.to_vec(), vec![value as f32; shape[1]]));
        }
    }
}

/// Takes the codec that `description` speaks of out of the arrays of the file at `path`, onto `device`.
///
/// # Errors
/// [`RunError::Folder`] if something is missing.
pub fn extract(
    arrays: &mut Weights,
    description: &CodecDescription,
    device: &Device,
    path: &Path,
) -> Result<LatentCodec> {
    // Initial weights are overwritten, so any stream will do.
    let autoencoder = match description.encoder {
        Map::Identity => Autoencoder::identity(description.size()),
        Map::Linear => {
            let matrix = || Tensor::zeros([description.size(); 2], device);
            Autoencoder::linear(matrix(), matrix())
        }
        Map::Trained => {
            Autoencoder::new(&description.kind, &description.autoencoder, &mut Rng::new(0), device)
        }
    };
    let autoencoder = load_weights(autoencoder, tensor_file::extract(arrays, "autoencoder"))?;
    let (size, dim) = (description.size(), autoencoder.latent_dim());
    let range = range(arrays, &description.kind, path)?;
    let mut tensor = |name: &str, columns: usize| rows(arrays, name, columns, device, path);
    Ok(LatentCodec {
        scaling: DataScaling {
            offset: tensor("scaling/offset", size)?,
            scale: tensor("scaling/scale", size)?,
            range,
        },
        normaliser: Normaliser {
            mean: tensor("normaliser/mean", dim)?,
            scale: tensor("normaliser/scale", dim)?,
        },
        autoencoder: autoencoder.valid(),
    })
}

/// Takes the range of images out of the arrays of the file at `path`. Vectors once had one, too, which is not heeded.
fn range(arrays: &mut Weights, kind: &AutoencoderKind, path: &Path) -> Result<Option<(f64, f64)>> {
    let [low, high] = [LOW, HIGH].map(|name| arrays.remove(name));
    if let AutoencoderKind::Vector { .. } = kind {
        return Ok(None);
    }
    let one = |found: Option<(Vec<usize>, Vec<f32>)>, name: &str| match found
        .as_ref()
        .map(|(_, values)| &values[..])
    {
        Some([value, ..]) if value.is_finite() => Ok(f64::from(*value)),
        _ => Err(RunError::folder(path, format!("lacks {name}; it is damaged"))),
    };
    Ok(Some((one(low, LOW)?, one(high, HIGH)?)))
}

/// Takes the rows called `name` out of the arrays of the file at `path`, onto `device`.
///
/// # Errors
/// [`RunError::Folder`] if they are missing, or not of `columns` values each.
pub fn rows(
    arrays: &mut Weights,
    name: &str,
    columns: usize,
    device: &Device,
    path: &Path,
) -> Result<Tensor<2>> {
    match arrays.remove(name) {
        Some((shape, values)) if shape.len() == 2 && shape[1] == columns => {
            let data = TensorData::new(values, [shape[0], shape[1]]);
            Ok(Tensor::from_data(data, (device, DType::F32)))
        }
        _ => Err(RunError::folder(path, format!("lacks {name} with {columns} columns; it is damaged"))),
    }
}

/// Writes `codec`, as `description` says, to `path` in one step.
///
/// # Errors
/// [`RunError::Disk`] if the disk refuses.
pub fn save(path: &Path, codec: &LatentCodec, description: &CodecDescription) -> Result<()> {
    let mut arrays = Weights::new();
    insert(&mut arrays, codec);
    tensor_file::save(path, &arrays, description)
}

/// Reads what [`save`] wrote, onto `device`.
///
/// # Errors
/// [`RunError::Folder`] if the file is missing or damaged.
pub fn load(path: &Path, device: &Device) -> Result<LatentCodec> {
    let (mut arrays, description): (_, CodecDescription) = tensor_file::load(path)?;
    let values = arrays.values().map(|(_, values)| values.len()).sum();
    description.check(values).map_err(|e| RunError::folder(path, format!("is damaged: {e}")))?;
    extract(&mut arrays, &description, device, path)
}
