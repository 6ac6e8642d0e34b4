//! A maze and trajectories through it.

use std::ops::Range;
use std::path::Path;

use sbridge::planning::{Layout, Task as KnownMaze};
use sbridge::planning::{
    Maze, Normaliser, OfflineSettings, Point, Reward, Row, ScoreRange, Trajectory, Variant as Behaviour,
    dataset,
};
use sbridge::rng::Rng;
use sbridge::solver::paired::Variant;
use sbridge::solver::planner::{Setting, Windows};
use sbridge_data::{Dataset, ElementType, SampleShape};
use sha2::{Digest as _, Sha256};

use super::PlanConfig;
use super::settings::{BUILTIN, WindowsName};
use crate::context::Context;
use crate::error::{Result, RunError};
use crate::folder::manifest::DataRecord;

/// A maze by name or file.
pub(super) struct OpenMaze {
    /// Its walls.
    pub(super) layout: Layout,
    /// What is published of it.
    known: Option<KnownMaze>,
}

/// Rows of a plan, and steps of an episode, of a maze of which nothing is published.
const USUAL_HORIZON: usize = 128;
const USUAL_STEPS: usize = 300;

/// Text of a layout, at most.
const MAX_TEXT: u64 = 4 << 20;

impl OpenMaze {
    /// The maze that `name` says.
    ///
    /// # Errors
    /// [`RunError`] for a layout that cannot be read, or is none.
    pub(super) fn open(name: &str) -> Result<Self> {
        if name.is_empty() {
            return Err(RunError::Input(
                "no maze (give --maze builtin:umaze, or a file of the layout)".into(),
            ));
        }
        if let Some(builtin) = name.strip_prefix("builtin:") {
            let known = KnownMaze::named(builtin)?;
            return Ok(Self { layout: known.layout.clone(), known: Some(known) });
        }
        let read = || -> std::io::Result<String> {
            if std::fs::metadata(name)?.len() > MAX_TEXT {
                return Err(std::io::Error::other("it is too long for a layout"));
            }
            std::fs::read_to_string(name)
        };
        let text = read().map_err(|e| {
            RunError::Input(format!("cannot read the maze {name}: {e} (give a text file, or builtin:umaze)"))
        })?;
        let layout = Layout::parse(&text).map_err(|e| RunError::Input(format!("{name}: {e}")))?;
        layout.require_connected()?;
        Ok(Self { layout, known: None })
    }

    /// Steps of an episode.
    pub(super) fn steps(&self, config: &PlanConfig) -> usize {
        match config.output.steps {
            0 => self.known.as_ref().map_or(USUAL_STEPS, |known| known.steps),
            steps => steps,
        }
    }

    /// Returns that make scores of 0 and 100.
    pub(super) fn range(&self, reward: Reward) -> Option<ScoreRange> {
        self.known.as_ref()?.range(reward)
    }
}

/// The data of a run.
pub struct PlanData {
    /// The maze.
    pub(super) maze: OpenMaze,
    /// What is learned from.
    pub(super) windows: Windows,
    /// What priors know.
    pub(super) setting: Setting,
    /// What must not change.
    record: DataRecord,
    /// Which maze, in a word.
    pub(super) title: String,
}

impl PlanData {
    /// Reads what `config` asks for, and resolves the horizon.
    ///
    /// # Errors
    /// [`RunError`] for a maze or trajectories that cannot be used.
    pub(super) fn read(config: &mut PlanConfig, context: &Context) -> Result<Self> {
        let maze = OpenMaze::open(&config.maze)?;
        if config.horizon == 0 {
            config.horizon = maze.known.as_ref().map_or(USUAL_HORIZON, |known| known.horizon);
        }
        let multiple = config.bridge.net.row_multiple();
        if !config.horizon.is_multiple_of(multiple) || config.horizon < 2 {
            return Err(RunError::Config(format!(
                "horizon must be a multiple of {multiple}, got {} ({} is one)",
                config.horizon,
                config.horizon.next_multiple_of(multiple).max(multiple)
            )));
        }
        let trajectory = trajectory(config, &maze, context)?;
        trajectory.check(&maze.layout, config.horizon)?;
        let normaliser = Normaliser::of(&trajectory)?;
        let rows: Vec<Row> = (0..trajectory.len()).map(|k| trajectory.row(k)).collect();
        let pieces = pieces(config, &trajectory, Maze::new(maze.layout.clone()).default_target())?;
        let setting = setting(config, &maze, normaliser);
        let windows = Windows::new(&rows, pieces, config.horizon, &normaliser);
        let record = record(config, &rows);
        Ok(Self { maze, windows, setting, record, title: config.maze.replace("builtin:", "") })
    }

    /// What must not change until a run is continued.
    pub(super) fn record(&self) -> DataRecord {
        self.record.clone()
    }
}

/// The rows of all windows.
fn pieces(config: &PlanConfig, data: &Trajectory, goal: Option<Point>) -> Result<Vec<Range<usize>>> {
    let (horizon, is_given) = (config.horizon, config.trajectories.source != BUILTIN);
    let paths = match (goal, config.trajectories.windows) {
        // Of data that are given it is not known when they were sent elsewhere: they leave the goal then.
        (Some(_), WindowsName::ToTarget) if is_given => {
            return Ok(dataset::windows_to_targets(&data.legs(goal), horizon)?);
        }
        (_, WindowsName::ToTarget) if !is_given => {
            return Ok(dataset::windows_to_targets(&data.legs(None), horizon)?);
        }
        // Nobody says where these were sent.
        (None, _) if is_given => std::iter::once(0..data.len()).collect(),
        (goal, _) => data.paths(goal),
    };
    Ok(dataset::windows(&paths, horizon)?.into_iter().map(|start| start..start + horizon).collect())
}

/// What priors know in a run with `config`.
pub(super) fn setting(config: &PlanConfig, maze: &OpenMaze, normaliser: Normaliser) -> Setting {
    let (layout, horizon, variant) = (maze.layout.clone(), config.horizon, behaviour(config));
    Setting { layout, normaliser, horizon, variant, closed: Vec::new() }
}

/// That of data and straight lines.
fn behaviour(config: &PlanConfig) -> Behaviour {
    match config.bridge.variant {
        Variant::Fixed => Behaviour::Fixed,
        Variant::Faithful => Behaviour::Faithful,
    }
}

fn record(config: &PlanConfig, rows: &[Row]) -> DataRecord {
    let mut hash = Sha256::new();
    rows.as_flattened().iter().for_each(|value| hash.update(value.to_le_bytes()));
    let digest: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    DataRecord {
        source: format!("trajectories {} in {}", config.trajectories.source, config.maze),
        sha256: digest,
        count: rows.len(),
        shape: SampleShape::Vector { dim: rows.first().map_or(6, |row| row.len()) },
        dtype: ElementType::F64,
    }
}

/// The trajectories that `config` asks for.
fn trajectory(config: &PlanConfig, maze: &OpenMaze, context: &Context) -> Result<Trajectory> {
    let source = config.trajectories.source.as_str();
    if source == BUILTIN {
        let settings = OfflineSettings {
            rows: config.trajectories.rows,
            episode: maze.steps(config),
            noise: config.trajectories.noise,
            variant: behaviour(config),
        };
        let rng = Rng::new(config.seed).fork("trajectories");
        return Ok(Trajectory::generate(&Maze::new(maze.layout.clone()), &settings, &rng)?);
    }
    let ending = Path::new(source).extension().and_then(|end| end.to_str());
    let (observations, actions) = match ending {
        Some("npz") => {
            let part = |key: &str, dim: usize| columns(&format!("{source}#{key}"), dim, context);
            (part("observations", 4)?, part("actions", 2)?)
        }
        Some("npy" | "csv") => {
            let rows = columns(source, 6, context)?;
            let part = |from: usize, to: usize| rows.iter().map(|row| row[from..to].to_vec()).collect();
            (part(2, 6), part(0, 2))
        }
        _ => {
            return Err(RunError::Input(format!(
                "trajectories are builtin, an .npz of observations and actions, or an .npy of ax, ay, x, y, vx, vy, got \
                 {source:?} (change --trajectories)"
            )));
        }
    };
    if observations.len() != actions.len() {
        return Err(RunError::Input(format!(
            "{source} has {} observations and {} actions (give one action for each observation)",
            observations.len(),
            actions.len()
        )));
    }
    let goal = Maze::new(maze.layout.clone()).default_target();
    let targets = vec![goal.unwrap_or([0.0; 2]); observations.len()];
    Ok(Trajectory {
        observations: observations.iter().map(|row| [row[0], row[1], row[2], row[3]]).collect(),
        actions: actions.iter().map(|row| [row[0], row[1]]).collect(),
        targets,
        rewards: Vec::new(),
    })
}

/// Rows of `dim` values at `source`.
fn columns(source: &str, dim: usize, context: &Context) -> Result<Vec<Vec<f64>>> {
    let data: Dataset = context.sources.set(source)?;
    if data.shape().is_image() || data.shape().size() != dim {
        return Err(RunError::Input(format!(
            "{source} holds samples of {}, {dim} columns are wanted ({})",
            data.shape(),
            if dim == 6 { "ax, ay, x, y, vx, vy" } else { "x, y, vx, vy for observations, two for actions" }
        )));
    }
    let values: Vec<f64> = data.iter_f64().collect();
    Ok(values.chunks_exact(dim).map(<[f64]>::to_vec).collect())
}
