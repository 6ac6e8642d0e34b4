//! How ln ρ goes far away: along rays from random points it has to fall faster than −ln r, or ρ has no finite integral.
//!
//! Rays start at random points and lead along axes, in random directions, and where the slope leads. So whatever does not fall on
//! one does not fall on its neighbours, and the integral over them diverges. A ridge that narrows as it rises, which has a
//! finite integral, is met by none.

use super::check::{Look, norm, refuse};
use crate::error::Result;

/// Distances between which ln ρ has to fall; where it does not, those at which it is looked at again.
const FAR: [[f64; 2]; 2] = [[1e3, 1e4], [1e7, 1e8]];

/// Rays of random direction, with their opposites as many again.
const RANDOM: usize = 8;

/// Axes that rays lead along, at most.
const AXES: usize = 32;

/// Starts of rays along each axis.
const STARTS: usize = 2;

/// A ray: where it starts, its unit vector, and what it is called.
struct Ray {
    start: Vec<f64>,
    direction: Vec<f64>,
    name: String,
}

/// Refuses a density that does not fall along rays from those of `points` where it has `values`.
///
/// # Errors
/// [`RunError::Input`](crate::RunError::Input) if it does not.
pub(super) fn check(look: &Look, points: &[f64], values: &[f64]) -> Result<Option<String>> {
    let dim = look.dim();
    // Not from the origin, which may lie on a ridge.
    let inside = points.chunks_exact(dim).zip(values).skip(1).filter(|(_, value)| value.is_finite());
    let starts: Vec<&[f64]> = inside.map(|(x, _)| x).take(STARTS).collect();
    if starts.is_empty() {
        return Ok(None);
    }
    let mut wide = None;
    for ray in along_axes(look, &starts).chain(at_random(look, &starts)) {
        match ray.course(look)? {
            Course::Falls => {}
            Course::FallsLate => wide = wide.or(Some(ray.name)),
            Course::Stays => return refuse_improper(&ray.name),
        }
    }
    if let Some(name) = uphill(look, starts[0])? {
        return refuse_improper(&name);
    }
    Ok(wide.map(|name| {
        format!(
            "ln ρ does not fall up to {:.0e} away {name}: the law is very wide there (rescale)",
            FAR[0][1]
        )
    }))
}

fn refuse_improper<T>(name: &str) -> Result<T> {
    refuse(format!(
        "it is improper: ln ρ does not fall, up to {:.0e} away {name}, so ρ has no finite integral (give what is free there a \
         normalised prior)",
        FAR[1][1]
    ))
}

/// What ln ρ does along a ray.
enum Course {
    Falls,
    FallsLate,
    Stays,
}

impl Ray {
    fn course(&self, look: &Look) -> Result<Course> {
        if self.falls(look, FAR[0])? {
            return Ok(Course::Falls);
        }
        Ok(if self.falls(look, FAR[1])? { Course::FallsLate } else { Course::Stays })
    }

    /// Whether ln ρ falls faster than −ln r between two distances. What cannot be evaluated so far out counts as fallen.
    fn falls(&self, look: &Look, [near, far]: [f64; 2]) -> Result<bool> {
        let at = |radius: f64| self.start.iter().zip(&self.direction).map(move |(x, v)| x + radius * v);
        let ends: Vec<f64> = at(near).chain(at(far)).collect();
        let values = look.values(&ends)?;
        if values[1] == f64::INFINITY {
            return Ok(false);
        }
        let change = values[1] - values[0];
        Ok(change.is_nan() || change < -(far / near).ln())
    }
}

/// Both ways along axes, from each start.
fn along_axes<'a>(look: &'a Look, starts: &'a [&[f64]]) -> impl Iterator<Item = Ray> + 'a {
    let dim = look.dim();
    let every = dim.div_ceil(AXES);
    let axes = (0..dim).step_by(every).flat_map(|axis| [(axis, 1.0), (axis, -1.0)]);
    axes.flat_map(move |(axis, sign)| {
        starts.iter().map(move |start| {
            let mut direction = vec![0.0; dim];
            direction[axis] = sign;
            let way = if sign > 0.0 { "up" } else { "down" };
            Ray { start: start.to_vec(), direction, name: format!("{way} along {}", look.names[axis]) }
        })
    })
}

/// Both ways in random directions.
fn at_random<'a>(look: &'a Look, starts: &'a [&[f64]]) -> impl Iterator<Item = Ray> + 'a {
    let directions = look.directions(RANDOM, "rays");
    let rays = (0..2 * RANDOM).map(move |k| {
        let sign = if k % 2 == 0 { 1.0 } else { -1.0 };
        let direction = &directions[k / 2 * look.dim()..(k / 2 + 1) * look.dim()];
        (direction.iter().map(|x| sign * x).collect(), starts[k / 2 % starts.len()].to_vec())
    });
    rays.map(|(direction, start)| Ray { start, direction, name: "in a random direction".into() })
}

/// Steps uphill, each longer than the last by this factor: from 0.1 they lead to 10⁴ in so many.
const LONGER: f64 = 1.5;
const STEPS: usize = 29;

/// A direction that the slope leads to from `start` and in which ln ρ does not fall.
///
/// Every step is longer than the last, so that it turns back behind a summit, and goes on where there is none. Of rays next to
/// the direction it came to, a hundredth aside, most must not fall: a ridge that narrows does not count.
fn uphill(look: &Look, start: &[f64]) -> Result<Option<String>> {
    const BESIDE: usize = 4;
    let mut place = start.to_vec();
    let mut length = 0.1;
    for _ in 0..STEPS {
        let (_, slope) = look.values_and_gradients(&place)?;
        let steepness = norm(&slope);
        if !steepness.is_finite() || steepness == 0.0 {
            break;
        }
        place.iter_mut().zip(&slope).for_each(|(x, slope)| *x += length * slope / steepness);
        length *= LONGER;
    }
    let total = norm(&place);
    if !total.is_finite() || total == 0.0 {
        return Ok(None);
    }
    let mut staying = 0;
    for aside in look.directions(BESIDE, "beside").chunks_exact(look.dim()) {
        let tilted: Vec<f64> = place.iter().zip(aside).map(|(x, aside)| x / total + 0.01 * aside).collect();
        let long = norm(&tilted);
        let direction = tilted.iter().map(|x| x / long).collect();
        let ray = Ray { start: start.to_vec(), direction, name: String::new() };
        staying += usize::from(matches!(ray.course(look)?, Course::Stays));
    }
    Ok((2 * staying > BESIDE).then(|| "where its slope leads".into()))
}
