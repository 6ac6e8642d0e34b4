//! How near a chain comes to snapshots it has not seen, beside what needs no bridge.

use std::fmt;

use rayon::prelude::*;
use sbridge::rng::Rng;
use sbridge::tensor::{Tensor, points, select_rows, to_vec_f64};
use sbridge_ot::{Points, energy_distance, optimal_matching, wasserstein1};
use sbridge_report::digits;
use serde::{Deserialize, Serialize};

use super::Snapshots;
use super::data::rows;
use crate::error::Result;
use crate::models::bridge::{Leg, Snapshot};
use crate::quality::{Headline, Judgement, RowKind};
use crate::task::Run;

/// Samples compared at a held-out time, at most: exact matching grows with the cube.
const MAX_COMPARED: usize = 3000;

/// Distances to a held-out snapshot.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Distance {
    /// Exact W1.
    pub w1: f64,
    /// Energy distance.
    pub energy: f64,
}

/// One held-out snapshot: how far from it everything is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HeldOut {
    /// Its time.
    pub time: f64,
    /// Samples compared.
    pub count: usize,
    /// The snapshot before it, carried to its time.
    pub carried: Distance,
    /// The same along the probability flow.
    pub flow: Distance,
    /// The means of paths.
    pub mean: Distance,
    /// The snapshots about it, matched at the least cost and joined by straight lines.
    pub straight: Distance,
    /// The nearest snapshot in time, as it is; of two as near, the nearer in distance.
    pub nearest: Distance,
    /// One half of the snapshot from the other, which nothing can beat.
    pub floor: Distance,
}

/// The evaluation of a chain.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ChainEvaluation {
    /// ε for a unit of time.
    pub epsilon: f64,
    /// One entry for each snapshot held out.
    pub held_out: Vec<HeldOut>,
    /// What is not as it should be, in words, with what to do about it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<String>,
}

/// Judges the chain of `run` by the snapshots it has not seen.
///
/// # Errors
/// [`RunError`](crate::RunError) for data that cannot be read any more.
pub(super) fn judge<L: Leg>(run: &Run<Snapshots<L>>) -> Result<ChainEvaluation> {
    let (mut held_out, mut remarks) = (Vec::new(), Vec::new());
    for snapshot in &run.learned.data.held_out {
        let found = judge_snapshot(run, snapshot)?;
        remarks.extend(found.remark(&Noise::at(run, snapshot)?));
        held_out.push(found);
    }
    Ok(ChainEvaluation { epsilon: run.settings.epsilon, held_out, remarks })
}

/// What the reference adds to a bridge at a time between two snapshots, beside what there is of the samples.
struct Noise {
    /// Its variance along every axis, in units of the reference.
    variance: f64,
    /// Axes, and those of them that vary by less.
    axes: usize,
    drowned: usize,
}

impl Noise {
    fn at<L: Leg>(run: &Run<Snapshots<L>>, snapshot: &Snapshot) -> Result<Self> {
        let (before, after, leg) = neighbours(run, snapshot);
        let variance = run.settings.epsilon * (snapshot.time - before.time) * (after.time - snapshot.time)
            / (after.time - before.time);
        let states = L::model(leg).encode(&rows(snapshot, &run.context, &run.device)?);
        let spreads = to_vec_f64(states.var(0));
        let drowned = spreads.iter().filter(|spread| **spread < variance).count();
        Ok(Self { variance, axes: spreads.len(), drowned })
    }
}

fn judge_snapshot<L: Leg>(run: &Run<Snapshots<L>>, snapshot: &Snapshot) -> Result<HeldOut> {
    let (mut rng, chain) = (run.rng("held out"), run.learned.chain());
    let (before, after, _) = neighbours(run, snapshot);
    let load = |snapshot| rows(snapshot, &run.context, &run.device);
    let (all, x, y) = (load(snapshot)?, load(before)?, load(after)?);
    let count = [&all, &x, &y].map(|rows| rows.dims()[0]).into_iter().min().unwrap_or(0).min(MAX_COMPARED);
    let some = |rows: &Tensor<2>, rng: &mut Rng| select_rows(rows, &rng.epochs(count, rows.dims()[0]));
    let [truth, x, y] = [&all, &x, &y].map(|rows| some(rows, &mut rng));
    let [truth_points, x_points, y_points] = [points(&truth)?, points(&x)?, points(&y)?];
    let carried = chain.state(before.time, snapshot.time, &x, &mut rng.fork("paths"))?;
    let share = (snapshot.time - before.time) / (after.time - before.time);
    let flow = chain.clone().along_flow().state(before.time, snapshot.time, &x, &mut rng)?;
    let mean = chain.mean_state(before.time, snapshot.time, &x)?;
    let matched = select_rows(&y, &optimal_matching(&x_points, &y_points)?.column_of_row);
    let straight = x * (1.0 - share) + matched * share;
    let clouds = [points(&carried)?, points(&flow)?, points(&mean)?, points(&straight)?, x_points, y_points];
    // Side by side: each takes seconds.
    let found: Result<Vec<Distance>> =
        clouds.par_iter().map(|cloud| distance(cloud, &truth_points)).collect();
    let [carried, flow, mean, straight, of_x, of_y] =
        found?.try_into().expect("as many distances as there are clouds");
    let nearest = match share {
        s if s < 0.5 => of_x,
        s if s > 0.5 => of_y,
        _ if of_x.energy < of_y.energy => of_x,
        _ => of_y,
    };
    let halves = truth.split(count.div_ceil(2), 0);
    let half = |k: usize| points(&halves[k].clone().narrow(0, 0, count / 2));
    let floor = distance(&half(0)?, &half(1)?)?;
    Ok(HeldOut { time: snapshot.time, count, carried, flow, mean, straight, nearest, floor })
}

/// The snapshots of the bridge about `held_out`, and the leg between them.
fn neighbours<'a, L: Leg>(
    run: &'a Run<Snapshots<L>>,
    held_out: &Snapshot,
) -> (&'a Snapshot, &'a Snapshot, &'a Run<L>) {
    let mut legs = run.learned.data.legs().zip(&run.learned.legs);
    let ((before, after), leg) =
        legs.find(|((_, b), _)| b.time > held_out.time).expect("a held-out time lies inside");
    (before, after, leg)
}

fn distance(x: &Points, y: &Points) -> Result<Distance> {
    Ok(Distance { w1: wasserstein1(x, y)?, energy: energy_distance(x, y)? })
}

impl HeldOut {
    /// That something which needs no bridge comes nearer, and what to do about it.
    fn remark(&self, noise: &Noise) -> Option<String> {
        let beaten = |other: Distance| other.w1 < self.carried.w1 || other.energy < self.carried.energy;
        let (name, other) =
            [("straight lines come", self.straight), ("the nearest snapshot comes", self.nearest)]
                .into_iter()
                .find(|(_, other)| beaten(*other))?;
        let of =
            |distance: Distance| format!("W1 {}, energy {}", digits(distance.w1), digits(distance.energy));
        let Noise { variance, axes, drowned } = *noise;
        let fix = match drowned {
            0 if self.carried.energy < other.energy => format!(
                "by energy distance the bridge is nearer: W1 between so few samples in {axes} axes prefers a law that is too \
                 narrow, such as the means of paths, transport --mean"
            ),
            0 => "raise light_sb.components or networks.fit.steps, or bring more samples".into(),
            _ => format!(
                "there the reference adds noise of variance {}, more than there is in {drowned} of {axes} axes: lower \
                 --epsilon",
                digits(variance)
            ),
        };
        Some(format!(
            "at held-out time {} {name} nearer than the bridge by one distance or both ({} against {}; {fix})",
            self.time,
            of(other),
            of(self.carried)
        ))
    }

    /// Rows of a table: what, what it stands for, and how far it is.
    pub(super) fn rows(&self) -> [(&'static str, RowKind, Distance); 6] {
        [
            ("carried along the bridge", RowKind::Model, self.carried),
            ("carried along the flow", RowKind::Model, self.flow),
            ("means of paths", RowKind::Model, self.mean),
            ("straight lines", RowKind::Baseline, self.straight),
            ("nearest snapshot", RowKind::Baseline, self.nearest),
            ("half against half", RowKind::Floor, self.floor),
        ]
    }
}

impl Judgement for ChainEvaluation {
    fn headline(&self) -> Option<Headline> {
        let total: f64 = self.held_out.iter().map(|held_out| held_out.carried.w1).sum();
        (!self.held_out.is_empty()).then(|| ("W1, held out", total / self.held_out.len() as f64))
    }

    fn remarks(&self) -> &[String] {
        &self.remarks
    }
}

impl fmt::Display for ChainEvaluation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for held_out in &self.held_out {
            writeln!(f, "held-out time {}, {} samples", held_out.time, held_out.count)?;
            writeln!(f, "{:26} {:>10} {:>10}", "", "W1", "energy")?;
            for (name, _, distance) in held_out.rows() {
                writeln!(f, "{name:26} {:>10} {:>10}", digits(distance.w1), digits(distance.energy))?;
            }
            writeln!(f)?;
        }
        write!(f, "epsilon {} for a unit of time", digits(self.epsilon))?;
        self.remarks.iter().try_for_each(|remark| write!(f, "\nnote: {remark}"))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_bridge_beaten_by_straight_lines_is_remarked_on_with_the_axes_that_drown() {
        let distance = |w1, energy| Distance { w1, energy };
        let found = |carried| HeldOut {
            time: 3.0,
            count: 100,
            carried,
            flow: carried,
            mean: carried,
            straight: distance(39.4, 2.5),
            nearest: distance(44.9, 3.2),
            floor: distance(32.7, 0.0),
        };
        let noise = Noise { variance: 55.4, axes: 50, drowned: 41 };
        let words = found(distance(52.3, 2.3)).remark(&noise).unwrap();
        assert!(
            words.contains("straight lines come nearer") && words.contains("41 of 50 axes: lower --epsilon")
        );
        let words = found(distance(39.0, 2.6)).remark(&Noise { drowned: 0, ..noise }).unwrap();
        assert!(words.contains("energy 2.500") && !words.contains("lower --epsilon"), "{words}");
        let noise = Noise { variance: 0.1, axes: 50, drowned: 0 };
        assert_eq!(found(distance(39.0, 2.3)).remark(&noise), None);
    }
}
