//! A log-Gaussian Cox process on a grid of cells of the unit square.
//!
//! F ~ N(μ, C), C_ij = v e^{−|i − j|/ℓ}; counts y_i ~ Poisson(e^{F_i}/cells), without the factorial. Usual are 40 × 40 cells,
//! v = 1.91, ℓ = 1/33, and μ = ln 126 − v/2 for the 126 points of the Finnish pines.                           \[MSW98\]

use std::f64::consts::TAU;

use faer::linalg::solvers::Solve as _;
use faer::{Col, Mat, Side};

use crate::density::baselines::Gaussian;
use crate::density::{LogDensity, Target};
use crate::error::{Error, Result, require_count, require_positive};

/// The posterior of the field, one coordinate a cell.
#[derive(Clone, Debug)]
pub struct LogGaussianCox {
    side: usize,
    mean: f64,
    var: f64,
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
        Ok(Self {
            side,
            mean: field.mean,
            var: field.var,
            counts,
            precision,
            log_constant,
            log_normaliser: None,
        })
    }

    /// The same, of which ln Z is known up to an error.
    #[must_use]
    pub fn with_log_normaliser(self, value: f64, error: f64) -> Self {
        Self { log_normaliser: Some((value, error)), ..self }
    }
}

/// Sweeps of the fit of a Gaussian, and the largest change of the last in units of F.
const SWEEPS: usize = 200;
const SETTLED: f64 = 1e-7;

impl LogGaussianCox {
    /// The Gaussian N(m, S) of the largest ELBO, and the ELBO: S⁻¹ = C⁻¹ + diag(r), r = e^{m + ½ diag S}/cells, by turns
    /// with a Newton step of m.                                                                                \[OA09\]
    ///
    /// # Errors
    /// [`Error::Diverged`] if it does not settle.
    pub fn gaussian_fit(&self) -> Result<(Gaussian, f64)> {
        let cells = self.counts.len();
        let (mut mean, mut var) = (vec![self.mean; cells], vec![self.var; cells]);
        for _ in 0..SWEEPS {
            let rates: Vec<f64> =
                mean.iter().zip(&var).map(|(m, v)| (m + 0.5 * v).exp() / cells as f64).collect();
            let mut precision = self.precision.clone();
            (0..cells).for_each(|i| precision[(i, i)] += rates[i]);
            let pull = &self.precision * Col::from_fn(cells, |i| mean[i] - self.mean);
            let slope = Col::from_fn(cells, |i| self.counts[i] - rates[i] - pull[i]);
            let Ok(factor) = precision.llt(Side::Lower) else { break };
            let step = factor.solve(&slope);
            let covariance = factor.solve(Mat::<f64>::identity(cells, cells));
            let changed = (0..cells).map(|i| step[i].abs().max((covariance[(i, i)] - var[i]).abs()));
            let changed = changed.fold(0.0, f64::max);
            for i in 0..cells {
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
        let cells = self.counts.len();
        let centred = Col::from_fn(cells, |i| law.mean[i] - self.mean);
        let quadratic = centred.transpose() * (&self.precision * &centred);
        let trace = cells as f64 - rates.iter().zip(var).map(|(r, v)| r * v).sum::<f64>();
        let counted: f64 = self.counts.iter().zip(&law.mean).map(|(y, m)| y * m).sum();
        let entropy = 0.5 * cells as f64 * (1.0 + TAU.ln()) + law.log_det();
        self.log_constant - 0.5 * (quadratic + trace) + counted - rates.iter().sum::<f64>() + entropy
    }
}

/// Fields are evaluated together: reading C⁻¹ takes as long as a product with it.
impl LogDensity for LogGaussianCox {
    fn dim(&self) -> usize {
        self.counts.len()
    }

    fn values(&self, fields: &[f64]) -> Result<Vec<f64>> {
        Ok(self.values_and_gradients(fields)?.0)
    }

    fn values_and_gradients(&self, fields: &[f64]) -> Result<(Vec<f64>, Vec<f64>)> {
        let cells = self.counts.len();
        let count = fields.len() / cells;
        let centred = Mat::from_fn(cells, count, |i, k| fields[k * cells + i] - self.mean);
        let pull = &self.precision * &centred;
        let (mut values, mut gradients) = (vec![self.log_constant; count], vec![0.0; fields.len()]);
        for k in 0..count {
            for i in 0..cells {
                let field = fields[k * cells + i];
                let rate = field.exp() / cells as f64;
                values[k] += self.counts[i] * field - rate - 0.5 * centred[(i, k)] * pull[(i, k)];
                gradients[k * cells + i] = self.counts[i] - rate - pull[(i, k)];
            }
        }
        Ok((values, gradients))
    }

    fn has_gradient(&self) -> bool {
        true
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
