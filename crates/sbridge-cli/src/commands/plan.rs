//! `sbridge plan`: ways through a maze, learned, planned and judged.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use sbridge_run::RunError;
use sbridge_run::samples::require_ending;
use sbridge_run::task::{Planned, Trip};
use sbridge_run::tasks::plan::METHOD;

use crate::options::{RunOptions, Setting, toml_string};
use crate::session::{Result, Session};

#[derive(Subcommand, Debug)]
pub(crate) enum PlanAction {
    /// Learn plans from trajectories, and judge them in episodes
    Fit(Box<PlanFit>),
    /// Plan a way, carry it out, and draw it
    Run(PlanRun),
    /// Judge the planner again
    Eval(PlanEval),
}

#[derive(Args, Debug)]
pub(crate) struct PlanFit {
    /// A text file of the layout (# wall, O free, G goal), or builtin:umaze, medium, large, open
    #[arg(long, value_name = "MAZE", conflicts_with = "resume")]
    pub(crate) maze: Option<String>,
    /// builtin, an .npz of observations and actions, or an .npy of ax, ay, x, y, vx, vy [default: builtin]
    #[arg(long, value_name = "DATA", conflicts_with = "resume")]
    pub(crate) trajectories: Option<String>,
    /// Where plans start from [default: polyline]
    #[arg(long, value_enum, conflicts_with = "resume")]
    pub(crate) prior: Option<PriorChoice>,
    /// Rows of a plan; that of the maze if not given
    #[arg(long, value_name = "COUNT", conflicts_with = "resume")]
    pub(crate) horizon: Option<usize>,
    /// Networks of the same size and training to compare with: ddpm
    #[arg(long, value_name = "LIST", value_delimiter = ',', conflicts_with = "resume")]
    pub(crate) compare: Option<Vec<String>>,
    /// Calls of the network for a plan [default: 4]
    #[arg(long, value_name = "COUNT", conflicts_with = "resume")]
    pub(crate) nfe: Option<usize>,
    /// Training steps
    #[arg(long, value_name = "COUNT", conflicts_with = "resume")]
    pub(crate) steps: Option<usize>,
    /// Means alone instead of random paths
    #[arg(long, conflicts_with = "resume")]
    pub(crate) ode: bool,
    #[command(flatten)]
    pub(crate) run: RunOptions,
}

/// The priors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum PriorChoice {
    /// Standard normal noise
    Gaussian,
    /// The straight line
    Line,
    /// The shortest way through the maze
    Polyline,
    /// A perceptron of both ends, fitted to the data before
    Mlp,
    /// Convolutions of both ends, likewise
    Conv,
}

#[derive(Args, Debug)]
pub(crate) struct PlanRun {
    /// Folder of a finished planner
    pub(crate) run: PathBuf,
    /// The cell to start in: row,column, from 0
    #[arg(long, value_name = "X,Y", value_parser = cell, allow_hyphen_values = true)]
    pub(crate) start: [i64; 2],
    /// The cell to reach
    #[arg(long, value_name = "X,Y", value_parser = cell, allow_hyphen_values = true)]
    pub(crate) goal: [i64; 2],
    /// Number of plans
    #[arg(long, value_name = "K", default_value_t = 1)]
    pub(crate) count: usize,
    /// Calls of the network for a plan; as the run was set if not given
    #[arg(long, value_name = "N")]
    pub(crate) nfe: Option<usize>,
    /// Steps after which the rest is planned anew; as the run was set if not given, 0 for never
    #[arg(long, value_name = "N")]
    pub(crate) replan: Option<usize>,
    /// Cells that are walls now, and were none in training: row,column of each, divided by ;
    #[arg(long, value_name = "CELLS", value_parser = cell, value_delimiter = ';', allow_hyphen_values = true)]
    pub(crate) constrain: Vec<[i64; 2]>,
    /// Where to write the plans: .npy of [count, rows, 6]; a drawing lies beside it, .svg
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// Seed of the noise; the run's own if not given
    #[arg(long)]
    pub(crate) seed: Option<u64>,
}

#[derive(Args, Debug)]
pub(crate) struct PlanEval {
    /// Folder of a finished planner
    pub(crate) run: PathBuf,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `1,3` as a cell.
fn cell(text: &str) -> std::result::Result<[i64; 2], String> {
    let parts: Vec<i64> = text.split(',').map_while(|part| part.trim().parse().ok()).collect();
    match (parts[..].try_into(), text.split(',').count()) {
        (Ok(cell), 2) => Ok(cell),
        _ => Err("must be a row and a column, such as 1,3".into()),
    }
}

impl PlanAction {
    pub(crate) fn run(&self, session: &Session) -> Result {
        match self {
            Self::Fit(fit) => fit.run.fit(METHOD, || Ok(fit.settings()), session),
            Self::Run(run) => run.run(session),
            Self::Eval(eval) => eval.run(session),
        }
    }
}

impl PlanFit {
    fn settings(&self) -> Vec<Setting> {
        let text = |value: Option<&str>| value.map(toml_string);
        let prior = self.prior.and_then(|prior| prior.to_possible_value());
        vec![
            ("maze", text(self.maze.as_deref())),
            ("trajectories.source", text(self.trajectories.as_deref())),
            ("prior", prior.map(|prior| toml_string(prior.get_name()))),
            ("horizon", self.horizon.map(|rows| rows.to_string())),
            ("compare", self.compare.as_ref().map(|names| format!("{names:?}"))),
            ("sampler.nfe", self.nfe.map(|nfe| nfe.to_string())),
            ("bridge.fit.steps", self.steps.map(|steps| steps.to_string())),
            ("bridge.paths", self.ode.then(|| toml_string("ode"))),
        ]
    }
}

impl PlanRun {
    fn run(&self, session: &Session) -> Result {
        require_ending("--out", &self.out, "npy", "plans; the drawing lies beside it")?;
        let run = session.registry.open(&self.run, &session.context)?;
        let seed = self.seed.unwrap_or(run.manifest().seed);
        let Self { start, goal, count, nfe: calls, replan, .. } = *self;
        let planned = run.planner()?.plan(&Trip {
            start,
            goal,
            count,
            calls,
            replan,
            closed: &self.constrain,
            seed,
        })?;
        let drawing = self.out.with_extension("svg");
        write(&planned, &self.out, &drawing)?;
        let reached: Vec<usize> = planned.outcomes.iter().filter_map(|outcome| outcome.reached).collect();
        let contacts: usize = planned.outcomes.iter().map(|outcome| outcome.contacts).sum();
        let steps = reached.iter().sum::<usize>() as f64 / reached.len().max(1) as f64;
        println!(
            "{} of {count} reach the goal{}, {:.1} steps at a wall: {}, {}",
            reached.len(),
            if reached.is_empty() { String::new() } else { format!(" after {steps:.0} steps") },
            contacts as f64 / count as f64,
            self.out.display(),
            drawing.display()
        );
        Ok(())
    }
}

fn write(planned: &Planned, out: &std::path::Path, drawing: &std::path::Path) -> Result<()> {
    let rows = planned.plans.first().map_or(0, Vec::len);
    let values: Vec<f64> = planned.plans.iter().flatten().flatten().copied().collect();
    sbridge_data::write_npy_f64(out, &values, &[planned.plans.len(), rows, 6]).map_err(RunError::from)?;
    std::fs::write(drawing, &planned.drawing).map_err(|e| RunError::disk("write", drawing, e))?;
    Ok(())
}

impl PlanEval {
    fn run(&self, session: &Session) -> Result {
        let run = session.registry.open_to_write(&self.run, &session.context)?;
        run.planner()?;
        session.print_judgement(run.judge(None)?.as_ref(), self.json);
        Ok(())
    }
}
