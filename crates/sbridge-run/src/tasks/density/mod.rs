//! Draw from an unnormalised density: a learned diffusion, beside what draws without a network.

mod baselines;
mod file;
mod judge;
mod learn;
mod page;
mod picture;
mod settings;
mod trust;

pub use judge::{DensityEvaluation, Row};
pub use settings::{
    DensityConfig, DrawsConfig, LossName, METHOD, MethodName, ObjectiveConfig, SamplerConfig, TargetConfig,
};
pub use trust::Trust;

use sbridge::density::{Affine, Coordinates};
use sbridge::rng::Rng;
use sbridge::solver::density::{Controls, Draws, Sampler};
use sbridge::tensor::{Tensor, from_rows_f64};
use sbridge_data::{Dataset, ElementType, SampleShape};

use crate::context::Context;
use crate::densities::{self, OpenDensity};
use crate::error::{Result, RunError};
use crate::folder::manifest::{DataRecord, Records};
use crate::settings::Settings as _;
use crate::task::{Draw, Drawer, Generate, Generator, Page, Run, SavedRun, Task, Weighted};
use crate::training::{Cost, Learning};

/// What is learned is kept here.
const MODEL_FILE: &str = "density.safetensors";

/// A trained sampler.
pub struct DensityModel {
    /// The coordinates in which it is.
    pub coordinates: Coordinates,
    /// Its controls.
    pub controls: Controls,
}

/// A trained sampler with the density it was trained for.
pub struct Density {
    /// The sampler.
    pub model: DensityModel,
    /// The density.
    pub open: OpenDensity,
}

impl Density {
    /// Ends of `count` paths in the density's own coordinates, and what they weigh.
    ///
    /// # Errors
    /// What the density cannot be evaluated for.
    fn draw(&self, steps: usize, count: usize, run: &Run<Self>, rng: &Rng) -> Result<Draws> {
        self.sampled(steps, run, |sampler| {
            let Draws { states, action } = sampler.draw(&self.model.controls, count, rng)?;
            Ok(Draws { states: self.model.coordinates.outward(&states), action })
        })
    }

    /// What `ask` gets from the sampler in `steps`.
    fn sampled<T>(
        &self,
        steps: usize,
        run: &Run<Self>,
        ask: impl FnOnce(&Sampler<'_>) -> sbridge::Result<T>,
    ) -> Result<T> {
        let density = Affine::new(self.open.target.as_ref(), &self.model.coordinates);
        Ok(ask(&Sampler::new(run.settings.sampler.method.method(), steps, &density, run.device.clone()))?)
    }
}

impl Task for Density {
    const NAME: &'static str = "density";
    const METHODS: &'static [&'static str] = &[METHOD];
    type Settings = DensityConfig;
    type Data = OpenDensity;
    type Judgement = DensityEvaluation;

    fn read(settings: &mut DensityConfig, context: &Context) -> Result<OpenDensity> {
        open(settings, context)
    }

    fn records(data: &OpenDensity) -> Records {
        Records::of(DataRecord {
            source: data.title.clone(),
            sha256: data.sha256(),
            count: 0,
            shape: SampleShape::Vector { dim: data.target.output_names().len() },
            dtype: ElementType::F64,
        })
    }

    fn prepare(settings: &mut DensityConfig, data: &OpenDensity, context: &Context) -> Result<()> {
        let found = densities::check(data.target.as_ref(), &Rng::new(settings.seed).fork("check"))?;
        data.remarks.iter().chain(&found).for_each(|remark| context.note(remark));
        Ok(())
    }

    fn cost(settings: &DensityConfig, data: &OpenDensity, context: &Context) -> Result<Option<Cost>> {
        learn::expected(settings, data, &context.open_device(&settings.device)?).map(Some)
    }

    fn learn(run: &mut Learning<'_, DensityConfig>, data: &OpenDensity) -> Result<()> {
        learn::learn(run, data)
    }

    fn open(run: &SavedRun<'_, DensityConfig>) -> Result<Self> {
        let path = run.folder.file(MODEL_FILE);
        run.folder.require_finished(run.manifest, run.command)?;
        Ok(Self {
            model: file::load(&path, run.settings.sampler.method, run.device)?,
            open: open(run.settings, run.context)?,
        })
    }

    fn judge(run: &Run<Self>, data: &OpenDensity, _reference: Option<&Dataset>) -> Result<DensityEvaluation> {
        judge::judge(run, data)
    }

    fn page(run: &Run<Self>, data: &OpenDensity, found: &DensityEvaluation) -> Result<Page> {
        page::page(run, data, found)
    }

    fn generator(run: &Run<Self>) -> Option<&dyn Generator> {
        Some(run)
    }

    fn drawer(run: &Run<Self>) -> Option<&dyn Drawer> {
        Some(run)
    }
}

/// The density that `settings` name.
fn open(settings: &DensityConfig, context: &Context) -> Result<OpenDensity> {
    let target = &settings.target;
    if target.source.is_empty() {
        return Err(RunError::Input(
            "no target (give --target builtin:NAME, a TOML file or a Stan model)".into(),
        ));
    }
    let data = (!target.data.is_empty()).then_some(target.data.as_str());
    densities::open(&target.source, data, context)
}

impl Draw for Density {
    fn draw(run: &Run<Self>, count: usize, sampler: &[String], seed: u64) -> Result<Weighted> {
        let settings = run.settings.with(run.method(), sampler)?;
        let learned = SamplerConfig { steps: settings.sampler.steps, ..run.settings.sampler.clone() };
        if settings.sampler != learned {
            let problem = "all but the steps is part of what was learned; sampling takes sampler.steps alone";
            return Err(RunError::Config(problem.into()));
        }
        let rng = Rng::new(seed).fork("sample");
        let draws = run.learned.draw(settings.sampler.steps, count, run, &rng)?;
        let (states, log_weights) = finite(draws, run.learned.open.target.dim(), &run.context)?;
        let target = &run.learned.open.target;
        Ok(Weighted { names: target.output_names(), rows: target.outputs(&states)?, log_weights })
    }
}

/// Share of paths that may diverge before draws are refused.
const MAX_DIVERGED: f64 = 0.01;

/// States and logarithms of weights of the paths that have some.
///
/// # Errors
/// [`RunError::PathsDiverged`] if more than one in a hundred has none.
fn finite(draws: Draws, dim: usize, context: &Context) -> Result<(Vec<f64>, Vec<f64>)> {
    let (count, rows) = (draws.action.len(), draws.states.chunks_exact(dim));
    let is_finite = |(row, action): &(&[f64], &f64)| action.is_finite() && row.iter().all(|x| x.is_finite());
    let kept: Vec<(&[f64], &f64)> = rows.zip(&draws.action).filter(is_finite).collect();
    let diverged = count - kept.len();
    if diverged as f64 > MAX_DIVERGED * count as f64 {
        return Err(RunError::PathsDiverged { diverged, count });
    }
    if diverged > 0 {
        context.warn(&format!("{diverged} of {count} paths diverged and were left out"));
    }
    let log_weights = kept.iter().map(|(_, action)| -**action).collect();
    Ok((kept.into_iter().flat_map(|(row, _)| row.iter().copied()).collect(), log_weights))
}

impl Generate for Density {
    fn generate(run: &Run<Self>, count: usize, sampler: &[String], seed: u64) -> Result<Tensor<2>> {
        let drawn = <Self as Draw>::draw(run, count, sampler, seed)?;
        let like = Tensor::<2>::zeros([1, 1], &run.device);
        Ok(from_rows_f64(&drawn.rows, drawn.names.len(), &run.device).cast(like.dtype()))
    }

    fn usual_count(run: &Run<Self>) -> usize {
        run.settings.output.samples
    }
}
