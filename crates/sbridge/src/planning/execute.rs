//! Plans carried out: episodes, the controller that follows a plan, and policies that need none.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{Cell, Controller, Maze, Outcome, Point, Reward, Row, State, uniform_point};
use crate::error::{Error, Result, require_count};
use crate::rng::Rng;

/// Episodes at most, and steps of one.
const MAX_EPISODES: usize = 100_000;
const MAX_STEPS: usize = 100_000;
/// States of all episodes that are kept at most: 1.6 GB.
const MAX_STATES: usize = 50_000_000;

/// What is to be reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GoalKind {
    /// The cell marked `G`, in every episode.
    #[default]
    Fixed,
    /// A cell drawn for each.
    Random,
}

/// Where an episode starts, and where it should end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Episode {
    /// The cell that plans start in.
    pub start: Cell,
    /// The cell that they end in. Its integers are the target.
    pub goal: Cell,
    /// Where the disc is: near the start, with some velocity.
    pub state: State,
}

impl Episode {
    /// The integers of the goal.
    pub fn target(&self) -> Point {
        self.goal.map(|k| k as f64)
    }
}

/// `count` episodes, the same for the same seed, whatever plans them. Starts, and random goals, are uniform
/// over the free cells without the goal, and may coincide; the disc is moved by ±0.1 each way, with normal
/// velocities of standard deviation 0.1. An episode depends on its number and not on `count`.
///
/// # Errors
/// [`Error::Setting`] for no episode or too many, for a maze in parts, and for one without a cell to start in
/// or without the goal that is asked for.
pub fn episodes(maze: &Maze, kind: GoalKind, count: usize, rng: &Rng) -> Result<Vec<Episode>> {
    require_count("episodes", count, 1..=MAX_EPISODES, "in print it is 100 to 300")?;
    let layout = maze.layout();
    layout.require_connected()?;
    let marked = layout.goal();
    let cells: Vec<Cell> = layout.free_cells().iter().copied().filter(|cell| Some(*cell) != marked).collect();
    let refuse = |requirement, got, fix| Err(Error::setting("layout", requirement, got, fix));
    if cells.is_empty() {
        return refuse("with a free cell beside the goal", "none", "write O where episodes can start");
    }
    if (kind, marked) == (GoalKind::Fixed, None) {
        return refuse("with a goal", "none", "write G in it, or ask for random goals");
    }
    let one = |k: usize| {
        let mut rng = rng.fork(&format!("episode {k}"));
        let drawn = rng.indices(2, cells.len());
        let start = cells[drawn[0]];
        let goal = match (kind, marked) {
            (GoalKind::Fixed, Some(goal)) => goal,
            _ => cells[drawn[1]],
        };
        Episode { start, goal, state: maze.reset_in(start, &mut rng) }
    };
    Ok((0..count).map(one).collect())
}

/// Which row of a plan is followed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Follow {
    /// At step t row t + 1, by its place and velocity.
    #[default]
    Next,
    /// At step t row t, by its place and velocity.
    Same,
    /// At step t the action of row t, whatever happens.
    Actions,
}

/// How plans are carried out.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Execution {
    /// Steps of an episode, at least 1.
    pub steps: usize,
    /// What is followed.
    pub follow: Follow,
    /// Steps after which the rest is planned anew; 0 for never.
    pub replan: usize,
    /// What is paid.
    pub reward: Reward,
}

impl Default for Execution {
    fn default() -> Self {
        Self { steps: 300, follow: Follow::Next, replan: 0, reward: Reward::Sparse }
    }
}

impl Execution {
    fn check(&self, episodes: &[Episode]) -> Result<()> {
        require_count("steps", self.steps, 1..=MAX_STEPS, "in print it is 300, 600 or 800")?;
        let most = MAX_STATES / self.steps;
        require_count("episodes", episodes.len(), 1..=most, "in print it is 100 to 300; all states are kept")
    }
}

/// A plan that is asked for: raw states `[x, y, vx, vy]` of its first and last row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Query {
    /// The integers of the start, at rest; when planned anew, the state of the disc.
    pub start: [f64; 4],
    /// The integers of the goal, at rest.
    pub goal: [f64; 4],
    /// Steps of the episode that are over.
    pub step: usize,
}

/// What plans: a raw plan for each query, in order.
pub type Planner<'a> = dyn FnMut(&[Query]) -> Result<Vec<Vec<Row>>> + 'a;

/// Carries out a plan in every episode.
///
/// `planner` is given what is to be planned and returns a raw plan for each query, in order; all episodes are
/// planned together, at step 0 and, if [`Execution::replan`] says so, again after these many steps. After its
/// last row a plan is followed to that row's place, at rest. The force is (p′ − p) + (v′ − v), clipped
/// \[Diffuser\].
///
/// # Errors
/// [`Error::Setting`] for steps out of range and plans without rows or with values that are not finite,
/// [`Error::Shape`] for too few or too many plans, and what `planner` returns.
pub fn execute(
    maze: &Maze,
    episodes: &[Episode],
    settings: &Execution,
    planner: &mut Planner,
) -> Result<Vec<Outcome>> {
    settings.check(episodes)?;
    let mut outcomes: Vec<Outcome> = episodes.iter().map(Outcome::before).collect();
    let every = if settings.replan == 0 { settings.steps } else { settings.replan };
    for from in (0..settings.steps).step_by(every) {
        let steps = every.min(settings.steps - from);
        let query = |(episode, outcome): (&Episode, &Outcome)| Query::at(from, episode, outcome);
        let plans = planner(&episodes.iter().zip(&outcomes).map(query).collect::<Vec<_>>())?;
        require_plans(&plans, episodes.len())?;
        outcomes.par_iter_mut().zip(&plans).for_each(|(outcome, plan)| {
            for t in 0..steps {
                let action = action(settings.follow, plan, t, &outcome.state());
                outcome.step(maze, action, settings.reward);
            }
        });
    }
    Ok(outcomes)
}

fn require_plans(plans: &[Vec<Row>], count: usize) -> Result<()> {
    if plans.len() != count {
        return Err(Error::shape("plans", count, plans.len(), "return one for each query"));
    }
    for (k, plan) in plans.iter().enumerate() {
        let place = |why: &str| format!("{why} in plan {k} (from 0)");
        if plan.is_empty() {
            return Err(Error::setting("plans", "of one row at least", place("none"), "plan farther ahead"));
        }
        if let Some(bad) = plan.as_flattened().iter().find(|value| !value.is_finite()) {
            let fix = "clip what the network says, or train it with smaller steps";
            return Err(Error::setting("plans", "finite", place(&bad.to_string()), fix));
        }
    }
    Ok(())
}

impl Query {
    fn at(step: usize, episode: &Episode, outcome: &Outcome) -> Self {
        let rest = |cell: Cell| State::at_rest(cell.map(|k| k as f64)).observation();
        let start = if step == 0 { rest(episode.start) } else { outcome.state().observation() };
        Self { start, goal: rest(episode.goal), step }
    }
}

/// At step `t` of a plan.
fn action(follow: Follow, plan: &[Row], t: usize, state: &State) -> Point {
    let row = match follow {
        Follow::Next => plan.get(t + 1),
        Follow::Same | Follow::Actions => plan.get(t),
    };
    let end = plan[plan.len() - 1];
    let [ax, ay, x, y, vx, vy] = row.copied().unwrap_or([0.0, 0.0, end[2], end[3], 0.0, 0.0]);
    if follow == Follow::Actions {
        return [ax, ay];
    }
    let towards = State { position: [x, y], velocity: [vx, vy] };
    let pull =
        |k: usize| (towards.position[k] - state.position[k]) + (towards.velocity[k] - state.velocity[k]);
    [pull(0), pull(1)]
}

/// What does without plans, to compare with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Policy {
    /// Actions uniform on ±1 each way.
    Random,
    /// The waypoint controller, fresh for every episode.
    Controller,
    /// One waypoint controller that keeps its way from episode to episode with the same goal, as for the published
    /// scores of 100.
    Reused,
}

/// Carries out episodes without plans. Of `settings` it needs steps and reward.
///
/// # Errors
/// [`Error::Setting`] for steps or episodes out of range.
pub fn follow_policy(
    maze: &Maze,
    episodes: &[Episode],
    settings: &Execution,
    policy: Policy,
    rng: &Rng,
) -> Result<Vec<Outcome>> {
    settings.check(episodes)?;
    let controller = |k: usize| Controller::new(rng.fork(&format!("waypoints {k}")));
    let run = |episode: &Episode, act: &mut dyn FnMut(&State) -> Point| {
        let mut outcome = Outcome::before(episode);
        for _ in 0..settings.steps {
            let action = act(&outcome.state());
            outcome.step(maze, action, settings.reward);
        }
        outcome
    };
    let guided = |controller: &mut Controller, episode: &Episode| {
        run(episode, &mut |state| controller.act(maze.layout(), state, episode.target()).action)
    };
    let numbered = episodes.par_iter().enumerate();
    Ok(match policy {
        Policy::Random => numbered
            .map(|(k, episode)| {
                let mut rng = rng.fork(&format!("actions {k}"));
                run(episode, &mut |_| uniform_point(&mut rng, -1.0, 1.0))
            })
            .collect(),
        Policy::Controller => numbered.map(|(k, episode)| guided(&mut controller(k), episode)).collect(),
        Policy::Reused => {
            let mut one = controller(0);
            episodes.iter().map(|episode| guided(&mut one, episode)).collect()
        }
    })
}
