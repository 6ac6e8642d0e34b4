//! A disc pushed by forces between walls, with exact contacts in place of a physics engine \[D4RL\].

use std::f64::consts::PI;

use serde::{Deserialize, Serialize};

use super::{Cell, Layout, Point, distance, normals, uniform_point};
use crate::rng::Rng;

/// Seconds of a step.
pub const DT: f64 = 0.01;
/// Radius of the disc.
pub const RADIUS: f64 = 0.1;
/// Velocity along an axis, at the beginning of a step, at most.
pub const MAX_SPEED: f64 = 5.0;
/// How near the target is reached.
pub const GOAL_RADIUS: f64 = 0.5;
/// Force of an action of one.
pub(super) const GEAR: f64 = 100.0;
/// Mass of the disc, a ball of density 1000, and what damping over a step adds to it.
pub(super) const INERTIA: f64 = 4.0 / 3.0 * PI * RADIUS * RADIUS * RADIUS * 1000.0 + DT;
/// How far the square of a cell reaches below and above its integers.
pub(super) const BELOW: f64 = 0.7;
pub(super) const ABOVE: f64 = 0.3;
/// A touch is deeper than rounding.
const TOUCH: f64 = 1e-12;

/// Where the disc is and how it moves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct State {
    /// Its centre.
    pub position: Point,
    /// In cells per second.
    pub velocity: Point,
}

impl State {
    /// At rest.
    pub fn at_rest(position: Point) -> Self {
        Self { position, velocity: [0.0; 2] }
    }

    /// `[x, y, vx, vy]`.
    pub fn observation(&self) -> [f64; 4] {
        let [[x, y], [vx, vy]] = [self.position, self.velocity];
        [x, y, vx, vy]
    }

    /// Of `[x, y, vx, vy]`.
    pub fn of([x, y, vx, vy]: [f64; 4]) -> Self {
        Self { position: [x, y], velocity: [vx, vy] }
    }
}

/// What a step came to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// After it.
    pub state: State,
    /// Whether a wall was touched.
    pub touched: bool,
}

/// What is paid after a step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reward {
    /// 1 within [`GOAL_RADIUS`] of the target, else 0.
    #[default]
    Sparse,
    /// e^−distance.
    Dense,
}

impl Reward {
    /// At `position`.
    pub fn of(self, position: Point, target: Point) -> f64 {
        let distance = distance(position, target);
        match self {
            Self::Sparse => f64::from(u8::from(distance <= GOAL_RADIUS)),
            Self::Dense => (-distance).exp(),
        }
    }
}

/// A layout in which a disc moves.
#[derive(Clone, Debug, PartialEq)]
pub struct Maze {
    layout: Layout,
}

impl Maze {
    /// With these walls.
    pub fn new(layout: Layout) -> Self {
        Self { layout }
    }

    /// Its walls.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// A step with `action`, clipped to ±1 each way: velocity first, then the place, then walls push the disc
    /// out and take the velocity into them away. There is no friction.
    pub fn step(&self, state: &State, action: Point) -> Step {
        let pushed = |k: usize| {
            let speed = state.velocity[k].clamp(-MAX_SPEED, MAX_SPEED);
            speed + DT * (GEAR * action[k].clamp(-1.0, 1.0) - speed) / INERTIA
        };
        let velocity = [pushed(0), pushed(1)];
        let mut next = State { position: along(state.position, DT, velocity), velocity };
        let touched = self.push_out(&mut next);
        Step { state: next, touched }
    }

    /// Up to three sweeps over the walls around the disc; whether it touched one.
    fn push_out(&self, state: &mut State) -> bool {
        let mut touched = false;
        for _ in 0..3 {
            let mut moved = false;
            for (low, high) in self.walls_around(state.position) {
                let Some((depth, normal)) = overlap(state.position, low, high) else { continue };
                let inward = state.velocity[0] * normal[0] + state.velocity[1] * normal[1];
                state.position = along(state.position, depth, normal);
                state.velocity = along(state.velocity, -inward.min(0.0), normal);
                moved = true;
                touched |= depth > TOUCH;
            }
            if !moved {
                break;
            }
        }
        touched
    }

    /// Lower and upper corners of the walls among the nine cells around `position`.
    fn walls_around(&self, position: Point) -> impl Iterator<Item = (Point, Point)> {
        let [i, j] = Layout::containing(position);
        let cells =
            (-1..=1).flat_map(move |di| (-1..=1).map(move |dj| [i.saturating_add(di), j.saturating_add(dj)]));
        cells
            .filter(|cell| !self.layout.is_free(*cell))
            .map(|cell| (cell.map(|k| k as f64 - BELOW), cell.map(|k| k as f64 + ABOVE)))
    }

    /// How deep a disc at `position` is in the walls; 0 if it is in none.
    pub fn penetration(&self, position: Point) -> f64 {
        let depths = self.walls_around(position).filter_map(|(low, high)| overlap(position, low, high));
        depths.map(|(depth, _)| depth).fold(0.0, f64::max)
    }

    /// A free cell, the goal among them, moved by ±0.1 each way; velocities are normal with standard
    /// deviation 0.1.
    pub fn reset(&self, rng: &mut Rng) -> State {
        let position = self.random_target(rng);
        State { position, velocity: random_velocity(rng) }
    }

    /// A disc near the centre of `cell`, as [`reset`](Self::reset) has it.
    pub fn reset_in(&self, cell: Cell, rng: &mut Rng) -> State {
        State { position: near(cell, rng), velocity: random_velocity(rng) }
    }

    /// A free cell, the goal among them, moved by ±0.1 each way.
    pub fn random_target(&self, rng: &mut Rng) -> Point {
        let cells = self.layout.free_cells();
        let chosen = rng.indices(1, cells.len())[0];
        near(cells[chosen], rng)
    }

    /// The integers of the goal, if the layout has one.
    pub fn default_target(&self) -> Option<Point> {
        self.layout.goal().map(|cell| cell.map(|k| k as f64))
    }
}

/// a + s b
fn along(a: Point, s: f64, b: Point) -> Point {
    [a[0] + s * b[0], a[1] + s * b[1]]
}

fn near(cell: Cell, rng: &mut Rng) -> Point {
    let [dx, dy] = uniform_point(rng, -0.1, 0.1);
    [cell[0] as f64 + dx, cell[1] as f64 + dy]
}

fn random_velocity(rng: &mut Rng) -> Point {
    normals(rng).map(|value: f64| 0.1 * value)
}

/// How far a disc has to move, and where to, to leave the square between two corners. From within it leaves
/// by the nearest side.
fn overlap(position: Point, low: Point, high: Point) -> Option<(f64, Point)> {
    let nearest = [position[0].clamp(low[0], high[0]), position[1].clamp(low[1], high[1])];
    let apart = [position[0] - nearest[0], position[1] - nearest[1]];
    let distance = apart[0].hypot(apart[1]);
    if distance > 0.0 {
        return (distance < RADIUS).then(|| (RADIUS - distance, apart.map(|x| x / distance)));
    }
    let sides = [
        (position[0] - low[0], [-1.0, 0.0]),
        (high[0] - position[0], [1.0, 0.0]),
        (position[1] - low[1], [0.0, -1.0]),
        (high[1] - position[1], [0.0, 1.0]),
    ];
    let out = sides.into_iter().min_by(|a, b| a.0.total_cmp(&b.0));
    out.filter(|(depth, _)| depth.is_finite()).map(|(depth, normal)| (depth + RADIUS, normal))
}
