//! A trained latent bridge on disk, `model.safetensors`.

use std::path::Path;

use sbridge::latent::{BridgeSettings, DataScaling, LatentModel, Normaliser};
use sbridge::net::{
    Autoencoder, AutoencoderKind, AutoencoderSettings, NoisePredictor, Weights, load_weights, weights_of,
};
use sbridge::objective::RatioNet;
use sbridge::rng::Rng;
use sbridge::tensor::{DType, Device, Tensor, TensorData, to_vec};
use serde::{Deserialize, Serialize};

use crate::config::{Config, Encoder};
use crate::error::{Result, RunError};
use crate::tensor_file;

#[derive(Serialize, Deserialize)]
struct Description {
    kind: AutoencoderKind,
    encoder: Encoder,
    autoencoder: AutoencoderSettings,
    bridge: BridgeSettings,
    v_min: f64,
    has_ratio: bool,
}

impl Description {
    /// Checks that a file of so many `values` can hold networks of these sizes: none is built that it cannot.
    fn check(&self, values: usize) -> sbridge::Result<()> {
        let (codes, net) = (&self.autoencoder, &self.bridge.net);
        net.check()?;
        let size = size_of(&self.kind);
        let mut layers = vec![[net.width, net.width, net.blocks], [net.width, net.time_features, 1]];
        match (self.encoder, &self.kind) {
            (Encoder::Identity, _) => layers.push([net.width, size, 1]),
            (Encoder::Trained, AutoencoderKind::Vector { dim }) => layers.push([codes.hidden, *dim, 1]),
            (Encoder::Trained, AutoencoderKind::Image { shape: [_, height, width] }) => {
                let pixels = height.div_ceil(4).saturating_mul(width.div_ceil(4));
                layers.extend([[codes.hidden, codes.channels, pixels], [codes.channels, codes.channels, 1]]);
            }
        }
        if self.encoder == Encoder::Trained {
            codes.check(size)?;
            layers.push([codes.hidden, codes.latent_dim, 1]);
        }
        let weights = |[a, b, c]: [usize; 3]| a.saturating_mul(b).saturating_mul(c);
        match layers.into_iter().map(weights).max() {
            Some(most) if most > values => Err(sbridge::Error::Weights(format!(
                "layers of {most} weights are described, and the file holds {values} values"
            ))),
            _ => Ok(()),
        }
    }
}

/// Writes `model`, trained with `config` on samples of `kind`, to `path` in one step.
///
/// # Errors
/// [`RunError::Disk`] if the disk refuses.
pub fn save(path: &Path, model: &LatentModel, config: &Config, kind: &AutoencoderKind) -> Result<()> {
    let description = Description {
        kind: kind.clone(),
        encoder: config.autoencoder.encoder,
        autoencoder: config.autoencoder.net.clone(),
        bridge: config.bridge.score.clone(),
        v_min: model.v_min,
        has_ratio: model.ratio.is_some(),
    };
    let mut arrays = Weights::new();
    tensor_file::insert(&mut arrays, "autoencoder", weights_of(&model.autoencoder));
    tensor_file::insert(&mut arrays, "score", weights_of(&model.predictor));
    if let Some(ratio) = &model.ratio {
        tensor_file::insert(&mut arrays, "ratio", weights_of(ratio));
    }
    let tensors = [
        ("scaling/offset", &model.scaling.offset),
        ("scaling/scale", &model.scaling.scale),
        ("scaling/low", &model.scaling.low),
        ("scaling/high", &model.scaling.high),
        ("normaliser/mean", &model.normaliser.mean),
        ("normaliser/scale", &model.normaliser.scale),
        ("codes/train", &model.codes),
    ];
    let held_out = model.held_out.iter().map(|codes| ("codes/held_out", codes));
    for (name, tensor) in tensors.into_iter().chain(held_out) {
        arrays.insert(name.into(), (tensor.dims().to_vec(), to_vec(tensor.clone())));
    }
    tensor_file::save(path, &arrays, &description)
}

/// Reads what [`save`] wrote, onto `device`.
///
/// # Errors
/// [`RunError::Folder`] if the file is missing or damaged.
pub fn load(path: &Path, device: &Device) -> Result<LatentModel> {
    let (mut arrays, description): (_, Description) = tensor_file::load(path)?;
    let values = arrays.values().map(|(_, values)| values.len()).sum();
    description.check(values).map_err(|e| RunError::folder(path, format!("is damaged: {e}")))?;
    // Initial weights are overwritten, so any stream will do.
    let mut rng = Rng::new(0);
    let autoencoder = match description.encoder {
        Encoder::Identity => Autoencoder::identity(size_of(&description.kind)),
        Encoder::Trained => Autoencoder::new(&description.kind, &description.autoencoder, &mut rng, device),
    };
    let bridge = &description.bridge;
    let dim = autoencoder.latent_dim();
    let predictor = NoisePredictor::new(dim, bridge.parametrisation, &bridge.net, &mut rng, device);
    let autoencoder = load_weights(autoencoder, tensor_file::extract(&mut arrays, "autoencoder"))?;
    let predictor = load_weights(predictor, tensor_file::extract(&mut arrays, "score"))?;
    let ratio = description.has_ratio.then(|| {
        let net = RatioNet::new(dim, &bridge.net, &mut rng, device);
        load_weights(net, tensor_file::extract(&mut arrays, "ratio"))
    });
    let has_held_out = arrays.contains_key("codes/held_out");
    let mut tensor = |name: &str, columns: usize| -> Result<Tensor<2>> {
        match arrays.remove(name) {
            Some((shape, values)) if shape.len() == 2 && shape[1] == columns => {
                let data = TensorData::new(values, [shape[0], shape[1]]);
                Ok(Tensor::from_data(data, (device, DType::F32)))
            }
            _ => Err(RunError::folder(path, format!("lacks {name} with {columns} columns; it is damaged"))),
        }
    };
    let size = size_of(&description.kind);
    Ok(LatentModel {
        scaling: DataScaling {
            offset: tensor("scaling/offset", size)?,
            scale: tensor("scaling/scale", size)?,
            low: tensor("scaling/low", size)?,
            high: tensor("scaling/high", size)?,
        },
        normaliser: Normaliser {
            mean: tensor("normaliser/mean", dim)?,
            scale: tensor("normaliser/scale", dim)?,
        },
        codes: tensor("codes/train", dim)?,
        held_out: has_held_out.then(|| tensor("codes/held_out", dim)).transpose()?,
        autoencoder: sbridge::tensor::Module::valid(&autoencoder),
        predictor: sbridge::tensor::Module::valid(&predictor),
        ratio: ratio.transpose()?.map(|net| sbridge::tensor::Module::valid(&net)),
        epsilon: bridge.epsilon,
        v_min: description.v_min,
    })
}

/// Values in one sample.
pub fn size_of(kind: &AutoencoderKind) -> usize {
    match kind {
        AutoencoderKind::Vector { dim } => *dim,
        AutoencoderKind::Image { shape } => shape.iter().fold(1, |size, side| size.saturating_mul(*side)),
    }
}
