//! A density looked at before the work: refused where no sampler could give an answer, remarked on where one has a hard time.
//!
//! It is evaluated at the origin and at points drawn from N(0, I) and N(0, 9 I): values, slopes, steps. Then far away along
//! rays: there ln ρ has to fall, or ρ has no finite integral.

use std::panic::{AssertUnwindSafe, catch_unwind};

use sbridge::density::LogDensity;
use sbridge::rng::Rng;

use super::rays;
use crate::error::{Result, RunError};

/// Coordinates that samplers are made for, at most.
const MOST_COORDINATES: usize = 10_000;

/// Points of each of two laws.
const POINTS: usize = 8;

/// Looks at `density` with points drawn from `rng`; gives remarks, a line each.
///
/// # Errors
/// [`RunError::Input`] for a density that cannot be evaluated or panics, has values that are NaN or +∞, is −∞ or the same
/// everywhere, has a gradient that is not finite or not its own, does not fall far away, or has no or too many coordinates.
pub fn check(density: &dyn LogDensity, rng: &Rng) -> Result<Vec<String>> {
    let dim = density.dim();
    if !(1..=MOST_COORDINATES).contains(&dim) {
        let fix =
            if dim == 0 { "there is nothing to draw" } else { "fix some of them, or integrate them out" };
        return refuse(format!("it has {dim} coordinates, and 1 to {MOST_COORDINATES} can be used ({fix})"));
    }
    let look = Look { density, rng, names: density.names() };
    let points = look.points();
    let (values, gradients) = match density.has_gradient() {
        true => look.values_and_gradients(&points)?,
        false => (look.values(&points)?, Vec::new()),
    };
    let mut remarks = Vec::new();
    remarks.extend(look.check_values(&points, &values)?);
    remarks.extend(match density.has_gradient() {
        true => look.check_gradients(&points, &values, &gradients)?,
        false => Some(format!(
            "the target has no gradient of its own: slopes are central differences, {} values each",
            2 * dim
        )),
    });
    remarks.extend(look.check_steps(&points, &values)?);
    remarks.extend(rays::check(&look, &points, &values)?);
    Ok(remarks)
}

pub(super) fn refuse<T>(problem: String) -> Result<T> {
    Err(RunError::Input(format!("the target cannot be sampled: {problem}")))
}

/// A density that is looked at.
pub(super) struct Look<'a> {
    pub(super) density: &'a dyn LogDensity,
    pub(super) rng: &'a Rng,
    pub(super) names: Vec<String>,
}

impl Look<'_> {
    pub(super) fn dim(&self) -> usize {
        self.density.dim()
    }

    /// Standard normal numbers of the stream called `stream`.
    pub(super) fn normals(&self, count: usize, stream: &str) -> Vec<f64> {
        let mut noise = vec![0f32; count];
        self.rng.fork(stream).fill_normal(&mut noise);
        noise.into_iter().map(f64::from).collect()
    }

    /// Unit vectors of random direction, `[count, dim]`.
    pub(super) fn directions(&self, count: usize, stream: &str) -> Vec<f64> {
        let mut directions = self.normals(count * self.dim(), stream);
        for direction in directions.chunks_exact_mut(self.dim()) {
            let length = norm(direction).max(f64::MIN_POSITIVE);
            direction.iter_mut().for_each(|x| *x /= length);
        }
        directions
    }

    /// The origin, and points near and less near.
    fn points(&self) -> Vec<f64> {
        let near = self.normals(POINTS * self.dim(), "near");
        let wide = self.normals(POINTS * self.dim(), "wide").into_iter().map(|x| 3.0 * x);
        vec![0.0; self.dim()].into_iter().chain(near).chain(wide).collect()
    }

    /// ln ρ at `points`, `[count]`.
    pub(super) fn values(&self, points: &[f64]) -> Result<Vec<f64>> {
        let values = guarded(|| self.density.values(points))?;
        self.check_count("values", values.len(), points.len() / self.dim())?;
        Ok(values)
    }

    pub(super) fn values_and_gradients(&self, points: &[f64]) -> Result<(Vec<f64>, Vec<f64>)> {
        let (values, gradients) = guarded(|| self.density.values_and_gradients(points))?;
        self.check_count("values", values.len(), points.len() / self.dim())?;
        self.check_count("slopes", gradients.len(), points.len())?;
        Ok((values, gradients))
    }

    fn check_count(&self, what: &str, found: usize, wanted: usize) -> Result<()> {
        match found == wanted {
            true => Ok(()),
            false => {
                refuse(format!("it gave {found} {what} where {wanted} were asked for (give one for each)"))
            }
        }
    }

    fn check_values(&self, points: &[f64], values: &[f64]) -> Result<Option<String>> {
        let place = |k: usize| self.shown(&points[k * self.dim()..(k + 1) * self.dim()]);
        if let Some(k) = values.iter().position(|value| value.is_nan()) {
            return refuse(format!("ln ρ is NaN at {} (give −∞ outside of the support)", place(k)));
        }
        if let Some(k) = values.iter().position(|value| *value == f64::INFINITY) {
            let fix = "a density has to be finite; move or bound what it is infinite at";
            return refuse(format!("ln ρ is +∞ at {} ({fix})", place(k)));
        }
        let inside = values.iter().filter(|value| value.is_finite()).count();
        if inside == 0 {
            let fix = "shift and scale the coordinates so that the law lies about the origin";
            return refuse(format!(
                "ln ρ is −∞ at all {} points within 3 or so of the origin ({fix})",
                values.len()
            ));
        }
        let first = values[0];
        if values.iter().all(|value| *value == first) {
            let fix = "check that it depends on its coordinates";
            return refuse(format!("ln ρ is {first} at all {} points looked at ({fix})", values.len()));
        }
        let outside = values.len() - inside;
        Ok((outside > 0).then(|| {
            format!(
                "ln ρ is −∞ at {outside} of {} points about the origin: a sampler finds no slope there (coordinates without \
                 bounds would be better)",
                values.len()
            )
        }))
    }

    /// Compares slopes with differences along random directions.
    fn check_gradients(&self, points: &[f64], values: &[f64], gradients: &[f64]) -> Result<Option<String>> {
        let dim = self.dim();
        let rows = points.chunks_exact(dim).zip(gradients.chunks_exact(dim)).zip(values);
        let inside: Vec<(&[f64], &[f64], f64)> = rows
            .filter(|(_, value)| value.is_finite())
            .map(|((x, slope), value)| (x, slope, *value))
            .collect();
        for (x, slope, value) in &inside {
            if let Some(at) = slope.iter().position(|slope| !slope.is_finite()) {
                let (name, x) = (&self.names[at], self.shown(x));
                let problem = format!("its slope in {name} is {} at {x}, where ln ρ is {value}", slope[at]);
                return refuse(format!("{problem} (check the gradient)"));
            }
        }
        let directions = self.directions(inside.len(), "slopes");
        let mut wrong = Vec::new();
        for ((x, slope, value), direction) in inside.iter().zip(directions.chunks_exact(dim)) {
            if let Some((given, differences)) = self.disagreement(x, slope, *value, direction)? {
                wrong.push((x, given, differences));
            }
        }
        let Some((x, given, differences)) = wrong.first() else {
            return Ok(None);
        };
        let found = format!(
            "its gradient is not the slope of ln ρ at {} of {} points: {given:.6e} and not {differences:.6e} in a direction at {}",
            wrong.len(),
            inside.len(),
            self.shown(x)
        );
        match 2 * wrong.len() > inside.len() {
            true => refuse(format!("{found} (mend the gradient, or leave it out for differences)")),
            false => Ok(Some(format!("{found}; kinks look like this"))),
        }
    }

    /// The slope at `x` along `direction` as given and by differences, if they agree at no step: a long one is right for values
    /// in single precision, a short one for a law that is narrow.
    fn disagreement(
        &self,
        x: &[f64],
        slope: &[f64],
        value: f64,
        direction: &[f64],
    ) -> Result<Option<(f64, f64)>> {
        let given: f64 = slope.iter().zip(direction).map(|(slope, v)| slope * v).sum();
        let mut found = None;
        for step in [2e-4, 6e-6] {
            let (differences, doubt) = self.slope(x, direction, step * norm(x).max(1.0))?;
            // A hundredth of a percent of the slope; the digits that are lost in values; what the step leaves open.
            let allowed = 1e-4 * norm(slope) + 1e-8 * (1.0 + value.abs()) + 4.0 * doubt;
            // Beside a bound there is no difference to compare with.
            if !differences.is_finite() || (given - differences).abs() <= allowed {
                return Ok(None);
            }
            found = Some((given, differences));
        }
        Ok(found)
    }

    /// The slope at `x` along `direction` by central differences, and how much it changes with the step: four are taken.
    fn slope(&self, x: &[f64], direction: &[f64], step: f64) -> Result<(f64, f64)> {
        let moved = |by: i32| x.iter().zip(direction).map(move |(x, v)| x + f64::from(by) * step * v);
        let around: Vec<f64> = (1..=4).flat_map(|k| [k, -k]).flat_map(moved).collect();
        let values = self.values(&around)?;
        let slopes = values
            .chunks_exact(2)
            .zip(1..)
            .map(|(pair, k)| (pair[0] - pair[1]) / (2.0 * f64::from(k) * step));
        let slopes: Vec<f64> = slopes.collect();
        let (low, high) = slopes.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), slope| {
            (low.min(*slope), high.max(*slope))
        });
        Ok((slopes[0], high - low))
    }

    /// Looks for steps of ln ρ on segments between points: where one half changes more, that half is halved again.
    fn check_steps(&self, points: &[f64], values: &[f64]) -> Result<Option<String>> {
        let dim = self.dim();
        let inside: Vec<&[f64]> = points
            .chunks_exact(dim)
            .zip(values)
            .filter(|(_, value)| value.is_finite())
            .map(|(x, _)| x)
            .collect();
        let mut steps = Vec::new();
        for ends in inside.windows(2).step_by(2) {
            if let Some(step) = self.step_between(ends[0], ends[1])? {
                steps.push(step);
            }
        }
        Ok(steps.first().map(|(from, to)| {
            format!(
                "ln ρ jumps, on {} of {} segments between points looked at, for one from {from:.6} to {to:.6}: samplers that \
                 follow its slope do not see steps",
                steps.len(),
                inside.len() / 2
            )
        }))
    }

    /// The values on both sides of a step between `from` and `to`, if there is one.
    fn step_between(&self, from: &[f64], to: &[f64]) -> Result<Option<(f64, f64)>> {
        const FIRST: usize = 16;
        let at = |t: f64| from.iter().zip(to).map(move |(a, b)| a + t * (b - a));
        let grid: Vec<f64> = (0..=FIRST).flat_map(|k| at(k as f64 / FIRST as f64)).collect();
        let values = self.values(&grid)?;
        let change = |k: &usize| (values[k + 1] - values[*k]).abs();
        let Some(steepest) = (0..FIRST).max_by(|a, b| change(a).total_cmp(&change(b))) else {
            return Ok(None);
        };
        let (mut low, mut high) = (steepest as f64 / FIRST as f64, (steepest + 1) as f64 / FIRST as f64);
        let (mut below, mut above) = (values[steepest], values[steepest + 1]);
        // To a part in 10¹¹ of the segment.
        for _ in 0..33 {
            let middle = 0.5 * (low + high);
            let between = self.values(&at(middle).collect::<Vec<f64>>())?[0];
            match (between - below).abs() > (above - between).abs() {
                true => (high, above) = (middle, between),
                false => (low, below) = (middle, between),
            }
        }
        // A slope would have to be 10⁷ times the values for such a change.
        let is_step =
            below.is_finite() && above.is_finite() && (above - below).abs() > 1e-4 * (1.0 + below.abs());
        Ok(is_step.then_some((below, above)))
    }

    /// A point, in its first coordinates.
    pub(super) fn shown(&self, x: &[f64]) -> String {
        const SHOWN: usize = 4;
        let parts: Vec<String> =
            self.names.iter().zip(x).take(SHOWN).map(|(name, x)| format!("{name} = {x:.4}")).collect();
        let rest = if x.len() > SHOWN { ", …" } else { "" };
        parts.join(", ") + rest
    }
}

/// What `evaluate` gives, an error for a panic.
fn guarded<T>(evaluate: impl FnOnce() -> sbridge::Result<T>) -> Result<T> {
    // Whatever a panic leaves behind is not used again: the work ends.
    match catch_unwind(AssertUnwindSafe(evaluate)) {
        Ok(evaluated) => Ok(evaluated?),
        Err(panic) => {
            let said = panic.downcast_ref::<&str>().copied();
            let said =
                said.or(panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("without a word");
            refuse(format!("its evaluation panicked: {said} (mend the target)"))
        }
    }
}

pub(super) fn norm(x: &[f64]) -> f64 {
    x.iter().map(|x| x * x).sum::<f64>().sqrt()
}
