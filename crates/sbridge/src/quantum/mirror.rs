//! The mirror map of the von Neumann entropy.
//!
//! With X = Q diag(λ) Q† and Y = P diag(w) P†:
//!
//! φ(X) = Tr X log X,   ∇φ(X) = I + log X,   ∇φ*(Y) = exp(Y − I),   φ*(Y) = Tr exp(Y − I)              \[SPDM, MDM\]
//!
//! The trace is no part of φ: a decoded matrix is divided by its own, so Y and Y + cI are one state, P diag(softmax w) P†.
//!
//! Tests: round trips, Legendre's identity, finite differences, diagonal states, one qubit, covariance (`tests/quantum.rs`).

use faer::c64;
use rayon::prelude::*;

use crate::error::Result;
use crate::quantum::coordinates::{self, Coordinates, Gauge};
use crate::quantum::spectrum::map_batch;
use crate::quantum::states::{
    LEAST_EIGENVALUE, States, eigenvalues, require_matrices, require_same_size, settle_trace,
};

/// A batch of Hermitian matrices: what states are in the dual space.
#[derive(Clone, Debug, PartialEq)]
pub struct Dual {
    dim: usize,
    values: Vec<c64>,
}

impl Dual {
    /// The Hermitian matrices in `values`, `[count, dim, dim]`; their lower triangles are what counts.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) for values that are not matrices of `dim` rows.
    pub fn new(dim: usize, values: Vec<c64>) -> Result<Self> {
        require_matrices(dim, values.len())?;
        Ok(Self { dim, values })
    }

    pub(super) fn built(dim: usize, values: Vec<c64>) -> Self {
        Self { dim, values }
    }

    /// I + log X. An eigenvalue below [`LEAST_EIGENVALUE`] counts as that:
    /// [`require_definite`](States::require_definite) refuses such states before.
    pub fn of(states: &States) -> Self {
        let log = |value: f64| 1.0 + value.max(LEAST_EIGENVALUE).ln();
        Self { dim: states.dim(), values: spectral(states.values(), states.dim(), log) }
    }

    /// The matrices of real coordinates, `[count, d²]`, or one fewer without a trace.
    ///
    /// # Errors
    /// As [`new`](Self::new), for `dim`.
    pub fn of_coordinates(dim: usize, y: &[f64], kind: (Coordinates, Gauge)) -> Result<Self> {
        require_matrices(dim, dim * dim)?;
        let size = coordinates::count(dim, kind.1);
        let mut values = vec![c64::new(0.0, 0.0); y.len() / size * dim * dim];
        let rows = values.par_chunks_exact_mut(dim * dim).zip(y.par_chunks_exact(size));
        rows.for_each(|(matrix, y)| coordinates::to_matrix(y, dim, kind, matrix));
        Ok(Self { dim, values })
    }

    /// Their real coordinates, `[count, d²]`, or one fewer without a trace.
    pub fn coordinates(&self, kind: (Coordinates, Gauge)) -> Vec<f64> {
        coordinates::of_matrices(&self.values, self.dim, kind)
    }

    /// Rows of a matrix.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// All entries, `[count, dim, dim]`.
    pub fn values(&self) -> &[c64] {
        &self.values
    }

    /// The states, exp(Y − I) over its trace: Hermitian to the last bit, of trace 1 in any order of summation, and positive
    /// with room for the rounding of whoever looks. Matrices that are not finite become such that are not.
    pub fn states(&self) -> States {
        let dim = self.dim;
        // What eigenvalues of a matrix of trace 1 are uncertain by: as much of the mixed state keeps them above zero.
        let least = 4.0 * dim as f64 * f64::EPSILON;
        let values = map_batch(&self.values, dim, dim * dim, |spectrum, matrix, out: &mut [c64]| {
            if !spectrum.decompose(matrix) {
                return out.fill(c64::new(f64::NAN, f64::NAN));
            }
            let most = spectrum.values.iter().fold(f64::MIN, |most, w| most.max(*w));
            let weights: Vec<f64> = spectrum.values.iter().map(|w| (w - most).exp()).collect();
            let total = weights.iter().sum::<f64>() * (1.0 + dim as f64 * least);
            let weights: Vec<f64> = weights.iter().map(|w| w / total + least).collect();
            spectrum.compose(&weights, out);
            settle_trace(out, dim);
        });
        States::built(dim, values)
    }

    /// The matrices themselves over their trace: Hermitian and of trace 1, and no states where an eigenvalue is negative.
    pub(super) fn over_trace(&self) -> States {
        let (dim, mut values) = (self.dim, self.values.clone());
        for matrix in values.chunks_exact_mut(dim * dim) {
            let trace: f64 = (0..dim).map(|i| matrix[i * (dim + 1)].re).sum();
            matrix.iter_mut().for_each(|z| *z /= trace);
            settle_trace(matrix, dim);
        }
        States::built(dim, values)
    }

    /// exp(Y − I), whatever its trace, `[count, dim, dim]`.
    pub fn exponentials(&self) -> Vec<c64> {
        spectral(&self.values, self.dim, |w| (w - 1.0).exp())
    }
}

/// P f(w) P† of every matrix P diag(w) P†.
fn spectral(values: &[c64], dim: usize, f: impl Fn(f64) -> f64 + Sync) -> Vec<c64> {
    map_batch(values, dim, dim * dim, |spectrum, matrix, out: &mut [c64]| {
        if !spectrum.decompose(matrix) {
            return out.fill(c64::new(f64::NAN, f64::NAN));
        }
        let weights: Vec<f64> = spectrum.values.iter().map(|value| f(*value)).collect();
        spectrum.compose(&weights, out);
    })
}

/// φ(X) = Tr X log X of every state, `[count]`, where 0 log 0 = 0.
pub fn potential(states: &States) -> Vec<f64> {
    let of = |values: &[f64]| values.iter().map(|l| if *l > 0.0 { l * l.ln() } else { 0.0 }).sum();
    states.eigenvalues().chunks_exact(states.dim()).map(of).collect()
}

/// φ*(Y) = Tr exp(Y − I) of every matrix, `[count]`.
pub fn conjugate(dual: &Dual) -> Vec<f64> {
    let values = eigenvalues(&dual.values, dual.dim);
    values.chunks_exact(dual.dim).map(|w| w.iter().map(|w| (w - 1.0).exp()).sum()).collect()
}

/// Tr X (log X − log X') of each pair of states, `[count]`: the relative entropy.
///
/// # Errors
/// [`Error::Shape`](crate::Error::Shape) for batches of different size.
pub fn bregman_divergence(x: &States, other: &States) -> Result<Vec<f64>> {
    require_same_size(x, other)?;
    let (own, theirs) = (potential(x), Dual::of(other));
    let size = x.dim() * x.dim();
    let pairs = x.matrices().zip(theirs.values.chunks_exact(size));
    // Tr X ∇φ(X') is 1 + Tr X log X'.
    Ok(own.iter().zip(pairs).map(|(own, (x, y))| own + 1.0 - product_trace(x, y)).collect())
}

/// Tr XY of Hermitian matrices.
pub(super) fn product_trace(x: &[c64], y: &[c64]) -> f64 {
    x.iter().zip(y).map(|(x, y)| x.re * y.re + x.im * y.im).sum()
}
