//! A variational diffusion on disk, `vsdm.safetensors`: as it is between two stages, so that training can go on from it.

use std::path::Path;

use faer::Mat;
use sbridge::net::{ResidualMlp, ResidualMlpSettings, Weights, load_weights, weights_of};
use sbridge::reference::{LinearDiffusion, LinearDrift, Schedule};
use sbridge::rng::Rng;
use sbridge::solver::vsdm::{Learned, Part, StageRecord, VariationalModel};
use sbridge::tensor::{Device, Module};
use sbridge_ot::Gaussian;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::{Result, RunError};
use crate::folder::tensor_file::{self, Array, damaged, widen};
use crate::models::codec::require_weights;

/// What the arrays do not say; `T` is what else its network is made from.
#[derive(Serialize, Deserialize)]
pub struct Description<T = ()> {
    method: String,
    /// What the stages learned so far found.
    stages: Vec<StageRecord>,
    #[serde(rename = "is_cool")]
    is_cooled_down: bool,
    schedule: Schedule,
    t_min: f64,
    /// Sizes of the network.
    pub net: ResidualMlpSettings,
    /// What else it is made from.
    #[serde(default, rename = "told")]
    pub context: T,
}

/// Writes `model`, with a network made from `net` and `context`, and what `method` has learned to `path` in one step.
///
/// # Errors
/// [`RunError::Disk`] if the disk refuses.
pub fn save<N: Module, T: Serialize>(
    path: &Path,
    method: &str,
    model: &VariationalModel<N>,
    (net, context): (&ResidualMlpSettings, T),
    learned: &Learned,
) -> Result<()> {
    let description = Description {
        method: method.into(),
        stages: learned.stages.clone(),
        is_cooled_down: learned.is_cooled_down,
        schedule: model.schedule(),
        t_min: model.t_min,
        net: net.clone(),
        context,
    };
    let parts = &model.parts;
    let (intervals, size) = (parts[0].diffusion.drifts().len(), parts[0].data.dim());
    let drifts = || parts.iter().flat_map(|part| part.diffusion.drifts());
    let data = || parts.iter().map(|part| &part.data);
    let each = |of_part: &[usize]| [&[parts.len()], of_part].concat();
    let square = [intervals, size, size];
    let mut arrays = Weights::from([
        (
            "forward/matrix".into(),
            stack(&each(&square), drifts().flat_map(|drift| entries(drift.matrix.as_ref()))),
        ),
        (
            "forward/offset".into(),
            stack(&each(&square[..2]), drifts().flat_map(|drift| drift.offset.clone())),
        ),
        ("data/mean".into(), stack(&each(&[size]), data().flat_map(|law| law.mean().to_vec()))),
        ("data/covariance".into(), stack(&each(&[size, size]), data().flat_map(|law| entries(law.cov())))),
    ]);
    if !learned.curvatures.is_empty() {
        let all = learned.curvatures.iter().flatten().flat_map(|curvature| entries(curvature.as_ref()));
        arrays.insert("forward/curvature".into(), stack(&[intervals, parts.len(), size, size], all));
    }
    tensor_file::insert(&mut arrays, "net", weights_of(&model.net));
    tensor_file::save(path, &arrays, &description)
}

fn stack(shape: &[usize], values: impl Iterator<Item = f64>) -> Array {
    (shape.to_vec(), values.map(|x| x as f32).collect())
}

/// Row by row.
fn entries(a: faer::MatRef<'_, f64>) -> Vec<f64> {
    let dim = a.nrows();
    (0..dim * dim).map(|i| a[(i / dim, i % dim)]).collect()
}

/// And back.
fn square(values: &[f64], dim: usize) -> Mat<f64> {
    Mat::from_fn(dim, dim, |i, j| values[i * dim + j])
}

/// Reads what [`save`] wrote, with a network that `make` makes for so many dimensions from a description that a file of so
/// many values may have.
///
/// # Errors
/// [`RunError::Folder`] if the file is missing or damaged.
pub fn load<N: Module, T: DeserializeOwned + Default>(
    path: &Path,
    make: impl FnOnce(usize, &Description<T>, usize) -> sbridge::Result<N>,
) -> Result<(VariationalModel<N>, Learned, Description<T>)> {
    let (mut arrays, description): (_, Description<T>) = tensor_file::load(path)?;
    let values = arrays.values().map(|(_, values)| values.len()).sum();
    let process =
        Process::take(&mut arrays).ok_or_else(|| damaged(path, "lacks arrays that fit together"))?;
    let dim = process.parts * process.size;
    let checked = || {
        let net = &description.net;
        net.check()?;
        require_weights(values, [[net.width, net.width, net.blocks], [net.width, net.time_features, 1]])?;
        Ok::<_, sbridge::Error>((process.parts(description.schedule)?, make(dim, &description, values)?))
    };
    let (parts, net) = checked().map_err(|e| RunError::folder(path, format!("is damaged: {e}")))?;
    let net = load_weights(net, tensor_file::extract(&mut arrays, "net"))
        .map_err(|e| RunError::folder(path, format!("is damaged: {e}")))?;
    let (stages, is_cooled_down) = (description.stages.clone(), description.is_cooled_down);
    let learned = Learned { stages, is_cooled_down, curvatures: process.curvatures() };
    Ok((VariationalModel { parts, t_min: description.t_min, net: net.valid() }, learned, description))
}

/// The arrays of a forward process, of shapes that fit together.
struct Process {
    parts: usize,
    intervals: usize,
    size: usize,
    matrix: Vec<f64>,
    offset: Vec<f64>,
    mean: Vec<f64>,
    covariance: Vec<f64>,
    curvature: Vec<f64>,
}

impl Process {
    fn take(arrays: &mut Weights) -> Option<Self> {
        let (shape, matrix) = arrays.remove("forward/matrix")?;
        let [parts, intervals, size, _] = shape[..].try_into().ok()?;
        let mut of_shape = |name: &str, shape: &[usize]| {
            let (found, values) = arrays.remove(name)?;
            (found == shape).then(|| widen(&values))
        };
        let offset = of_shape("forward/offset", &[parts, intervals, size])?;
        let mean = of_shape("data/mean", &[parts, size])?;
        let covariance = of_shape("data/covariance", &[parts, size, size])?;
        let curvature = of_shape("forward/curvature", &[intervals, parts, size, size]).unwrap_or_default();
        let matrix = widen(&matrix);
        let is_finite = matrix.iter().chain(&offset).all(|x| x.is_finite());
        let is_together = parts == 1 || size == 1;
        (shape[3] == size && is_finite && is_together && parts * intervals * size > 0).then_some(Self {
            parts,
            intervals,
            size,
            matrix,
            offset,
            mean,
            covariance,
            curvature,
        })
    }

    fn parts(&self, schedule: Schedule) -> sbridge::Result<Vec<Part>> {
        let (size, intervals) = (self.size, self.intervals);
        let matrices: Vec<&[f64]> = self.matrix.chunks(size * size).collect();
        let offsets: Vec<&[f64]> = self.offset.chunks(size).collect();
        let drift =
            |at: usize| LinearDrift { matrix: square(matrices[at], size), offset: offsets[at].to_vec() };
        let part = |k: usize| {
            let drifts = (k * intervals..(k + 1) * intervals).map(drift).collect();
            let covariance = square(&self.covariance[k * size * size..], size);
            let data = Gaussian::new(self.mean[k * size..][..size].to_vec(), covariance)?;
            Ok(Part { diffusion: LinearDiffusion::evenly(schedule, drifts)?, data })
        };
        (0..self.parts).map(part).collect()
    }

    fn curvatures(&self) -> Vec<Vec<Mat<f64>>> {
        let size = self.size;
        let matrices: Vec<Mat<f64>> =
            self.curvature.chunks(size * size).map(|values| square(values, size)).collect();
        matrices.chunks(self.parts).map(<[_]>::to_vec).collect()
    }
}

/// The model of one set in the file at `path`, onto `device`; and what is known beside it.
///
/// # Errors
/// [`RunError::Folder`] if the file is missing or damaged.
pub fn load_model(path: &Path, device: &Device) -> Result<(VariationalModel, Learned)> {
    // Initial weights are overwritten, so any stream will do.
    let (model, learned, _) = load(path, |dim, description: &Description, _| {
        Ok(ResidualMlp::new(dim, &description.net, &mut Rng::new(0), device))
    })?;
    Ok((model, learned))
}
