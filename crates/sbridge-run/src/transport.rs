//! Samples carried along a fitted bridge.

use std::path::Path;

use sbridge::reference::{Brownian, GaussianReference as _, Moments};
use sbridge::rng::Rng;
use sbridge::simulate::simulate;
use sbridge::solver::light_sb::LightSb;
use sbridge::tensor::{Device, Tensor, column, from_rows, per_row, to_vec};
use sbridge::{Bridge as _, Direction};
use sbridge_data::SampleShape;

use crate::error::{Result, RunError};
use crate::fit_pair::METHOD;
use crate::folder::RunFolder;
use crate::manifest::Manifest;
use crate::pair_config::PairConfig;
use crate::pair_file;
use crate::sample;

/// Steps of a simulated path.
pub const PATH_STEPS: usize = 100;

/// A finished bridge between two data sets, opened.
pub struct OpenPair {
    /// Where it lies.
    pub folder: RunFolder,
    /// Its settings.
    pub config: PairConfig,
    /// Its description.
    pub manifest: Manifest,
    /// The bridge.
    pub bridge: LightSb,
}

impl OpenPair {
    /// Opens the run at `path`, to read.
    ///
    /// # Errors
    /// [`RunError::Folder`] if there is none, it is of another method, or it was not finished.
    pub fn open(path: &Path) -> Result<Self> {
        Self::of(RunFolder::open(path)?)
    }

    /// Opens what `folder` holds.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn of(folder: RunFolder) -> Result<Self> {
        folder.require_method(METHOD)?;
        let config = PairConfig::from_toml(&folder.read("config.toml")?, &[])?;
        let manifest = folder.manifest()?;
        let file = folder.file("bridge.safetensors");
        if !file.exists() {
            let problem = "holds no bridge: the fit did not end (fit it again into another folder)";
            return Err(RunError::folder(folder.path(), problem));
        }
        let bridge = pair_file::load(&file)?;
        Ok(Self { folder, config, manifest, bridge })
    }

    /// Shape of one sample.
    pub fn shape(&self) -> SampleShape {
        self.manifest.target.shape
    }
}

/// What is carried where.
#[derive(Clone, Debug)]
pub struct Transport<'a> {
    /// From source to target, or back.
    pub direction: Direction,
    /// Time at which to stop, in [0, 1], if before the end.
    pub time: Option<f64>,
    /// Draws for every sample of the input.
    pub draws: usize,
    /// Where paths are written, if they are wanted.
    pub paths: Option<&'a Path>,
    /// Seed of the noise.
    pub seed: u64,
}

/// Carries the samples of `input` to the other end and writes them to `out`: all of them once, then again.
/// Returns how many were written.
///
/// # Errors
/// [`RunError`] for an input of another shape, or a file name that says no format.
pub fn transport(run: &OpenPair, input: &str, settings: &Transport<'_>, out: &Path) -> Result<usize> {
    if let Some(time) = settings.time.filter(|time| !(0.0..=1.0).contains(time)) {
        return Err(RunError::Input(format!(
            "--time must be in [0, 1], got {time} (0 is the source, 1 the target)"
        )));
    }
    if settings.draws == 0 {
        return Err(RunError::Input("--draws must be at least 1, got 0".into()));
    }
    sample::SampleFormat::of_path(out, run.shape())?;
    if let Some(paths) = settings.paths {
        sample::require_ending("--paths", paths, "npy", "an array")?;
    }
    let data = sbridge_data::load(input)?;
    if data.shape().size() != run.bridge.dim() {
        return Err(RunError::Input(format!(
            "{input} holds samples of {}, the bridge joins samples of {} (give data of one shape)",
            data.shape(),
            run.shape()
        )));
    }
    let rows = from_rows(data.values(), run.bridge.dim(), &Device::flex());
    let rows = Tensor::cat(vec![rows; settings.draws], 0);
    let mut rng = Rng::new(settings.seed).fork("transport");
    let ends = match settings.paths {
        None => run.bridge.transport(settings.direction, &rows, &mut rng),
        Some(path) => walked(run, settings.direction, rows.clone(), &mut rng, path)?,
    };
    let moved = match settings.time {
        None => ends,
        Some(time) => between(run, settings.direction, time, (rows, ends), &mut rng)?,
    };
    let (low, high) = data.value_range();
    sample::write(out, &moved, run.shape(), (f64::from(low), f64::from(high)))?;
    Ok(moved.dims()[0])
}

/// A draw at `time` of the Brownian bridge between every start and its end.
fn between(
    run: &OpenPair,
    direction: Direction,
    time: f64,
    (starts, ends): (Tensor<2>, Tensor<2>),
    rng: &mut Rng,
) -> Result<Tensor<2>> {
    let (x0, x1) = match direction {
        Direction::Forward => (starts, ends),
        Direction::Backward => (ends, starts),
    };
    let noise = rng.normal_like(&x0);
    let Moments { mean, var } =
        Brownian::with_epsilon(run.bridge.epsilon())?.bridge(per_row(time, &x0), x0, x1);
    Ok(mean + noise * column(var.sqrt()))
}

/// Simulated ends, and their paths at every step written to `path`, `[steps + 1, count, dim]`.
fn walked(
    run: &OpenPair,
    direction: Direction,
    rows: Tensor<2>,
    rng: &mut Rng,
    path: &Path,
) -> Result<Tensor<2>> {
    let [count, dim] = rows.dims();
    let mut states = Vec::with_capacity((PATH_STEPS + 1) * count * dim);
    let ends =
        simulate(&run.bridge, direction, rows, PATH_STEPS, rng, &mut |_, x| states.extend(to_vec(x.clone())));
    sbridge_data::write_npy(path, &states, &[PATH_STEPS + 1, count, dim])?;
    Ok(ends)
}
