//! What follows training: samples, their evaluation, the report.

use std::path::Path;
use std::time::Instant;

use sbridge::latent::LatentModel;
use sbridge::rng::Rng;
use sbridge::tensor::{Device, Tensor, from_rows, open_device};
use sbridge_data::{Dataset, SampleShape};

use crate::atomic;
use crate::config::{Config, DataConfig};
use crate::data::{self, RunData, Split};
use crate::error::{Result, RunError};
use crate::evaluate::{self, Evaluation, RunUnderTest};
use crate::folder::RunFolder;
use crate::manifest::{Manifest, peak_memory};
use crate::model_file;
use crate::run_report;
use crate::sample;

/// A finished run, opened.
pub struct OpenRun {
    /// Where it lies.
    pub folder: RunFolder,
    /// Its settings.
    pub config: Config,
    /// Its description.
    pub manifest: Manifest,
    /// Its model.
    pub model: LatentModel,
    /// Where it computes.
    pub device: Device,
}

impl OpenRun {
    /// Opens the run at `path` to read, computing on `device` or where it was trained.
    ///
    /// # Errors
    /// [`RunError::Folder`] if there is no finished model.
    pub fn open(path: &Path, device: Option<&str>) -> Result<Self> {
        Self::of_folder(RunFolder::open(path)?, device)
    }

    /// Opens the run at `path` to write its evaluation and report.
    ///
    /// # Errors
    /// As [`open`](Self::open), and if another process writes into the folder.
    pub fn open_to_write(path: &Path, device: Option<&str>) -> Result<Self> {
        Self::of_folder(RunFolder::open_to_write(path)?, device)
    }

    fn of_folder(folder: RunFolder, device: Option<&str>) -> Result<Self> {
        folder.require_method("latent")?;
        let (config, manifest) = (folder.config()?, folder.manifest()?);
        let file = folder.file("model.safetensors");
        if !file.exists() {
            let problem = format!(
                "holds no model yet (finish it with: sbridge fit latent --resume {})",
                folder.path().display()
            );
            return Err(RunError::folder(folder.path(), problem));
        }
        let device = open_device(device.unwrap_or(&config.device))?;
        let model = model_file::load(&file, &device).map_err(|e| {
            let run = folder.path().display();
            RunError::Input(format!("{e} (write it again with: sbridge fit latent --resume {run})"))
        })?;
        Ok(Self { folder, config, manifest, model, device })
    }

    /// Shape of one sample.
    pub fn shape(&self) -> SampleShape {
        self.manifest.target.shape
    }

    /// Range of the data, for pictures.
    pub fn range(&self) -> (f64, f64) {
        let scaling = &self.model.codec.scaling;
        let low = scaling.low.clone().min().into_scalar::<f32>();
        let high = scaling.high.clone().max().into_scalar::<f32>();
        (f64::from(low), f64::from(high))
    }
}

/// Draws the run's own samples, evaluates them on the samples set aside, and writes the report.
///
/// # Errors
/// [`RunError`], with the exit code the command should end with.
pub fn finish(folder: RunFolder) -> Result<Evaluation> {
    let run = OpenRun::of_folder(folder, None)?;
    let started = Instant::now();
    let samples = sample::draw(&run.model, &run.config.sampler, run.config.output.samples, run.config.seed)?;
    sample::write(&run.folder.file("samples.npy"), &samples, run.shape(), run.range())?;
    if run.shape().is_image() {
        let count = samples.dims()[0].min(100);
        let shown = samples.narrow(0, 0, count);
        sample::write(&run.folder.file("samples.png"), &shown, run.shape(), run.range())?;
    }
    let mut manifest = run.manifest.clone();
    manifest.add_seconds("sample", started.elapsed().as_secs_f64());
    manifest.peak_memory = peak_memory();
    run.folder.write_manifest(&manifest)?;
    evaluate(&OpenRun { manifest, ..run }, None)
}

/// Evaluates the samples of a run against `reference`, or against what was set aside, and writes
/// `evaluation.json` and the report.
///
/// # Errors
/// [`RunError`] if the data of the run are gone, or the reference does not fit.
pub fn evaluate(run: &OpenRun, reference: Option<&DataConfig>) -> Result<Evaluation> {
    // The reference is read first: it is the user's newest input, and the cheapest to refuse.
    let reference = reference.map(data::load).transpose()?;
    let samples = sbridge_data::load(&run.folder.file("samples.npy").to_string_lossy())?;
    if let Some(reference) = &reference {
        evaluate::require_same_shape(&samples, reference)?;
    }
    let data = RunData::load(&mut run.config.clone())?;
    let rng = Rng::new(run.config.seed);
    let split = Split::new(&data.target, run.config.output.held_out, &rng.fork("target"), &run.device);
    let (rows, name) = match &reference {
        Some(reference) => (on_device(reference, &run.device), reference.source()),
        None => (set_aside(&split)?, "samples set aside"),
    };
    let labels = data.target.labels().map(|all| split.train_rows.iter().map(|&i| all[i]).collect());
    let under_test = RunUnderTest {
        model: &run.model,
        sampler: &run.config.sampler,
        train: (split.train, labels),
        pretrain: data.pretrain.as_ref().map(|d| on_device(d, &run.device)),
        shape: run.shape(),
    };
    drop(data);
    let generated = on_device(&samples, &run.device);
    drop(samples);
    let evaluation = evaluate::of_run(&under_test, &generated, &rows, name, &rng.fork("evaluation"))?;
    atomic::write_json(&run.folder.file("evaluation.json"), &evaluation)?;
    run_report::write_neighbours(run, &generated, &under_test.train.0)?;
    drop((under_test, generated, rows));
    run_report::write(run)?;
    Ok(evaluation)
}

/// The samples a run set aside, if they are enough to judge by.
fn set_aside(split: &Split) -> Result<Tensor<2>> {
    let count = split.held_out.as_ref().map_or(0, |rows| rows.dims()[0]);
    match &split.held_out {
        Some(rows) if count >= MIN_REFERENCE => Ok(rows.clone()),
        _ => Err(RunError::Input(format!(
            "only {count} samples were set aside, {MIN_REFERENCE} are needed to evaluate \
             (give --reference DATA)"
        ))),
    }
}

/// Reference samples below which the numbers mean nothing.
const MIN_REFERENCE: usize = 20;

fn on_device(data: &Dataset, device: &Device) -> Tensor<2> {
    from_rows(data.values(), data.shape().size(), device)
}

/// Evaluates samples from a file against a reference.
///
/// # Errors
/// [`RunError`] for data that do not fit each other.
pub fn evaluate_file(samples: &str, reference: &DataConfig, device: &str) -> Result<Evaluation> {
    let (samples, reference) = (sbridge_data::load(samples)?, data::load(reference)?);
    for (data, needed) in [(&samples, MIN_REFERENCE), (&reference, 2 * MIN_REFERENCE)] {
        if data.len() < needed {
            return Err(RunError::Input(format!(
                "{} has {} samples, {needed} are needed to evaluate",
                data.source(),
                data.len()
            )));
        }
    }
    evaluate::of_samples(&samples, &reference, &open_device(device)?, &Rng::new(0).fork("evaluation"))
}
