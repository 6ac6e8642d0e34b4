//! A variational diffusion on disk, `vsdm.safetensors`: as it is between two stages, so that training can go on from it.

use std::path::Path;

use faer::Mat;
use sbridge::net::{ResidualMlp, ResidualMlpSettings, Weights, load_weights, weights_of};
use sbridge::reference::{LinearDrift, Schedule};
use sbridge::rng::Rng;
use sbridge::solver::vsdm::VariationalModel;
use sbridge::tensor::{Device, Module};
use sbridge_ot::Gaussian;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::codec_file::require_weights;
use crate::error::{Result, RunError};
use crate::tensor_file::{self, Array, damaged, vector, widen};

/// What the arrays do not say; `T` is what else its network is made from.
#[derive(Serialize, Deserialize)]
pub(crate) struct Description<T = ()> {
    method: String,
    /// Stages learned.
    pub(crate) learned: usize,
    schedule: Schedule,
    t_min: f64,
    pub(crate) net: ResidualMlpSettings,
    #[serde(default)]
    pub(crate) told: T,
}

/// Writes `model`, with a network made from `net` and `told`, after `learned` stages of `method` to `path` in one step.
///
/// # Errors
/// [`RunError::Disk`] if the disk refuses.
pub(crate) fn save<N: Module, T: Serialize>(
    path: &Path,
    method: &str,
    model: &VariationalModel<N>,
    (net, told): (&ResidualMlpSettings, T),
    learned: usize,
) -> Result<()> {
    let (schedule, t_min) = (model.schedule, model.t_min);
    let description = Description { method: method.into(), learned, schedule, t_min, net: net.clone(), told };
    let mut arrays = Weights::from([
        ("drift/matrix".into(), matrix(model.drift.matrix.as_ref())),
        ("drift/offset".into(), vector(&model.drift.offset)),
        ("data/mean".into(), vector(model.data.mean())),
        ("data/covariance".into(), matrix(model.data.cov())),
    ]);
    tensor_file::insert(&mut arrays, "net", weights_of(&model.net));
    tensor_file::save(path, &arrays, &description)
}

fn matrix(a: faer::MatRef<'_, f64>) -> Array {
    let dim = a.nrows();
    (vec![dim, dim], (0..dim * dim).map(|i| a[(i / dim, i % dim)] as f32).collect())
}

/// Reads what [`save`] wrote, with a network that `make` makes for so many dimensions from a description that a file of so
/// many values may have.
///
/// # Errors
/// [`RunError::Folder`] if the file is missing or damaged.
pub(crate) fn load<N: Module, T: DeserializeOwned + Default>(
    path: &Path,
    make: impl FnOnce(usize, &Description<T>, usize) -> sbridge::Result<N>,
) -> Result<(VariationalModel<N>, Description<T>)> {
    let (mut arrays, description): (_, Description<T>) = tensor_file::load(path)?;
    let values = arrays.values().map(|(_, values)| values.len()).sum();
    let (offset, mean) = (take_vector(&mut arrays, "drift/offset"), take_vector(&mut arrays, "data/mean"));
    let (Some(offset), Some(mean)) = (offset, mean) else { return Err(damaged(path, "lacks its vectors")) };
    let dim = offset.len();
    let drift = take_matrix(&mut arrays, "drift/matrix", dim);
    let covariance = take_matrix(&mut arrays, "data/covariance", dim);
    let (Some(drift), Some(covariance)) = (drift, covariance) else {
        return Err(damaged(path, &format!("lacks matrices of {dim} columns")));
    };
    let checked = || {
        let net = &description.net;
        net.check()?;
        description.schedule.check()?;
        require_weights(values, [[net.width, net.width, net.blocks], [net.width, net.time_features, 1]])?;
        Ok::<_, sbridge::Error>((Gaussian::new(mean, covariance)?, make(dim, &description, values)?))
    };
    let (data, net) = checked().map_err(|e| RunError::folder(path, format!("is damaged: {e}")))?;
    let net = load_weights(net, tensor_file::extract(&mut arrays, "net"))
        .map_err(|e| RunError::folder(path, format!("is damaged: {e}")))?;
    let model = VariationalModel {
        schedule: description.schedule,
        t_min: description.t_min,
        drift: LinearDrift { matrix: drift, offset },
        data,
        net: net.valid(),
    };
    Ok((model, description))
}

/// The model of one set in the file at `path`, onto `device`; and how many stages were learned.
///
/// # Errors
/// As [`load`].
pub(crate) fn load_plain(path: &Path, device: &Device) -> Result<(VariationalModel, usize)> {
    // Initial weights are overwritten, so any stream will do.
    let (model, description) = load(path, |dim, description: &Description, _| {
        Ok(ResidualMlp::new(dim, &description.net, &mut Rng::new(0), device))
    })?;
    Ok((model, description.learned))
}

fn take_vector(arrays: &mut Weights, name: &str) -> Option<Vec<f64>> {
    let (shape, values) = arrays.remove(name)?;
    (shape.len() == 1 && !values.is_empty()).then(|| widen(&values))
}

fn take_matrix(arrays: &mut Weights, name: &str, dim: usize) -> Option<Mat<f64>> {
    let (shape, values) = arrays.remove(name)?;
    (shape == [dim, dim]).then(|| Mat::from_fn(dim, dim, |i, j| f64::from(values[i * dim + j])))
}
