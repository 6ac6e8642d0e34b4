//! What a crowd pays, whether it runs into anything, and where it arrives; the plain bridge beside it.

use std::fmt;

use sbridge::eval::Journey;
use sbridge::rng::Rng;
use sbridge::tensor::{Tensor, head, select_rows, to_vec_f64};
use sbridge::{Direction, PairBridge};
use sbridge_report::digits;
use serde::{Deserialize, Serialize};

use super::learn::HALF_BRIDGES;
use super::{CrowdData, Crowds};
use crate::error::Result;
use crate::folder::metrics;
use crate::models::bridge::{End, PairModel, Sides};
use crate::quality::{Headline, JudgedBy, Judgement};
use crate::task::Run;

/// Particles that pay.
const PAYING: usize = 1000;

/// Particles that are looked for in obstacles, and values of all their states.
const LOOKED_FOR: usize = 10_000;
const VALUES: usize = 1 << 24;

/// What a crowd pays on its way from source to target.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Course {
    /// E ∫ |u|²/(2σ²) dt.
    pub kinetic: f64,
    /// E ∫ V dt.
    pub state: f64,
    /// Share of time that paths spend inside of obstacles.
    pub inside: f64,
    /// Share of paths that are inside of one at any time.
    pub collided: f64,
    /// Paths that were looked at for it.
    pub paths: usize,
    /// Mean distance from what paths are to stay on, where there is such a thing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distance: Option<f64>,
    /// Root mean square deviation from the mean at equal times.
    pub spreads: Vec<f64>,
}

impl Course {
    /// What is minimised.
    pub fn objective(&self) -> f64 {
        self.kinetic + self.state
    }
}

/// The evaluation of a crowd.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CrowdEvaluation {
    /// ε, in data units squared.
    pub epsilon: f64,
    /// What kind of samples it is judged by.
    pub judged_by: JudgedBy,
    /// Both ends.
    pub ends: Vec<End>,
    /// The crowd.
    pub crowd: Course,
    /// The same without a cost, judged by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plain: Option<Course>,
    /// Both ends of that.
    #[serde(default)]
    pub plain_ends: Vec<End>,
    /// What is not as it should be, in words, with what to do about it.
    #[serde(default)]
    pub remarks: Vec<String>,
}

/// Judges the crowd of `run` by the samples that were set aside, or by half of all where none were.
///
/// # Errors
/// [`RunError`](crate::RunError) for samples that are not finite.
pub(super) fn judge(run: &Run<Crowds>, data: &CrowdData) -> Result<CrowdEvaluation> {
    let (rng, ends) = (run.rng("evaluation"), &data.pair.ends);
    let sides = Sides::of(ends);
    let both = |model: &PairModel| -> Result<Vec<End>> {
        let end = |direction| Ok(sides.judge(model, direction, &rng)?.0);
        [Direction::Forward, Direction::Backward].into_iter().map(end).collect()
    };
    let of = |bridge: &dyn PairBridge| {
        let (course, _) = course(bridge, data, ends.source.held_out_or_train(), &mut rng.fork("course"));
        with_collisions(course, bridge, data, &mut rng.fork("collisions"))
    };
    let plain = run.learned.plain.as_ref();
    let plain_model = plain.map(|bridge| PairModel { bridge: bridge.clone(), codec: None });
    let found = CrowdEvaluation {
        epsilon: run.settings.epsilon,
        judged_by: JudgedBy::of([&ends.source, &ends.target].iter().all(|end| end.held_out.is_some())),
        ends: both(&run.learned.model)?,
        crowd: of(run.learned.model.bridge.as_ref()),
        plain: plain.map(|bridge| of(bridge.as_ref())),
        plain_ends: plain_model.map(|model| both(&model)).transpose()?.unwrap_or_default(),
        remarks: Vec::new(),
    };
    let log = run.folder.read("metrics.jsonl").unwrap_or_default();
    Ok(CrowdEvaluation { remarks: remarks(&found, &log), ..found })
}

/// What a thousand of `start` pay along `bridge`, and their states on the way.
pub(super) fn course(
    bridge: &dyn PairBridge,
    data: &CrowdData,
    start: &Tensor<2>,
    rng: &mut Rng,
) -> (Course, Journey) {
    let [_, dim] = start.dims();
    let start = head(start, PAYING);
    let journey = Journey::along(bridge, &data.scene.problem, &start, data.blur, rng);
    let places = || journey.states.iter().flat_map(|x| x.chunks_exact(dim));
    let distances: Option<Vec<f64>> = places().map(|x| data.scene.problem.cost.distance(x)).collect();
    let course = Course {
        kinetic: journey.kinetic,
        state: journey.state,
        inside: journey.inside,
        collided: journey.collided,
        paths: start.dims()[0],
        distance: distances.map(|all| all.iter().sum::<f64>() / all.len() as f64),
        spreads: journey.spreads.clone(),
    };
    (course, journey)
}

/// The same with collisions counted on more paths.
fn with_collisions(course: Course, bridge: &dyn PairBridge, data: &CrowdData, rng: &mut Rng) -> Course {
    let all = &data.pair.ends.source.train;
    let [count, dim] = all.dims();
    let states = bridge.step_noise(Direction::Forward).steps() + 1;
    let paths = LOOKED_FOR.min(VALUES / (states * dim)).max(1);
    let start = select_rows(all, &rng.epochs(paths, count));
    let (mut inside, mut has_collided) = (0usize, vec![false; paths]);
    for x in bridge.skeleton(Direction::Forward, &start, rng) {
        for (x, collided) in to_vec_f64(x).chunks_exact(dim).zip(&mut has_collided) {
            let is_inside = data.scene.problem.cost.depth(x) > 0.0;
            inside += usize::from(is_inside);
            *collided |= is_inside;
        }
    }
    let collided = has_collided.into_iter().filter(|collided| *collided).count() as f64 / paths as f64;
    Course { inside: inside as f64 / (paths * states) as f64, collided, paths, ..course }
}

/// Share of paths in obstacles, and rise of the objective, that are remarked on.
const MANY_COLLISIONS: f64 = 0.01;
const RISE: f64 = 1.05;

/// What is not as it should be, in words, with what to do about it.
fn remarks(found: &CrowdEvaluation, log: &str) -> Vec<String> {
    let fix = "raise networks.fit.steps, or networks.steps if an end is thin";
    let mut remarks: Vec<String> = found.ends.iter().flat_map(|end| end.remarks(fix)).collect();
    if found.crowd.collided > MANY_COLLISIONS {
        remarks.push(format!(
            "{:.1} % of paths touch an obstacle (raise its weight, networks.half_bridges or networks.fit.steps)",
            100.0 * found.crowd.collided
        ));
    }
    let objectives = metrics::curve(log, "objective", HALF_BRIDGES);
    if let ([.., (_, last)], Some(least)) =
        (&objectives[..], objectives.iter().map(|(_, y)| *y).min_by(f64::total_cmp))
        && *last > RISE * least
    {
        remarks.push(format!(
            "the objective ended at {}, and had been {} (raise networks.paths.descent.iterations)",
            digits(*last),
            digits(least)
        ));
    }
    remarks
}

impl Judgement for CrowdEvaluation {
    fn headline(&self) -> Option<Headline> {
        Some(("objective", self.crowd.objective()))
    }

    fn remarks(&self) -> &[String] {
        &self.remarks
    }
}

/// Names of what is shown of a course.
pub(super) const COLUMNS: [&str; 6] =
    ["objective", "kinetic", "state", "time inside", "paths inside", "distance"];

impl Course {
    /// Those of [`COLUMNS`], for people.
    pub(super) fn cells(&self) -> [String; 6] {
        let percent = |share: f64| format!("{:.3} %", 100.0 * share);
        [
            digits(self.objective()),
            digits(self.kinetic),
            digits(self.state),
            percent(self.inside),
            percent(self.collided),
            self.distance.map_or("–".into(), digits),
        ]
    }
}

impl fmt::Display for CrowdEvaluation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = COLUMNS;
        writeln!(f, "{:24} {a:>12} {b:>12} {c:>12} {d:>12} {e:>12} {g:>12}", "")?;
        let rows = [("crowd", Some(&self.crowd)), ("without the cost", self.plain.as_ref())];
        for (name, course) in rows.into_iter().filter_map(|(name, course)| Some((name, course?))) {
            let [a, b, c, d, e, g] = course.cells();
            writeln!(f, "{name:24} {a:>12} {b:>12} {c:>12} {d:>12} {e:>12} {g:>12}")?;
        }
        for end in &self.ends {
            let [a, b, c, d] = ["W1", "W2", "sliced W2", "energy"];
            writeln!(f, "\n{}, {} {} samples", end.direction, end.count, self.judged_by)?;
            writeln!(f, "{:24} {a:>12} {b:>12} {c:>12} {d:>12}", "")?;
            for (name, _, q) in end.rows() {
                let [a, b, c, d] = [q.w1, q.w2, q.sliced_w2, q.energy].map(digits);
                writeln!(f, "{name:24} {a:>12} {b:>12} {c:>12} {d:>12}")?;
            }
        }
        write!(f, "\nepsilon {}; collisions of {} paths", digits(self.epsilon), self.crowd.paths)?;
        self.remarks.iter().try_for_each(|remark| write!(f, "\nnote: {remark}"))
    }
}
