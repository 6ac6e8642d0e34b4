//! Restore or translate: from the degraded members of pairs to the clean ones, by the bridge between them.

mod coding;
mod data;
mod file;
mod judge;
mod learn;
mod page;
mod settings;

pub use coding::Coding;
pub use data::{PairedData, Pairs};
pub use judge::{PairedEvaluation, RestoredRow};
pub use settings::{BridgeConfig, PairedConfig, RestoreConfig, RestoredConfig};

use std::borrow::Cow;

use sbridge::degradation::Degradation;
use sbridge::latent::DataScaling;
use sbridge::net::{GaussianPair, PairedNet};
use sbridge::rng::Rng;
use sbridge::solver::paired::{Known, Paths, Restoration, Schedule};
use sbridge::tensor::{Tensor, from_rows};
use sbridge_data::{Dataset, SampleShape};

use crate::context::Context;
use crate::data::image_shape;
use crate::error::{Result, RunError};
use crate::folder::manifest::{DataRecord, Records};
use crate::task::{Damaged, Page, Restore, Restorer, Run, SavedRun, Task};
use crate::training::{Cost, Learning};

/// The one method.
pub const METHOD: &str = "paired";

/// What is learned is kept here.
const MODEL_FILE: &str = "paired.safetensors";

/// The networks of a run.
pub struct Networks {
    /// That of the bridge.
    pub bridge: PairedNet,
    /// What it adds to, where vectors or codes are joined along random paths.
    pub gaussian: Option<GaussianPair>,
    /// That of the mean, if it was asked for.
    pub regression: Option<PairedNet>,
    /// That of the diffusion from noise, if it was asked for.
    pub diffusion: Option<PairedNet>,
}

/// A trained bridge between the members of pairs.
pub struct Paired {
    /// Its networks.
    pub networks: Networks,
    /// Into their units.
    pub scaling: DataScaling,
    /// What goes before the bridge and comes after, where it joins codes.
    pub coding: Option<Coding>,
    /// Its variances.
    pub schedule: Schedule,
}

impl Paired {
    /// What `net` makes of `degraded`, `[count, size]` in units of the networks, in `calls` calls along `paths`.
    fn restored(
        &self,
        (net, paths): (&PairedNet, Paths),
        (degraded, unknown): (&Tensor<2>, Option<&Tensor<2>>),
        calls: usize,
        rng: &mut Rng,
    ) -> Result<Tensor<2>> {
        let (schedule, known) = (&self.schedule, Known::OnBridge);
        let is_bridge = std::ptr::eq(net, &self.networks.bridge);
        let gaussian = self.networks.gaussian.as_ref().filter(|_| is_bridge);
        let Some(coding) = &self.coding else {
            let bounds = self.scaling.range.map(|_| (-1.0, 1.0));
            return Ok(Restoration { net, schedule, paths, known, gaussian, bounds }
                .run(degraded, unknown, calls, rng)?);
        };
        let restoration = Restoration { net, schedule, paths, known, gaussian, bounds: None };
        let restored = coding.to_clean(&restoration.run(&coding.of_degraded(degraded), None, calls, rng)?);
        Ok(match unknown {
            Some(unknown) => degraded.clone().mask_where(unknown.clone().greater_scalar(0.5), restored),
            None => restored,
        })
    }

    /// Into units of what goes in.
    fn entry(&self) -> &DataScaling {
        self.coding.as_ref().map_or(&self.scaling, |coding| &coding.entry)
    }
}

impl Task for Paired {
    const NAME: &'static str = "paired";
    const METHODS: &'static [&'static str] = &[METHOD];
    type Settings = PairedConfig;
    type Data = PairedData;
    type Judgement = PairedEvaluation;

    fn read(settings: &mut PairedConfig, context: &Context) -> Result<PairedData> {
        PairedData::read(settings, context)
    }

    fn sets<'a>(
        _settings: &PairedConfig,
        data: &'a PairedData,
        _context: &Context,
    ) -> Result<Vec<Cow<'a, Dataset>>> {
        Ok([&data.clean].into_iter().chain(&data.degraded).map(Cow::Borrowed).collect())
    }

    fn records(data: &PairedData) -> Records {
        let source = data.degraded.as_ref().map(DataRecord::of);
        Records { source, ..Records::of(DataRecord::of(&data.clean)) }
    }

    fn cost(settings: &PairedConfig, data: &PairedData, context: &Context) -> Result<Option<Cost>> {
        learn::expected(settings, data, &context.open_device(&settings.device)?).map(Some)
    }

    fn learn(run: &mut Learning<'_, PairedConfig>, data: &PairedData) -> Result<()> {
        learn::learn(run, data)
    }

    fn open(run: &SavedRun<'_, PairedConfig>) -> Result<Self> {
        run.folder.require_finished(run.manifest, run.command)?;
        file::load(run.folder, run.settings, run.device)
    }

    fn judge(run: &Run<Self>, data: &PairedData, _reference: Option<&Dataset>) -> Result<PairedEvaluation> {
        judge::judge(run, data)
    }

    fn page(run: &Run<Self>, data: &PairedData, found: &PairedEvaluation) -> Result<Page> {
        page::page(run, data, found)
    }

    fn restorer(run: &Run<Self>) -> Option<&dyn Restorer> {
        Some(run)
    }
}

impl Restore for Paired {
    fn input_shape(run: &Run<Self>) -> SampleShape {
        run.manifest.source.as_ref().map_or_else(|| run.shape(), |degraded| degraded.shape)
    }

    fn restore(run: &Run<Self>, damaged: &Damaged<'_>, rng: &mut Rng) -> Result<Tensor<2>> {
        let (paired, settings) = (&run.learned, &run.settings);
        let inward = paired.entry().apply(damaged.rows.clone());
        let unknown = lost(settings, run.shape(), damaged)?;
        let start = match &unknown {
            // What is lost is noise, whatever stands there.
            Some(unknown) => {
                inward.clone().mask_where(unknown.clone().greater_scalar(0.5), rng.normal_like(&inward))
            }
            None => inward,
        };
        let net = (&paired.networks.bridge, settings.bridge.paths);
        let calls = damaged.calls.unwrap_or(settings.sampler.nfe);
        let restored = paired.scaling.undo(paired.restored(net, (&start, unknown.as_ref()), calls, rng)?);
        Ok(match unknown {
            Some(unknown) => damaged.rows.clone().mask_where(unknown.greater_scalar(0.5), restored),
            None => restored,
        })
    }
}

/// 1 where pixels of `damaged` are lost, if that is how they are damaged.
fn lost(settings: &PairedConfig, shape: SampleShape, damaged: &Damaged<'_>) -> Result<Option<Tensor<2>>> {
    let input = |problem: &str| Err(RunError::Input(problem.into()));
    let (rows, count) = (damaged.rows, damaged.rows.dims()[0]);
    match (settings.degradation(), damaged.lost) {
        (Some(Degradation::Hole), None) => {
            // A hole is the same in every image.
            let mut image = vec![0.0; shape.size()];
            let marks = image_shape(shape)
                .and_then(|shape| Degradation::Hole.apply(&mut image, shape, &mut Rng::new(0)));
            let of_all =
                |marks: Vec<f32>| from_rows(&marks, marks.len(), &rows.device()).repeat_dim(0, count);
            Ok(marks.map(of_all))
        }
        (Some(Degradation::FreeForm), None) => {
            input("which pixels are lost is not known (give --mask DATA, images that are not 0 there)")
        }
        (Some(degradation), Some(_)) if !degradation.leaves_pixels() => {
            input("--mask is for runs that lose pixels: hole and free-form (leave it out)")
        }
        (None, Some(_)) => input("--mask is for runs with --degrade hole or free-form (leave it out)"),
        (_, Some(lost)) => Ok(Some(lost.clone().not_equal_scalar(0.0).float())),
        (_, None) => Ok(None),
    }
}
