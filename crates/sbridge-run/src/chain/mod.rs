//! A bridge through samples taken at several times.
//!
//! Brownian motion is Markov, so the most likely motion through given laws at t₀ < t₁ < … is the chain of bridges
//! between neighbours, each for the variance σ²(t_{k+1} − t_k). Every leg is a run of its own, in a folder of its own.

mod evaluation;
mod report;

pub use evaluation::{ChainEvaluation, HeldOut};

use std::path::Path;
use std::time::Instant;

use sbridge::Direction;
use sbridge::rng::Rng;
use sbridge::simulate::mean_state;
use sbridge::tensor::Tensor;

use crate::config::DataConfig;
use crate::data;
use crate::error::{Result, RunError};
use crate::evaluate::require_same_shape;
use crate::fit_pair::{self, Pair};
use crate::folder::RunFolder;
use crate::manifest::{DataRecord, Manifest, RunStatus};
use crate::pair_config::{PairConfig, PairMethod, Snapshot};
use crate::pair_evaluation::MIN_COMPARED;
use crate::shown::digits;
use crate::transport::{OpenPair, filled, method_of, require_finished, state_at};
use crate::{atomic, pair_doubts, pair_report};

/// The snapshots of a chain in the order of their times, apart by what they are for.
struct Plan {
    /// Those the bridge goes through.
    knots: Vec<Snapshot>,
    /// Those it is judged by.
    held_out: Vec<Snapshot>,
}

impl Plan {
    fn of(config: &PairConfig) -> Result<Self> {
        let input = |problem: String| Err(RunError::Input(problem));
        let mut snapshots = config.snapshots.clone();
        if let Some(odd) = snapshots.iter().find(|snapshot| !snapshot.time.is_finite()) {
            return input(format!("the time of {} must be a finite number, got {}", odd.source, odd.time));
        }
        snapshots.sort_by(|a, b| a.time.total_cmp(&b.time));
        if let Some(pair) = snapshots.windows(2).find(|pair| pair[0].time == pair[1].time) {
            let [a, b] = [&pair[0], &pair[1]];
            return input(format!(
                "{} and {} are both of time {} (join them first)",
                a.source, b.source, a.time
            ));
        }
        let times: Vec<f64> = snapshots.iter().map(|snapshot| snapshot.time).collect();
        if let Some(unknown) = config.hold_out.iter().find(|time| !times.contains(time)) {
            return input(format!(
                "--hold-out {unknown} is not the time of a snapshot (there are {times:?})"
            ));
        }
        let (held_out, knots): (Vec<_>, Vec<_>) =
            snapshots.into_iter().partition(|snapshot| config.hold_out.contains(&snapshot.time));
        let (Some(first), Some(last)) = (knots.first(), knots.last()) else {
            return input("a bridge needs two snapshots, and all are held out".into());
        };
        if knots.len() < 2 {
            return input(format!(
                "a bridge needs two snapshots, got {} besides those held out",
                knots.len()
            ));
        }
        if let Some(outside) = held_out.iter().find(|s| s.time < first.time || s.time > last.time) {
            return input(format!(
                "--hold-out {} lies outside the others, from {} to {} (a bridge does not go further)",
                outside.time, first.time, last.time
            ));
        }
        Ok(Self { knots, held_out })
    }

    /// The first and the last snapshot the bridge goes through.
    fn ends(&self) -> (&Snapshot, &Snapshot) {
        (&self.knots[0], &self.knots[self.knots.len() - 1])
    }

    /// Neighbours the bridge goes between.
    fn legs(&self) -> impl Iterator<Item = (&Snapshot, &Snapshot)> {
        self.knots.windows(2).map(|pair| (&pair[0], &pair[1]))
    }
}

fn of_snapshot(snapshot: &Snapshot) -> DataConfig {
    DataConfig { source: snapshot.source.clone(), ..DataConfig::default() }
}

/// The settings of the leg from `a` to `b`.
fn leg_config(config: &PairConfig, a: &Snapshot, b: &Snapshot) -> PairConfig {
    PairConfig {
        epsilon: config.epsilon * (b.time - a.time),
        source: of_snapshot(a),
        target: of_snapshot(b),
        snapshots: Vec::new(),
        hold_out: Vec::new(),
        ..config.clone()
    }
}

/// Fits the chain that `method` and `config` ask for into the new folder `out`.
///
/// # Errors
/// [`RunError`], with the exit code the command should end with.
pub fn start(method: PairMethod, mut config: PairConfig, out: &Path) -> Result<RunFolder> {
    RunFolder::check_free(out)?;
    let plan = Plan::of(&config)?;
    config.epsilon = check_data(&config, &plan)?;
    let (source, target) = plan.ends();
    let record = |snapshot| Ok::<_, RunError>(DataRecord::of(&data::load(&of_snapshot(snapshot))?));
    let manifest = Manifest {
        device: config.device.clone(),
        source: Some(record(source)?),
        ..Manifest::new(method.name(), config.seed, record(target)?)
    };
    let folder = RunFolder::create(out)?;
    atomic::write(&folder.file("config.toml"), config.to_toml().as_bytes())?;
    complete(method, &config, &plan, folder, manifest)
}

/// Continues the chain in `folder`: legs that are finished are left alone.
///
/// # Errors
/// [`RunError`]; also if the data of a leg have changed since.
pub fn resume(method: PairMethod, folder: RunFolder, config: &PairConfig) -> Result<RunFolder> {
    let plan = Plan::of(config)?;
    let (first, last) = plan.ends();
    Pair::load(&leg_config(config, first, last))?.require_same_data(&folder)?;
    let manifest = Manifest { status: RunStatus::Running, ..folder.manifest()? };
    complete(method, config, &plan, folder, manifest)
}

/// Reads every snapshot and leg once, so that nothing is found out after hours; returns ε for a unit of time.
fn check_data(config: &PairConfig, plan: &Plan) -> Result<f64> {
    let first = data::load(&of_snapshot(&plan.knots[0]))?;
    for snapshot in &plan.held_out {
        let held_out = data::load(&of_snapshot(snapshot))?;
        require_same_shape(&first, &held_out)?;
        if held_out.len() < MIN_COMPARED {
            return Err(RunError::Input(format!(
                "samples of {}: {}; {MIN_COMPARED} are needed to judge by (do not hold it out)",
                held_out.source(),
                held_out.len()
            )));
        }
    }
    let mut rates = Vec::new();
    for (a, b) in plan.legs() {
        let leg = leg_config(config, a, b);
        let pair = Pair::load(&leg)?;
        if config.epsilon > 0.0 {
            pair_doubts::require_computable(leg.epsilon, pair.cost_spread(&leg)?)?;
        } else {
            rates.push(pair.suggested_epsilon(&leg)? / (b.time - a.time));
        }
    }
    if config.epsilon > 0.0 {
        return Ok(config.epsilon);
    }
    let rate = rates.iter().sum::<f64>() / rates.len() as f64;
    eprintln!("epsilon {} for a unit of time: the mean over the legs", digits(rate));
    Ok(rate)
}

fn complete(
    method: PairMethod,
    config: &PairConfig,
    plan: &Plan,
    folder: RunFolder,
    mut manifest: Manifest,
) -> Result<RunFolder> {
    folder.write_manifest(&manifest)?;
    let fitted = plan.legs().try_for_each(|(a, b)| {
        let (started, path) = (Instant::now(), folder.leg(a.time, b.time));
        if is_finished(&path) {
            return Pair::load(&leg_config(config, a, b))?.require_same_data(&RunFolder::open(&path)?);
        }
        eprintln!("from {} to {}:", a.time, b.time);
        let leg = if path.join("manifest.json").exists() {
            fit_pair::resume(method, &path)?
        } else {
            fit_pair::start(method, leg_config(config, a, b), &path)?
        };
        pair_report::judge(&OpenPair::of(leg)?)?;
        manifest.add_seconds(&format!("{}-{}", a.time, b.time), started.elapsed().as_secs_f64());
        folder.write_manifest(&manifest)
    });
    folder.conclude(manifest, fitted)
}

fn is_finished(leg: &Path) -> bool {
    let manifest = RunFolder::open(leg).and_then(|folder| folder.manifest());
    manifest.is_ok_and(|manifest| manifest.status == RunStatus::Finished) && leg.join("report.html").exists()
}

/// Steps of a path along a leg whose bridge knows both ends only.
const LEG_STEPS: usize = 20;

/// A finished chain, opened.
pub struct OpenChain {
    /// Where it lies.
    pub folder: RunFolder,
    /// Its settings.
    pub config: PairConfig,
    /// Its description.
    pub manifest: Manifest,
    plan: Plan,
    legs: Vec<OpenPair>,
}

impl OpenChain {
    /// Opens the chain in `folder`, or says that it holds a bridge between two sets.
    ///
    /// # Errors
    /// [`RunError::Folder`] if it holds neither, or was not finished.
    pub fn of(folder: RunFolder) -> Result<std::result::Result<Self, OpenPair>> {
        let manifest = folder.manifest()?;
        let method = method_of(&folder, &manifest)?;
        let config = PairConfig::from_toml(method, &folder.read("config.toml")?, &[])?;
        if config.snapshots.is_empty() {
            return OpenPair::of(folder).map(Err);
        }
        require_finished(&folder, &manifest)?;
        let plan = Plan::of(&config)?;
        let legs =
            plan.legs().map(|(a, b)| OpenPair::open(&folder.leg(a.time, b.time))).collect::<Result<_>>()?;
        Ok(Ok(Self { folder, config, manifest, plan, legs }))
    }

    /// The same with the probability flow in place of the bridges.
    #[must_use]
    pub fn along_flow(self) -> Self {
        Self { legs: self.legs.into_iter().map(OpenPair::along_flow).collect(), ..self }
    }

    /// The first bridge, which knows the shape of samples.
    pub fn first(&self) -> &OpenPair {
        &self.legs[0]
    }

    /// Times of the snapshots the bridge goes through.
    pub fn knots(&self) -> Vec<f64> {
        self.plan.knots.iter().map(|knot| knot.time).collect()
    }

    /// States at `time` of paths from the rows of `x` at the knot of time `from`, either way.
    ///
    /// # Errors
    /// [`RunError::Input`] if `from` is no knot or `time` lies outside the chain.
    pub fn state(&self, from: f64, time: f64, x: &Tensor<2>, rng: &mut Rng) -> Result<Tensor<2>> {
        let (mut knot, direction) = self.way(from, time)?;
        let mut x = x.clone();
        // Legs that end before the time are walked whole.
        while let Some(leg) = self.leg_from(knot, direction).filter(|leg| leg.share(time) >= 1.0) {
            x = leg.run.bridge.transport(direction, &x, rng);
            knot = leg.to;
        }
        match self.leg_from(knot, direction) {
            Some(leg) if time != self.plan.knots[knot].time => {
                let skeleton = leg.run.bridge.skeleton(direction, &x, rng);
                Ok(state_at(&skeleton, leg.share(time), leg.run.bridge.epsilon(), rng))
            }
            _ => Ok(x),
        }
    }

    /// Means of the states at `time` of paths from the rows of `x` at the knot of time `from`, either way.
    ///
    /// # Errors
    /// [`RunError::Input`] as [`state`](Self::state), and if `time` lies beyond the next knot: from there on the mean of
    /// paths is no straight line.
    pub fn mean_state(&self, from: f64, time: f64, x: &Tensor<2>) -> Result<Tensor<2>> {
        let (knot, direction) = self.way(from, time)?;
        match self.leg_from(knot, direction) {
            _ if time == from => Ok(x.clone()),
            Some(leg) if leg.share(time) <= 1.0 => {
                Ok(mean_state(leg.run.bridge.as_ref(), direction, leg.share(time), x))
            }
            _ => Err(RunError::Input(format!(
                "--mean goes as far as the next snapshot, from {from} not to {time} (say where it starts with --from, or \
                 average draws)"
            ))),
        }
    }

    /// Paths from the rows of `x` at the knot of time `from` to the end of the chain that `direction` leads to: states
    /// with their times, equally spaced in each leg.
    ///
    /// # Errors
    /// [`RunError::Input`] if `from` is no knot.
    pub fn paths(
        &self,
        from: f64,
        direction: Direction,
        x: &Tensor<2>,
        rng: &mut Rng,
    ) -> Result<Vec<(f64, Tensor<2>)>> {
        let (mut knot, _) = self.way(from, from)?;
        let mut path = vec![(from, x.clone())];
        while let Some(leg) = self.leg_from(knot, direction) {
            let start = path[path.len() - 1].1.clone();
            let skeleton = leg.run.bridge.skeleton(direction, &start, rng);
            let states = filled(skeleton, LEG_STEPS, leg.run.bridge.epsilon(), rng)?;
            let share = |k: usize| k as f64 / (states.len() - 1) as f64;
            let (a, b) = leg.times;
            path.extend(states.iter().enumerate().skip(1).map(|(k, x)| (a + (b - a) * share(k), x.clone())));
            knot = leg.to;
        }
        Ok(path)
    }

    /// The knot of time `from`, and the direction in which `time` lies.
    fn way(&self, from: f64, time: f64) -> Result<(usize, Direction)> {
        let knots = self.knots();
        let (first, last) = (knots[0], knots[knots.len() - 1]);
        if !(first..=last).contains(&time) {
            return Err(RunError::Input(format!(
                "--time {time} lies outside the snapshots, from {first} to {last}"
            )));
        }
        let Some(knot) = knots.iter().position(|knot| *knot == from) else {
            return Err(RunError::Input(format!(
                "--from {from} is not the time of a snapshot of the bridge (there are {knots:?})"
            )));
        };
        Ok((knot, if time < from { Direction::Backward } else { Direction::Forward }))
    }

    fn leg_from(&self, knot: usize, direction: Direction) -> Option<Leg<'_>> {
        let (index, to) = match direction {
            Direction::Forward => (knot, knot + 1),
            Direction::Backward => (knot.checked_sub(1)?, knot - 1),
        };
        let knots = &self.plan.knots;
        Some(Leg { run: self.legs.get(index)?, to, times: (knots[knot].time, knots.get(to)?.time) })
    }
}

/// A leg as it is walked.
struct Leg<'a> {
    run: &'a OpenPair,
    /// The knot it ends at.
    to: usize,
    /// Times of its start and end.
    times: (f64, f64),
}

impl Leg<'_> {
    /// Share of the way at `time`.
    fn share(&self, time: f64) -> f64 {
        (time - self.times.0) / (self.times.1 - self.times.0)
    }
}
