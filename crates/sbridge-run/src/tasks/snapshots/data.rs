//! Samples taken at several times: those a bridge goes through, and those it is judged by.

use sbridge::tensor::{Device, Tensor};
use sbridge_data::Dataset;

use crate::context::Context;
use crate::data::{self, MIN_SAMPLES, require_same_shape};
use crate::epsilon::{auto_epsilon_on_the_way, require_computable};
use crate::error::{Result, RunError};
use crate::folder::manifest::{DataRecord, Records};
use crate::models::bridge::{MIN_COMPARED, PairConfig, PairData, Snapshot};
use crate::settings::DataConfig;

/// The snapshots in the order of their times, apart by what they are for.
pub struct SnapshotData {
    /// Those the bridge goes through.
    pub knots: Vec<Snapshot>,
    /// Those it is judged by.
    pub held_out: Vec<Snapshot>,
}

impl SnapshotData {
    /// The snapshots that `config` names.
    ///
    /// # Errors
    /// [`RunError::Input`] for times that are none, or occur twice; or snapshots held out that do not lie between others.
    pub(super) fn of(config: &PairConfig) -> Result<Self> {
        let input = |problem: String| Err(RunError::Input(problem));
        let snapshots = in_order(config)?;
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

    /// All samples, snapshot by snapshot.
    pub(super) fn sets<'a>(&'a self, context: &'a Context) -> impl Iterator<Item = Result<Dataset>> + 'a {
        self.knots.iter().chain(&self.held_out).map(|snapshot| context.sources.load(&of_snapshot(snapshot)))
    }

    /// Neighbours the bridge goes between.
    pub(super) fn legs(&self) -> impl Iterator<Item = (&Snapshot, &Snapshot)> {
        self.knots.windows(2).map(|pair| (&pair[0], &pair[1]))
    }

    /// Those at the ends of the bridge.
    ///
    /// # Errors
    /// [`RunError::Data`] for data that cannot be read.
    pub(super) fn records(&self, context: &Context) -> Result<Records> {
        let record =
            |knot: &Snapshot| Ok::<_, RunError>(DataRecord::of(&context.sources.load(&of_snapshot(knot))?));
        let [source, target] = [record(&self.knots[0])?, record(&self.knots[self.knots.len() - 1])?];
        Ok(Records { source: Some(source), ..Records::of(target) })
    }

    /// Reads every snapshot and leg once, so that nothing is found out after hours; returns ε for a unit of time.
    ///
    /// # Errors
    /// [`RunError`] for data that cannot be used together, or an ε that is none beside them.
    pub(super) fn check(&self, config: &PairConfig, context: &Context) -> Result<f64> {
        let first = context.sources.load(&of_snapshot(&self.knots[0]))?;
        for snapshot in &self.held_out {
            let held_out = context.sources.load(&of_snapshot(snapshot))?;
            require_same_shape(&first, &held_out)?;
            if held_out.len() < MIN_COMPARED {
                let fix = match held_out.len() < MIN_SAMPLES {
                    true => "leave it out of --snapshots",
                    false => "do not hold it out",
                };
                return Err(RunError::Input(format!(
                    "samples of {}: {}; {MIN_COMPARED} are needed to judge by ({fix})",
                    held_out.source(),
                    held_out.len()
                )));
            }
        }
        self.require_enough(context)?;
        let mut rates = Vec::new();
        for (a, b) in self.legs() {
            let leg = leg_config(config, a, b);
            let ends = PairData::read(&leg, context)?.ends;
            let ends = ends.in_reference_units(&leg)?.unwrap_or(ends);
            let spread = ends.cost_spread(&leg)?;
            if config.epsilon > 0.0 {
                require_computable(leg.epsilon, spread)?;
            } else {
                rates.push(auto_epsilon_on_the_way(spread, &ends.variances())? / (b.time - a.time));
            }
        }
        if config.epsilon > 0.0 {
            return Ok(config.epsilon);
        }
        Ok(rates.iter().sum::<f64>() / rates.len() as f64)
    }
}

impl SnapshotData {
    /// Refuses a snapshot of fewer samples than can be learned from.
    fn require_enough(&self, context: &Context) -> Result<()> {
        for knot in &self.knots {
            let count = context.sources.load(&of_snapshot(knot))?.len();
            if count < MIN_SAMPLES {
                return Err(RunError::Input(format!(
                    "samples of {}, time {}: {count}; {MIN_SAMPLES} are needed to go through it (leave it out of --snapshots, and \
                     the bridge goes past that time, or bring more)",
                    knot.source, knot.time
                )));
            }
        }
        Ok(())
    }
}

/// The snapshots of `config` in the order of their times.
fn in_order(config: &PairConfig) -> Result<Vec<Snapshot>> {
    let input = |problem: String| Err(RunError::Input(problem));
    let mut snapshots = config.snapshots.clone();
    if let Some(odd) = snapshots.iter().find(|snapshot| !snapshot.time.is_finite()) {
        return input(format!("the time of {} must be a finite number, got {}", odd.source, odd.time));
    }
    snapshots.sort_by(|a, b| a.time.total_cmp(&b.time));
    if let Some([a, b]) = snapshots.array_windows().find(|[a, b]| a.time == b.time) {
        return input(format!("{} and {} are both of time {} (join them first)", a.source, b.source, a.time));
    }
    Ok(snapshots)
}

fn of_snapshot(snapshot: &Snapshot) -> DataConfig {
    DataConfig { source: snapshot.source.clone(), ..DataConfig::default() }
}

/// The samples of a snapshot, `[count, size]`.
///
/// # Errors
/// [`RunError::Data`] for data that cannot be read.
pub(super) fn rows(snapshot: &Snapshot, context: &Context, device: &Device) -> Result<Tensor<2>> {
    Ok(data::rows(&context.sources.load(&of_snapshot(snapshot))?, device))
}

/// The settings of the leg from `a` to `b`.
pub(super) fn leg_config(config: &PairConfig, a: &Snapshot, b: &Snapshot) -> PairConfig {
    PairConfig {
        epsilon: config.epsilon * (b.time - a.time),
        source: of_snapshot(a),
        target: of_snapshot(b),
        snapshots: Vec::new(),
        hold_out: Vec::new(),
        ..config.clone()
    }
}
