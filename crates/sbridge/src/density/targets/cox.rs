//! A log-Gaussian Cox process on a grid of 40 × 40 cells of the unit square.
//!
//! F ~ N(μ, C), C_ij = 1.91 e^{−33|i − j|/40}, μ = ln 126 − 0.955; counts y_i ~ Poisson(e^{F_i}/1600), without the
//! factorial.                                                                                          \[MSW98\]

use std::f64::consts::TAU;

use faer::linalg::solvers::Solve as _;
use faer::{Mat, Side};

use crate::density::{PointDensity, Target};
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

impl PointDensity for LogGaussianCox {
    fn dim(&self) -> usize {
        CELLS
    }

    fn value_and_gradient(&self, field: &[f64], gradient: &mut [f64]) -> f64 {
        let mean = field_mean();
        let centred = faer::Col::from_fn(CELLS, |i| field[i] - mean);
        let pull = sbridge_ot::matrix::times(self.precision.as_ref(), centred.as_mat());
        let mut value = self.log_constant;
        for i in 0..CELLS {
            let rate = field[i].exp() / CELLS as f64;
            value += self.counts[i] * field[i] - rate - 0.5 * centred[i] * pull[(i, 0)];
            gradient[i] = self.counts[i] - rate - pull[(i, 0)];
        }
        value
    }
}

impl Target for LogGaussianCox {}
