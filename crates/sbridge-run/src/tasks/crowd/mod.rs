//! Join two data sets by a bridge that pays for where it goes: round obstacles, with a distance, along a surface.

mod cost;
mod data;
mod geojson;
mod judge;
mod learn;
mod page;
mod picture;
mod scene;
mod settings;

pub use data::CrowdData;
pub use judge::{Course, CrowdEvaluation};
pub use scene::Scene;
pub use settings::{CrowdConfig, DriftConfig};

use std::borrow::Cow;
use std::sync::Arc;

use sbridge::PairBridge;
use sbridge::rng::Rng;
use sbridge::tensor::Tensor;
use sbridge_data::Dataset;

use crate::context::Context;
use crate::error::Result;
use crate::folder::manifest::Records;
use crate::models::bridge::{PairModel, file};
use crate::task::{Carried, Carrier, Carry, Page, Route, Run, SavedRun, Task};
use crate::training::{Cost, Learning};

/// The one method.
pub const METHOD: &str = "crowd";

/// Where the bridge lies, and that without a cost.
const BRIDGE_FILE: &str = "bridge.safetensors";
const PLAIN_FILE: &str = "plain.safetensors";

/// A bridge that pays for where it goes.
pub struct Crowds {
    /// What was learned.
    pub model: PairModel,
    /// The bridge without a cost, if it was asked for.
    pub plain: Option<Arc<dyn PairBridge>>,
}

impl Task for Crowds {
    const NAME: &'static str = "crowd";
    const METHODS: &'static [&'static str] = &[METHOD];
    type Settings = CrowdConfig;
    type Data = CrowdData;
    type Judgement = CrowdEvaluation;

    fn read(settings: &mut CrowdConfig, context: &Context) -> Result<CrowdData> {
        CrowdData::read(settings, context)
    }

    fn sets<'a>(
        _settings: &CrowdConfig,
        data: &'a CrowdData,
        _context: &Context,
    ) -> Result<Vec<Cow<'a, Dataset>>> {
        Ok(vec![Cow::Borrowed(&data.pair.source), Cow::Borrowed(&data.pair.target)])
    }

    fn records(data: &CrowdData) -> Records {
        data.pair.records()
    }

    fn prepare(settings: &mut CrowdConfig, data: &CrowdData, context: &Context) -> Result<()> {
        data.doubts().iter().for_each(|doubt| context.warn(doubt));
        settings.epsilon = data.pair.ends.epsilon(&settings.pair(), context)?;
        cost::lighten(settings, context);
        Ok(())
    }

    fn cost(settings: &CrowdConfig, data: &CrowdData, _context: &Context) -> Result<Option<Cost>> {
        cost::cost(settings, data).map(Some)
    }

    fn learn(run: &mut Learning<'_, CrowdConfig>, data: &CrowdData) -> Result<()> {
        learn::learn(run, data)
    }

    fn open(run: &SavedRun<'_, CrowdConfig>) -> Result<Self> {
        run.folder.require_finished(run.manifest, run.command)?;
        let load = |name: &str| file::load(&run.folder.file(name), run.device);
        let plain = (run.settings.plain > 0).then(|| load(PLAIN_FILE)).transpose()?;
        Ok(Self { model: PairModel { bridge: load(BRIDGE_FILE)?, codec: None }, plain })
    }

    fn judge(run: &Run<Self>, data: &CrowdData, _reference: Option<&Dataset>) -> Result<CrowdEvaluation> {
        judge::judge(run, data)
    }

    fn page(run: &Run<Self>, data: &CrowdData, found: &CrowdEvaluation) -> Result<Page> {
        page::page(run, data, found)
    }

    fn carrier(run: &Run<Self>) -> Option<&dyn Carrier> {
        Some(run)
    }
}

impl Carry for Crowds {
    fn states(run: &Run<Self>, route: &Route) -> usize {
        run.learned.model.states_of(route)
    }

    fn carry(run: &Run<Self>, rows: &Tensor<2>, route: &Route, rng: &mut Rng) -> Result<Carried> {
        run.learned.model.carry(rows, route, rng)
    }
}
