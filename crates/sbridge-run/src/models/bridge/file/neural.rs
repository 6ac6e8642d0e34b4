//! A bridge of networks on disk: as it is between two half-bridges, so that training can go on from it.

use std::path::Path;

use sbridge::Direction;
use sbridge::net::{
    DriftNet, DriftNetSettings, GaussianDrift, MixtureDrift, Weights, load_weights, weights_of,
};
use sbridge::reference::{Brownian, GaussianReference as _};
use sbridge::rng::Rng;
use sbridge::solver::{Frame, NeuralBridge, Way};
use sbridge::tensor::{Device, Module as _, Tensor};
use serde::{Deserialize, Serialize};

use super::{means, require_positive};
use crate::error::{Result, RunError};
use crate::folder::tensor_file::{self, Array, damaged, vector};
use crate::models::bridge::direction_name;

/// What the arrays do not say.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Description {
    method: String,
    /// Half-bridges learned.
    learned: usize,
    /// Of the reference, in units of the frame.
    epsilon: f64,
    scale: f64,
    image: Option<[usize; 3]>,
    net: DriftNetSettings,
}

impl Description {
    /// A module of these sizes for `direction`, unless `weights` cannot fill one.
    fn module(
        &self,
        dim: usize,
        direction: Direction,
        weights: &Weights,
        device: &Device,
    ) -> sbridge::Result<DriftNet> {
        let values = weights.values().map(|(_, values)| values.len()).sum();
        self.net.check()?;
        if let Some(mixture) = &self.net.mixture {
            // At most 500 components, and as many values as the file's own means.
            let centres = Tensor::zeros([mixture.components, dim], device);
            let drift = MixtureDrift::new(centres, mixture.initial_variance, self.epsilon, direction);
            return Ok(DriftNet::Mixture(drift));
        }
        let (mlp, unet) = (&self.net.mlp, &self.net.unet);
        let most = match self.image {
            None => mlp.width.saturating_mul(mlp.width.saturating_mul(mlp.layers - 1).max(dim)),
            Some([channels, ..]) => unet.width.saturating_mul(unet.width.max(channels)),
        };
        if most > values {
            return Err(sbridge::Error::Weights(format!(
                "layers of {most} weights are described, and the file holds {values} values"
            )));
        }
        // Initial weights are overwritten, so any stream will do.
        Ok(DriftNet::new(dim, self.image, &self.net, &mut Rng::new(0), device))
    }
}

/// The Gaussian part of a drift, unless `weights` cannot fill one.
fn gaussian(
    dim: usize,
    direction: Direction,
    weights: Weights,
    device: &Device,
) -> sbridge::Result<GaussianDrift> {
    let values: usize = weights.values().map(|(_, values)| values.len()).sum();
    if values < dim.saturating_mul(dim) {
        let reason = format!("{dim} axes are needed, and the file holds {values} values of them");
        return Err(sbridge::Error::Weights(reason));
    }
    load_weights(GaussianDrift::zero(dim, direction, device), weights)
}

/// Variances step by step: one for every coordinate, or one for all, which earlier files keep as a single list.
fn rows((shape, values): Array, dim: usize) -> Option<Vec<Vec<f32>>> {
    let width = shape.get(1).copied().unwrap_or(1);
    let is_valid = !values.is_empty() && values.iter().all(|q| q.is_finite() && *q >= 0.0);
    (is_valid && [1, dim].contains(&width)).then(|| values.chunks(width).map(<[f32]>::to_vec).collect())
}

/// Writes `bridge`, of `method` after `learned` half-bridges with networks of sizes `net` for samples of shape `image`,
/// to `path` in one step.
///
/// # Errors
/// [`RunError::Disk`] if the disk refuses.
pub fn save(
    path: &Path,
    (method, learned): (&str, usize),
    bridge: &NeuralBridge,
    (image, net): (Option<[usize; 3]>, &DriftNetSettings),
) -> Result<()> {
    let description = Description {
        method: method.into(),
        learned,
        epsilon: bridge.reference.epsilon(),
        scale: bridge.frame.scale,
        image,
        net: net.clone(),
    };
    let [source, target] = bridge.frame.means.each_ref().map(|mean| vector(mean));
    let mut arrays = Weights::from([("mean/source".into(), source), ("mean/target".into(), target)]);
    for direction in [Direction::Forward, Direction::Backward] {
        let (name, way) = (direction_name(direction), bridge.way(direction));
        let shape = vec![way.step_variances.len(), way.step_variances[0].len()];
        arrays.insert(format!("variances/{name}"), (shape, way.step_variances.concat()));
        if let Some(gaussian) = &way.gaussian {
            tensor_file::insert(&mut arrays, &format!("known/{name}"), weights_of(gaussian));
        }
        if let Some(net) = &way.net {
            tensor_file::insert(&mut arrays, name, weights_of(net));
        }
    }
    tensor_file::save(path, &arrays, &description)
}

/// Reads what [`save`] wrote, onto `device`: the bridge, and how many half-bridges were learned.
///
/// # Errors
/// [`RunError::Folder`] if the file is missing or damaged.
pub fn load(path: &Path, device: &Device) -> Result<(NeuralBridge, usize)> {
    let (mut arrays, description): (_, Description) = tensor_file::load(path)?;
    let means = means(&mut arrays, path)?;
    let dim = means[0].len();
    let is_of_images =
        description.image.map(|shape| shape.iter().fold(1, |n: usize, side| n.saturating_mul(*side)));
    if is_of_images.is_some_and(|size| size != dim) {
        return Err(damaged(path, "has images and means of different size"));
    }
    let scale = require_positive("the scale", description.scale, path)?;
    let reference = Brownian::with_epsilon(require_positive("epsilon", description.epsilon, path)?)?;
    let mut way = |direction: Direction| -> Result<Way> {
        let name = direction_name(direction);
        let step_variances = arrays.remove(&format!("variances/{name}")).and_then(|array| rows(array, dim));
        let step_variances = step_variances
            .ok_or_else(|| damaged(path, &format!("lacks the variances of the {name} steps")))?;
        let mut part = |name: &str| {
            let weights = tensor_file::extract(&mut arrays, name);
            (!weights.is_empty()).then_some(weights)
        };
        let gaussian =
            part(&format!("known/{name}")).map(|weights| gaussian(dim, direction, weights, device));
        let net = part(name).map(|weights| {
            let net = description.module(dim, direction, &weights, device)?;
            Ok(load_weights(net, weights)?.valid())
        });
        let is_damaged = |e: sbridge::Error| RunError::folder(path, format!("is damaged: {e}"));
        Ok(Way {
            gaussian: gaussian.transpose().map_err(is_damaged)?,
            net: net.transpose().map_err(is_damaged)?,
            step_variances,
        })
    };
    let (forward, backward) = (way(Direction::Forward)?, way(Direction::Backward)?);
    let bridge = NeuralBridge { frame: Frame { means, scale }, reference, forward, backward };
    Ok((bridge, description.learned))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use sbridge::PairBridge as _;
    use sbridge::tensor::to_vec;

    /// A bridge with a network one way, for vectors or images of six values.
    fn bridge(image: Option<[usize; 3]>, net: &DriftNetSettings) -> NeuralBridge {
        let frame = Frame { means: [vec![0.1; 6], vec![-0.3; 6]], scale: 2.5 };
        let mut bridge = NeuralBridge::untrained(frame, Brownian::with_epsilon(0.3).unwrap(), 5);
        let drift = DriftNet::new(6, image, net, &mut Rng::new(4), &Device::flex());
        let ends = [5, 6].map(|seed| Rng::new(seed).normal([20, 6], &Device::flex()));
        let gaussian = GaussianDrift::between(ends.each_ref(), 0.3, Direction::Backward).unwrap();
        bridge.backward = Way {
            gaussian: image.is_none().then_some(gaussian),
            net: Some(drift),
            step_variances: vec![vec![0.01, 1.0 / 3.0, 0.0, 0.1, 0.2, 0.3]; 5],
        };
        bridge
    }

    fn small() -> DriftNetSettings {
        let mut net = DriftNetSettings::default();
        (net.mlp.width, net.unet.width) = (8, 8);
        net
    }

    #[test]
    fn a_bridge_read_back_is_the_same_to_the_last_bit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bridge.safetensors");
        for image in [None, Some([1, 2, 3])] {
            let saved = bridge(image, &small());
            save(&path, ("dsbm", 3), &saved, (image, &small())).unwrap();
            let (loaded, learned) = load(&path, &Device::flex()).unwrap();
            assert_eq!(learned, 3);
            let x = Rng::new(1).normal([10, 6], &Device::flex());
            for direction in [Direction::Forward, Direction::Backward] {
                let ends = |bridge: &NeuralBridge| -> Tensor<2> {
                    bridge.transport(direction, &x, &mut Rng::new(2))
                };
                assert_eq!(to_vec(ends(&loaded)), to_vec(ends(&saved)));
            }
        }
    }

    #[test]
    fn networks_larger_than_the_file_are_not_built() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bridge.safetensors");
        let mut described = small();
        described.mlp.width = 1 << 12;
        save(&path, ("dsbm", 1), &bridge(None, &small()), (None, &described)).unwrap();
        assert!(load(&path, &Device::flex()).unwrap_err().to_string().contains("weights are described"));
    }

    #[test]
    fn a_known_drift_of_fewer_coordinates_than_the_bridge_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bridge.safetensors");
        let mut other = bridge(None, &small());
        other.backward.gaussian = Some(GaussianDrift::zero(4, Direction::Backward, &Device::flex()));
        save(&path, ("dsbm", 1), &other, (None, &small())).unwrap();
        let message = load(&path, &Device::flex()).unwrap_err().to_string();
        assert!(message.contains("6 axes are needed"), "{message}");
    }
}
