//! A trained sampler on disk, `density.safetensors`.

use std::path::Path;

use faer::Mat;
use sbridge::density::Coordinates;
use sbridge::density::baselines::Gaussian;
use sbridge::net::{Weights, load_weights, weights_of};
use sbridge::rng::Rng;
use sbridge::solver::density::Controls;
use sbridge::tensor::{Device, Module as _};
use serde::{Deserialize, Serialize};

use super::{DensityConfig, DensityModel, MethodName};
use crate::error::Result;
use crate::folder::tensor_file::{self, damaged, vector, widen};

/// What the arrays do not say.
#[derive(Serialize, Deserialize)]
struct Description {
    method: MethodName,
    dim: usize,
    clip: f64,
}

/// Writes `controls` in `coordinates`, trained with `config`, to `path` in one step.
///
/// # Errors
/// [`RunError::Disk`](crate::RunError::Disk) if the disk refuses.
pub(super) fn save(
    path: &Path,
    config: &DensityConfig,
    coordinates: &Coordinates,
    controls: &Controls,
) -> Result<()> {
    let (dim, mut arrays) = (coordinates.dim(), Weights::new());
    match coordinates {
        Coordinates::Axes { centre, spreads } => {
            arrays.extend([("centre".into(), vector(centre)), ("spreads".into(), vector(spreads))]);
        }
        Coordinates::Law(Gaussian { mean, factor }) => {
            let entries = (0..dim).flat_map(|i| (0..dim).map(move |j| factor[(i, j)] as f32)).collect();
            arrays.extend([("centre".into(), vector(mean)), ("factor".into(), (vec![dim, dim], entries))]);
        }
    }
    tensor_file::insert(&mut arrays, "controls", weights_of(controls));
    let description = Description { method: config.sampler.method, dim, clip: config.sampler.clip };
    tensor_file::save(path, &arrays, &description)
}

/// Reads what [`save`] wrote of a sampler by `method`, onto `device`.
///
/// # Errors
/// [`RunError::Folder`](crate::RunError::Folder) if the file is missing or damaged.
pub(super) fn load(path: &Path, method: MethodName, device: &Device) -> Result<DensityModel> {
    let (mut arrays, Description { method: found, dim, clip }): (_, Description) = tensor_file::load(path)?;
    if found != method {
        return Err(damaged(path, &format!("it is of {found} and the run of {method}")));
    }
    let mut numbers = |name: &str, count: usize| match arrays.remove(name) {
        Some((_, values)) if values.len() == count => Ok(Some(widen(&values))),
        Some(_) => Err(damaged(path, &format!("{name} has another size"))),
        None => Ok(None),
    };
    let centre = numbers("centre", dim)?.ok_or_else(|| damaged(path, "it has no centre"))?;
    let coordinates = match (numbers("spreads", dim)?, numbers("factor", dim.saturating_mul(dim))?) {
        (Some(spreads), None) => Coordinates::Axes { centre, spreads },
        (None, Some(entries)) => {
            let factor = Mat::from_fn(dim, dim, |i, j| entries[i * dim + j]);
            Coordinates::Law(Gaussian { mean: centre, factor })
        }
        _ => return Err(damaged(path, "it has no width, or two")),
    };
    // Initial weights are overwritten, so any stream will do.
    let controls = method.method().controls(dim, clip, &mut Rng::new(0), device);
    let controls = load_weights(controls, tensor_file::extract(&mut arrays, "controls"))?.valid();
    Ok(DensityModel { coordinates, controls })
}
