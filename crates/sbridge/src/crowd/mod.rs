//! What a crowd pays on its way, and the paths between two ends on which it pays least.
//!
//! A bridge with a state cost V minimises, among all diffusions dX = (u + f) dt + σ dW with the laws of both ends,
//!
//! J = E ∫₀¹ |u|²/(2σ²) + V(Xₜ, t; pₜ) dt.                                                           \[GSBM\]
//!
//! [`StateCost`] is V, with its gradient, over all particles of a crowd at one time; [`BaseDrift`] is f. Between two known
//! ends the problem is solved by Gaussian paths with splines for mean and width ([`GaussianPaths`], [`Descent`]), and
//! corrected for what is not Gaussian by weighted paths ([`resampled`]). All of it is plain arithmetic in f64; gradients are
//! written out.

mod cloud;
mod descent;
mod environments;
mod heights;
mod interaction;
mod obstacles;
mod opinion;
mod paths;
mod quadratic;
mod resampling;
mod tree;

pub use cloud::{KernelDensity, NearestData};
pub use descent::{Descent, DescentSettings, Optimiser, Variant};
pub use environments::{gmm, lidar, opinion, spider, stunnel, vneck};
pub use heights::{HeightGrid, Surface, SurfaceSettings};
pub use interaction::{Congestion, Entropy};
pub use obstacles::{Obstacle, OccupancyMap, Shape};
pub use opinion::{Polarising, directional_similarity, party_stream};
pub use paths::{GaussianPaths, Rates};
pub use quadratic::{LinearDrift, Quadratic};
pub use resampling::{WeightedPaths, resampled};

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::rng::Rng;

/// The particles of a crowd at one time.
#[derive(Clone, Copy, Debug)]
pub struct Crowd<'a> {
    /// The time, in \[0, 1\].
    pub t: f64,
    /// Where they are, `[count, dim]` row-major, in data units.
    pub x: &'a [f64],
    /// Coordinates of a particle.
    pub dim: usize,
    /// The law they were drawn from.
    pub law: Mixture<'a>,
}

/// A mixture, in equal shares, of Gaussians with one deviation each.
#[derive(Clone, Copy, Debug)]
pub struct Mixture<'a> {
    /// `[components, dim]` row-major.
    pub means: &'a [f64],
    /// `[components]`.
    pub deviations: &'a [f64],
}

/// What the particles of a crowd pay.
#[derive(Debug)]
pub struct Costs<'a> {
    /// V of each particle, `[count]`.
    pub values: &'a mut [f64],
    /// The derivative of what all pay together by where each is, `[count, dim]`.
    pub slopes: &'a mut [f64],
}

/// A cost of being somewhere, V(x, t; p).
pub trait StateCost: Send + Sync {
    /// Adds what the particles of `crowd` pay to `costs`.
    fn evaluate(&self, crowd: &Crowd<'_>, rng: &mut Rng, costs: &mut Costs<'_>);

    /// How deep in an obstacle `x` is: above zero inside, in units of the cost's own. Below everywhere where there is none.
    fn depth(&self, _x: &[f64]) -> f64 {
        f64::NEG_INFINITY
    }

    /// How far `x` is from what paths are to stay on; nothing where there is no such thing.
    fn distance(&self, _x: &[f64]) -> Option<f64> {
        None
    }

    /// Refuses particles of so many coordinates as it is not made for.
    ///
    /// # Errors
    /// [`Error::Shape`] for another dimension.
    fn require_dim(&self, _dim: usize) -> Result<()> {
        Ok(())
    }
}

/// What moves a particle without control.
pub trait BaseDrift: Send + Sync {
    /// f(t, x), into `out`; both `[dim]`.
    fn drift(&self, t: f64, x: &[f64], out: &mut [f64]);

    /// Adds the derivative of `weight` · f(t, x) by x to `slope`; all `[dim]`. Nothing where f is constant in pieces.
    fn pull(&self, _t: f64, _x: &[f64], _weight: &[f64], _slope: &mut [f64]) {}

    /// The same where the crowd is at `states`, `[times][count, dim]`, at as many equal times from 0 to 1; nothing if it
    /// does not depend on the crowd.
    fn given(&self, _states: &[Vec<f64>]) -> Option<Arc<dyn BaseDrift>> {
        None
    }
}

/// What a generalised bridge minimises beside its motion: a state cost; and a drift that costs nothing.
#[derive(Clone)]
pub struct Problem {
    /// V.
    pub cost: Arc<dyn StateCost>,
    /// f, where there is one.
    pub base: Option<Arc<dyn BaseDrift>>,
}

impl Problem {
    /// No cost and no drift: the plain bridge.
    pub fn none() -> Self {
        Self { cost: Arc::new(Terms::default()), base: None }
    }
}

/// A weighted sum of costs.
#[derive(Default)]
pub struct Terms {
    terms: Vec<(String, f64, Box<dyn StateCost>)>,
}

impl Terms {
    /// The same with `weight` times `cost`, called `name`.
    ///
    /// # Errors
    /// [`Error::Setting`] for a weight that is negative or not finite.
    pub fn with(
        mut self,
        name: impl Into<String>,
        weight: f64,
        cost: impl StateCost + 'static,
    ) -> Result<Self> {
        self.push(name, weight, Box::new(cost))?;
        Ok(self)
    }

    /// Adds `weight` times `cost`, called `name`.
    ///
    /// # Errors
    /// As [`with`](Self::with).
    pub fn push(&mut self, name: impl Into<String>, weight: f64, cost: Box<dyn StateCost>) -> Result<()> {
        if !(weight.is_finite() && weight >= 0.0) {
            let fix = "a cost is minimised; turn its sign, or leave the term out";
            return Err(Error::setting("weight", "a finite number >= 0", weight, fix));
        }
        self.terms.push((name.into(), weight, cost));
        Ok(())
    }

    /// Names of the terms, and what the particles of `crowd` pay for each in the mean.
    pub fn means(&self, crowd: &Crowd<'_>, rng: &mut Rng) -> Vec<(&str, f64)> {
        let count = crowd.x.len() / crowd.dim;
        let mean = |(name, weight, cost): &'_ (String, f64, Box<dyn StateCost>)| -> f64 {
            let (mut values, mut slopes) = (vec![0.0; count], vec![0.0; crowd.x.len()]);
            let mut rng = rng.fork(name);
            cost.evaluate(crowd, &mut rng, &mut Costs { values: &mut values, slopes: &mut slopes });
            weight * values.iter().sum::<f64>() / count as f64
        };
        self.terms.iter().map(|term| (term.0.as_str(), mean(term))).collect()
    }
}

impl StateCost for Terms {
    fn evaluate(&self, crowd: &Crowd<'_>, rng: &mut Rng, costs: &mut Costs<'_>) {
        let (mut values, mut slopes) = (vec![0.0; costs.values.len()], vec![0.0; costs.slopes.len()]);
        for (_, weight, cost) in self.terms.iter().filter(|(_, weight, _)| *weight > 0.0) {
            values.fill(0.0);
            slopes.fill(0.0);
            cost.evaluate(crowd, rng, &mut Costs { values: &mut values, slopes: &mut slopes });
            costs.values.iter_mut().zip(&values).for_each(|(sum, v)| *sum += weight * v);
            costs.slopes.iter_mut().zip(&slopes).for_each(|(sum, v)| *sum += weight * v);
        }
    }

    fn depth(&self, x: &[f64]) -> f64 {
        self.terms.iter().map(|(_, _, cost)| cost.depth(x)).fold(f64::NEG_INFINITY, f64::max)
    }

    fn distance(&self, x: &[f64]) -> Option<f64> {
        self.terms.iter().find_map(|(_, _, cost)| cost.distance(x))
    }

    fn require_dim(&self, dim: usize) -> Result<()> {
        self.terms.iter().try_for_each(|(_, _, cost)| cost.require_dim(dim))
    }
}

/// What `of` says of each particle alone: its value, with the slope in what it is given, which is zero before.
fn particle_by_particle(
    crowd: &Crowd<'_>,
    costs: &mut Costs<'_>,
    mut of: impl FnMut(&[f64], &mut [f64]) -> f64,
) {
    let slopes = costs.slopes.chunks_exact_mut(crowd.dim);
    for ((x, value), slope) in crowd.x.chunks_exact(crowd.dim).zip(costs.values.iter_mut()).zip(slopes) {
        *value += of(x, slope);
    }
}

/// ln(1 + eᶻ) and its slope.
fn softplus(z: f64) -> (f64, f64) {
    // Beyond, e⁻ᶻ is below the last place.
    if z > 36.0 {
        return (z, 1.0);
    }
    let e = (-z.abs()).exp();
    let slope = if z >= 0.0 { 1.0 / (1.0 + e) } else { e / (1.0 + e) };
    (z.max(0.0) + e.ln_1p(), slope)
}

fn squared_distance(x: &[f64], y: &[f64]) -> f64 {
    x.iter().zip(y).map(|(x, y)| (x - y).powi(2)).sum()
}

/// Refuses other than `dims` coordinates.
fn require_coordinates(what: &'static str, wanted: usize, dim: usize, fix: &str) -> Result<()> {
    if dim == wanted {
        return Ok(());
    }
    Err(Error::shape(what, format!("samples of {wanted} values"), dim, fix))
}
