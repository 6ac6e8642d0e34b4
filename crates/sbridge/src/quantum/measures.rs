//! What is measured of states: entanglement across a partition, purity, entropy, and distances with a physical meaning.
//!
//! The negativity is the sum of the sizes of the negative eigenvalues of the partial transpose. The fidelity of two states is
//! (Tr √(√ρ σ √ρ))², their Bures distance √(2 − 2√F), and their trace distance half the sum of |eigenvalues| of ρ − σ.
//!
//! Tests: Bell and Werner states, products, local unitaries, complements; pure and commuting states (`tests/quantum.rs`).

use faer::c64;

use crate::error::{Error, Result};
use crate::quantum::mirror::{potential, product_trace};
use crate::quantum::spectrum::{Spectrum, map_batch};
use crate::quantum::states::{States, eigenvalues, qubits_of, require_same_size};

/// The qubits on one side, by the bits they have in an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Partition {
    dim: usize,
    mask: usize,
}

impl Partition {
    /// The qubits `chosen` of states of `dim` rows, counted from 1.
    ///
    /// # Errors
    /// [`Error::Setting`] for a dimension that is no power of two, a qubit that is not there, none, or all of them.
    pub fn new(dim: usize, chosen: &[usize]) -> Result<Self> {
        let Some(qubits) = qubits_of(dim) else {
            let fix = "states of qubits have 2, 4, 8, … rows; leave partition out";
            return Err(Error::setting("rows of a matrix", "a power of two for a partition", dim, fix));
        };
        let known = chosen.iter().all(|qubit| (1..=qubits).contains(qubit));
        let mask = chosen.iter().filter(|_| known).fold(0, |mask, qubit| mask | 1 << (qubits - qubit));
        if !known || mask == 0 || mask == dim - 1 {
            let requirement = format!("some of the qubits 1 to {qubits} and not all");
            return Err(Error::setting("partition", requirement, format!("{chosen:?}"), "[1] is one side"));
        }
        Ok(Self { dim, mask })
    }

    /// Every other qubit from the first on; none for one qubit, or a dimension that is no power of two.
    pub fn usual(dim: usize) -> Option<Self> {
        let qubits = qubits_of(dim).filter(|qubits| *qubits > 1)?;
        Self::new(dim, &(1..=qubits).step_by(2).collect::<Vec<usize>>()).ok()
    }

    /// The qubits, counted from 1.
    pub fn qubits(&self) -> Vec<usize> {
        let qubits = qubits_of(self.dim).unwrap_or(0);
        (1..=qubits).filter(|qubit| self.mask >> (qubits - qubit) & 1 == 1).collect()
    }
}

/// Every state with row and column exchanged in the qubits of `partition`, `[count, dim, dim]`.
///
/// # Errors
/// [`Error::Shape`] for states of another dimension.
pub fn partial_transpose(states: &States, partition: Partition) -> Result<Vec<c64>> {
    let (dim, mask) = (states.dim(), partition.mask);
    if dim != partition.dim {
        return Err(Error::shape("partition", partition.dim, dim, "make it for these states"));
    }
    let at = |at: usize| {
        let (i, j) = (at / dim, at % dim);
        let (row, column) = ((i & !mask) | (j & mask), (j & !mask) | (i & mask));
        row * dim + column
    };
    let order: Vec<usize> = (0..dim * dim).map(at).collect();
    Ok(states.matrices().flat_map(|matrix| order.iter().map(|at| matrix[*at])).collect())
}

/// The negativity of every state, `[count]`.
///
/// # Errors
/// As [`partial_transpose`].
pub fn negativities(states: &States, partition: Partition) -> Result<Vec<f64>> {
    let dim = states.dim();
    let values = eigenvalues(&partial_transpose(states, partition)?, dim);
    // From zero up, so that no negative zero is shown.
    Ok(values.chunks_exact(dim).map(|l| l.iter().fold(0.0, |sum, l| sum + (-l).max(0.0))).collect())
}

/// Tr X² of every state, `[count]`.
pub fn purities(states: &States) -> Vec<f64> {
    states.matrices().map(|matrix| product_trace(matrix, matrix)).collect()
}

/// −Tr X log X of every state, in nats, `[count]`.
pub fn entropies(states: &States) -> Vec<f64> {
    potential(states).into_iter().map(|phi| -phi).collect()
}

/// Fidelities of pairs of states, `[count]`.
///
/// # Errors
/// [`Error::Shape`] for batches of different size.
pub fn fidelity(x: &States, y: &States) -> Result<Vec<f64>> {
    require_same_size(x, y)?;
    let (dim, size) = (x.dim(), x.dim() * x.dim());
    let roots = map_batch(x.values(), dim, size, |spectrum, matrix, out: &mut [c64]| {
        spectrum.decompose(matrix);
        let weights: Vec<f64> = spectrum.values.iter().map(|l| l.max(0.0).sqrt()).collect();
        spectrum.compose(&weights, out);
    });
    let mut between = vec![c64::new(0.0, 0.0); x.count() * size];
    let sides = roots.chunks_exact(size).zip(y.matrices());
    for (out, (root, y)) in between.chunks_exact_mut(size).zip(sides) {
        out.copy_from_slice(&product(&product(root, y, dim), root, dim));
    }
    let values = eigenvalues(&between, dim);
    Ok(values.chunks_exact(dim).map(|l| l.iter().map(|l| l.max(0.0).sqrt()).sum::<f64>().powi(2)).collect())
}

/// √(2 − 2√F) of a fidelity.
pub fn bures_distance(fidelity: f64) -> f64 {
    (2.0 - 2.0 * fidelity.clamp(0.0, 1.0).sqrt()).sqrt()
}

/// ½ Σ |eigenvalues of x − y| of pairs of states, `[count]`.
///
/// # Errors
/// [`Error::Shape`] for batches of different size.
pub fn trace_distance(x: &States, y: &States) -> Result<Vec<f64>> {
    require_same_size(x, y)?;
    let dim = x.dim();
    let differences: Vec<c64> = x.values().iter().zip(y.values()).map(|(x, y)| x - y).collect();
    Ok(half_sums(&eigenvalues(&differences, dim), dim))
}

/// Trace distances of every state in `x` from every one in `y`, `[x, y]` row by row.
///
/// # Errors
/// [`Error::Shape`] for states of different size.
pub fn trace_distances(x: &States, y: &States) -> Result<Vec<f64>> {
    require_same_size(&x.take(1), &y.take(1))?;
    let (dim, count) = (x.dim(), y.count());
    let row = |spectrum: &mut Spectrum, from: &[c64], out: &mut [f64]| {
        for (out, to) in out.iter_mut().zip(y.matrices()) {
            let difference: Vec<c64> = from.iter().zip(to).map(|(x, y)| x - y).collect();
            spectrum.eigenvalues(&difference);
            *out = half_sums(&spectrum.values, dim)[0];
        }
    };
    Ok(map_batch(x.values(), dim, count, row))
}

fn half_sums(values: &[f64], dim: usize) -> Vec<f64> {
    values.chunks_exact(dim).map(|l| 0.5 * l.iter().map(|l| l.abs()).sum::<f64>()).collect()
}

fn product(x: &[c64], y: &[c64], dim: usize) -> Vec<c64> {
    let entry = |at: usize| {
        let (i, j) = (at / dim, at % dim);
        (0..dim).map(|k| x[i * dim + k] * y[k * dim + j]).sum()
    };
    (0..dim * dim).map(entry).collect()
}
