//! Double wells in some coordinates, Gaussians in the others: products of laws on the line.

use std::f64::consts::TAU;

use crate::density::{Modes, PointDensity, Target, normals};
use crate::rng::Rng;

/// −Σ_{i ≤ m} (xᵢ² − δ)² − ½ Σ_{i > m} xᵢ²: 2ᵐ modes of equal mass.
#[derive(Clone, Copy, Debug)]
pub struct DoubleWell {
    dim: usize,
    wells: usize,
    separation: f64,
}

impl DoubleWell {
    /// In `dim` coordinates, of which `wells` have two wells at ±√`separation`.
    pub fn new(dim: usize, wells: usize, separation: f64) -> Self {
        Self { dim, wells, separation }
    }

    /// Unnormalised density of a coordinate with wells.
    fn of_well(&self, x: f64) -> f64 {
        (-(x * x - self.separation).powi(2)).exp()
    }
}

impl PointDensity for DoubleWell {
    fn dim(&self) -> usize {
        self.dim
    }

    fn value_and_gradient(&self, x: &[f64], gradient: &mut [f64]) -> f64 {
        let mut value = 0.0;
        for (i, (x, slope)) in x.iter().zip(gradient).enumerate() {
            if i < self.wells {
                let gap = x * x - self.separation;
                value -= gap * gap;
                *slope = -4.0 * x * gap;
            } else {
                value -= 0.5 * x * x;
                *slope = -x;
            }
        }
        value
    }
}

impl Target for DoubleWell {
    /// By quadrature of a well, exact to rounding.
    fn log_normaliser(&self) -> Option<(f64, f64)> {
        let reach = self.separation.sqrt() + 4.0;
        let well = trapezoid(|x| self.of_well(x), reach);
        let gaussians = (self.dim - self.wells) as f64;
        Some((self.wells as f64 * well.ln() + 0.5 * gaussians * TAU.ln(), 0.0))
    }

    /// Wells by rejection from equal Gaussians of variance 1/δ about ±√δ, whose density is a third of theirs at least.
    fn sample(&self, count: usize, rng: &mut Rng) -> Option<Vec<f64>> {
        let (centre, var) = (self.separation.sqrt(), 1.0 / self.separation);
        let well = trapezoid(|x| self.of_well(x), centre + 4.0);
        let proposal = move |x: f64| 0.5 * (gaussian(x - centre, var) + gaussian(x + centre, var));
        let draw = |rng: &mut Rng| {
            let side = if rng.uniform(1, 0.0, 1.0)[0] < 0.5 { -centre } else { centre };
            side + var.sqrt() * normal(rng)
        };
        Some(rows(
            count,
            self.dim,
            |i, rng| match i < self.wells {
                true => rejected(&draw, |x| self.of_well(x) / (ENVELOPE * well * proposal(x)), rng),
                false => normal(rng),
            },
            rng,
        ))
    }

    fn modes(&self) -> Option<Modes> {
        let law = *self;
        let count = 1usize << self.wells.min(16);
        let of_row = move |x: &[f64]| (0..law.wells).map(|i| usize::from(x[i] > 0.0) << i).sum();
        let of = move |states: &[f64]| states.chunks_exact(law.dim).map(of_row).collect();
        (self.wells <= 16).then(|| Modes { shares: vec![1.0 / count as f64; count], of: Box::new(of) })
    }
}

/// Pairs (a, b): −a⁴ + 6a² + ½a − ½b². Of every a less lies in the left well, 0.156.                              \[NOKW19\]
#[derive(Clone, Copy, Debug)]
pub struct ManyWell {
    pairs: usize,
}

impl ManyWell {
    /// In `2 pairs` dimensions; sixteen pairs are usual.
    pub fn new(pairs: usize) -> Self {
        Self { pairs }
    }
}

fn of_many_well(a: f64) -> f64 {
    (-a.powi(4) + 6.0 * a * a + 0.5 * a).exp()
}

impl PointDensity for ManyWell {
    fn dim(&self) -> usize {
        2 * self.pairs
    }

    fn value_and_gradient(&self, x: &[f64], gradient: &mut [f64]) -> f64 {
        let mut value = 0.0;
        for (x, slope) in x.chunks_exact(2).zip(gradient.chunks_exact_mut(2)) {
            let [a, b] = [x[0], x[1]];
            value += -a.powi(4) + 6.0 * a * a + 0.5 * a - 0.5 * b * b;
            slope.copy_from_slice(&[-4.0 * a.powi(3) + 12.0 * a + 0.5, -b]);
        }
        value
    }
}

impl Target for ManyWell {
    fn log_normaliser(&self) -> Option<(f64, f64)> {
        let well = trapezoid(of_many_well, 6.0);
        Some((self.pairs as f64 * (well.ln() + 0.5 * TAU.ln()), 0.0))
    }

    /// Wells by rejection from 0.2 N(−1.7, ¼) + 0.8 N(1.7, ¼).
    fn sample(&self, count: usize, rng: &mut Rng) -> Option<Vec<f64>> {
        let well = trapezoid(of_many_well, 6.0);
        let proposal = |x: f64| 0.2 * gaussian(x + 1.7, 0.25) + 0.8 * gaussian(x - 1.7, 0.25);
        let draw = |rng: &mut Rng| {
            let centre = if rng.uniform(1, 0.0, 1.0)[0] < 0.2 { -1.7 } else { 1.7 };
            centre + 0.5 * normal(rng)
        };
        Some(rows(
            count,
            2 * self.pairs,
            |i, rng| match i % 2 {
                0 => rejected(&draw, |x| of_many_well(x) / (ENVELOPE * well * proposal(x)), rng),
                _ => normal(rng),
            },
            rng,
        ))
    }

    /// The left well and the right one of the first pair: of all wells there are too many to count.
    fn modes(&self) -> Option<Modes> {
        let left =
            trapezoid(|a| if a < 0.0 { of_many_well(a) } else { 0.0 }, 6.0) / trapezoid(of_many_well, 6.0);
        let dim = 2 * self.pairs;
        let of = move |states: &[f64]| states.chunks_exact(dim).map(|x| usize::from(x[0] > 0.0)).collect();
        Some(Modes { shares: vec![left, 1.0 - left], of: Box::new(of) })
    }
}

/// How far a well is above its proposal, at most.
const ENVELOPE: f64 = 3.0;

/// A draw that is accepted with the chance `ratio`.
fn rejected(draw: &dyn Fn(&mut Rng) -> f64, ratio: impl Fn(f64) -> f64, rng: &mut Rng) -> f64 {
    loop {
        let x = draw(rng);
        if rng.uniform(1, 0.0, 1.0)[0] < ratio(x) {
            return x;
        }
    }
}

fn rows(count: usize, dim: usize, coordinate: impl Fn(usize, &mut Rng) -> f64, rng: &mut Rng) -> Vec<f64> {
    (0..count * dim).map(|k| coordinate(k % dim, rng)).collect()
}

fn normal(rng: &mut Rng) -> f64 {
    normals(1, rng)[0]
}

fn gaussian(x: f64, var: f64) -> f64 {
    (-0.5 * x * x / var).exp() / (TAU * var).sqrt()
}

/// ∫ f from −reach to reach by the trapezoidal rule, which errs by rounding alone where f has vanished at both ends.
fn trapezoid(f: impl Fn(f64) -> f64, reach: f64) -> f64 {
    const INTERVALS: usize = 20_000;
    let width = 2.0 * reach / INTERVALS as f64;
    (0..=INTERVALS).map(|k| f(-reach + k as f64 * width)).sum::<f64>() * width
}
