//! The networks of a run on disk, `paired.safetensors`.

use std::path::Path;

use sbridge::latent::DataScaling;
use sbridge::net::{DriftNetSettings, GaussianPair, PairedNet, Weights, load_weights, weights_of};
use sbridge::rng::Rng;
use sbridge::solver::paired::Paths;
use sbridge::tensor::{Device, Module as _, to_vec};
use serde::{Deserialize, Serialize};

use super::settings::{DIFFUSION, REGRESSION};
use super::{Coding, MODEL_FILE, Networks, Paired, PairedConfig, PairedData};
use crate::data::image_shape;
use crate::error::{Result, RunError};
use crate::folder::RunFolder;
use crate::folder::tensor_file::{self, damaged};
use crate::models::codec::{self, require_weights};

/// What the arrays do not say.
#[derive(Serialize, Deserialize)]
struct Description {
    paths: Paths,
    size: usize,
    image: Option<[usize; 3]>,
    is_conditioned: bool,
    net: DriftNetSettings,
    range: Option<(f64, f64)>,
    /// Values of a code, where codes are joined.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    latent_dim: Option<usize>,
}

const BRIDGE: &str = "bridge";
const GAUSSIAN: &str = "known";

/// Writes `networks`, trained with `settings` on `data`, to `path` in one step.
///
/// # Errors
/// [`RunError::Disk`] if the disk refuses.
pub(super) fn save(
    path: &Path,
    settings: &PairedConfig,
    data: &PairedData,
    networks: &Networks,
) -> Result<()> {
    let mut arrays = Weights::new();
    tensor_file::insert(&mut arrays, BRIDGE, weights_of(&networks.bridge));
    if let Some(pair) = &networks.gaussian {
        tensor_file::insert(&mut arrays, GAUSSIAN, weights_of(pair));
    }
    for (name, net) in [(REGRESSION, &networks.regression), (DIFFUSION, &networks.diffusion)] {
        net.iter().for_each(|net| tensor_file::insert(&mut arrays, name, weights_of(net)));
    }
    for (name, tensor) in [("scaling/offset", &data.scaling.offset), ("scaling/scale", &data.scaling.scale)] {
        arrays.insert(name.into(), (tensor.dims().to_vec(), to_vec(tensor.clone())));
    }
    let description = Description {
        paths: settings.bridge.paths,
        size: data.clean.shape().size(),
        image: image_shape(data.clean.shape()),
        is_conditioned: settings.bridge.cond_x1,
        net: settings.bridge.net.clone(),
        range: data.scaling.range,
        latent_dim: settings.is_latent().then_some(settings.autoencoder.net.latent_dim),
    };
    tensor_file::save(path, &arrays, &description)
}

/// Reads what [`save`] wrote of a run with `settings` into `folder`, onto `device`.
///
/// # Errors
/// [`RunError::Folder`] if the file is missing or damaged, or its networks were trained on other paths.
pub(super) fn load(folder: &RunFolder, settings: &PairedConfig, device: &Device) -> Result<Paired> {
    let path = &folder.file(MODEL_FILE);
    let (mut arrays, description): (_, Description) = tensor_file::load(path)?;
    let Description { paths, size, image, is_conditioned, net, range, latent_dim } = description;
    if paths != settings.bridge.paths {
        let problem = format!(
            "was trained on {} paths, and the settings ask for {} ones (set bridge.paths back, or train again)",
            name_of(paths),
            name_of(settings.bridge.paths)
        );
        return Err(RunError::folder(path, problem));
    }
    if latent_dim.unwrap_or(0) != settings.autoencoder.net.latent_dim {
        let problem = "was trained on codes of another autoencoder.net.latent_dim than the settings ask for (set it back, or train \
                       again)";
        return Err(RunError::folder(path, problem));
    }
    // What is joined.
    let kind = latent_dim.map_or((size, image), |dim| (dim, None));
    let values = arrays.values().map(|(_, values)| values.len()).sum();
    let wide =
        if kind.1.is_some() { [net.unet.width, net.unet.width, 9] } else { [kind.0, net.mlp.width, 1] };
    require_weights(values, [wide]).map_err(|error| damaged(path, &error.to_string()))?;
    let known = tensor_file::extract(&mut arrays, GAUSSIAN);
    let gaussian = match known.is_empty() {
        true => None,
        false => {
            require_weights(known.values().map(|(_, values)| values.len()).sum(), [[kind.0, kind.0, 1]])
                .map_err(|error| damaged(path, &error.to_string()))?;
            Some(load_weights(GaussianPair::zero(kind.0, device), known)?.valid())
        }
    };
    let mut network = |name: &str| -> Result<PairedNet> {
        // Initial weights are overwritten, so any stream will do.
        // The diffusion is always told the degraded sample.
        let is_conditioned = is_conditioned || name == DIFFUSION;
        let empty = PairedNet::new(kind, is_conditioned, &net, &mut Rng::new(0), device);
        Ok(load_weights(empty, tensor_file::extract(&mut arrays, name))?.valid())
    };
    let bridge = network(BRIDGE)?;
    let [regression, diffusion] =
        [REGRESSION, DIFFUSION].map(|name| settings.compares(name).then(|| network(name)).transpose());
    let networks = Networks { bridge, gaussian, regression: regression?, diffusion: diffusion? };
    let mut row = |name: &str| codec::rows(&mut arrays, name, size, device, path);
    let scaling = DataScaling { offset: row("scaling/offset")?, scale: row("scaling/scale")?, range };
    let coding = latent_dim.map(|dim| Coding::load(folder, &scaling, dim, device)).transpose()?;
    Ok(Paired { networks, scaling, coding, schedule: settings.schedule()? })
}

fn name_of(paths: Paths) -> &'static str {
    match paths {
        Paths::Stochastic => "stochastic",
        Paths::Ode => "ode",
    }
}
