//! Cells of one donor on days 2, 3, 4 and 7 (CITE-seq, 50 principal components): one day left out and interpolated.
//!
//! Two protocols are in use. One takes the days as equally spaced, the data as they are, carries all cells of the day
//! before, and measures W1 [SF2M]. The other takes the days as they are, learns on data divided by their mean standard
//! deviation, and measures the energy distance [LSBM].

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sbridge::rng::Rng;
use sbridge::simulate::{Flow, mean_state, state_at};
use sbridge::solver::alternation::{Alternation, AlternationMethod as _, AlternationSettings};
use sbridge::solver::light_sb::{LightSb, LightSbSettings};
use sbridge::solver::{Dsbm, LightSbM, Sf2m};
use sbridge::tensor::{Device, Tensor, from_rows, points, select_rows, to_vec_f64};
use sbridge::{Direction, PairBridge};
use sbridge_ot::{energy_distance, optimal_matching, wasserstein1};

use super::{Check, Effort, Question, Study};
use sbridge_run::{Result, RunError};

/// The days a bridge joins, the day between them, and where that is: by number, and by date.
const GAPS: [([u32; 3], f64, f64); 2] = [([2, 3, 4], 0.5, 0.5), ([3, 4, 7], 0.5, 0.25)];

/// ε of the bridge whose paths have their means taken, in the components' own units.
const EPSILON_OF_MEANS: f64 = 60.0;

/// The questions asked of the cells in `folder`.
pub(super) fn studies(folder: &Path) -> Vec<(&'static str, Question)> {
    let with = |folder: PathBuf, question: fn(&Path, Effort, &Rng) -> Result<Study>| -> Question {
        Box::new(move |effort, rng| question(&folder, effort, rng))
    };
    vec![("by-number", with(folder.to_owned(), by_number)), ("by-date", with(folder.to_owned(), by_date))]
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

/// As many rows of `rows`, at random.
fn some(rows: &Tensor<2>, count: usize, rng: &Rng) -> Tensor<2> {
    select_rows(rows, &rng.clone().epochs(count, rows.dims()[0]))
}

/// W1 to the day left out, by [SF]²M and by means of LightSB's paths, days by number.
fn by_number(folder: &Path, effort: Effort, rng: &Rng) -> Result<Study> {
    let mut study = Study {
        title: "W1 to the day left out, days equally spaced".into(),
        text: format!(
            "[SF]²M with σ = 1 from one day to the next, on the principal components as they are. Cells of the day \
             before are carried half of the way, along simulated paths and along the probability flow, and compared with \
             as many of the day left out. So are the means of their paths along a bridge of LightSB, ε = {EPSILON_OF_MEANS}."
        ),
        note: "A bridge should come nearer than the better of the days about the one left out. The middles of exactly \
               matched cells need no model, but the cells of the day after. Published means of both days: 40.01 \
               ([SF]²M), 38.76 (flow matching); as many cells are compared as the smallest day has, and with fewer W1 \
               is larger. Means of paths have less spread than cells, which W1 in 50 dimensions hardly sees."
            .into(),
        ..Study::default()
    };
    let mut found = Vec::new();
    for (days, share, _) in GAPS {
        let day = days[1];
        let Distances { count, middles, nearest, carried } =
            distances(folder, days, share, effort, &rng.fork(&format!("day {day}")))?;
        for (name, w1) in carried.named() {
            let quantity =
                format!("day {day}, {count} cells: {name} (middles of matched cells {middles:.2})");
            study.checks.push(Check::at_most(quantity, w1, nearest));
        }
        found.push(carried);
    }
    let mean = |way: fn(&Carried) -> f64| found.iter().map(|one| way(one) / GAPS.len() as f64).sum::<f64>();
    let [simulated, flow] = [mean(|one| one.simulated), mean(|one| one.flow)];
    if effort == Effort::Full {
        // Whether the published cells were simulated or followed the flow is not known.
        study.checks.push(Check::at_most("mean of both days, simulated", simulated, 40.01 + 0.1));
        study.checks.push(Check::at_most("mean of both days, flow, as published", flow, 40.01 + 0.1));
        let means_of_paths = mean(|one| one.means_of_paths);
        study.checks.push(Check::at_most("mean of both days, means of paths", means_of_paths, 38.76));
    }
    study.checks.push(Check::at_most("mean of both days, flow", flow, simulated));
    Ok(study)
}

/// W1 of cells carried to a day left out.
struct Carried {
    /// Along simulated paths.
    simulated: f64,
    /// Along the probability flow.
    flow: f64,
    /// The means of their paths.
    means_of_paths: f64,
}

impl Carried {
    fn named(&self) -> [(&'static str, f64); 3] {
        [("simulated", self.simulated), ("flow", self.flow), ("means of paths", self.means_of_paths)]
    }
}

/// W1 to a day left out.
struct Distances {
    /// Cells compared.
    count: usize,
    /// Of the middles of exactly matched cells.
    middles: f64,
    /// Of the nearer of the days about it.
    nearest: f64,
    /// Of cells carried half of the way.
    carried: Carried,
}

/// W1 to the middle one of three days from the two others, `share` of the way.
fn distances(
    folder: &Path,
    [before, between, after]: [u32; 3],
    share: f64,
    effort: Effort,
    rng: &Rng,
) -> Result<Distances> {
    let [x, truth, y] = [cells(folder, before)?, cells(folder, between)?, cells(folder, after)?];
    // σ = 1 for a day: two days to the one after.
    let bridge = networks(&x, &y, 2.0, sized(Sf2m.defaults(), effort), rng)?;
    let light_sb = mixtures(&x, &y, EPSILON_OF_MEANS, effort, rng)?;
    let most = effort.pick(1000, usize::MAX);
    let count = [&x, &truth, &y].map(|rows| rows.dims()[0]).into_iter().fold(most, usize::min);
    let [x, y, truth] = [&x, &y, &truth].map(|rows| some(rows, count, rng));
    let truth = points(&truth)?;
    let w1 = |rows: &Tensor<2>| -> Result<f64> { Ok(wasserstein1(&points(rows)?, &truth)?) };
    let matched = select_rows(&y, &optimal_matching(&points(&x)?, &points(&y)?)?.column_of_row);
    Ok(Distances {
        count,
        middles: w1(&(x.clone() * (1.0 - share) + matched * share))?,
        nearest: w1(&x)?.min(w1(&y)?),
        carried: Carried {
            simulated: w1(&carried(bridge.as_ref(), &x, share, rng))?,
            flow: w1(&carried(&Flow::new(bridge), &x, share, rng))?,
            means_of_paths: w1(&mean_state(light_sb.as_ref(), Direction::Forward, share, &x))?,
        },
    })
}

/// Solvers with published energy distances.
#[derive(Clone, Copy, Debug)]
enum Solver {
    LightSb,
    LightSbM,
    Dsbm,
}

impl Solver {
    /// Its name, and the published mean of both days.
    fn published(self) -> (&'static str, f64) {
        match self {
            Self::LightSb => ("LightSB", 2.31),
            Self::LightSbM => ("LightSB-M", 2.35),
            Self::Dsbm => ("DSBM", 2.46),
        }
    }

    fn fit(self, x: &Tensor<2>, y: &Tensor<2>, effort: Effort, rng: &Rng) -> Result<Arc<dyn PairBridge>> {
        let epsilon = 0.1;
        match self {
            Self::LightSb => mixtures(x, y, epsilon, effort, rng),
            Self::LightSbM => networks(x, y, epsilon, sized(LightSbM.defaults(), effort), rng),
            Self::Dsbm => networks(x, y, epsilon, sized(Dsbm.defaults(), effort), rng),
        }
    }
}

/// The energy distance to the day left out, days by date.
fn by_date(folder: &Path, effort: Effort, rng: &Rng) -> Result<Study> {
    let mut study = Study {
        title: "Energy distance to the day left out, days by date".into(),
        text: "Learned on principal components divided by their mean standard deviation, ε = 0.1 from one end of a gap to \
               the other; measured in their own units. Day 3 lies half way between 2 and 4, day 4 a quarter of the way \
               from 3 to 7."
            .into(),
        note: "Bounds are published means, as reported, and 0.1 more: their spread.".into(),
        ..Study::default()
    };
    // Networks that iterate take longer than a quick run has.
    let all = [Solver::LightSb, Solver::LightSbM, Solver::Dsbm];
    for solver in effort.pick(&all[..2], &all) {
        let (name, published) = solver.published();
        let mut mean = 0.0;
        for ([before, between, after], _, share) in GAPS {
            let [x, truth, y] = [cells(folder, before)?, cells(folder, between)?, cells(folder, after)?];
            let rng = rng.fork(&format!("{name}, day {between}"));
            let scale = mean_deviation(&Tensor::cat(vec![x.clone(), y.clone()], 0));
            let (x, y) = (x / scale, y / scale);
            let bridge = solver.fit(&x, &y, effort, &rng)?;
            let found = carried(bridge.as_ref(), &x, share, &rng) * scale;
            let energy = energy_distance(&points(&found)?, &points(&truth)?)?;
            mean += energy / GAPS.len() as f64;
        }
        study.checks.push(Check::at_most(format!("{name}, mean of both days"), mean, published + 0.1));
    }
    Ok(study)
}

fn mixtures(
    x: &Tensor<2>,
    y: &Tensor<2>,
    epsilon: f64,
    effort: Effort,
    rng: &Rng,
) -> Result<Arc<dyn PairBridge>> {
    let settings = LightSbSettings { steps: effort.pick(1500, 6000), ..LightSbSettings::default() };
    Ok(Arc::new(LightSb::fit(x, y, epsilon, &settings, rng, &mut |_, _, _| ControlFlow::Continue(()))?))
}

fn networks(
    x: &Tensor<2>,
    y: &Tensor<2>,
    epsilon: f64,
    settings: AlternationSettings,
    rng: &Rng,
) -> Result<Arc<dyn PairBridge>> {
    Ok(Arc::new(Alternation::new(x, y, None, epsilon, settings, rng.fork("fit"))?.run()?))
}

fn sized(mut settings: AlternationSettings, effort: Effort) -> AlternationSettings {
    if effort == Effort::Quick {
        settings.fit.steps = settings.fit.steps.min(1000);
        settings.half_bridges = settings.half_bridges.min(2);
    }
    settings
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
