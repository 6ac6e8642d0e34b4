//! Cells of one donor on days 2, 3, 4 and 7 (CITE-seq, 50 principal components): one day left out and interpolated.
//!
//! Two protocols are in use. One takes the days as equally spaced, the data as they are, carries all cells of the day
//! before, and measures W1 [SF2M]. The other takes the days as they are, learns on data divided by their mean standard
//! deviation, and measures the energy distance [LSBM].
//!
//! The control is the reference alone: cells of the day before, moved by Brownian motion as long as the bridge is.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use sbridge::reference::Brownian;
use sbridge::rng::Rng;
use sbridge::simulate::{Flow, mean_state, state_at};
use sbridge::solver::light_sb::LightSbSettings;
use sbridge::solver::{Frame, NeuralBridge};
use sbridge::tensor::{Device, Tensor, from_rows, points, select_rows, to_vec_f64};
use sbridge::{Direction, PairBridge};
use sbridge_ot::{energy_distance, optimal_matching, wasserstein1};

use super::statistics::mean;
use super::{Effort, Estimate, Question, Study};
use crate::problem::{Problem, title};
use sbridge_run::models::bridge::PairMethod;
use sbridge_run::{Result, RunError};

/// The days a bridge joins, the day between them that is left out, and where that is.
struct Gap {
    before: u32,
    left_out: u32,
    after: u32,
    /// Share of the way with days equally spaced.
    by_number: f64,
    /// Share of the way with days as they are.
    by_date: f64,
}

const GAPS: [Gap; 2] = [
    Gap { before: 2, left_out: 3, after: 4, by_number: 0.5, by_date: 0.5 },
    Gap { before: 3, left_out: 4, after: 7, by_number: 0.5, by_date: 0.25 },
];

/// What the checks have to refuse.
const REFERENCE: &str = "reference alone";

/// Steps of paths of the reference: any will do, its noise is exact.
const REFERENCE_STEPS: usize = 2;

/// ε of the bridge whose paths have their means taken, in the components' own units.
const EPSILON_OF_MEANS: f64 = 60.0;

/// The questions asked of the cells in `folder`.
pub(super) fn studies(folder: &Path) -> Vec<(&'static str, Question)> {
    let with = |question: fn(&Path, Effort, &Rng) -> Result<Study>| -> Question {
        let folder = folder.to_owned();
        Box::new(move |effort, rng| question(&folder, effort, rng))
    };
    vec![("by-number", with(by_number)), ("by-date", with(by_date))]
}

/// The cells of the days of a gap.
struct Cells {
    before: Tensor<2>,
    left_out: Tensor<2>,
    after: Tensor<2>,
}

impl Cells {
    fn of(gap: &Gap, folder: &Path) -> Result<Self> {
        let [before, left_out, after] = [gap.before, gap.left_out, gap.after].map(|day| cells(folder, day));
        Ok(Self { before: before?, left_out: left_out?, after: after? })
    }

    /// As many of each day, at random.
    fn some(&self, count: usize, rng: &Rng) -> Self {
        let some = |rows: &Tensor<2>| select_rows(rows, &rng.clone().epochs(count, rows.dims()[0]));
        Self { before: some(&self.before), left_out: some(&self.left_out), after: some(&self.after) }
    }
}

/// The cells of `day`: the one file of `folder` that ends in `day_N.npy`.
fn cells(folder: &Path, day: u32) -> Result<Tensor<2>> {
    let ending = format!("day_{day}.npy");
    let entries = fs::read_dir(folder).map_err(|e| {
        RunError::Input(format!("cannot read the folder of cells {}: {e} (check --data)", folder.display()))
    })?;
    let mut found = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.to_string_lossy().ends_with(&ending));
    let Some(path) = found.next() else {
        return Err(RunError::Input(format!("{} holds no file *{ending} (check --data)", folder.display())));
    };
    let data = sbridge_data::load(&path.to_string_lossy())?;
    Ok(from_rows(data.values(), data.shape().size(), &Device::flex()))
}

/// W1 to the day left out, by [SF]²M and by means of LightSB's paths, days by number.
fn by_number(folder: &Path, effort: Effort, rng: &Rng) -> Result<Study> {
    let mut study = Study::new(
        "W1 to the day left out, days equally spaced",
        format!(
            "[SF]²M with σ = 1 from one day to the next, on the principal components as they are. Cells of the day \
             before are carried half of the way, along simulated paths and along the probability flow, and compared with \
             as many of the day left out, drawn at random by seed. So are the means of their paths along a bridge of LightSB, \
             ε = {EPSILON_OF_MEANS}. One fit each. Nothing is learned from the day left out."
        ),
        "A bridge should come nearer than the better of the days about the one left out. The middles of exactly \
         matched cells need no model, but the cells of the day after. Published means of both days: 40.01 \
         ([SF]²M), 38.76 (flow matching); as many cells are compared as the smallest day has, and with fewer W1 \
         is larger. Means of paths have less spread than cells, which W1 in 50 dimensions hardly sees.",
    );
    let mut days = Vec::new();
    for gap in &GAPS {
        let day = gap.left_out;
        let found = Distances::measured(gap, folder, effort, &rng.fork(&format!("day {day}")))?;
        let Distances { count, middles, nearest, simulated, flow, means_of_paths, reference } = found;
        for (name, w1) in [("simulated", simulated), ("flow", flow), ("means of paths", means_of_paths)] {
            let name = format!("day {day}: {name} (middles of matched cells {middles:.2})");
            study.at_most(name, Estimate::once(w1, count).beside(REFERENCE, reference), nearest);
        }
        days.push(found);
    }
    let of = |w1: fn(&Distances) -> f64| Estimate::once(mean(days.iter().map(w1)), days.len());
    let mut at_most = |name: &str, w1: fn(&Distances) -> f64, bound: f64| {
        study.at_most(name, of(w1).beside(REFERENCE, of(|day| day.reference)), bound);
    };
    if effort == Effort::Full {
        // Whether the published cells were simulated or followed the flow is not known.
        at_most("mean of both days, simulated", |day| day.simulated, 40.01 + 0.1);
        at_most("mean of both days, flow, as published", |day| day.flow, 40.01 + 0.1);
        at_most("mean of both days, means of paths", |day| day.means_of_paths, 38.76);
    }
    at_most("mean of both days, flow beside simulated", |day| day.flow, of(|day| day.simulated).measured);
    Ok(study)
}

/// W1 to a day left out.
#[derive(Clone, Copy)]
struct Distances {
    /// Cells compared.
    count: usize,
    /// Of the middles of exactly matched cells.
    middles: f64,
    /// Of the nearer of the days about it.
    nearest: f64,
    /// Of cells carried along simulated paths.
    simulated: f64,
    /// Of cells carried along the probability flow.
    flow: f64,
    /// Of means of paths.
    means_of_paths: f64,
    /// Of cells moved by the reference alone.
    reference: f64,
}

impl Distances {
    /// From the days about it, the days by number.
    fn measured(gap: &Gap, folder: &Path, effort: Effort, rng: &Rng) -> Result<Self> {
        let (cells, share) = (Cells::of(gap, folder)?, gap.by_number);
        let between = |epsilon| Problem { source: &cells.before, target: &cells.after, epsilon };
        // σ = 1 for a day: two days to the one after.
        let bridge = solved(PairMethod::Sf2m, &between(2.0), effort, rng)?;
        let light_sb = solved(PairMethod::LightSb, &between(EPSILON_OF_MEANS), effort, rng)?;
        let counts = [&cells.before, &cells.left_out, &cells.after].map(|rows| rows.dims()[0]);
        let count = counts.into_iter().fold(effort.pick(1000, usize::MAX), usize::min);
        let Cells { before: x, left_out, after: y } = cells.some(count, rng);
        let truth = points(&left_out)?;
        let w1 = |rows: &Tensor<2>| -> Result<f64> { Ok(wasserstein1(&points(rows)?, &truth)?) };
        let matched = select_rows(&y, &optimal_matching(&points(&x)?, &points(&y)?)?.column_of_row);
        Ok(Self {
            count,
            middles: w1(&(x.clone() * (1.0 - share) + matched * share))?,
            nearest: w1(&x)?.min(w1(&y)?),
            simulated: w1(&carried(bridge.as_ref(), &x, share, rng))?,
            flow: w1(&carried(&Flow::new(bridge), &x, share, rng))?,
            means_of_paths: w1(&mean_state(light_sb.as_ref(), Direction::Forward, share, &x))?,
            reference: w1(&carried(&reference_alone(x.dims()[1], 2.0)?, &x, share, rng))?,
        })
    }
}

/// ε from one end of a gap to the other, in units of the data.
const EPSILON_BY_DATE: f64 = 0.1;

/// Published energy distances, means of both days.
const ENERGIES: [(PairMethod, f64); 3] =
    [(PairMethod::LightSb, 2.31), (PairMethod::LightSbM, 2.35), (PairMethod::Dsbm, 2.46)];

/// The energy distance to the day left out, days by date.
fn by_date(folder: &Path, effort: Effort, rng: &Rng) -> Result<Study> {
    let mut study = Study::new(
        "Energy distance to the day left out, days by date",
        "Learned on principal components divided by their mean standard deviation, ε = 0.1 from one end of a gap to \
         the other; measured in their own units. Day 3 lies half way between 2 and 4, day 4 a quarter of the way \
         from 3 to 7. One fit for each of both days, all cells compared; nothing is learned from the day left out.",
        "Bounds are published means, as reported, and 0.1 more: one published standard deviation is given away.",
    );
    // Networks that iterate take longer than a quick run has.
    let asked = |method: PairMethod| effort == Effort::Full || method != PairMethod::Dsbm;
    for (method, published) in ENERGIES.into_iter().filter(|(method, _)| asked(*method)) {
        let energies = GAPS.iter().map(|gap| energies(method, gap, folder, effort, rng));
        let energies: Vec<[f64; 2]> = energies.collect::<Result<_>>()?;
        let [found, reference] = [0, 1].map(|k| energies.iter().map(|of| of[k]).collect::<Vec<_>>());
        let beside = Estimate::once(mean(found), GAPS.len()).beside(REFERENCE, mean(reference));
        study.at_most(format!("{}, mean of both days", title(method)), beside, published + 0.1);
    }
    Ok(study)
}

/// The energy distance to the day left out of what `method` makes of the day before, and of what the reference does.
fn energies(method: PairMethod, gap: &Gap, folder: &Path, effort: Effort, rng: &Rng) -> Result<[f64; 2]> {
    let Cells { before, left_out, after } = Cells::of(gap, folder)?;
    let rng = rng.fork(&format!("{}, day {}", title(method), gap.left_out));
    let scale = mean_deviation(&Tensor::cat(vec![before.clone(), after.clone()], 0));
    let (x, y) = (before / scale, after / scale);
    let bridge = solved(method, &Problem { source: &x, target: &y, epsilon: EPSILON_BY_DATE }, effort, &rng)?;
    let energy = |bridge: &dyn PairBridge| -> Result<f64> {
        let found = carried(bridge, &x, gap.by_date, &rng) * scale;
        Ok(energy_distance(&points(&found)?, &points(&left_out)?)?)
    };
    let reference = reference_alone(x.dims()[1], EPSILON_BY_DATE)?;
    Ok([energy(bridge.as_ref())?, energy(&reference)?])
}

/// Brownian motion, as a bridge that leads nowhere.
fn reference_alone(dim: usize, epsilon: f64) -> Result<NeuralBridge> {
    let reference = Brownian::with_epsilon(epsilon)?;
    Ok(NeuralBridge::untrained(Frame::identity(dim), reference, REFERENCE_STEPS))
}

fn solved(
    method: PairMethod,
    problem: &Problem<'_>,
    effort: Effort,
    rng: &Rng,
) -> Result<Arc<dyn PairBridge>> {
    let Some(mut settings) = method.networks() else {
        let settings = LightSbSettings { steps: effort.pick(1500, 6000), ..LightSbSettings::default() };
        return Ok(Arc::new(problem.mixtures(&settings, rng)?));
    };
    if effort == Effort::Quick {
        settings.fit.steps = settings.fit.steps.min(1000);
        settings.half_bridges = settings.half_bridges.min(2);
    }
    Ok(Arc::new(problem.networks(settings, rng.fork("fit"))?))
}

/// Where the rows of `x` are after a share of the way.
fn carried(bridge: &dyn PairBridge, x: &Tensor<2>, share: f64, rng: &Rng) -> Tensor<2> {
    let mut rng = rng.fork("paths");
    let skeleton = bridge.skeleton(Direction::Forward, x, &mut rng);
    state_at(bridge.reference().as_ref(), &skeleton, share, &mut rng)
}

/// The standard deviation of a column, averaged over columns.
fn mean_deviation(rows: &Tensor<2>) -> f64 {
    let centred = rows.clone() - rows.clone().mean_dim(0);
    to_vec_f64(centred.powi_scalar(2).mean_dim(0).sqrt().mean())[0]
}
