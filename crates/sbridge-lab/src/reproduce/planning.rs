//! Whether a cheap guess to start from saves training or calls: priors × calls × training, beside the diffusion from noise.
//!
//! No published number has an error, and differences of a few points mean nothing: what is checked is success, which is counted in the
//! same episodes for all.

use sbridge::executor::run_silently;
use sbridge::fit::{FitSettings, Trainer};
use sbridge::net::{TemporalUNet, TemporalUNetSettings};
use sbridge::objective::Objective;
use sbridge::planning::{
    COLUMNS, Episode, Execution, GoalKind, Maze, Measure, Normaliser, OfflineSettings, Query, Reward, Row,
    Summary, Task, Trajectory, Variant, dataset, episodes, execute,
};
use sbridge::rng::Rng;
use sbridge::solver::Ddpm;
use sbridge::solver::paired::{Known, PairedRegression, Paths, Schedule, Variant as Sums};
use sbridge::solver::planner::{PlanDiffusion, PlanNet, PlanPairs, Prior, Setting, Windows, rows_of};
use sbridge::tensor::{Device, Tensor};

use super::OwnQuestions;
use crate::reproduce::check::Listing;
use crate::reproduce::{Effort, Estimate, Result, Study};

pub(super) const STUDIES: OwnQuestions = &[
    ("umaze", |effort, rng| answer("umaze", effort, rng)),
    ("medium", |effort, rng| answer("medium", effort, rng)),
    ("large", |effort, rng| answer("large", effort, rng)),
];

/// Levels of the bridge, and numbers of calls.
const LEVELS: usize = 16;
const CALLS: [usize; 3] = [1, 4, 15];

/// The number of calls that is checked.
const CHECKED: usize = 4;

/// Success that is asked for.
const ENOUGH: f64 = 0.97;

/// A maze, what is learned from, and the episodes that judge.
struct Bench {
    maze: Maze,
    task: Task,
    setting: Setting,
    windows: Windows,
    episodes: Vec<Episode>,
    device: Device,
}

/// One way to plan, after one training.
struct Found {
    name: String,
    steps: usize,
    calls: usize,
    summary: Summary,
}

fn answer(name: &str, effort: Effort, rng: &Rng) -> Result<Study> {
    let bench = Bench::new(name, effort, rng)?;
    let lengths = effort.pick([100, 400], [2000, 10_000]);
    let count = bench.episodes.len();
    let mut study = Study::new(
        format!("{name}: priors, calls and training"),
        format!(
            "{} windows of {} rows from the built-in controller; temporal U-Net of width 16, multipliers 1, 2, 4, {LEVELS} levels, \
             batches of 32, learning rate 1e-3, {lengths:?} training steps; {count} episodes of {} steps to random goals, the same for \
             all, start and goal at rest in every plan. The diffusion is trained anew for every number of calls. Controls are \
             untrained networks from noise.",
            bench.windows.count(),
            bench.setting.horizon,
            bench.task.steps
        ),
        "From the shortest way at most 3 % of the goals may be missed in 4 calls after the longer training.",
    );
    let priors = [("gaussian", Prior::Gaussian), ("line", Prior::Line), ("polyline", Prior::Polyline)];
    let mut all = Vec::new();
    for (prior_name, prior) in &priors {
        for steps in lengths {
            let rng = rng.fork(&format!("{prior_name} {steps}"));
            let net = bench.bridge(prior, steps, &rng)?;
            for calls in CALLS {
                let summary =
                    bench.judged(&|queries, rng| bench.by_bridge(&net, prior, calls, queries, rng), &rng)?;
                all.push(Found { name: format!("bridge, {prior_name}"), steps, calls, summary });
            }
        }
    }
    for steps in lengths {
        for calls in CALLS {
            let rng = rng.fork(&format!("ddpm {steps} {calls}"));
            let net = bench.diffusion(calls, steps, &rng)?;
            let summary =
                bench.judged(&|queries, rng| bench.by_diffusion(&net, calls, queries, rng), &rng)?;
            all.push(Found { name: "diffusion".into(), steps, calls, summary });
        }
    }
    let untrained = bench.net(&mut rng.fork("untrained"))?;
    let noise = &Prior::Gaussian;
    let control =
        bench.judged(&|queries, rng| bench.by_bridge(&untrained, noise, CHECKED, queries, rng), rng)?.success;
    let checked = "bridge, polyline";
    let found =
        all.iter().find(|found| found.name == checked && (found.steps, found.calls) == (lengths[1], CHECKED));
    let Measure { mean, error } = found.expect("every prior is trained and walked").summary.success;
    let missed = Estimate { measured: 1.0 - mean, count: Some(count), standard_error: error, interval: None };
    study.at_most(
        format!("{checked}: share of goals that are missed in {CHECKED} calls"),
        missed.beside("untrained, from noise", 1.0 - control.mean),
        1.0 - ENOUGH,
    );
    study.listings.push(listing(&all, lengths));
    Ok(study)
}

impl Bench {
    fn new(name: &str, effort: Effort, rng: &Rng) -> Result<Self> {
        let task = Task::named(name)?;
        let maze = Maze::new(task.layout.clone());
        let rows = effort.pick(50_000, 1_000_000);
        let settings = OfflineSettings { rows, episode: task.steps, ..OfflineSettings::default() };
        let data = Trajectory::generate(&maze, &settings, &rng.fork("data"))?;
        let normaliser = Normaliser::of(&data)?;
        let raw: Vec<Row> = (0..data.len()).map(|k| data.row(k)).collect();
        let pieces = dataset::windows_to_targets(&data.legs(None), task.horizon)?;
        let windows = Windows::new(&raw, pieces, task.horizon, &normaliser);
        let (layout, horizon) = (task.layout.clone(), task.horizon);
        let setting = Setting { layout, normaliser, horizon, variant: Variant::Fixed, closed: Vec::new() };
        let episodes = episodes(&maze, GoalKind::Random, effort.pick(100, 300), &rng.fork("episodes"))?;
        Ok(Self { maze, task, setting, windows, episodes, device: Device::flex() })
    }

    fn net(&self, rng: &mut Rng) -> Result<PlanNet> {
        let settings = TemporalUNetSettings { width: 16, multipliers: vec![1, 2, 4] };
        let net = TemporalUNet::new([self.setting.horizon, COLUMNS], &settings, rng, &self.device)?;
        Ok(PlanNet::new(net, LEVELS))
    }

    fn bridge(&self, prior: &Prior, steps: usize, rng: &Rng) -> Result<PlanNet> {
        let schedule = Schedule::of_plans(LEVELS, Sums::Fixed)?;
        let device = self.device.clone();
        let pairs = PlanPairs { windows: &self.windows, prior, setting: &self.setting, device };
        let mut objective = PairedRegression::new(&pairs, &schedule, Paths::Stochastic, Known::Exact);
        self.trained(&mut objective, steps, rng)
    }

    fn diffusion(&self, calls: usize, steps: usize, rng: &Rng) -> Result<PlanNet> {
        let ddpm = Ddpm::cosine(calls)?;
        self.trained(
            &mut PlanDiffusion { ddpm, windows: &self.windows, device: self.device.clone() },
            steps,
            rng,
        )
    }

    fn trained<O: Objective<Model = PlanNet>>(
        &self,
        objective: &mut O,
        steps: usize,
        rng: &Rng,
    ) -> Result<PlanNet> {
        let settings = FitSettings {
            steps,
            batch_size: 32,
            learning_rate: 1e-3,
            weight_decay: 0.0,
            clip_norm: 1.0,
            ema_decay: 0.995,
            patience: 0,
        };
        let trainer = Trainer::new(self.net(&mut rng.fork("init"))?, settings, rng.fork("fit"))?;
        Ok(run_silently(trainer, objective)?)
    }

    /// What comes of all episodes, planned by `plans`, normalised.
    fn judged(
        &self,
        plans: &dyn Fn(&[Query], &mut Rng) -> sbridge::Result<Tensor<2>>,
        rng: &Rng,
    ) -> Result<Summary> {
        let mut noise = rng.fork("judge");
        let mut planner = |queries: &[Query]| {
            let plans = rows_of(&plans(queries, &mut noise)?);
            Ok(plans.iter().map(|plan| self.setting.normaliser.raw(plan)).collect())
        };
        let execution = Execution { steps: self.task.steps, ..Execution::default() };
        let outcomes = execute(&self.maze, &self.episodes, &execution, &mut planner)?;
        Ok(Summary::of(&outcomes, self.task.range(Reward::Sparse)).expect("there are episodes"))
    }

    fn start(&self, prior: &Prior, queries: &[Query], rng: &mut Rng) -> sbridge::Result<Tensor<2>> {
        let of = |query: &Query| self.setting.normaliser.conditions(query.start, query.goal);
        prior.plans(&self.setting, &queries.iter().map(of).collect::<Vec<_>>(), rng, &self.device)
    }

    fn by_bridge(
        &self,
        net: &PlanNet,
        prior: &Prior,
        calls: usize,
        queries: &[Query],
        rng: &mut Rng,
    ) -> sbridge::Result<Tensor<2>> {
        let schedule = Schedule::of_plans(LEVELS, Sums::Fixed)?;
        let start = self.start(prior, queries, rng)?;
        net.by_bridge((&self.setting, &schedule), Paths::Stochastic, &start, calls, rng)
    }

    fn by_diffusion(
        &self,
        net: &PlanNet,
        calls: usize,
        queries: &[Query],
        rng: &mut Rng,
    ) -> sbridge::Result<Tensor<2>> {
        let start = self.start(&Prior::Gaussian, queries, rng)?;
        net.by_diffusion(&self.setting, &Ddpm::cosine(calls)?, &start, rng)
    }
}

/// All of them, and what they say about priors.
fn listing(all: &[Found], lengths: [usize; 2]) -> Listing {
    let row = |found: &Found| {
        let score = found.summary.score.unwrap_or(found.summary.total);
        let error = |measure: Measure| measure.error.unwrap_or(f64::NAN);
        let success = found.summary.success;
        let name = format!("{}, {} steps, {} calls", found.name, found.steps, found.calls);
        (name, vec![success.mean, error(success), score.mean, error(score), found.summary.contacts.mean])
    };
    Listing {
        caption: "Success, score and contacts".into(),
        columns: ["success", "±", "score", "±", "contacts"].map(String::from).to_vec(),
        rows: all.iter().map(row).collect(),
        note: words(all, lengths),
    }
}

/// Whether a prior saves training or calls, in words: the smallest effort by which each comes within two errors of the best.
fn words(all: &[Found], [short, long]: [usize; 2]) -> String {
    let best = all.iter().map(|found| found.summary.success.mean).fold(0.0, f64::max);
    let is_enough = |found: &&Found| {
        let Measure { mean, error } = found.summary.success;
        mean + 2.0 * error.unwrap_or(0.0).max(0.01) >= best
    };
    let least = |name: &str, steps: usize| {
        let calls = all.iter().filter(|found| found.name == name && found.steps == steps).filter(is_enough);
        match calls.map(|found| found.calls).min() {
            Some(calls) => format!("{calls} calls after {steps} steps"),
            None => format!("no number of calls after {steps} steps"),
        }
    };
    let of = |name: &str| format!("{name}: {}, {}", least(name, short), least(name, long));
    let names = ["bridge, gaussian", "bridge, line", "bridge, polyline", "diffusion"];
    format!(
        "Does a prior save training or calls? Success within two errors of the best, {best:.2}, takes — {}.",
        names.map(of).join("; ")
    )
}
