//! A log-Gaussian Cox process on a grid of 40 × 40 cells of the unit square.
//!
//! F ~ N(μ, C), C_ij = 1.91 e^{−33|i − j|/40}, μ = ln 126 − 0.955; counts y_i ~ Poisson(e^{F_i}/1600), without the
//! factorial.                                                                                          \[MSW98\]

use std::f64::consts::TAU;

use faer::linalg::solvers::Solve as _;
use faer::{Col, Mat, Side};

use crate::density::baselines::Gaussian;
use crate::density::{LogDensity, Target};
use crate::error::{Error, Result};

/// The posterior of the field in 1600 dimensions.
#[derive(Clone, Debug)]
pub struct LogGaussianCox {
    counts: Vec<f64>,
    /// C⁻¹.
    precision: Mat<f64>,
    /// −½ ln det C − ½ d ln 2π.
    log_constant: f64,
}

const SIDE: usize = 40;
const CELLS: usize = SIDE * SIDE;
const VAR: f64 = 1.91;

/// ln 126 − ½ · 1.91: the mean of the field for 126 points.
fn field_mean() -> f64 {
    126f64.ln() - 0.5 * VAR
}

impl LogGaussianCox {
    /// Of points of the unit square.
    ///
    /// # Errors
    /// [`Error::Setting`] for a point outside.
    pub fn of_points(points: &[[f64; 2]]) -> Result<Self> {
        let mut counts = vec![0.0; CELLS];
        for point in points {
            if !point.iter().all(|x| (0.0..=1.0).contains(x)) {
                let fix = "divide the coordinates by the size of the window";
                return Err(Error::setting("points", "in the unit square", format!("{point:?}"), fix));
            }
            let [row, column] = point.map(|x| ((SIDE as f64 * x) as usize).min(SIDE - 1));
            counts[row * SIDE + column] += 1.0;
        }
        let place = |i: usize| [(i / SIDE) as f64, (i % SIDE) as f64];
        let covariance = Mat::from_fn(CELLS, CELLS, |i, j| {
            let ([a, b], [c, d]) = (place(i), place(j));
            VAR * (-33.0 * (a - c).hypot(b - d) / SIDE as f64).exp()
        });
        let factor = covariance.llt(Side::Lower).expect("an exponential covariance is positive definite");
        let half_log_det: f64 = (0..CELLS).map(|i| factor.L()[(i, i)].ln()).sum();
        let precision = factor.solve(Mat::<f64>::identity(CELLS, CELLS));
        Ok(Self { counts, precision, log_constant: -half_log_det - 0.5 * CELLS as f64 * TAU.ln() })
    }
}

/// Sweeps of the fit of a Gaussian, and the largest change of the last in units of F.
const SWEEPS: usize = 200;
const SETTLED: f64 = 1e-7;

impl LogGaussianCox {
    /// The Gaussian N(m, S) of the largest ELBO, and the ELBO: S⁻¹ = C⁻¹ + diag(r), r = e^{m + ½ diag S}/1600, by turns
    /// with a Newton step of m.                                                                                \[OA09\]
    ///
    /// # Errors
    /// [`Error::Diverged`] if it does not settle.
    pub fn gaussian_fit(&self) -> Result<(Gaussian, f64)> {
        let mut mean = vec![field_mean(); CELLS];
        let mut var = vec![VAR; CELLS];
        for _ in 0..SWEEPS {
            let rates: Vec<f64> =
                mean.iter().zip(&var).map(|(m, v)| (m + 0.5 * v).exp() / CELLS as f64).collect();
            let mut precision = self.precision.clone();
            (0..CELLS).for_each(|i| precision[(i, i)] += rates[i]);
            let pull = &self.precision * Col::from_fn(CELLS, |i| mean[i] - field_mean());
            let slope = Col::from_fn(CELLS, |i| self.counts[i] - rates[i] - pull[i]);
            let Ok(factor) = precision.llt(Side::Lower) else { break };
            let step = factor.solve(&slope);
            let covariance = factor.solve(Mat::<f64>::identity(CELLS, CELLS));
            let changed = (0..CELLS).map(|i| step[i].abs().max((covariance[(i, i)] - var[i]).abs()));
            let changed = changed.fold(0.0, f64::max);
            for i in 0..CELLS {
                mean[i] += step[i];
                var[i] = covariance[(i, i)];
            }
            if changed < SETTLED {
                let law = Gaussian::of_precision(mean, precision.as_ref());
                let law = law.ok_or_else(|| Error::Diverged("the fit of a Gaussian".into()))?;
                let elbo = self.elbo(&law, &var, &rates);
                return Ok((law, elbo));
            }
        }
        Err(Error::Diverged("the fit of a Gaussian".into()))
    }

    /// E[ln ρ − ln q] in closed form, where S⁻¹ = C⁻¹ + diag(r): tr C⁻¹S = d − Σ rᵢ Sᵢᵢ.
    fn elbo(&self, law: &Gaussian, var: &[f64], rates: &[f64]) -> f64 {
        let centred = Col::from_fn(CELLS, |i| law.mean[i] - field_mean());
        let quadratic = centred.transpose() * (&self.precision * &centred);
        let trace = CELLS as f64 - rates.iter().zip(var).map(|(r, v)| r * v).sum::<f64>();
        let counted: f64 = self.counts.iter().zip(&law.mean).map(|(y, m)| y * m).sum();
        let entropy = 0.5 * CELLS as f64 * (1.0 + TAU.ln()) + law.log_det();
        self.log_constant - 0.5 * (quadratic + trace) + counted - rates.iter().sum::<f64>() + entropy
    }
}

/// Fields are evaluated together: reading C⁻¹ takes as long as a product with it.
impl LogDensity for LogGaussianCox {
    fn dim(&self) -> usize {
        CELLS
    }

    fn values(&self, fields: &[f64]) -> Result<Vec<f64>> {
        Ok(self.values_and_gradients(fields)?.0)
    }

    fn values_and_gradients(&self, fields: &[f64]) -> Result<(Vec<f64>, Vec<f64>)> {
        let count = fields.len() / CELLS;
        let centred = Mat::from_fn(CELLS, count, |i, k| fields[k * CELLS + i] - field_mean());
        let pull = &self.precision * &centred;
        let (mut values, mut gradients) = (vec![self.log_constant; count], vec![0.0; fields.len()]);
        for k in 0..count {
            for i in 0..CELLS {
                let field = fields[k * CELLS + i];
                let rate = field.exp() / CELLS as f64;
                values[k] += self.counts[i] * field - rate - 0.5 * centred[(i, k)] * pull[(i, k)];
                gradients[k * CELLS + i] = self.counts[i] - rate - pull[(i, k)];
            }
        }
        Ok((values, gradients))
    }

    fn has_gradient(&self) -> bool {
        true
    }
}

impl Target for LogGaussianCox {}
