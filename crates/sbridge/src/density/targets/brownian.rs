//! Brownian motion observed in part: both scales unknown, and a gap in the middle.
//!
//! s_inn, s_obs ~ LogNormal(0, 2); x₁ ~ N(0, s_inn²), x_t ~ N(x_{t−1}, s_inn²), t ≤ 30; y_t ~ N(x_t, s_obs²) but for
//! t = 11 … 20. Coordinates (softplus⁻¹ s_inn, softplus⁻¹ s_obs, x), with the Jacobian of both.

use super::{log_normal, sigmoid, softplus};
use crate::density::{PointDensity, Target};

/// The posterior in 32 dimensions.
#[derive(Clone, Copy, Debug, Default)]
pub struct Brownian;

const TIMES: usize = 30;
const HALF: [[f64; 10]; 2] = [
    [
        0.215_926_41,
        0.118_771_404,
        -0.079_454_47,
        0.037_677_474,
        -0.278_858_45,
        -0.148_415_6,
        -0.325_090_6,
        -0.229_579_03,
        -0.441_108_94,
        -0.098_307_82,
    ],
    [
        -0.878_601_6,
        -0.837_360_74,
        -0.738_484_9,
        -0.893_925_4,
        -0.777_456_6,
        -0.702_387_15,
        -0.877_715_65,
        -0.518_535_73,
        -0.694_821_4,
        -0.620_278_9,
    ],
];

/// What was observed at time `t`, from 0.
fn observed(t: usize) -> Option<f64> {
    match t {
        0..10 => Some(HALF[0][t]),
        20..30 => Some(HALF[1][t - 20]),
        _ => None,
    }
}

/// ln of the density of `raw`, whose softplus s is log-normal, its derivative, s and ds/draw.
fn scale(raw: f64) -> (f64, f64, f64, f64) {
    let (s, slope) = (softplus(raw), sigmoid(raw));
    let (log, derivative) = log_normal(s.ln(), 4.0);
    // ln N(ln s) − ln s + ln(ds/draw).
    (log - s.ln() + slope.ln(), (derivative - 1.0) * slope / s + 1.0 - slope, s, slope)
}

impl PointDensity for Brownian {
    fn dim(&self) -> usize {
        2 + TIMES
    }

    fn value_and_gradient(&self, x: &[f64], gradient: &mut [f64]) -> f64 {
        let (log_inner, slope_inner, inner, inner_by_raw) = scale(x[0]);
        let (log_outer, slope_outer, outer, outer_by_raw) = scale(x[1]);
        let mut value = log_inner + log_outer;
        gradient.fill(0.0);
        let (mut by_inner, mut by_outer, mut before) = (0.0, 0.0, 0.0);
        for t in 0..TIMES {
            let step = x[2 + t] - before;
            let (log, slope) = log_normal(step, inner * inner);
            value += log;
            gradient[2 + t] += slope;
            if t > 0 {
                gradient[1 + t] -= slope;
            }
            by_inner += (step * step / (inner * inner) - 1.0) / inner;
            before = x[2 + t];
            if let Some(y) = observed(t) {
                let (log, slope) = log_normal(x[2 + t] - y, outer * outer);
                value += log;
                gradient[2 + t] += slope;
                by_outer += ((x[2 + t] - y).powi(2) / (outer * outer) - 1.0) / outer;
            }
        }
        gradient[0] = slope_inner + by_inner * inner_by_raw;
        gradient[1] = slope_outer + by_outer * outer_by_raw;
        value
    }

    fn names(&self) -> Vec<String> {
        let places = (1..=TIMES).map(|t| format!("x{t}"));
        ["raw_s_inn", "raw_s_obs"].map(String::from).into_iter().chain(places).collect()
    }
}

impl Target for Brownian {
    /// By quadrature over both scales; what is left is Gaussian.
    fn log_normaliser(&self) -> Option<(f64, f64)> {
        Some((1.187_75, 1e-4))
    }
}
