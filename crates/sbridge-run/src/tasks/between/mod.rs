//! Join two data sets by a Schrödinger bridge: carry samples of either to the other.

mod cost;
mod doubts;
mod judge;
mod learn;
mod mean_gap;
mod page;

pub use judge::BridgeEvaluation;
pub use learn::{CODEC_FILE, HALF_BRIDGES};

use std::borrow::Cow;

use sbridge::rng::Rng;
use sbridge::tensor::Tensor;
use sbridge_data::Dataset;

use crate::context::Context;
use crate::epsilon::require_computable;
use crate::error::Result;
use crate::folder::manifest::Records;
use crate::models::bridge::{Leg, PairConfig, PairData, PairMethod, PairModel, file};
use crate::models::codec;
use crate::task::{Carried, Carrier, Carry, Page, Route, Run, SavedRun, Task};
use crate::training::{Cost, Learning};

/// Where the bridge lies.
const BRIDGE_FILE: &str = "bridge.safetensors";

/// A bridge between two data sets.
pub struct Between {
    /// What was learned.
    pub model: PairModel,
}

impl Task for Between {
    const NAME: &'static str = "between";
    const METHODS: &'static [&'static str] = PairMethod::NAMES;
    type Settings = PairConfig;
    type Data = PairData;
    type Judgement = BridgeEvaluation;

    fn read(settings: &mut PairConfig, context: &Context) -> Result<PairData> {
        PairData::read(settings, context)
    }

    fn sets<'a>(
        _settings: &PairConfig,
        data: &'a PairData,
        _context: &Context,
    ) -> Result<Vec<Cow<'a, Dataset>>> {
        Ok(vec![Cow::Borrowed(&data.source), Cow::Borrowed(&data.target)])
    }

    fn records(data: &PairData) -> Records {
        data.records()
    }

    fn prepare(settings: &mut PairConfig, data: &PairData, context: &Context) -> Result<()> {
        data.doubts().iter().for_each(|doubt| context.warn(doubt));
        if !settings.is_latent() {
            let codes = data.ends.in_reference_units(settings)?;
            settings.epsilon = codes.as_ref().unwrap_or(&data.ends).epsilon(settings, context)?;
        } else if settings.epsilon > 0.0 {
            // Of the cost ½|x − y|² between codes of unit variance.
            let spread = (2.0 * settings.autoencoder.net.latent_dim as f64).sqrt();
            require_computable(settings.epsilon, spread)?;
        }
        Ok(())
    }

    fn cost(settings: &PairConfig, data: &PairData, context: &Context) -> Result<Option<Cost>> {
        cost::cost(settings, data, context)
    }

    fn learn(run: &mut Learning<'_, PairConfig>, data: &PairData) -> Result<()> {
        learn::learn(run, data)
    }

    fn open(run: &SavedRun<'_, PairConfig>) -> Result<Self> {
        run.folder.require_finished(run.manifest, run.command)?;
        let bridge = file::load(&run.folder.file(BRIDGE_FILE), run.device)?;
        let has_codec = run.settings.has_codec();
        let codec = has_codec.then(|| codec::load(&run.folder.file(CODEC_FILE), run.device)).transpose()?;
        Ok(Self { model: PairModel { bridge, codec } })
    }

    fn judge(run: &Run<Self>, data: &PairData, _reference: Option<&Dataset>) -> Result<BridgeEvaluation> {
        judge::judge(run, &data.ends)
    }

    fn page(run: &Run<Self>, data: &PairData, found: &BridgeEvaluation) -> Result<Page> {
        page::page(run, data, found)
    }

    fn carrier(run: &Run<Self>) -> Option<&dyn Carrier> {
        Some(run)
    }
}

impl Leg for Between {
    fn model(run: &Run<Self>) -> &PairModel {
        &run.learned.model
    }
}

impl Carry for Between {
    fn states(run: &Run<Self>, route: &Route) -> usize {
        run.learned.model.states_of(route)
    }

    fn carry(run: &Run<Self>, rows: &Tensor<2>, route: &Route, rng: &mut Rng) -> Result<Carried> {
        run.learned.model.carry(rows, route, rng)
    }
}
