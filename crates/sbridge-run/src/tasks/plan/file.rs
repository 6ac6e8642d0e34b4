//! The networks of a planner on disk, `plan.safetensors`.

use std::path::Path;

use sbridge::net::{TemporalUNetSettings, Weights, load_weights, weights_of};
use sbridge::planning::Normaliser;
use sbridge::rng::Rng;
use sbridge::solver::paired::Paths;
use sbridge::solver::planner::Prior;
use sbridge::tensor::{Device, Module as _};
use serde::{Deserialize, Serialize};

use super::settings::DDPM;
use super::{Networks, PlanConfig, PlanData, PriorName, learn};
use crate::error::{Result, RunError};
use crate::folder::tensor_file::{self, damaged};
use crate::models::codec::require_weights;

/// What the arrays do not say.
#[derive(Serialize, Deserialize)]
struct Description {
    paths: Paths,
    prior: PriorName,
    horizon: usize,
    levels: usize,
    net: TemporalUNetSettings,
    normaliser: Normaliser,
}

const BRIDGE: &str = "bridge";
const PRIOR: &str = "prior";

/// Writes `networks`, trained with `settings` on `data`, to `path` in one step.
///
/// # Errors
/// [`RunError::Disk`] if the disk refuses.
pub(super) fn save(path: &Path, settings: &PlanConfig, data: &PlanData, networks: &Networks) -> Result<()> {
    let mut arrays = Weights::new();
    tensor_file::insert(&mut arrays, BRIDGE, weights_of(&networks.bridge));
    if let Prior::Network(net) = &networks.prior {
        tensor_file::insert(&mut arrays, PRIOR, weights_of(&**net));
    }
    networks.ddpm.iter().for_each(|net| tensor_file::insert(&mut arrays, DDPM, weights_of(net)));
    let description = Description {
        paths: settings.bridge.paths,
        prior: settings.prior,
        horizon: settings.horizon,
        levels: settings.bridge.levels,
        net: settings.bridge.net.clone(),
        normaliser: data.setting.normaliser,
    };
    tensor_file::save(path, &arrays, &description)
}

/// Reads what [`save`] wrote of a run with `settings`, onto `device`; and the units of its plans.
///
/// # Errors
/// [`RunError::Folder`] if the file is missing or damaged, or its networks were trained otherwise than the settings say.
pub(super) fn load(path: &Path, settings: &PlanConfig, device: &Device) -> Result<(Networks, Normaliser)> {
    let (mut arrays, found): (_, Description) = tensor_file::load(path)?;
    let bridge = &settings.bridge;
    let asked = (bridge.paths, settings.prior, settings.horizon, bridge.levels, &bridge.net);
    if (found.paths, found.prior, found.horizon, found.levels, &found.net) != asked {
        let problem = "was trained with other bridge.paths, prior, horizon, bridge.levels or bridge.net than the settings ask \
                       for (set them back, or train again)";
        return Err(RunError::folder(path, problem));
    }
    let values = arrays.values().map(|(_, values)| values.len()).sum();
    let widest = found.net.multipliers.iter().max().copied().unwrap_or(1).saturating_mul(found.net.width);
    require_weights(values, [[widest, widest, 5]]).map_err(|error| damaged(path, &error.to_string()))?;
    // Initial weights are overwritten, so any stream will do.
    let (rng, mut part) = (&mut Rng::new(0), |name: &str| tensor_file::extract(&mut arrays, name));
    let empty = |rng: &mut Rng| learn::network(settings, rng, device);
    let networks = Networks {
        prior: match learn::prior(settings, rng, device)? {
            Prior::Network(net) => Prior::Network(Box::new(load_weights(*net, part(PRIOR))?.valid())),
            needs_none => needs_none,
        },
        bridge: load_weights(empty(rng)?, part(BRIDGE))?.valid(),
        ddpm: match settings.has_ddpm() {
            true => Some(load_weights(empty(rng)?, part(DDPM))?.valid()),
            false => None,
        },
    };
    Ok((networks, found.normaliser))
}
