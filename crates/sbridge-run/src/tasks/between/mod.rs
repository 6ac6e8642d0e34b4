//! Join two data sets by a Schrödinger bridge: carry samples of either to the other.

mod cost;
mod doubts;
pub mod file;
mod judge;
mod learn;
mod mean_gap;
mod page;

pub use judge::{BridgeEvaluation, End};
pub use learn::{CODEC_FILE, HALF_BRIDGES};

use std::borrow::Cow;
use std::sync::Arc;

use sbridge::PairBridge;
use sbridge::rng::Rng;
use sbridge::simulate::{Flow, mean_state, paths, state_at};
use sbridge::tensor::Tensor;
use sbridge_data::Dataset;

use crate::context::Context;
use crate::epsilon::require_computable;
use crate::error::{Result, RunError};
use crate::folder::manifest::Records;
use crate::models::bridge::{Leg, PairConfig, PairData, PairMethod, PairModel};
use crate::models::codec;
use crate::task::{Carried, Carrier, Carry, Course, Page, Route, Run, SavedRun, Task};
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
        match (route.keeps_paths, route.time) {
            (false, None) => 1,
            _ => run.learned.model.bridge.step_noise(route.direction).steps() + 1,
        }
    }

    fn carry(run: &Run<Self>, rows: &Tensor<2>, route: &Route, rng: &mut Rng) -> Result<Carried> {
        require_time(route)?;
        let model = &run.learned.model;
        let decode = |state: &Tensor<2>| model.decode(state);
        let (end, path) = walk(&model.bridge, &model.encode(rows), route, rng);
        let paths = route.keeps_paths.then(|| path.iter().map(decode).collect());
        Ok(Carried { ends: decode(&end), paths })
    }
}

fn require_time(route: &Route) -> Result<()> {
    let input = |problem: String| Err(RunError::Input(problem));
    if let Some(time) = route.time.filter(|time| !(0.0..=1.0).contains(time)) {
        return input(format!("--time must be in [0, 1], got {time} (0 is the source, 1 the target)"));
    }
    if let Some(from) = route.from {
        return input(format!("--from {from} is for bridges through snapshots (use --direction)"));
    }
    Ok(())
}

/// Where `route` leads from the rows of `start`, and the states on the way if they had to be known.
fn walk(
    bridge: &Arc<dyn PairBridge>,
    start: &Tensor<2>,
    route: &Route,
    rng: &mut Rng,
) -> (Tensor<2>, Vec<Tensor<2>>) {
    let direction = route.direction;
    let [begin, end] = direction.ends();
    let elapsed = (route.time.unwrap_or(end) - begin).abs();
    let bridge: Arc<dyn PairBridge> = match route.course {
        Course::Mean => return (mean_state(bridge.as_ref(), direction, elapsed, start), Vec::new()),
        Course::Flow => Arc::new(Flow::new(bridge.clone())),
        Course::Path | Course::MeanOfPaths => bridge.clone(),
    };
    let states = match (route.keeps_paths, route.time) {
        (false, None) => return (bridge.transport(direction, start, rng), Vec::new()),
        (false, Some(_)) => bridge.skeleton(direction, start, rng),
        (true, _) => paths(bridge.as_ref(), direction, start, &bridge.step_noise(direction), rng),
    };
    let end = match route.time {
        None => states[states.len() - 1].clone(),
        Some(_) => state_at(bridge.reference().as_ref(), &states, elapsed, rng),
    };
    (end, states)
}
