//! Gaussian paths between pairs of ends, with splines for mean and width.
//!
//! Xₜ | x₀, x₁ ~ N(μₜ, γₜ² I), μ straight between equally spaced knots and γₜ = σ √(t(1−t)) c(t), c = softplus(y), y straight
//! between knots of its own; the outer knots of both are fixed. As diffusions with noise σ they have the drifts
//!
//! v₊ = μ′ + a₊(x − μ), a₊ = (γ′ − σ²/2γ)/γ;   v₋ = −μ′ + a₋(x − μ), a₋ = (−γ′ − σ²/2γ)/γ,                    \[GSBM\]
//!
//! and v₊ + v₋ = −σ²(x − μ)/γ². With c = 1 they are those of the Brownian bridge.

use crate::bridge::Direction;
use crate::crowd::softplus;

/// y of a width like the Brownian bridge's, ln(e − 1).
pub(super) const WIDTH_OF_BRIDGE: f64 = 0.541_324_854_612_918_1;

/// Gaussian paths between pairs.
#[derive(Clone, Debug)]
pub struct GaussianPaths {
    pub(super) dim: usize,
    pub(super) sigma: f64,
    pub(super) mean_knots: usize,
    pub(super) width_knots: usize,
    /// `[pairs, mean_knots, dim]`.
    pub(super) means: Vec<f64>,
    /// y, `[pairs, width_knots]`.
    pub(super) widths: Vec<f64>,
}

/// The slopes in x of the drifts of both directions.
#[derive(Clone, Copy, Debug)]
pub struct Rates {
    /// a₊.
    pub forward: f64,
    /// a₋.
    pub backward: f64,
}

/// Between which knots a time lies, and how far from the first.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) left: usize,
    pub(super) share: f64,
    /// Knots in a unit of time.
    pub(super) per_time: f64,
}

impl Place {
    pub(super) fn of(t: f64, knots: usize) -> Self {
        let per_time = (knots - 1) as f64;
        let at = t * per_time;
        let left = (at as usize).min(knots - 2);
        Self { left, share: at - left as f64, per_time }
    }

    /// Value and slope of what is straight between `values`.
    pub(super) fn along(&self, values: &[f64]) -> (f64, f64) {
        let (a, b) = (values[self.left], values[self.left + 1]);
        (a + self.share * (b - a), (b - a) * self.per_time)
    }
}

/// The width of a path at a time, by what its spline says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Width {
    /// c and its derivative by t.
    pub(super) c: f64,
    pub(super) dc: f64,
    /// The derivative of y by t, and of c by y.
    pub(super) dy: f64,
    pub(super) steepness: f64,
}

impl Width {
    pub(super) fn of(place: Place, widths: &[f64]) -> Self {
        let (y, dy) = place.along(widths);
        let (c, steepness) = softplus(y);
        Self { c, dc: steepness * dy, dy, steepness }
    }
}

/// Mean and noise of a step of a path: x′ = μ′ + φ(x − μ) + √variance z.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Transition {
    pub(crate) factor: f64,
    pub(crate) variance: f64,
}

impl GaussianPaths {
    /// Brownian bridges of σ = `sigma` about the lines through `states`, `[pairs, mean_knots, dim]` row-major at equal times
    /// from 0 to 1.
    ///
    /// # Panics
    /// If there are fewer than two knots, or values that do not fill whole paths.
    pub fn through(states: Vec<f64>, dim: usize, [mean_knots, width_knots]: [usize; 2], sigma: f64) -> Self {
        assert!(mean_knots >= 2 && width_knots >= 2, "a path has two ends");
        assert_eq!(states.len() % (mean_knots * dim), 0, "states of whole paths");
        let pairs = states.len() / (mean_knots * dim);
        let widths = vec![WIDTH_OF_BRIDGE; pairs * width_knots];
        Self { dim, sigma, mean_knots, width_knots, means: states, widths }
    }

    /// Brownian bridges of σ = `sigma` from the rows of `x0` to those of `x1`, `[pairs, dim]`.
    ///
    /// # Panics
    /// As [`through`](Self::through).
    pub fn straight(x0: &[f64], x1: &[f64], dim: usize, knots: [usize; 2], sigma: f64) -> Self {
        let last = (knots[0] - 1) as f64;
        let states = x0.chunks_exact(dim).zip(x1.chunks_exact(dim)).flat_map(|(from, to)| {
            (0..knots[0]).flat_map(move |k| {
                let t = k as f64 / last;
                from.iter().zip(to).map(move |(a, b)| (1.0 - t) * a + t * b)
            })
        });
        Self::through(states.collect(), dim, knots, sigma)
    }

    /// The same with the knots of widths, y, at other values: `[pairs, width_knots]`.
    #[must_use]
    pub fn with_widths(self, widths: Vec<f64>) -> Self {
        assert_eq!(widths.len(), self.widths.len(), "a value for every knot");
        Self { widths, ..self }
    }

    /// Number of pairs.
    pub fn pairs(&self) -> usize {
        self.widths.len() / self.width_knots
    }

    /// Coordinates of a state.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// One end of a path.
    pub fn end(&self, pair: usize, time: f64) -> &[f64] {
        let knot = if time < 0.5 { 0 } else { self.mean_knots - 1 };
        &self.knots_of(pair)[knot * self.dim..(knot + 1) * self.dim]
    }

    fn knots_of(&self, pair: usize) -> &[f64] {
        let size = self.mean_knots * self.dim;
        &self.means[pair * size..(pair + 1) * size]
    }

    fn widths_of(&self, pair: usize) -> &[f64] {
        &self.widths[pair * self.width_knots..(pair + 1) * self.width_knots]
    }

    /// Mean and its velocity, `[dim]` each.
    pub fn mean(&self, pair: usize, t: f64) -> (Vec<f64>, Vec<f64>) {
        let (mut mean, mut velocity) = (vec![0.0; self.dim], vec![0.0; self.dim]);
        mean_at(Place::of(t, self.mean_knots), self.knots_of(pair), &mut mean, &mut velocity);
        (mean, velocity)
    }

    /// Standard deviation γ; 0 at both ends.
    pub fn deviation(&self, pair: usize, t: f64) -> f64 {
        self.sigma * (t * (1.0 - t)).max(0.0).sqrt() * self.width(pair, t).c
    }

    fn width(&self, pair: usize, t: f64) -> Width {
        Width::of(Place::of(t, self.width_knots), self.widths_of(pair))
    }

    /// Slopes of the drifts inside of (0, 1).
    pub fn rates(&self, pair: usize, t: f64) -> Rates {
        let Width { c, dc, .. } = self.width(pair, t);
        // γ′/γ and σ²/2γ².
        let (growth, noise) =
            ((1.0 - 2.0 * t) / (2.0 * t * (1.0 - t)) + dc / c, 0.5 / (t * (1.0 - t) * c * c));
        Rates { forward: growth - noise, backward: -growth - noise }
    }

    /// The drift of `direction` at `x`, `[dim]`, into `out`.
    pub fn drift(&self, direction: Direction, pair: usize, t: f64, x: &[f64], out: &mut [f64]) {
        let (mean, velocity) = self.mean(pair, t);
        let Rates { forward, backward } = self.rates(pair, t);
        let (sign, rate) = match direction {
            Direction::Forward => (1.0, forward),
            Direction::Backward => (-1.0, backward),
        };
        for (k, out) in out.iter_mut().enumerate() {
            *out = sign * velocity[k] + rate * (x[k] - mean[k]);
        }
    }

    /// The step from time `t` to a `later` one, where the width between them is taken as it is in the geometric mean.
    pub(crate) fn transition(&self, pair: usize, t: f64, later: f64) -> Transition {
        let [from, to] = [t, later].map(|t| self.deviation(pair, t));
        if from == 0.0 || to == 0.0 {
            return Transition { factor: 0.0, variance: to * to };
        }
        let squared = self.width(pair, t).c * self.width(pair, later).c;
        let odds = |t: f64| t / (1.0 - t);
        let factor = to / from * (odds(later) / odds(t)).powf(-0.5 / squared);
        Transition { factor, variance: (to * to - factor * factor * from * from).max(0.0) }
    }

    /// The same from `t` to an `earlier` time.
    pub(crate) fn transition_back(&self, pair: usize, t: f64, earlier: f64) -> Transition {
        let [from, to] = [t, earlier].map(|t| self.deviation(pair, t));
        if from == 0.0 || to == 0.0 {
            return Transition { factor: 0.0, variance: to * to };
        }
        let factor = self.transition(pair, earlier, t).factor * to * to / (from * from);
        Transition { factor, variance: (to * to - factor * factor * from * from).max(0.0) }
    }
}

/// Mean and velocity at a place between `knots`, `[mean_knots, dim]`.
pub(super) fn mean_at(place: Place, knots: &[f64], mean: &mut [f64], velocity: &mut [f64]) {
    let dim = mean.len();
    let (a, b) = knots[place.left * dim..(place.left + 2) * dim].split_at(dim);
    for k in 0..dim {
        mean[k] = a[k] + place.share * (b[k] - a[k]);
        velocity[k] = (b[k] - a[k]) * place.per_time;
    }
}
