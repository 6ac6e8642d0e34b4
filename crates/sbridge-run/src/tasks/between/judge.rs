//! How good a bridge between two data sets is: both ends beside their floors, and the coupling beside the exact one.

use std::fmt;

use sbridge::rng::Rng;
use sbridge::simulate::integrate;
use sbridge::tensor::{Tensor, head, points, to_vec_f64};
use sbridge::{Direction, PairBridge};
use sbridge_ot::{SinkhornSettings, SlicedSettings, sinkhorn, sliced_wasserstein2};
use sbridge_report::digits;
use serde::{Deserialize, Serialize};

use super::mean_gap::mean_gap;
use super::{Between, HALF_BRIDGES};
use crate::data::Split;
use crate::error::Result;
use crate::folder::metrics;
use crate::models::bridge::{End, Ends, PairMethod, Sides, direction_name};
use crate::quality::{Headline, JudgedBy, Judgement};
use crate::task::Run;

/// The evaluation of a bridge.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BridgeEvaluation {
    /// ε of the bridge, in units of what it joins.
    pub epsilon: f64,
    /// What kind of samples it is judged by.
    #[serde(default)]
    pub judged_by: JudgedBy,
    /// Both ends.
    pub ends: Vec<End>,
    /// ½ E‖X₁ − X₀‖² of the bridge, of codes where it joins codes, in units of the reference.
    pub coupling_cost: f64,
    /// The same of the entropic plan between the samples compared, at this ε.
    pub entropic_cost: f64,
    /// Whether that plan converged.
    pub entropic_converged: bool,
    /// E ∫ ½|v₊|² dt along simulated paths.
    pub path_energy: f64,
    /// Difference of the two means of paths, forward, as a share of the spread of what arrives: 0 at the fixed point.
    #[serde(default)]
    pub mean_gap: Option<f64>,
    /// What is not as it should be, in words, with what to do about it.
    #[serde(default)]
    pub remarks: Vec<String>,
}

/// The coupling's cost over the entropic plan's that is remarked on.
const FAR_FROM_PLAN: f64 = 0.1;

/// Change of the coupling's cost from one iteration to the next that is remarked on.
const STILL_MOVING: f64 = 0.05;

/// Judges the bridge of `run` by the samples that were set aside, or by half of all where none were.
///
/// # Errors
/// [`RunError`](crate::RunError) for samples that are not finite.
pub(super) fn judge(run: &Run<Between>, ends: &Ends) -> Result<BridgeEvaluation> {
    let (rng, bridge) = (run.rng("evaluation"), run.learned.model.bridge.as_ref());
    let sides = Sides::of(ends);
    let end = |direction| sides.judge(&run.learned.model, direction, &rng);
    let (forward, backward) = rayon::join(|| end(Direction::Forward), || end(Direction::Backward));
    let ((forward, [start, moved]), (backward, _)) = (forward?, backward?);
    let epsilon = bridge.reference().epsilon();
    let settings = SinkhornSettings { epsilon, tolerance: 1e-4, max_iterations: 2000 };
    let (from, to) = (points(&start)?, points(&run.learned.model.encode(&sides.first(Direction::Backward)))?);
    let plan = sinkhorn(&from, &to, &settings)?;
    let evaluation = BridgeEvaluation {
        epsilon,
        judged_by: JudgedBy::of([&ends.source, &ends.target].iter().all(|end| end.held_out.is_some())),
        ends: vec![forward, backward],
        coupling_cost: half_mean_square(&(moved - start.clone())),
        entropic_cost: plan.transport_cost,
        entropic_converged: plan.converged,
        mean_gap: mean_gap(bridge, Direction::Forward, &start, &mut rng.fork("means")),
        path_energy: path_energy(bridge, start, &mut rng.fork("paths")),
        remarks: Vec::new(),
    };
    Ok(BridgeEvaluation { remarks: remarks(&evaluation, run), ..evaluation })
}

/// What is not as it should be, in words, with what to do about it.
fn remarks(found: &BridgeEvaluation, run: &Run<Between>) -> Vec<String> {
    let fits_both_ends = PairMethod::of_name(run.method()).is_none_or(PairMethod::fits_both_ends);
    let more = match run.settings.light_sb {
        Some(_) => "raise light_sb.components or light_sb.steps",
        None => "raise networks.fit.steps, or networks.steps if the target is thin",
    };
    let fix = match fits_both_ends {
        true => more,
        false => {
            "a score model is right only where the target looks like the source blurred by epsilon; use dsbm"
        }
    };
    let mut remarks: Vec<String> = found.ends.iter().flat_map(|end| end.remarks(fix)).collect();
    let excess = found.coupling_cost / found.entropic_cost - 1.0;
    // Less is no fault: a plan between few samples costs more than that between the laws.
    if found.entropic_converged && fits_both_ends && excess > FAR_FROM_PLAN {
        let fix = match &run.settings.networks {
            Some(_) => "raise networks.half_bridges: the coupling is not yet that of the bridge",
            None => more,
        };
        let percent = 100.0 * excess;
        remarks.push(format!("the coupling costs {percent:.0} % more than the entropic plan ({fix})"));
    }
    remarks.extend(still_moving(&run.folder.read("metrics.jsonl").unwrap_or_default()));
    remarks
}

/// That the coupling of the last iteration is another than that before, by the log of a run.
fn still_moving(log: &str) -> Option<String> {
    let costs = metrics::curve(log, "coupling_cost", HALF_BRIDGES);
    let [.., (_, before), _, (step, last)] = &costs[..] else { return None };
    let change = (last / before - 1.0).abs();
    (change > STILL_MOVING).then(|| {
        format!(
            "the coupling's cost still changes by {:.0} % at half-bridge {step} (raise networks.half_bridges)",
            100.0 * change
        )
    })
}

/// Samples compared after a half-bridge.
const QUICKLY_COMPARED: usize = 500;

/// How good `bridge` is in one direction, by samples that the run is not judged by: names and numbers.
///
/// # Errors
/// [`RunError`](crate::RunError) for samples that are not finite.
pub(super) fn quality(
    bridge: &dyn PairBridge,
    direction: Direction,
    ends: &Ends,
    rng: &Rng,
) -> Result<[(&'static str, f64); 2]> {
    let [from, to] = direction.along([&ends.source, &ends.target]);
    let some = |split: &Split| head(split.watched(), QUICKLY_COMPARED);
    let start = some(from);
    let end = bridge.transport(direction, &start, &mut rng.fork(direction_name(direction)));
    let sliced_w2 = sliced_wasserstein2(&points(&end)?, &points(&some(to))?, &SlicedSettings::default())?;
    Ok([("sliced_w2", sliced_w2), ("coupling_cost", half_mean_square(&(end - start)))])
}

/// ½ E‖row‖².
fn half_mean_square(rows: &Tensor<2>) -> f64 {
    0.5 * to_vec_f64(rows.clone().powi_scalar(2).sum_dim(1).mean())[0]
}

/// E ∫ ½|v₊|² dt from the drifts met on simulated paths.
fn path_energy(bridge: &dyn PairBridge, start: Tensor<2>, rng: &mut Rng) -> f64 {
    let noise = bridge.step_noise(Direction::Forward);
    let mut total = 0.0;
    integrate(bridge, Direction::Forward, start, &noise, rng, &mut |step| {
        total += half_mean_square(step.drift) / noise.steps() as f64;
    });
    total
}

impl Judgement for BridgeEvaluation {
    fn headline(&self) -> Option<Headline> {
        Some(("W2", self.ends.first()?.carried.w2))
    }

    fn remarks(&self) -> &[String] {
        &self.remarks
    }
}

impl fmt::Display for BridgeEvaluation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head = ["W1", "W2", "sliced W2", "energy", "MMD²"];
        for end in &self.ends {
            let [a, b, c, d, e] = head;
            writeln!(f, "{}, {} {} samples", end.direction, end.count, self.judged_by)?;
            writeln!(f, "{:24} {a:>10} {b:>10} {c:>10} {d:>10} {e:>10}", "")?;
            for (name, _, q) in end.rows() {
                writeln!(
                    f,
                    "{name:24} {:>10} {:>10} {:>10} {:>10} {:>10}",
                    digits(q.w1),
                    digits(q.w2),
                    digits(q.sliced_w2),
                    digits(q.energy),
                    q.shown_mmd2()
                )?;
            }
            writeln!(f)?;
        }
        let note = if self.entropic_converged { "" } else { " (not converged: rough)" };
        writeln!(f, "epsilon {}", digits(self.epsilon))?;
        writeln!(
            f,
            "coupling cost ½E|x − y|² {}; of the entropic plan {}{note}",
            digits(self.coupling_cost),
            digits(self.entropic_cost)
        )?;
        write!(f, "path energy E∫½|v|²dt {}", digits(self.path_energy))?;
        if let Some(gap) = self.mean_gap {
            let percent = 100.0 * gap;
            write!(
                f,
                "\nmeans of paths, simulated and by the drift at the start: {percent:.1} % of the spread apart"
            )?;
        }
        self.remarks.iter().try_for_each(|remark| write!(f, "\nnote: {remark}"))
    }
}
