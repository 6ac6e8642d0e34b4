//! Real coordinates of Hermitian matrices.
//!
//! d diagonal entries, then Re yᵢⱼ of i < j row by row, then all Im yᵢⱼ. Isometric ones have off-diagonal entries times √2: then
//! |y| is the Frobenius norm, and Brownian motion of y the same in every basis of the states. Without a gauge the identity is
//! a direction like others, though no state depends on it; without a trace the diagonal is told by its d − 1 contrasts
//! (y₁ + … + yₖ − k yₖ₊₁)/√(k(k+1)).
//!
//! Tests: round trips in all of them, the norm, invariance under unitaries (`tests/quantum.rs`).

use faer::c64;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// How off-diagonal entries count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Coordinates {
    /// Times √2: distances are those of matrices, in every basis.
    #[default]
    Isometric,
    /// As they are.
    Raw,
}

/// What becomes of the trace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Gauge {
    /// It is a coordinate like the others: d² of them.
    #[default]
    Full,
    /// It is taken out: d² − 1 of them.
    Traceless,
}

/// Number of coordinates of a matrix of `dim` rows.
pub(super) fn count(dim: usize, gauge: Gauge) -> usize {
    match gauge {
        Gauge::Full => dim * dim,
        Gauge::Traceless => dim * dim - 1,
    }
}

/// Coordinates of Hermitian matrices, `[count, dim, dim]`.
pub(super) fn of_matrices(values: &[c64], dim: usize, kind: (Coordinates, Gauge)) -> Vec<f64> {
    let size = count(dim, kind.1);
    let mut y = vec![0.0; values.len() / (dim * dim) * size];
    let rows = y.par_chunks_exact_mut(size).zip(values.par_chunks_exact(dim * dim));
    rows.for_each(|(y, matrix)| of_matrix(matrix, dim, kind, y));
    y
}

/// Coordinates of `matrix`, `[dim, dim]`, into `out`.
fn of_matrix(matrix: &[c64], dim: usize, (coordinates, gauge): (Coordinates, Gauge), out: &mut [f64]) {
    let factor = coordinates.factor();
    let diagonal = (0..dim).map(|i| matrix[i * (dim + 1)].re);
    let start = match gauge {
        Gauge::Full => {
            diagonal.zip(&mut *out).for_each(|(y, out)| *out = y);
            dim
        }
        Gauge::Traceless => {
            let (mut sum, mut values) = (matrix[0].re, diagonal);
            values.next();
            for (k, (y, out)) in (1..).zip(values.zip(&mut *out)) {
                let k = f64::from(k);
                *out = (sum - k * y) / (k * (k + 1.0)).sqrt();
                sum += y;
            }
            dim - 1
        }
    };
    let half = dim * (dim - 1) / 2;
    for (p, (i, j)) in upper(dim).enumerate() {
        // The lower triangle is what counts, so that conjugates are taken here alone.
        let entry = matrix[j * dim + i].conj();
        out[start + p] = factor * entry.re;
        out[start + half + p] = factor * entry.im;
    }
}

/// The matrix of `coordinates`, into `out`, `[dim, dim]`.
pub(super) fn to_matrix(y: &[f64], dim: usize, (coordinates, gauge): (Coordinates, Gauge), out: &mut [c64]) {
    let factor = coordinates.factor();
    let start = match gauge {
        Gauge::Full => {
            (0..dim).for_each(|i| out[i * (dim + 1)] = c64::new(y[i], 0.0));
            dim
        }
        Gauge::Traceless => {
            let mut diagonal = vec![0.0; dim];
            for k in 1..dim {
                let (share, whole) = (k as f64, y[k - 1] / ((k * (k + 1)) as f64).sqrt());
                diagonal[..k].iter_mut().for_each(|entry| *entry += whole);
                diagonal[k] -= share * whole;
            }
            (0..dim).for_each(|i| out[i * (dim + 1)] = c64::new(diagonal[i], 0.0));
            dim - 1
        }
    };
    let half = dim * (dim - 1) / 2;
    for (p, (i, j)) in upper(dim).enumerate() {
        let entry = c64::new(y[start + p] / factor, y[start + half + p] / factor);
        out[i * dim + j] = entry;
        out[j * dim + i] = entry.conj();
    }
}

impl Coordinates {
    fn factor(self) -> f64 {
        match self {
            Self::Isometric => std::f64::consts::SQRT_2,
            Self::Raw => 1.0,
        }
    }
}

/// Places above the diagonal, row by row.
fn upper(dim: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..dim).flat_map(move |i| (i + 1..dim).map(move |j| (i, j)))
}
