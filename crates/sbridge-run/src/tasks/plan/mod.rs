//! Plan ways through a maze: from a cheap guess to a plan like those that were seen, carried out and judged.

mod data;
mod file;
mod judge;
mod learn;
mod page;
mod picture;
mod settings;

pub use data::PlanData;
pub use judge::{PlanEvaluation, PlanRow};
pub use settings::{
    PlanBridgeConfig, PlanConfig, PlanOutputConfig, PlanSamplerConfig, PriorName, TrajectoriesConfig,
    WindowsName,
};

use sbridge::planning::{Cell, Episode, Execution, Layout, Maze, Outcome, Query, Row, execute};
use sbridge::rng::Rng;
use sbridge::solver::Ddpm;
use sbridge::solver::paired::Schedule;
use sbridge::solver::planner::{PlanNet, Prior, Setting, rows_of};
use sbridge::tensor::Device;
use sbridge_data::Dataset;

use crate::context::Context;
use crate::error::{Result, RunError};
use crate::folder::manifest::Records;
use crate::task::{Page, Plan, Planned, Planner, Run, SavedRun, Task, Trip};
use crate::training::{Cost, Learning};
use data::OpenMaze;

/// The one method.
pub const METHOD: &str = "plan";

/// What is learned is kept here.
const MODEL_FILE: &str = "plan.safetensors";

/// The networks of a run.
pub struct Networks {
    /// Where plans start from.
    pub prior: Prior,
    /// That of the bridge.
    pub bridge: PlanNet,
    /// That of the diffusion from noise, if it was asked for.
    pub ddpm: Option<PlanNet>,
}

/// A trained planner.
pub struct Planning {
    /// Its networks.
    pub networks: Networks,
    maze: OpenMaze,
    setting: Setting,
    schedule: Schedule,
    device: Device,
}

/// What draws plans.
#[derive(Clone, Copy)]
enum Drawn {
    /// The bridge, in so many calls.
    Bridge(usize),
    /// The diffusion from noise.
    Ddpm,
    /// What the bridge starts from, as it is.
    Prior,
}

impl Planning {
    /// Raw plans for `queries`, in the maze of `setting`.
    fn plans(
        &self,
        drawn: Drawn,
        setting: &Setting,
        queries: &[Query],
        settings: &PlanConfig,
        rng: &mut Rng,
    ) -> sbridge::Result<Vec<Vec<Row>>> {
        let normaliser = &setting.normaliser;
        let conditions: Vec<_> =
            queries.iter().map(|query| normaliser.conditions(query.start, query.goal)).collect();
        let start = self.networks.prior.plans(setting, &conditions, rng, &self.device)?;
        let plans = match (drawn, &self.networks.ddpm) {
            (Drawn::Bridge(calls), _) => {
                let (net, known) = (&self.networks.bridge, (setting, &self.schedule));
                net.by_bridge(known, settings.bridge.paths, &start, calls, rng)?
            }
            (Drawn::Ddpm, Some(net)) => {
                net.by_diffusion(setting, &Ddpm::cosine(settings.sampler.nfe)?, &start, rng)?
            }
            (Drawn::Ddpm, None) | (Drawn::Prior, _) => start,
        };
        Ok(rows_of(&plans).iter().map(|plan| normaliser.raw(plan)).collect())
    }

    /// What comes of `episodes` that are planned so.
    fn outcomes(
        &self,
        drawn: Drawn,
        episodes: &[Episode],
        settings: &PlanConfig,
        rng: &mut Rng,
    ) -> Result<Vec<Outcome>> {
        let maze = Maze::new(self.maze.layout.clone());
        let mut planner = |queries: &[Query]| self.plans(drawn, &self.setting, queries, settings, rng);
        Ok(execute(&maze, episodes, &self.execution(settings), &mut planner)?)
    }

    fn execution(&self, settings: &PlanConfig) -> Execution {
        Execution {
            steps: self.maze.steps(settings),
            replan: settings.sampler.replan,
            reward: settings.output.reward,
            ..Execution::default()
        }
    }
}

impl Task for Planning {
    const NAME: &'static str = "plan";
    const METHODS: &'static [&'static str] = &[METHOD];
    type Settings = PlanConfig;
    type Data = PlanData;
    type Judgement = PlanEvaluation;

    fn command(_method: &str) -> String {
        "plan fit".into()
    }

    fn read(settings: &mut PlanConfig, context: &Context) -> Result<PlanData> {
        PlanData::read(settings, context)
    }

    fn records(data: &PlanData) -> Records {
        Records::of(data.record())
    }

    fn cost(settings: &PlanConfig, data: &PlanData, context: &Context) -> Result<Option<Cost>> {
        learn::expected(settings, data, &context.open_device(&settings.device)?).map(Some)
    }

    fn learn(run: &mut Learning<'_, PlanConfig>, data: &PlanData) -> Result<()> {
        learn::learn(run, data)
    }

    fn open(run: &SavedRun<'_, PlanConfig>) -> Result<Self> {
        run.folder.require_finished(run.manifest, run.command)?;
        let (networks, normaliser) = file::load(&run.folder.file(MODEL_FILE), run.settings, run.device)?;
        let maze = OpenMaze::open(&run.settings.maze)?;
        let setting = data::setting(run.settings, &maze, normaliser);
        let (schedule, device) = (run.settings.schedule()?, run.device.clone());
        Ok(Self { networks, maze, setting, schedule, device })
    }

    fn judge(run: &Run<Self>, data: &PlanData, _reference: Option<&Dataset>) -> Result<PlanEvaluation> {
        judge::judge(run, data)
    }

    fn page(run: &Run<Self>, data: &PlanData, found: &PlanEvaluation) -> Result<Page> {
        page::page(run, data, found)
    }

    fn planner(run: &Run<Self>) -> Option<&dyn Planner> {
        Some(run)
    }
}

impl Plan for Planning {
    fn plan(run: &Run<Self>, trip: &Trip<'_>) -> Result<Planned> {
        let learned = &run.learned;
        require_free(&learned.setting.layout, trip)?;
        let setting = learned.setting.closing(trip.closed)?;
        require_way(&setting.layout, trip)?;
        let mut settings = run.settings.clone();
        settings.sampler.nfe = trip.calls.unwrap_or(settings.sampler.nfe);
        settings.sampler.replan = trip.replan.unwrap_or(settings.sampler.replan);
        learned.schedule.visits(settings.sampler.nfe)?;
        let (maze, rng) = (Maze::new(setting.layout.clone()), Rng::new(trip.seed).fork("plan"));
        let episode = |k: usize| {
            let state = maze.reset_in(trip.start, &mut rng.fork(&format!("start {k}")));
            Episode { start: trip.start, goal: trip.goal, state }
        };
        let episodes: Vec<Episode> = (0..trip.count).map(episode).collect();
        let mut first = None;
        let mut noise = rng.fork("plans");
        let mut planner = |queries: &[Query]| {
            let drawn = Drawn::Bridge(settings.sampler.nfe);
            let plans = learned.plans(drawn, &setting, queries, &settings, &mut noise)?;
            first.get_or_insert_with(|| plans.clone());
            Ok(plans)
        };
        let outcomes = execute(&maze, &episodes, &learned.execution(&settings), &mut planner)?;
        let plans = first.unwrap_or_default();
        let drawing = picture::svg(&setting.layout, trip.closed, &plans, &outcomes);
        Ok(Planned { plans, outcomes, drawing })
    }
}

/// Refuses cells of a trip that are not free in the maze that was learned, or closed though they are needed.
fn require_free(layout: &Layout, trip: &Trip<'_>) -> Result<()> {
    let input = |problem: String| Err(RunError::Input(problem));
    let [rows, columns] = layout.shape();
    let ends = [("--start", trip.start), ("--goal", trip.goal)];
    let closed = trip.closed.iter().map(|cell| ("--constrain", *cell));
    for (name, [x, y]) in ends.into_iter().chain(closed) {
        let is_inside = x >= 0 && y >= 0 && (x as usize) < rows && (y as usize) < columns;
        if !is_inside {
            return input(format!(
                "{name} {x},{y} is outside of the maze of {rows} rows and {columns} columns (from 0)"
            ));
        }
        if !layout.is_free([x, y]) {
            let already = if name == "--constrain" { " already" } else { "" };
            return input(format!(
                "{name} {x},{y} is a wall{already} (free are {})",
                shown(layout.free_cells())
            ));
        }
    }
    match ends.iter().find(|(_, cell)| trip.closed.contains(cell)) {
        None => Ok(()),
        Some((name, [x, y])) => input(format!(
            "--constrain {x},{y} closes the cell of {name} (leave it out, or choose another {name})"
        )),
    }
}

/// Refuses a trip that no plan can make.
fn require_way(layout: &Layout, trip: &Trip<'_>) -> Result<()> {
    let input = |problem: String| Err(RunError::Input(problem));
    if layout.shortest_path(trip.start, trip.goal).is_none() {
        let fix =
            if trip.closed.is_empty() { "choose another" } else { "close fewer cells with --constrain" };
        let reached = shown(&layout.reachable(trip.start));
        return input(format!("--goal cannot be reached from --start, only {reached} ({fix})"));
    }
    match trip.count {
        1..=MOST_PLANS => Ok(()),
        count => input(format!("--count must be in [1, {MOST_PLANS}], got {count} (10 is usual)")),
    }
}

/// Plans at once, at most.
const MOST_PLANS: usize = 10_000;

/// Cells named in a message, at most.
const NAMED: usize = 12;

fn shown(cells: &[Cell]) -> String {
    let named: Vec<String> = cells.iter().take(NAMED).map(|[x, y]| format!("{x},{y}")).collect();
    let more = if cells.len() > NAMED { " …" } else { "" };
    format!("{}{more}", named.join(" "))
}
