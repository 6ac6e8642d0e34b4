//! A bridge through samples taken at several times.
//!
//! Brownian motion is Markov, so the most likely motion through given laws at t₀ < t₁ < … is the chain of bridges
//! between neighbours, each for the variance σ²(t_{k+1} − t_k). Every leg is a run of its own, in a folder of its own.

mod chain;
mod data;
mod judge;
mod learn;
mod page;

pub use data::SnapshotData;
pub use judge::{ChainEvaluation, HeldOut};

use std::borrow::Cow;

use sbridge::rng::Rng;
use sbridge::tensor::Tensor;
use sbridge_data::Dataset;
use sbridge_report::digits;

use crate::context::Context;
use crate::error::{Result, RunError};
use crate::folder::RunFolder;
use crate::folder::manifest::Records;
use crate::models::bridge::{Leg, PairConfig, PairMethod};
use crate::settings::Overrides;
use crate::task::{Carried, Carrier, Carry, Course, Page, Route, Run, SavedRun, Task};
use crate::training::{Cost, Learning};
use chain::Chain;

/// A bridge through snapshots, of legs that are runs of `L`.
pub struct Snapshots<L: Leg> {
    data: SnapshotData,
    legs: Vec<Run<L>>,
}

impl<L: Leg> Task for Snapshots<L> {
    const NAME: &'static str = "snapshots";
    const METHODS: &'static [&'static str] = PairMethod::NAMES;
    type Settings = PairConfig;
    type Data = (SnapshotData, Records);
    type Judgement = ChainEvaluation;

    fn accepts(method: &str, overrides: &Overrides) -> bool {
        Self::METHODS.contains(&method) && overrides.has("snapshots")
    }

    fn read(settings: &mut PairConfig, context: &Context) -> Result<Self::Data> {
        let data = SnapshotData::of(settings)?;
        let records = data.records(context)?;
        Ok((data, records))
    }

    fn sets<'a>(
        _settings: &PairConfig,
        (data, _): &'a Self::Data,
        context: &Context,
    ) -> Result<Vec<Cow<'a, Dataset>>> {
        data.sets(context).map(|set| set.map(Cow::Owned)).collect()
    }

    fn records((_, records): &Self::Data) -> Records {
        records.clone()
    }

    fn prepare(settings: &mut PairConfig, (data, _): &Self::Data, context: &Context) -> Result<()> {
        let rate = data.check(settings, context)?;
        if settings.epsilon == 0.0 {
            context.info(&format!(
                "epsilon {} for a unit of time: the mean over the legs, of noise that does not drown the data on the way",
                digits(rate)
            ));
        }
        settings.epsilon = rate;
        Ok(())
    }

    /// Nothing: every leg says its own.
    fn cost(_settings: &PairConfig, _data: &Self::Data, _context: &Context) -> Result<Option<Cost>> {
        Ok(None)
    }

    fn learn(run: &mut Learning<'_, PairConfig>, (data, _): &Self::Data) -> Result<()> {
        learn::learn::<L>(run, data)
    }

    fn open(run: &SavedRun<'_, PairConfig>) -> Result<Self> {
        run.folder.require_finished(run.manifest, run.command)?;
        let data = SnapshotData::of(run.settings)?;
        let folders = data.legs().map(|(a, b)| learn::leg_folder(run.folder, a, b));
        let open = |path: std::path::PathBuf| Run::open(RunFolder::open(&path)?, run.context);
        let legs = folders.map(open).collect::<Result<_>>()?;
        Ok(Self { data, legs })
    }

    fn judge(run: &Run<Self>, _data: &Self::Data, _reference: Option<&Dataset>) -> Result<ChainEvaluation> {
        judge::judge(run)
    }

    fn page(run: &Run<Self>, _data: &Self::Data, found: &ChainEvaluation) -> Result<Page> {
        page::page(run, found)
    }

    fn carrier(run: &Run<Self>) -> Option<&dyn Carrier> {
        Some(run)
    }
}

impl<L: Leg> Snapshots<L> {
    /// The bridges of the legs, and the times they join.
    fn chain(&self) -> Chain {
        let knots = self.data.knots.iter().map(|knot| knot.time).collect();
        Chain { knots, bridges: self.legs.iter().map(|leg| L::model(leg).clone()).collect() }
    }
}

impl<L: Leg> Carry for Snapshots<L> {
    fn states(run: &Run<Self>, route: &Route) -> usize {
        match (route.keeps_paths, route.time) {
            (false, None) => 1,
            _ => L::model(&run.learned.legs[0]).bridge.step_noise(route.direction).steps() + 1,
        }
    }

    fn carry(run: &Run<Self>, rows: &Tensor<2>, route: &Route, rng: &mut Rng) -> Result<Carried> {
        let chain = match route.course {
            Course::Flow => run.learned.chain().along_flow(),
            Course::Path | Course::Mean | Course::MeanOfPaths => run.learned.chain(),
        };
        let [start, end] = route.direction.along(chain.ends());
        let (from, to) = (route.from.unwrap_or(start), route.time.unwrap_or(end));
        if route.time.is_none() && from == end {
            let problem =
                format!("--from {from} is where the way ends (go the other --direction, or give a --time)");
            return Err(RunError::Input(problem));
        }
        let alone = |ends| Carried { ends, paths: None };
        if route.course == Course::Mean {
            return chain.mean_state(from, to, rows).map(alone);
        }
        if !route.keeps_paths {
            return chain.state(from, to, rows, rng).map(alone);
        }
        if route.time.is_some() {
            let problem = "--paths go to the end of the snapshots (leave --time out)";
            return Err(RunError::Input(problem.into()));
        }
        let paths = chain.paths(from, route.direction, rows, rng)?;
        let states: Vec<Tensor<2>> = paths.into_iter().map(|(_, state)| state).collect();
        Ok(Carried { ends: states[states.len() - 1].clone(), paths: Some(states) })
    }
}
