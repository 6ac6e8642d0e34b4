//! Functions of small dense matrices: square roots, determinants, the exponential, the Lyapunov equation.
//!
//! Decompositions are faer's. A symmetric matrix is read through its spectrum A = U Λ Uᵀ, and eigenvalues below
//! d·2⁻⁵²·λmax count as zero: they are rounding, and their square roots would be errors of 10⁻⁸ λmax^½.
//!
//! Tests: roots square back; expm turns sums into products and traces into determinants; Lyapunov residuals vanish.

use faer::linalg::matmul::matmul;
use faer::linalg::solvers::Solve;
use faer::{Accum, Mat, MatRef, Par, Side};

use crate::error::{OtError, Result};

/// Relative asymmetry and negative eigenvalue that pass as rounding: a covariance stored in single precision has 10⁻⁷.
const ROUNDING: f64 = 1e-6;

/// Largest dimension of a non-symmetric Lyapunov equation: its linear system has d² unknowns.
const MAX_LYAPUNOV: usize = 32;

/// Eigenvalues (ascending, none negative) and eigenvectors (columns) of a symmetric positive semi-definite matrix.
#[derive(Debug, Clone)]
pub(crate) struct Spectrum {
    what: &'static str,
    values: Vec<f64>,
    vectors: Mat<f64>,
}

impl Spectrum {
    /// Decompose `a`; `what` names it in errors.
    pub(crate) fn new(what: &'static str, a: MatRef<'_, f64>) -> Result<Self> {
        let (mut values, vectors) = symmetric_eigen(what, a)?;
        let scale = values.iter().fold(0.0_f64, |scale, value| scale.max(value.abs()));
        let least = values.first().copied().unwrap_or(0.0);
        if least < -ROUNDING * scale {
            return Err(OtError::NotPositiveSemidefinite { what, eigenvalue: least });
        }
        let zero = values.len() as f64 * f64::EPSILON * scale;
        values.iter_mut().filter(|value| **value <= zero).for_each(|value| *value = 0.0);
        Ok(Self { what, values, vectors })
    }

    /// Refuse a singular matrix.
    pub(crate) fn require_definite(&self) -> Result<()> {
        match self.values.first() {
            Some(least) if *least <= 0.0 => {
                Err(OtError::NotPositiveDefinite { what: self.what, eigenvalue: *least })
            }
            _ => Ok(()),
        }
    }

    /// U f(Λ) Uᵀ.
    pub(crate) fn map(&self, f: impl Fn(f64) -> f64) -> Mat<f64> {
        let scaled = Mat::from_fn(self.values.len(), self.values.len(), |i, j| {
            self.vectors[(i, j)] * f(self.values[j])
        });
        symmetric_part((scaled * self.vectors.transpose()).as_ref())
    }

    /// F = U Λ^½ without its zero columns, so that F Fᵀ is the matrix; `[dim, rank]`.
    pub(crate) fn factor(&self) -> Mat<f64> {
        let null = self.values.iter().take_while(|value| **value == 0.0).count();
        let (dim, rank) = (self.values.len(), self.values.len() - null);
        Mat::from_fn(dim, rank, |i, j| self.vectors[(i, j + null)] * self.values[j + null].sqrt())
    }

    /// ln det; −∞ for a singular matrix.
    pub(crate) fn log_det(&self) -> f64 {
        self.values.iter().map(|value| value.ln()).sum()
    }
}

/// Eigenvalues (ascending) and eigenvectors (columns) of a symmetric matrix; `what` names it in errors.
///
/// # Errors
/// [`OtError`] for a matrix that is not square, finite and symmetric, or has no eigenvalues to rounding.
pub fn symmetric_eigen(what: &'static str, a: MatRef<'_, f64>) -> Result<(Vec<f64>, Mat<f64>)> {
    require_symmetric(what, a)?;
    let symmetric = symmetric_part(a);
    let eigen = symmetric.self_adjoint_eigen(Side::Lower).map_err(|_| OtError::Eigenvalues { what })?;
    Ok((eigen.S().column_vector().iter().copied().collect(), eigen.U().to_owned()))
}

/// Check that a matrix is square and finite.
pub(crate) fn require_square(what: &'static str, a: MatRef<'_, f64>) -> Result<()> {
    let (rows, columns) = a.shape();
    if rows != columns {
        return Err(OtError::Shape { what, rows, columns: rows, got_rows: rows, got_columns: columns });
    }
    require_finite(what, a)
}

/// Check that every entry is finite.
pub(crate) fn require_finite(what: &'static str, a: MatRef<'_, f64>) -> Result<()> {
    for (row, column) in (0..a.nrows()).flat_map(|i| (0..a.ncols()).map(move |j| (i, j))) {
        let value = a[(row, column)];
        if !value.is_finite() {
            return Err(OtError::NotFinite { what, row, column, value });
        }
    }
    Ok(())
}

/// Check that a square matrix is symmetric up to rounding.
pub(crate) fn require_symmetric(what: &'static str, a: MatRef<'_, f64>) -> Result<()> {
    require_square(what, a)?;
    let (row, column, difference) = largest_asymmetry(a);
    if difference <= ROUNDING * a.norm_max() {
        return Ok(());
    }
    Err(OtError::NotSymmetric { what, row, column, difference })
}

/// Place and size of the largest |aᵢⱼ − aⱼᵢ|.
fn largest_asymmetry(a: MatRef<'_, f64>) -> (usize, usize, f64) {
    let pairs = (0..a.nrows()).flat_map(|i| (0..i).map(move |j| (i, j)));
    pairs
        .map(|(i, j)| (i, j, (a[(i, j)] - a[(j, i)]).abs()))
        .fold((0, 0, 0.0), |worst, pair| if pair.2 > worst.2 { pair } else { worst })
}

/// A B, on this thread: for work that is done side by side as it is.
pub fn times(a: MatRef<'_, f64>, b: MatRef<'_, f64>) -> Mat<f64> {
    let mut out = Mat::zeros(a.nrows(), b.ncols());
    matmul(out.as_mut(), Accum::Replace, a, b, 1.0, Par::Seq);
    out
}

/// (A + Aᵀ)/2 of a square matrix: symmetric to the bit.
pub fn symmetric_part(a: MatRef<'_, f64>) -> Mat<f64> {
    Mat::from_fn(a.nrows(), a.ncols(), |i, j| 0.5 * (a[(i, j)] + a[(j, i)]))
}

/// c·I.
pub(crate) fn scaled_identity(dim: usize, c: f64) -> Mat<f64> {
    Mat::from_fn(dim, dim, |i, j| if i == j { c } else { 0.0 })
}

/// Σᵢ aᵢᵢ of a square matrix.
///
/// # Panics
/// If `a` is not square.
pub fn trace(a: MatRef<'_, f64>) -> f64 {
    assert_eq!(a.nrows(), a.ncols(), "the trace of a rectangular matrix is undefined");
    (0..a.nrows()).map(|i| a[(i, i)]).sum()
}

/// The symmetric positive semi-definite square root.
///
/// # Errors
/// If `a` is not symmetric positive semi-definite (up to 10⁻⁶ of its norm).
pub fn sqrt_psd(a: MatRef<'_, f64>) -> Result<Mat<f64>> {
    Ok(Spectrum::new("matrix", a)?.map(f64::sqrt))
}

/// The inverse of the symmetric square root.
///
/// # Errors
/// If `a` is not symmetric positive definite.
pub fn inv_sqrt_pd(a: MatRef<'_, f64>) -> Result<Mat<f64>> {
    let spectrum = Spectrum::new("matrix", a)?;
    spectrum.require_definite()?;
    Ok(spectrum.map(|value| value.sqrt().recip()))
}

/// ln det of a symmetric positive definite matrix.
///
/// # Errors
/// If `a` is not symmetric positive definite.
pub fn log_det_pd(a: MatRef<'_, f64>) -> Result<f64> {
    let spectrum = Spectrum::new("matrix", a)?;
    spectrum.require_definite()?;
    Ok(spectrum.log_det())
}

/// The matrix exponential, by the [13/13] Padé approximant with scaling and squaring \[Hig05\].
///
/// # Errors
/// If `a` is not square or holds a value that is not finite.
pub fn expm(a: MatRef<'_, f64>) -> Result<Mat<f64>> {
    /// Largest 1-norm at which the approximant is accurate to rounding [Hig05, Table 2.3].
    const THETA: f64 = 5.371920351148152;
    require_square("matrix", a)?;
    let squarings = (norm_1(a) / THETA).log2().ceil().max(0.0) as i32;
    let scaled = a * faer::Scale(0.5_f64.powi(squarings));
    let mut exponential = pade_13(&scaled);
    for _ in 0..squarings {
        exponential = &exponential * &exponential;
    }
    Ok(exponential)
}

/// Largest absolute column sum.
fn norm_1(a: MatRef<'_, f64>) -> f64 {
    a.col_iter().map(|column| column.norm_l1()).fold(0.0, f64::max)
}

/// (V − U)⁻¹ (V + U), with U the odd and V the even part of the degree-13 numerator [Hig05, eq. 2.13].
fn pade_13(a: &Mat<f64>) -> Mat<f64> {
    let b = pade_coefficients::<13>();
    let identity = scaled_identity(a.nrows(), 1.0);
    let (a2, a4, a6) = {
        let a2 = a * a;
        let a4 = &a2 * &a2;
        let a6 = &a4 * &a2;
        (a2, a4, a6)
    };
    let combine =
        |c6: f64, c4: f64, c2: f64| &a6 * faer::Scale(c6) + &a4 * faer::Scale(c4) + &a2 * faer::Scale(c2);
    let odd =
        a * (&a6 * combine(b[13], b[11], b[9]) + combine(b[7], b[5], b[3]) + &identity * faer::Scale(b[1]));
    let even = &a6 * combine(b[12], b[10], b[8]) + combine(b[6], b[4], b[2]) + &identity * faer::Scale(b[0]);
    (&even - &odd).partial_piv_lu().solve(&even + &odd)
}

/// Numerator coefficients of the [N/N] Padé approximant of exp, scaled so that the constant term is 1.
fn pade_coefficients<const N: usize>() -> [f64; 14] {
    let mut b = [0.0; 14];
    b[0] = 1.0;
    for k in 1..=N {
        b[k] = b[k - 1] * (N + 1 - k) as f64 / ((2 * N + 1 - k) * k) as f64;
    }
    b
}

/// The solution X of A X + X Aᵀ = Q, all `[dim, dim]`.
///
/// A symmetric A is solved in its eigenbasis; any other as a linear system of d² unknowns, for d ≤ 32.
///
/// # Errors
/// If A is not square, Q has another shape, A is not symmetric and larger than 32, or the solution is
/// not unique because λᵢ + λⱼ = 0 for two eigenvalues of A.
pub fn lyapunov(a: MatRef<'_, f64>, q: MatRef<'_, f64>) -> Result<Mat<f64>> {
    require_square("A", a)?;
    if q.shape() != a.shape() {
        let (rows, columns) = a.shape();
        return Err(OtError::Shape { what: "Q", rows, columns, got_rows: q.nrows(), got_columns: q.ncols() });
    }
    require_finite("Q", q)?;
    if largest_asymmetry(a).2 == 0.0 { lyapunov_symmetric(a, q) } else { lyapunov_kronecker(a, q) }
}

/// X = U [ (UᵀQU)ᵢⱼ / (λᵢ + λⱼ) ] Uᵀ.
fn lyapunov_symmetric(a: MatRef<'_, f64>, q: MatRef<'_, f64>) -> Result<Mat<f64>> {
    let (values, u) = symmetric_eigen("A", a)?;
    let dim = values.len();
    let rotated = u.transpose() * q * &u;
    let solved = Mat::from_fn(dim, dim, |i, j| rotated[(i, j)] / (values[i] + values[j]));
    finite_solution(&u * solved * u.transpose())
}

/// (I ⊗ A + A ⊗ I) vec X = vec Q, columns stacked.
fn lyapunov_kronecker(a: MatRef<'_, f64>, q: MatRef<'_, f64>) -> Result<Mat<f64>> {
    let dim = a.nrows();
    if dim > MAX_LYAPUNOV {
        return Err(OtError::TooLarge {
            what: "a non-symmetric Lyapunov equation",
            max: MAX_LYAPUNOV,
            got: dim,
        });
    }
    let system = Mat::from_fn(dim * dim, dim * dim, |row, column| {
        let ((j, i), (l, k)) = ((row / dim, row % dim), (column / dim, column % dim));
        let left = if j == l { a[(i, k)] } else { 0.0 };
        let right = if i == k { a[(j, l)] } else { 0.0 };
        left + right
    });
    let stacked = Mat::from_fn(dim * dim, 1, |row, _| q[(row % dim, row / dim)]);
    let solution = system.full_piv_lu().solve(stacked);
    finite_solution(Mat::from_fn(dim, dim, |i, j| solution[(j * dim + i, 0)]))
}

/// A singular system divides by zero, which shows as entries that are not finite.
fn finite_solution(x: Mat<f64>) -> Result<Mat<f64>> {
    let finite = require_finite("X", x.as_ref()).is_ok();
    if finite { Ok(x) } else { Err(OtError::Singular { what: "the Lyapunov equation" }) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use faer::mat;

    fn distance(a: &Mat<f64>, b: &Mat<f64>) -> f64 {
        (a - b).norm_max()
    }

    fn correlated() -> Mat<f64> {
        mat![[2.0, 0.3, -0.4], [0.3, 1.0, 0.2], [-0.4, 0.2, 0.5]]
    }

    #[test]
    fn roots_square_back() {
        let a = correlated();
        let root = sqrt_psd(a.as_ref()).unwrap();
        let inverse_root = inv_sqrt_pd(a.as_ref()).unwrap();
        // Backward-stable eigenvectors: a few roundings of a matrix of norm 2 and condition below 10.
        assert!(distance(&(&root * &root), &a) < 1e-14);
        assert!(distance(&(&root * &inverse_root), &scaled_identity(3, 1.0)) < 1e-14);
    }

    #[test]
    fn a_singular_matrix_has_a_root_but_no_inverse() {
        let rank_one = mat![[1.0, 2.0], [2.0, 4.0]];
        // vvᵀ/|v| with v = (1, 2).
        let expected = &rank_one * faer::Scale(5.0_f64.sqrt().recip());
        assert!(distance(&sqrt_psd(rank_one.as_ref()).unwrap(), &expected) < 1e-15);
        assert!(matches!(inv_sqrt_pd(rank_one.as_ref()), Err(OtError::NotPositiveDefinite { .. })));
    }

    #[test]
    fn indefinite_asymmetric_and_rectangular_matrices_are_refused() {
        let indefinite = mat![[1.0, 2.0], [2.0, 1.0]];
        assert!(matches!(sqrt_psd(indefinite.as_ref()), Err(OtError::NotPositiveSemidefinite { .. })));
        let asymmetric = mat![[1.0, 0.5], [0.0, 1.0]];
        assert!(matches!(sqrt_psd(asymmetric.as_ref()), Err(OtError::NotSymmetric { .. })));
        assert!(matches!(expm(Mat::zeros(2, 3).as_ref()), Err(OtError::Shape { .. })));
    }

    #[test]
    fn log_det_of_a_triangular_product_is_the_log_of_its_diagonal() {
        let l = mat![[2.0, 0.0], [1.0, 3.0]];
        let log_det = log_det_pd((&l * l.transpose()).as_ref()).unwrap();
        assert!((log_det - 36.0_f64.ln()).abs() < 1e-14);
    }

    #[test]
    fn expm_of_a_rotation_generator_is_the_rotation() {
        // Angle 20 needs two squarings.
        let angle = 20.0_f64;
        let (sin, cos) = angle.sin_cos();
        let rotation = expm(mat![[0.0, -angle], [angle, 0.0]].as_ref()).unwrap();
        // Each squaring doubles the error of 1e-16, relative to exp(‖A‖) only in the worst case; normal here.
        assert!(distance(&rotation, &mat![[cos, -sin], [sin, cos]]) < 1e-13);
    }

    #[test]
    fn expm_of_a_nilpotent_matrix_is_its_series() {
        let nilpotent = mat![[0.0, 1.0, 2.0], [0.0, 0.0, 3.0], [0.0, 0.0, 0.0]];
        let series = mat![[1.0, 1.0, 3.5], [0.0, 1.0, 3.0], [0.0, 0.0, 1.0]];
        assert!(distance(&expm(nilpotent.as_ref()).unwrap(), &series) < 1e-14);
    }

    #[test]
    fn expm_turns_the_trace_into_the_determinant() {
        let a = mat![[0.3, -2.0, 1.0], [0.5, -1.0, 0.7], [1.5, 0.1, 0.2]];
        let determinant = expm(a.as_ref()).unwrap().determinant();
        assert!((determinant.ln() - trace(a.as_ref())).abs() < 1e-13);
    }

    #[test]
    fn lyapunov_solutions_leave_no_residual() {
        let q = mat![[1.0, 0.2, 0.0], [0.2, 2.0, 0.1], [0.0, 0.1, 0.7]];
        let skewed = mat![[1.0, 0.8, 0.0], [-0.3, 2.0, 0.1], [0.4, 0.0, 0.9]];
        for a in [correlated(), skewed] {
            let x = lyapunov(a.as_ref(), q.as_ref()).unwrap();
            // Condition below 100 on entries of order 1.
            assert!(distance(&(&a * &x + &x * a.transpose()), &q) < 1e-13);
        }
    }

    #[test]
    fn opposite_eigenvalues_leave_lyapunov_without_solution() {
        let a = mat![[1.0, 0.0], [0.0, -1.0]];
        let error = lyapunov(a.as_ref(), scaled_identity(2, 1.0).as_ref());
        // Q is diagonal, so the singular entry is 0/0.
        assert!(matches!(error, Err(OtError::Singular { .. })));
    }

    #[test]
    fn eigenvectors_do_not_depend_on_the_number_of_threads() {
        let a = Mat::from_fn(150, 150, |i, j| 1.0 / (1.0 + i.abs_diff(j) as f64));
        let root = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| sqrt_psd(a.as_ref()).unwrap())
        };
        assert_eq!(root(1), root(3));
    }
}
