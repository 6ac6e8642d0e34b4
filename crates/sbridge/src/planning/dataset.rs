//! Offline data: one long trajectory from goal to goal, the paths it is cut into, and windows of these.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::physics::{GOAL_RADIUS, RADIUS};
use super::{Controller, Layout, Maze, Point, Reward, Row, State, Variant, distance, normals};
use crate::error::{Error, Result, require_count};
use crate::rng::Rng;

/// Rows of a trajectory at most.
const MAX_ROWS: usize = 20_000_000;
/// How deep a disc may be in a wall: half of it, as contacts of other engines give way.
const MAX_PENETRATION: f64 = 0.5 * RADIUS;
/// Largest velocity along an axis of which data are believed; a step reaches 5.23.
const MAX_VELOCITY: f64 = 6.0;
/// How far f32 may take an action over one.
const ACTION_ROUNDING: f64 = 1e-6;

/// How data are collected.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OfflineSettings {
    /// Rows, 1 to 20 million. In print 1, 2 and 4 million for umaze, medium and large.
    pub rows: usize,
    /// Steps after which the goal changes though it was not reached, at least 1.
    pub episode: usize,
    /// Standard deviation of what is added to actions before they are clipped, at least 0.
    pub noise: f64,
    /// `faithful` repeats an observation where the goal changes, and its rewards are of the state before the
    /// step.
    pub variant: Variant,
}

impl Default for OfflineSettings {
    fn default() -> Self {
        Self { rows: 1_000_000, episode: 300, noise: 0.5, variant: Variant::Fixed }
    }
}

impl OfflineSettings {
    fn check(&self) -> Result<()> {
        require_count("rows", self.rows, 1..=MAX_ROWS, "in print it is 1000000 to 4000000")?;
        require_count("episode", self.episode, 1..=MAX_ROWS, "in print it is 300, 600 or 800")?;
        if !(self.noise.is_finite() && self.noise >= 0.0) {
            return Err(Error::setting("noise", "a finite number >= 0", self.noise, "in print it is 0.5"));
        }
        Ok(())
    }
}

/// What was observed and done, row by row, and what for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trajectory {
    /// `[x, y, vx, vy]` before each step.
    pub observations: Vec<[f64; 4]>,
    /// What was done then.
    pub actions: Vec<Point>,
    /// Where the disc was sent.
    pub targets: Vec<Point>,
    /// Sparse: 1 where the disc was near the target. Empty where it is not known.
    pub rewards: Vec<f64>,
}

impl Trajectory {
    /// Sends a disc from random target to random target; it is never reset \[D4RL\]. A target is random again
    /// when it is reached, and after an episode's steps.
    ///
    /// # Errors
    /// [`Error::Setting`] for settings out of range, and for a maze in parts that no way connects.
    pub fn generate(maze: &Maze, settings: &OfflineSettings, rng: &Rng) -> Result<Self> {
        settings.check()?;
        maze.layout().require_connected()?;
        let mut places = rng.fork("places");
        let mut noises = rng.fork("noise");
        let mut controller = Controller::new(rng.fork("waypoints"));
        let mut written = Self::default();
        let mut state = maze.reset(&mut places);
        let mut target = maze.random_target(&mut places);
        let (mut seen, mut steps) = (state, 0);
        while written.observations.len() < settings.rows {
            let control = controller.act(maze.layout(), &seen, target);
            let noise: Point = normals(&mut noises);
            let add = |k: usize| (control.action[k] + settings.noise * noise[k]).clamp(-1.0, 1.0);
            let action = [add(0), add(1)];
            let next = maze.step(&state, action).state;
            let judged = match settings.variant {
                Variant::Fixed => next.position,
                Variant::Faithful => seen.position,
            };
            written.push(&seen, action, target, Reward::Sparse.of(judged, target));
            state = next;
            steps += 1;
            let over = control.solved || steps >= settings.episode;
            if over {
                target = maze.random_target(&mut places);
                steps = 0;
            }
            match settings.variant {
                Variant::Faithful if over => {}
                _ => seen = state,
            }
            if over && settings.variant == Variant::Fixed {
                controller.forget();
            }
        }
        Ok(written)
    }

    fn push(&mut self, state: &State, action: Point, target: Point, reward: f64) {
        self.observations.push(state.observation());
        self.actions.push(action);
        self.targets.push(target);
        self.rewards.push(reward);
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.observations.len()
    }

    /// Whether it has no rows.
    pub fn is_empty(&self) -> bool {
        self.observations.is_empty()
    }

    /// Row `k` as a row of a plan.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn row(&self, k: usize) -> Row {
        let ([ax, ay], [x, y, vx, vy]) = (self.actions[k], self.observations[k]);
        [ax, ay, x, y, vx, vy]
    }

    /// Whether these are data of a disc in `layout`, and long enough for plans of `horizon` rows.
    ///
    /// # Errors
    /// [`Error::Shape`] for columns of different lengths, [`Error::Setting`] for less than `horizon` rows,
    /// and for the first row with a value that is not finite, an action beyond ±1, a velocity that no step
    /// reaches, or a place outside the maze or more than half a radius in a wall.
    pub fn check(&self, layout: &Layout, horizon: usize) -> Result<()> {
        let rows = self.len();
        for (what, length) in [("actions", self.actions.len()), ("targets", self.targets.len())] {
            if length != rows {
                let fix = "give one for each observation";
                return Err(Error::shape(what, format!("{rows} rows"), format!("{length} rows"), fix));
            }
        }
        if !self.rewards.is_empty() && self.rewards.len() != rows {
            let fix = "give one for each observation, or none at all";
            let got = format!("{} rows", self.rewards.len());
            return Err(Error::shape("rewards", format!("{rows} rows"), got, fix));
        }
        if rows < horizon {
            let fix = "collect more, or shorten the horizon";
            return Err(Error::setting("data", format!("at least a horizon, {horizon} rows"), rows, fix));
        }
        let maze = Maze::new(layout.clone());
        (0..rows).try_for_each(|k| self.check_row(&maze, k))
    }

    fn check_row(&self, maze: &Maze, k: usize) -> Result<()> {
        let (row, target) = (self.row(k), self.targets[k]);
        let [ax, ay, x, y, vx, vy] = row;
        let refuse = |requirement: &str, got: String, fix: &str| {
            Err(Error::setting("data", requirement, format!("{got} in row {k} (from 0)"), fix))
        };
        if row.iter().chain(&target).any(|value| !value.is_finite()) {
            return refuse("finite", format!("{row:?} with target {target:?}"), "leave such rows out");
        }
        if ax.abs().max(ay.abs()) > 1.0 + ACTION_ROUNDING {
            return refuse("of actions within ±1", format!("[{ax}, {ay}]"), "clip them");
        }
        if vx.abs().max(vy.abs()) > MAX_VELOCITY {
            let fix = "give velocities in cells per second";
            return refuse("of velocities within ±6", format!("[{vx}, {vy}]"), fix);
        }
        let (cell, [rows, columns]) = (Layout::containing([x, y]), maze.layout().shape());
        let within = |k: i64, count: usize| k >= 0 && k < count as i64;
        if !(within(cell[0], rows) && within(cell[1], columns)) {
            let fix = "give places in cells, rows first, or the maze they are of";
            return refuse(&format!("within {rows} rows and {columns} columns"), format!("[{x}, {y}]"), fix);
        }
        let depth = maze.penetration([x, y]);
        if depth > MAX_PENETRATION {
            let fix = "give places in cells, rows first, or the maze they are of";
            let got = format!("[{x}, {y}], {depth:.3} deep,");
            return refuse(&format!("of discs at most {MAX_PENETRATION} deep in walls"), got, fix);
        }
        Ok(())
    }

    /// Paths, which end where the disc leaves the target: it was nearer than 0.5 in one row and is not in the
    /// next. The last row of each path is left out, and so is what comes after the last departure
    /// \[Diffuser\].
    ///
    /// With one `goal` it is the target of all rows. Without, each row has its own, and where it changes from
    /// a target that was reached to another, the disc has left; a target that was given up ends no path.
    ///
    /// # Panics
    /// If targets are fewer than observations.
    pub fn paths(&self, goal: Option<Point>) -> Vec<Range<usize>> {
        let there = |k: usize| {
            let [x, y, ..] = self.observations[k];
            distance([x, y], goal.unwrap_or(self.targets[k])) < GOAL_RADIUS
        };
        let departures = (1..self.len()).filter(|k| there(k - 1) && !there(*k)).map(|k| k - 1);
        let mut from = 0;
        let path = |last: usize| std::mem::replace(&mut from, last + 1)..last;
        departures.map(path).filter(|path| !path.is_empty()).collect()
    }
}

/// Rows on the way to one target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leg {
    /// Which they are.
    pub rows: Range<usize>,
    /// Whether the last of them is nearer than 0.5 to the target.
    pub is_reached: bool,
}

impl Trajectory {
    /// Pieces in which the target is the same, by the targets of all rows. With one `goal` of all, the [`paths`](Self::paths) to it.
    ///
    /// # Panics
    /// If targets are fewer than observations.
    pub fn legs(&self, goal: Option<Point>) -> Vec<Leg> {
        if goal.is_some() {
            return self.paths(goal).into_iter().map(|rows| Leg { rows, is_reached: true }).collect();
        }
        let mut from = 0;
        let ends = (1..=self.len()).filter(|k| *k == self.len() || self.targets[*k] != self.targets[k - 1]);
        let leg = |end: usize| {
            let [x, y, ..] = self.observations[end - 1];
            let is_reached = distance([x, y], self.targets[end - 1]) < GOAL_RADIUS;
            Leg { rows: std::mem::replace(&mut from, end)..end, is_reached }
        };
        ends.map(leg).collect()
    }
}

/// Rows of all windows within `legs`: `horizon` of them, or fewer up to where a target is reached. Whoever uses these holds the last
/// place from there on.
///
/// # Errors
/// [`Error::Setting`] if there is none.
pub fn windows_to_targets(legs: &[Leg], horizon: usize) -> Result<Vec<Range<usize>>> {
    let of = |leg: &Leg| -> Vec<Range<usize>> {
        let Range { start, end } = leg.rows;
        let last = if leg.is_reached { end } else { (end + 1).saturating_sub(horizon) };
        (start..last).map(|first| first..end.min(first + horizon)).collect()
    };
    let windows: Vec<Range<usize>> = legs.iter().flat_map(of).collect();
    if horizon > 0 && !windows.is_empty() {
        return Ok(windows);
    }
    let longest = legs.iter().map(|leg| leg.rows.len()).max().unwrap_or(0);
    let requirement = format!("at most the {longest} rows on the longest way to a target, and at least 1");
    Err(Error::setting(
        "horizon",
        requirement,
        horizon,
        "shorten it, or take data in which targets are reached",
    ))
}

/// First rows of all windows of `horizon` rows within `paths`.
///
/// # Errors
/// [`Error::Setting`] if there is none.
pub fn windows(paths: &[Range<usize>], horizon: usize) -> Result<Vec<usize>> {
    let starts = |path: &Range<usize>| path.start..(path.end + 1).saturating_sub(horizon).max(path.start);
    let starts: Vec<usize> = paths.iter().flat_map(starts).collect();
    if horizon > 0 && !starts.is_empty() {
        return Ok(starts);
    }
    let longest = paths.iter().map(Range::len).max().unwrap_or(0);
    let requirement = format!("at most the longest path's {longest} rows, and at least 1");
    Err(Error::setting("horizon", requirement, horizon, "shorten it, or take data with longer paths"))
}
