//! A log-Gaussian Cox process on a grid of cells of the unit square.
//!
//! F ~ N(μ, C), C_ij = v e^{−|i − j|/ℓ}; counts y_i ~ Poisson(e^{F_i}/cells), without the factorial. Usual are 40 × 40 cells,
//! v = 1.91, ℓ = 1/33, and μ = ln 126 − v/2 for the 126 points of the Finnish pines.                           \[MSW98\]

use std::f64::consts::TAU;

use faer::linalg::solvers::Solve as _;
use faer::{Mat, Side};

use crate::density::{PointDensity, Target};
use crate::error::{Error, Result, require_count, require_positive};

/// The posterior of the field, one coordinate a cell.
#[derive(Clone, Debug)]
pub struct LogGaussianCox {
    side: usize,
    mean: f64,
    counts: Vec<f64>,
    /// C⁻¹.
    precision: Mat<f64>,
    /// −½ ln det C − ½ d ln 2π.
    log_constant: f64,
    log_normaliser: Option<(f64, f64)>,
}

/// The law of the field before any points.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Field {
    /// Cells on a side of the unit square, 2 to 64: the inverse covariance has the fourth power of it in numbers.
    pub side: usize,
    /// Mean of the field.
    pub mean: f64,
    /// Its variance in every cell.
    pub var: f64,
    /// Distance, in sides of the square, at which the correlation is 1/e.
    pub length: f64,
}

impl Default for Field {
    /// The field of the pines.
    fn default() -> Self {
        let var = 1.91;
        Self { side: 40, mean: 126f64.ln() - 0.5 * var, var, length: 1.0 / 33.0 }
    }
}

impl Field {
    fn check(&self) -> Result<()> {
        require_count("grid", self.side, 2..=64, "40 is usual")?;
        require_positive("variance", self.var, "1.91 is usual")?;
        require_positive("length_scale", self.length, "0.03 is usual")?;
        if !self.mean.is_finite() {
            let fix = "ln of the number of points less half the variance is usual";
            return Err(Error::setting("mean", "finite", self.mean, fix));
        }
        Ok(())
    }

    fn covariance(&self) -> Mat<f64> {
        let side = self.side;
        let place = |i: usize| [(i / side) as f64, (i % side) as f64];
        Mat::from_fn(side * side, side * side, |i, j| {
            let ([a, b], [c, d]) = (place(i), place(j));
            self.var * (-(a - c).hypot(b - d) / (self.length * side as f64)).exp()
        })
    }
}

impl LogGaussianCox {
    /// Of points of the unit square, with the field of the pines.
    ///
    /// # Errors
    /// [`Error::Setting`] for a point outside.
    pub fn of_points(points: &[[f64; 2]]) -> Result<Self> {
        Self::new(points, Field::default())
    }

    /// Of points of the unit square.
    ///
    /// # Errors
    /// [`Error::Setting`] for a point outside, or a field out of range, or one so smooth that its covariance cannot be inverted.
    pub fn new(points: &[[f64; 2]], field: Field) -> Result<Self> {
        field.check()?;
        let (side, cells) = (field.side, field.side * field.side);
        let mut counts = vec![0.0; cells];
        for point in points {
            if !point.iter().all(|x| (0.0..=1.0).contains(x)) {
                let fix = "divide the coordinates by the size of the window";
                return Err(Error::setting("points", "in the unit square", format!("{point:?}"), fix));
            }
            let [row, column] = point.map(|x| ((side as f64 * x) as usize).min(side - 1));
            counts[row * side + column] += 1.0;
        }
        let Ok(factor) = field.covariance().llt(Side::Lower) else {
            let (wanted, fix) =
                ("short enough to tell neighbouring cells apart", "shorten it, or coarsen the grid");
            return Err(Error::setting("length_scale", wanted, field.length, fix));
        };
        let half_log_det: f64 = (0..cells).map(|i| factor.L()[(i, i)].ln()).sum();
        let precision = factor.solve(Mat::<f64>::identity(cells, cells));
        let log_constant = -half_log_det - 0.5 * cells as f64 * TAU.ln();
        Ok(Self { side, mean: field.mean, counts, precision, log_constant, log_normaliser: None })
    }

    /// The same, of which ln Z is known up to an error.
    #[must_use]
    pub fn with_log_normaliser(self, value: f64, error: f64) -> Self {
        Self { log_normaliser: Some((value, error)), ..self }
    }
}

impl PointDensity for LogGaussianCox {
    fn dim(&self) -> usize {
        self.counts.len()
    }

    fn value_and_gradient(&self, field: &[f64], gradient: &mut [f64]) -> f64 {
        let cells = self.counts.len();
        let centred = faer::Col::from_fn(cells, |i| field[i] - self.mean);
        let pull = sbridge_ot::matrix::times(self.precision.as_ref(), centred.as_mat());
        let mut value = self.log_constant;
        for i in 0..cells {
            let rate = field[i].exp() / cells as f64;
            value += self.counts[i] * field[i] - rate - 0.5 * centred[i] * pull[(i, 0)];
            gradient[i] = self.counts[i] - rate - pull[(i, 0)];
        }
        value
    }

    /// `f.1.1`, `f.1.2`, …: row and column of the cell.
    fn names(&self) -> Vec<String> {
        let cell = |i: usize| format!("f.{}.{}", i / self.side + 1, i % self.side + 1);
        (0..self.counts.len()).map(cell).collect()
    }
}

impl Target for LogGaussianCox {
    fn log_normaliser(&self) -> Option<(f64, f64)> {
        self.log_normaliser
    }
}
