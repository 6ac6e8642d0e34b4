//! A trained latent bridge on disk, `model.safetensors`.

use std::path::Path;

use sbridge::latent::{BridgeSettings, LatentModel};
use sbridge::net::{AutoencoderKind, NoisePredictor, Weights, load_weights, weights_of};
use sbridge::objective::RatioNet;
use sbridge::rng::Rng;
use sbridge::tensor::{Device, Module as _, to_vec};
use serde::{Deserialize, Serialize};

use super::LatentConfig;
use crate::error::{Result, RunError};
use crate::folder::tensor_file;
use crate::models::codec::{self, CodecDescription, require_weights, rows};

#[derive(Serialize, Deserialize)]
struct Description {
    #[serde(flatten)]
    codec: CodecDescription,
    bridge: BridgeSettings,
    v_min: f64,
    has_ratio: bool,
}

impl Description {
    /// Checks that a file of so many `values` can hold networks of these sizes: none is built that it cannot.
    fn check(&self, values: usize) -> sbridge::Result<()> {
        let net = &self.bridge.net;
        net.check()?;
        let [hidden, inputs] = [[net.width, net.blocks], [self.codec.latent_dim(), net.time_features]];
        let layers =
            [[net.width, hidden[0], hidden[1]], [net.width, inputs[0], 1], [net.width, inputs[1], 1]];
        require_weights(values, layers)?;
        self.codec.check(values)
    }
}

/// Writes `model`, trained with `config` on samples of `kind`, to `path` in one step.
///
/// # Errors
/// [`RunError::Disk`] if the disk refuses.
pub fn save(path: &Path, model: &LatentModel, config: &LatentConfig, kind: &AutoencoderKind) -> Result<()> {
    let description = Description {
        codec: CodecDescription::new(kind, &config.autoencoder),
        bridge: config.bridge.score.clone(),
        v_min: model.v_min,
        has_ratio: model.ratio.is_some(),
    };
    let mut arrays = Weights::new();
    codec::insert(&mut arrays, &model.codec);
    tensor_file::insert(&mut arrays, "score", weights_of(&model.predictor));
    if let Some(ratio) = &model.ratio {
        tensor_file::insert(&mut arrays, "ratio", weights_of(ratio));
    }
    let held_out = model.held_out.iter().map(|codes| ("codes/held_out", codes));
    for (name, codes) in held_out.chain([("codes/train", &model.codes)]) {
        arrays.insert(name.into(), (codes.dims().to_vec(), to_vec(codes.clone())));
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
    let codec = codec::extract(&mut arrays, &description.codec, device, path)?;
    let (bridge, dim) = (&description.bridge, codec.autoencoder.latent_dim());
    // Initial weights are overwritten, so any stream will do.
    let mut rng = Rng::new(0);
    let predictor = NoisePredictor::new(dim, bridge.parametrisation, &bridge.net, &mut rng, device);
    let predictor = load_weights(predictor, tensor_file::extract(&mut arrays, "score"))?;
    let ratio = description.has_ratio.then(|| {
        let net = RatioNet::new(dim, &bridge.net, &mut rng, device);
        load_weights(net, tensor_file::extract(&mut arrays, "ratio"))
    });
    let has_held_out = arrays.contains_key("codes/held_out");
    let mut codes = |name: &str| rows(&mut arrays, name, dim, device, path);
    Ok(LatentModel {
        codec,
        predictor: predictor.valid(),
        ratio: ratio.transpose()?.map(|net| net.valid()),
        codes: codes("codes/train")?,
        held_out: has_held_out.then(|| codes("codes/held_out")).transpose()?,
        epsilon: bridge.epsilon,
        v_min: description.v_min,
    })
}
