//! How ln ρ goes far away: along rays from random points it has to fall faster than −ln r, or ρ has no finite integral.
//!
//! Rays start at random points and lead along axes, in random directions, where the slope leads, and where there is none. So
//! whatever does not fall on one does not fall on those that start beside it, and the integral over them diverges. A ridge that
//! narrows as it rises, which has a finite integral, is met by none. What stays up in a narrow cone alone may not be found.

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
    for (direction, name) in sought(look, starts[0])? {
        let rays = starts.iter().map(|start| Ray {
            start: start.to_vec(),
            direction: direction.clone(),
            name: name.into(),
        });
        let courses = rays.map(|ray| ray.course(look)).collect::<Result<Vec<Course>>>()?;
        if courses.iter().all(|course| matches!(course, Course::Stays)) {
            return refuse_improper(name);
        }
    }
    Ok(wide.map(|name| {
        format!(
            "ln ρ does not fall up to {:.0e} away {name}: the law is very wide there (rescale)",
            FAR[0][1]
        )
    }))
}

/// Directions that are looked for: where ln ρ may stay up, and what they are called.
fn sought(look: &Look, start: &[f64]) -> Result<Vec<(Vec<f64>, &'static str)>> {
    /// Where every slope takes two values a coordinate, there are other ways to wait.
    const FEW: usize = 100;
    if !look.density.has_gradient() && look.dim() > FEW {
        return Ok(Vec::new());
    }
    let mut sought = Vec::new();
    for radius in SPHERES {
        sought.extend(uphill(look, start, radius)?.map(|direction| (direction, "where its slope leads")));
    }
    sought.extend(unseen(look)?.map(|direction| (direction, "in a direction that its slope has no part in")));
    Ok(sought)
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

/// Distances at which ln ρ is climbed with a fixed distance from the origin, and steps at each.
const SPHERES: [f64; 2] = [10.0, 100.0];
const STEPS: usize = 100;

/// The direction in which ln ρ is highest at a distance, as far as its slope leads from `start`: the mean of the later half of
/// the steps, which become shorter.
fn uphill(look: &Look, start: &[f64], radius: f64) -> Result<Option<Vec<f64>>> {
    let mut direction = unit(start.to_vec());
    let mut mean = vec![0.0; look.dim()];
    for step in 0..STEPS {
        let place: Vec<f64> = direction.iter().map(|x| radius * x).collect();
        let (_, mut slope) = look.values_and_gradients(&place)?;
        let outward = dot(&slope, &direction);
        slope.iter_mut().zip(&direction).for_each(|(slope, x)| *slope -= outward * x);
        let steepness = norm(&slope);
        if !steepness.is_finite() {
            return Ok(None);
        }
        if steepness > 0.0 {
            let length = 0.5 / ((step + 1) as f64).sqrt();
            direction.iter_mut().zip(&slope).for_each(|(x, slope)| *x += length * slope / steepness);
            direction = unit(direction);
        }
        if 2 * step >= STEPS {
            mean.iter_mut().zip(&direction).for_each(|(mean, x)| *mean += x);
        }
    }
    Ok(Some(unit(mean)))
}

/// Coordinates of which directions without a slope are looked for, at most.
const MOST_UNSEEN: usize = 64;

/// A direction that slopes at many points have no part in, if there is one: parameters that only occur in a sum, say.
fn unseen(look: &Look) -> Result<Option<Vec<f64>>> {
    let dim = look.dim();
    if dim > MOST_UNSEEN {
        return Ok(None);
    }
    let points: Vec<f64> = look.normals(2 * dim * dim, "unseen").into_iter().map(|x| 2.0 * x).collect();
    let (values, gradients) = look.values_and_gradients(&points)?;
    let mut seen: Vec<Vec<f64>> = Vec::new();
    for (slope, _) in gradients.chunks_exact(dim).zip(&values).filter(|(_, value)| value.is_finite()) {
        let rest = without(slope.to_vec(), &seen);
        // Slopes by differences have ten digits.
        if norm(&rest) > 1e-7 * norm(slope) {
            seen.push(unit(rest));
        }
    }
    let is_hidden = !seen.is_empty() && seen.len() < dim;
    Ok(is_hidden.then(|| unit(without(look.normals(dim, "hidden"), &seen))))
}

/// What of `x` is orthogonal to the orthonormal `basis`; twice, against rounding.
fn without(mut x: Vec<f64>, basis: &[Vec<f64>]) -> Vec<f64> {
    for along in basis.iter().chain(basis) {
        let part = dot(&x, along);
        x.iter_mut().zip(along).for_each(|(x, along)| *x -= part * along);
    }
    x
}

fn dot(x: &[f64], y: &[f64]) -> f64 {
    x.iter().zip(y).map(|(x, y)| x * y).sum()
}

/// `x` of length 1, if it has one.
fn unit(mut x: Vec<f64>) -> Vec<f64> {
    let length = norm(&x).max(f64::MIN_POSITIVE);
    x.iter_mut().for_each(|x| *x /= length);
    x
}
