//! From waypoint to waypoint along a shortest way: how the data were collected \[D4RL\].

use super::{Cell, Layout, Point, State, distance, uniform_point};
use crate::rng::Rng;

/// How near a waypoint is passed and the goal reached.
const NEAR: f64 = 0.1;
/// How little the disc has moved since the last call when this counts.
const SLOW: f64 = 0.1;
/// Force for each unit of distance.
const GAIN: f64 = 10.0;

/// What the controller does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Control {
    /// Within ±1 each way.
    pub action: Point,
    /// Whether the disc is at the goal's cell.
    pub solved: bool,
}

/// A waypoint controller.
///
/// It plans when the target's cell changes and at no other time. Whoever goes on with it in a new episode
/// with the same target gets the old waypoints, from wherever the disc is now: this is what the published
/// scores of 100 were measured with. [`forget`](Self::forget) makes it fresh.
#[derive(Clone, Debug)]
pub struct Controller {
    way: Option<Way>,
    rng: Rng,
}

/// A planned way to a cell.
#[derive(Clone, Debug)]
struct Way {
    goal: Cell,
    waypoints: Vec<Point>,
    next: usize,
    /// Where the disc was at the last call, at first its cell.
    before: Point,
}

impl Controller {
    /// One that draws its waypoints from `rng`.
    pub fn new(rng: Rng) -> Self {
        Self { way: None, rng }
    }

    /// Plans at the next call, as for a new episode.
    pub fn forget(&mut self) {
        self.way = None;
    }

    /// The action for a disc in `state` that is to come to `target`. Where there is no way, it is pushed
    /// straight at the target.
    pub fn act(&mut self, layout: &Layout, state: &State, target: Point) -> Control {
        let goal = Layout::rounded(target);
        let Self { way, rng } = self;
        let way = match way {
            Some(way) if way.goal == goal => way,
            other => other.insert(Way::plan(layout, state.position, goal, rng)),
        };
        way.follow(state)
    }
}

impl Way {
    /// From the rounded place. Where walls shut that cell in, which a disc in the corner of a corridor rounds
    /// to, it is from the cell that the disc is in.
    fn plan(layout: &Layout, from: Point, goal: Cell, rng: &mut Rng) -> Self {
        let start = Layout::rounded(from);
        let path = layout
            .shortest_path(start, goal)
            .or_else(|| layout.shortest_path(Layout::containing(from), goal))
            .unwrap_or_default();
        let between = path.get(1..path.len().saturating_sub(1)).unwrap_or_default();
        let mut waypoints: Vec<Point> = between.iter().map(|cell| scattered(*cell, rng)).collect();
        waypoints.push(point(goal));
        Self { goal, waypoints, next: 0, before: point(start) }
    }

    fn follow(&mut self, state: &State) -> Control {
        let goal = point(self.goal);
        let slow = distance(state.position, self.before) < SLOW;
        let solved = slow && distance(state.position, goal) < NEAR;
        let waypoint = if solved { goal } else { self.waypoints.get(self.next).copied().unwrap_or(goal) };
        if !solved && slow && distance(state.position, waypoint) < NEAR {
            self.next += 1;
        }
        self.before = state.position;
        let along =
            |k: usize| (GAIN * (waypoint[k] - state.position[k]) - state.velocity[k]).clamp(-1.0, 1.0);
        Control { action: [along(0), along(1)], solved }
    }
}

fn point(cell: Cell) -> Point {
    cell.map(|k| k as f64)
}

/// A place in the part of the corridor that is the cell's own, towards its centre line.
fn scattered(cell: Cell, rng: &mut Rng) -> Point {
    let [a, b] = uniform_point(rng, 0.0, 0.2);
    [cell[0] as f64 - a, cell[1] as f64 - b]
}
