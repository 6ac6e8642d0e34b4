//! Planning: a disc that is pushed through a maze, data of how it gets around, and plans that are executed.
//!
//! ```text
//! layout ──▶ maze ──controller──▶ trajectory ──▶ windows, normaliser ──▶ whatever learns plans
//!              └───────── execute ◀── plans ◀── priors, or what was learned
//! ```
//!
//! # Conventions
//!
//! - Lengths are in cells. A place `[x, y]` belongs to the row and column that it rounds to. Walls lie a little
//!   lower, so that the corridor of the cell `[i, j]` is centred on `[i − 0.2, j − 0.2]`.
//! - A step takes 0.01 s, velocities are cells per second, actions are forces within ±1.
//! - An observation is `[x, y, vx, vy]`; a [`Row`] of a plan begins with the action that is taken then.
//! - A plan of horizon H is H rows. Raw plans have the units above, normalised ones lie within ±1.
//!
//! All of this is plain f64. Source of tasks and data is \[D4RL\], of plans \[Diffuser\] and \[SBPlan\].

pub mod closures;
pub mod controller;
pub mod dataset;
pub mod execute;
pub mod layout;
pub mod normaliser;
pub mod outcome;
pub mod physics;
pub mod priors;

pub use controller::{Control, Controller};
pub use dataset::{OfflineSettings, Trajectory};
pub use execute::{
    Episode, Execution, Follow, GoalKind, Planner, Policy, Query, episodes, execute, follow_policy,
};
pub use layout::{Cell, Layout, ScoreRange, Task};
pub use normaliser::{Conditions, Normaliser};
pub use outcome::{Measure, Outcome, Summary};
pub use physics::{Maze, Reward, State, Step};

use serde::{Deserialize, Serialize};

use crate::rng::Rng;

/// A place or a velocity in the plane.
pub type Point = [f64; 2];

/// One time of a plan: action, place and velocity, `[ax, ay, x, y, vx, vy]`.
pub type Row = [f64; 6];

/// Values in a [`Row`].
pub const COLUMNS: usize = 6;

/// Two behaviours of the same thing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Variant {
    /// What the description says.
    #[default]
    Fixed,
    /// What the released programs do, with their slips.
    Faithful,
}

fn distance(a: Point, b: Point) -> f64 {
    (a[0] - b[0]).hypot(a[1] - b[1])
}

/// Standard normal numbers.
fn normals<const N: usize>(rng: &mut Rng) -> [f64; N] {
    let mut values = [0f32; N];
    rng.fill_normal(&mut values);
    values.map(f64::from)
}

/// Two numbers uniform on `[low, high)`.
fn uniform_point(rng: &mut Rng, low: f64, high: f64) -> Point {
    let values = rng.uniform(2, low, high);
    [values[0], values[1]]
}
