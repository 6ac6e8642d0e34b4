//! Spectra of small Hermitian matrices, many of them side by side.
//!
//! Decompositions are faer's, each on one thread: a batch is what is shared out among the cores. Only the lower triangle of a
//! matrix is read, and what is put together again has an upper triangle that mirrors it to the last bit.

use faer::diag::Diag;
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::evd::{ComputeEigenvectors, self_adjoint_evd, self_adjoint_evd_scratch};
use faer::{Mat, MatRef, Par, c64};
use rayon::prelude::*;

/// Room for decompositions of matrices of one size, one after the other.
pub(super) struct Spectrum {
    dim: usize,
    /// Eigenvalues of the last matrix, rising.
    pub(super) values: Vec<f64>,
    vectors: Mat<c64>,
    diagonal: Diag<c64>,
    memory: MemBuffer,
}

impl Spectrum {
    pub(super) fn new(dim: usize) -> Self {
        let scratch =
            self_adjoint_evd_scratch::<c64>(dim, ComputeEigenvectors::Yes, Par::Seq, Default::default());
        Self {
            dim,
            values: vec![0.0; dim],
            vectors: Mat::zeros(dim, dim),
            diagonal: Diag::zeros(dim),
            memory: MemBuffer::new(scratch),
        }
    }

    /// Decomposes `matrix`, row by row. Whether it has a spectrum: one that is not finite has none.
    pub(super) fn decompose(&mut self, matrix: &[c64]) -> bool {
        self.solve(matrix, true)
    }

    /// Eigenvalues alone, rising.
    pub(super) fn eigenvalues(&mut self, matrix: &[c64]) -> bool {
        self.solve(matrix, false)
    }

    fn solve(&mut self, matrix: &[c64], wants_vectors: bool) -> bool {
        if matrix.iter().any(|z| !(z.re.is_finite() && z.im.is_finite())) {
            self.values.fill(f64::NAN);
            return false;
        }
        let a = MatRef::from_row_major_slice(matrix, self.dim, self.dim);
        let vectors = wants_vectors.then(|| self.vectors.as_mut());
        let stack = MemStack::new(&mut self.memory);
        let solved =
            self_adjoint_evd(a, self.diagonal.as_mut(), vectors, Par::Seq, stack, Default::default());
        let found = self.diagonal.column_vector();
        self.values.iter_mut().zip(found.iter()).for_each(|(value, found)| *value = found.re);
        solved.is_ok()
    }

    /// P diag(`weights`) P† of the last matrix that was decomposed, into `out`, row by row.
    pub(super) fn compose(&self, weights: &[f64], out: &mut [c64]) {
        let dim = self.dim;
        for i in 0..dim {
            for j in 0..=i {
                let mut sum = c64::new(0.0, 0.0);
                for (k, weight) in weights.iter().enumerate() {
                    sum += self.vectors[(i, k)] * self.vectors[(j, k)].conj() * *weight;
                }
                out[i * dim + j] = sum;
                out[j * dim + i] = sum.conj();
            }
            out[i * dim + i].im = 0.0;
        }
    }
}

/// `map` of every matrix of a batch, row by row each, with its own room; into rows of `width` values.
pub(super) fn map_batch<T: Clone + Default + Send + Sync>(
    values: &[c64],
    dim: usize,
    width: usize,
    map: impl Fn(&mut Spectrum, &[c64], &mut [T]) + Sync,
) -> Vec<T> {
    let mut out = vec![T::default(); values.len() / (dim * dim) * width];
    values
        .par_chunks_exact(dim * dim)
        .zip(out.par_chunks_exact_mut(width))
        .with_min_len(16)
        .for_each_init(|| Spectrum::new(dim), |spectrum, (matrix, out)| map(spectrum, matrix, out));
    out
}
