//! Haar-distributed unitary matrices, and gates on two qubits of several.
//!
//! Orthonormalising the columns of a matrix of independent complex normals, each with a positive coefficient on its own, gives
//! the Haar measure exactly; a QR decomposition with other phases on the diagonal of R does not.             \[Mezzadri07\]
//!
//! Tests: moments of an entry, flat phases of the eigenvalues, and that the last fails without the phases.

use faer::c64;

use crate::rng::Rng;

/// Standard normal numbers with the digits of f64.
pub(super) fn normals(count: usize, rng: &mut Rng) -> Vec<f64> {
    // Polar coordinates of pairs; the radius needs a number above zero.
    let uniform = rng.uniform(2 * count.div_ceil(2), 0.0, 1.0);
    let pair = |pair: &[f64]| {
        let (radius, angle) = ((-2.0 * (1.0 - pair[0]).ln()).sqrt(), std::f64::consts::TAU * pair[1]);
        [radius * angle.cos(), radius * angle.sin()]
    };
    uniform.chunks_exact(2).flat_map(pair).take(count).collect()
}

/// Independent complex normals, `[rows, columns]`.
pub(super) fn ginibre(rows: usize, columns: usize, rng: &mut Rng) -> Vec<c64> {
    normals(2 * rows * columns, rng).chunks_exact(2).map(|z| c64::new(z[0], z[1])).collect()
}

/// A unitary matrix drawn from the Haar measure, `[dim, dim]`, row by row.
pub fn haar_unitary(dim: usize, rng: &mut Rng) -> Vec<c64> {
    let mut columns: Vec<Vec<c64>> = ginibre(dim, dim, rng).chunks_exact(dim).map(<[c64]>::to_vec).collect();
    for k in 0..dim {
        let (before, rest) = columns.split_at_mut(k);
        let column = &mut rest[0];
        // Twice is enough for columns orthogonal to rounding.
        for other in before.iter().chain(before.iter()) {
            let share: c64 = other.iter().zip(column.iter()).map(|(q, z)| q.conj() * z).sum();
            column.iter_mut().zip(other).for_each(|(z, q)| *z -= share * q);
        }
        let norm = column.iter().map(|z| z.re * z.re + z.im * z.im).sum::<f64>().sqrt();
        column.iter_mut().for_each(|z| *z /= norm);
    }
    (0..dim * dim).map(|at| columns[at % dim][at / dim]).collect()
}

/// A unitary matrix on two qubits of several.
#[derive(Clone, Debug)]
pub struct Gate {
    qubits: usize,
    /// Bits of the two in an index, the first the more significant one of the matrix.
    bits: [usize; 2],
    matrix: Vec<c64>,
}

impl Gate {
    /// `matrix`, `[4, 4]`, on the qubits `first` and `second` of `qubits`, counted from 1; qubit 1 is the most significant bit.
    ///
    /// # Panics
    /// If the two are not different ones of them, or the matrix is of another size.
    pub fn new(qubits: usize, [first, second]: [usize; 2], matrix: Vec<c64>) -> Self {
        let is_one = |qubit: usize| (1..=qubits).contains(&qubit);
        assert!(is_one(first) && is_one(second) && first != second && matrix.len() == 16, "two of {qubits}");
        Self { qubits, bits: [first, second].map(|qubit| 1 << (qubits - qubit)), matrix }
    }

    /// The whole matrix, `[2^qubits, 2^qubits]`.
    pub fn whole(&self) -> Vec<c64> {
        let dim = 1 << self.qubits;
        let mut whole = vec![c64::new(0.0, 0.0); dim * dim];
        (0..dim).for_each(|i| whole[i * (dim + 1)] = c64::new(1.0, 0.0));
        self.on_rows(&mut whole, dim);
        whole
    }

    /// U X U†, in place of `matrix`.
    pub fn conjugate(&self, matrix: &mut [c64]) {
        let dim = 1 << self.qubits;
        self.on_rows(matrix, dim);
        // U (U X)† is U X U† of a Hermitian X.
        adjoint(matrix, dim);
        self.on_rows(matrix, dim);
    }

    /// U times `matrix`, in its place.
    fn on_rows(&self, matrix: &mut [c64], dim: usize) {
        let [a, b] = self.bits;
        for base in (0..dim).filter(|row| row & (a | b) == 0) {
            let rows = [base, base | b, base | a, base | a | b];
            for column in 0..dim {
                let old = rows.map(|row| matrix[row * dim + column]);
                for (k, row) in rows.into_iter().enumerate() {
                    matrix[row * dim + column] = (0..4).map(|l| self.matrix[4 * k + l] * old[l]).sum();
                }
            }
        }
    }
}

/// X† in place of X.
fn adjoint(matrix: &mut [c64], dim: usize) {
    for i in 0..dim {
        for j in 0..=i {
            let (x, y) = (matrix[i * dim + j], matrix[j * dim + i]);
            (matrix[i * dim + j], matrix[j * dim + i]) = (y.conj(), x.conj());
        }
    }
}

/// U diag(`values`) U† of a unitary `[dim, dim]`, exactly Hermitian.
pub(super) fn rotated(unitary: &[c64], values: &[f64]) -> Vec<c64> {
    let dim = values.len();
    let mut out = vec![c64::new(0.0, 0.0); dim * dim];
    for i in 0..dim {
        for j in 0..=i {
            let terms = (0..dim).map(|k| unitary[i * dim + k] * unitary[j * dim + k].conj() * values[k]);
            let entry: c64 = terms.sum();
            (out[i * dim + j], out[j * dim + i]) = (entry, entry.conj());
        }
        out[i * (dim + 1)].im = 0.0;
    }
    out
}
