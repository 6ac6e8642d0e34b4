//! Where plans come from before anything is learned: noise, a straight line, the shortest way.
//!
//! Each gives a normalised plan on which its conditions are imposed. [`line()`] and [`polyline`] are given raw
//! places; a plan starts and ends at rest.

use super::physics::{DT, GEAR, INERTIA};
use super::{Conditions, Layout, Normaliser, Point, Row, State, Variant, distance};
use crate::error::{Error, Result, require_count};

/// Rows of a plan at most.
const MAX_HORIZON: usize = 100_000;
/// What corridors are off the integers of their cells.
const OFF_CENTRE: f64 = 0.2;

/// `noise`, the rows of a plan, with `conditions` imposed \[Diffuser\].
pub fn gaussian(mut noise: Vec<Row>, conditions: &Conditions) -> Vec<Row> {
    conditions.impose(&mut noise);
    noise
}

/// The straight line from `start` to `goal` at constant speed, through walls \[SBPlan\].
///
/// `fixed` has the velocity of its places, and the action that keeps it up. `faithful` counts in normalised
/// units: the action points to the goal with one of its sides at ±1, and the velocity is 100 d/(H − 1) times
/// the action, side by side, which is never below zero, and so of the wrong sign towards smaller coordinates.
///
/// # Errors
/// [`Error::Setting`] for a horizon below 2 or above 100000.
pub fn line(
    variant: Variant,
    start: Point,
    goal: Point,
    horizon: usize,
    normaliser: &Normaliser,
) -> Result<Vec<Row>> {
    require_horizon(horizon)?;
    let conditions = at_rest(start, goal, normaliser);
    let mut plan = match variant {
        Variant::Fixed => normaliser.normalise(&straight(start, goal, horizon)),
        Variant::Faithful => straight_as_released(&conditions, horizon),
    };
    conditions.impose(&mut plan);
    Ok(plan)
}

fn at_rest(start: Point, goal: Point, normaliser: &Normaliser) -> Conditions {
    normaliser.conditions(State::at_rest(start).observation(), State::at_rest(goal).observation())
}

fn require_horizon(horizon: usize) -> Result<()> {
    require_count("horizon", horizon, 2..=MAX_HORIZON, "in print it is 128, 256 or 384")
}

/// Raw rows.
fn straight(start: Point, goal: Point, horizon: usize) -> Vec<Row> {
    let steps = (horizon - 1) as f64;
    let velocity: Point = std::array::from_fn(|k| (goal[k] - start[k]) / (DT * steps));
    let row = |i: usize| {
        let [x, y]: Point = std::array::from_fn(|k| start[k] + i as f64 * (goal[k] - start[k]) / steps);
        [velocity[0] / GEAR, velocity[1] / GEAR, x, y, velocity[0], velocity[1]]
    };
    (0..horizon).map(row).collect()
}

/// Normalised rows.
fn straight_as_released(conditions: &Conditions, horizon: usize) -> Vec<Row> {
    let steps = (horizon - 1) as f64;
    let [x0, y0, ..] = conditions.start;
    let step = [(conditions.goal[0] - x0) / steps, (conditions.goal[1] - y0) / steps];
    let (sin, cos) = step[1].atan2(step[0]).sin_cos();
    let largest = cos.abs().max(sin.abs());
    let action = [cos / largest, sin / largest];
    let velocity = [100.0 * step[0] * action[0], 100.0 * step[1] * action[1]];
    let row = |i: usize| {
        let (x, y) = (x0 + i as f64 * step[0], y0 + i as f64 * step[1]);
        [action[0], action[1], x, y, velocity[0], velocity[1]]
    };
    (0..horizon).map(row).collect()
}

/// The shortest way through the centres of corridors, at constant speed, with the velocities that lead from
/// row to row and the actions that give them; it starts and ends at rest.
///
/// # Errors
/// [`Error::Setting`] for a horizon below 2 or above 100000, and where there is no way.
pub fn polyline(
    layout: &Layout,
    start: Point,
    goal: Point,
    horizon: usize,
    normaliser: &Normaliser,
) -> Result<Vec<Row>> {
    let mut plan = normaliser.normalise(&shortest_way(layout, start, goal, horizon)?);
    at_rest(start, goal, normaliser).impose(&mut plan);
    Ok(plan)
}

/// The raw rows of [`polyline`].
///
/// # Errors
/// As [`polyline`].
pub fn shortest_way(layout: &Layout, start: Point, goal: Point, horizon: usize) -> Result<Vec<Row>> {
    require_horizon(horizon)?;
    let places = evenly(&corners(layout, start, goal)?, horizon);
    let last = horizon - 1;
    let velocity = |i: usize| -> Point {
        if i == 0 || i >= last {
            return [0.0; 2];
        }
        std::array::from_fn(|k| (places[i + 1][k] - places[i][k]) / DT)
    };
    let row = |i: usize| {
        let (now, next) = (velocity(i), velocity(i + 1));
        let force = |k: usize| (INERTIA * (next[k] - now[k]) / DT + now[k]) / GEAR;
        [force(0), force(1), places[i][0], places[i][1], now[0], now[1]]
    };
    Ok((0..horizon).map(row).collect())
}

/// Both ends, and between them the centres of the cells on the way.
fn corners(layout: &Layout, start: Point, goal: Point) -> Result<Vec<Point>> {
    let cells = [start, goal].map(Layout::containing);
    let path = layout.shortest_path(cells[0], cells[1]).ok_or_else(|| {
        let fix = "take a start and a goal in cells that are connected";
        Error::setting("goal", format!("reachable from {start:?}"), format!("{goal:?}"), fix)
    })?;
    let between = path.get(1..path.len().saturating_sub(1)).unwrap_or_default();
    let mut corners = vec![start];
    corners.extend(between.iter().map(|cell| cell.map(|k| k as f64 - OFF_CENTRE)));
    corners.push(goal);
    Ok(corners)
}

/// `count` places at equal distances along the straight lines between `corners`, both ends among them.
fn evenly(corners: &[Point], count: usize) -> Vec<Point> {
    let mut along = vec![0.0];
    for pair in corners.windows(2) {
        along.push(along[along.len() - 1] + distance(pair[0], pair[1]));
    }
    let length = along[along.len() - 1];
    let mut piece = 0;
    let place = |i: usize| {
        let wanted = length * i as f64 / (count - 1) as f64;
        while piece + 2 < along.len() && along[piece + 1] < wanted {
            piece += 1;
        }
        let width = along[piece + 1] - along[piece];
        let share = if width > 0.0 { ((wanted - along[piece]) / width).min(1.0) } else { 0.0 };
        let (from, to) = (corners[piece], corners[piece + 1]);
        std::array::from_fn(|k| from[k] + share * (to[k] - from[k]))
    };
    (0..count).map(place).collect()
}
