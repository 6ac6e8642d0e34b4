//! Germination of seeds: a binomial regression with an effect of every plate, whose spread is unknown.               \[Cro78\]
//!
//! τ ~ Gamma(0.01, 0.01); a ~ N(0, 100)⁴; b_j ~ N(0, 1/τ); R_j ~ Binomial(N_j, σ(a₀ + a₁X₁ + a₂X₂ + a₁₂X₁X₂ + b_j)).
//! Coordinates (ln τ, a, b), with the Jacobian of ln τ.

use super::{log_normal, sigmoid, softplus};
use crate::density::{PointDensity, Target};

/// The posterior in 26 dimensions.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seeds;

const PLATES: usize = 21;
const GERMINATED: [f64; PLATES] = [
    10.0, 23.0, 23.0, 26.0, 17.0, 5.0, 53.0, 55.0, 32.0, 46.0, 10.0, 8.0, 10.0, 8.0, 23.0, 0.0, 3.0, 22.0,
    15.0, 32.0, 3.0,
];
const SOWN: [f64; PLATES] = [
    39.0, 62.0, 81.0, 51.0, 39.0, 6.0, 74.0, 72.0, 51.0, 79.0, 13.0, 16.0, 30.0, 28.0, 45.0, 4.0, 12.0, 41.0,
    30.0, 51.0, 7.0,
];
const SHAPE: f64 = 0.01;
const RATE: f64 = 0.01;

/// ln Γ(0.01).
const LN_GAMMA_OF_SHAPE: f64 = 4.599_479_878_042_022;

/// The four regressors of plate `j`: 1, X₁, X₂ and X₁X₂.
fn regressors(j: usize) -> [f64; 4] {
    let first = f64::from(u8::from(j >= 11));
    let second = f64::from(u8::from((5..11).contains(&j) || j >= 16));
    [1.0, first, second, first * second]
}

/// ln of the binomial coefficient, by a sum.
fn ln_choose(n: f64, k: f64) -> f64 {
    (1..=k as usize).map(|i| ((n - k + i as f64) / i as f64).ln()).sum()
}

impl PointDensity for Seeds {
    fn dim(&self) -> usize {
        5 + PLATES
    }

    fn value_and_gradient(&self, x: &[f64], gradient: &mut [f64]) -> f64 {
        let (log_tau, tau) = (x[0], x[0].exp());
        // The density of ln τ.
        let mut value = SHAPE * (RATE.ln() + log_tau) - RATE * tau - LN_GAMMA_OF_SHAPE;
        gradient[0] = SHAPE - RATE * tau;
        for i in 1..5 {
            let (log, slope) = log_normal(x[i], 100.0);
            value += log;
            gradient[i] = slope;
        }
        for j in 0..PLATES {
            let (regressors, effect) = (regressors(j), x[5 + j]);
            value += 0.5 * (log_tau - std::f64::consts::TAU.ln() - tau * effect * effect);
            gradient[0] += 0.5 * (1.0 - tau * effect * effect);
            let logit = regressors.iter().zip(&x[1..5]).map(|(x, a)| x * a).sum::<f64>() + effect;
            let (germinated, sown) = (GERMINATED[j], SOWN[j]);
            value += ln_choose(sown, germinated) + germinated * logit - sown * softplus(logit);
            let pull = germinated - sown * sigmoid(logit);
            gradient[5 + j] = pull - tau * effect;
            gradient[1..5].iter_mut().zip(regressors).for_each(|(slope, x)| *slope += pull * x);
        }
        value
    }

    fn names(&self) -> Vec<String> {
        let plates = (1..=PLATES).map(|j| format!("b{j}"));
        ["log_tau", "a0", "a1", "a2", "a12"].map(String::from).into_iter().chain(plates).collect()
    }
}

impl Target for Seeds {
    /// By quadrature over ln τ with importance sampling of the rest.
    fn log_normaliser(&self) -> Option<(f64, f64)> {
        Some((-73.41, 0.01))
    }
}
