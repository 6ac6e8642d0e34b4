//! Density matrices: Hermitian to the last bit, of trace 1, without negative eigenvalues beyond rounding.

use std::sync::atomic::{AtomicUsize, Ordering};

use faer::c64;
use rayon::prelude::*;
use sbridge_ot::Points;

use crate::error::{Error, Result};
use crate::quantum::spectrum::map_batch;

/// Deviations that pass as rounding: a matrix stored in single precision has 10⁻⁷.
const ROUNDING: f64 = 1e-6;

/// Below it an eigenvalue has no logarithm that could be learned from.
pub const LEAST_EIGENVALUE: f64 = 1e-12;

/// The share of the maximally mixed state that is suggested where states are singular.
pub const SUGGESTED_DEPOLARISING: f64 = 1e-3;

/// Sides of a matrix, at most: seven qubits have d² = 16384 coordinates.
const MOST_ROWS: usize = 128;

/// A batch of density matrices.
#[derive(Clone, Debug, PartialEq)]
pub struct States {
    dim: usize,
    values: Vec<c64>,
}

/// What may be repaired in matrices that are no states yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Repairs {
    /// X becomes ½ (X + X†).
    pub symmetrise: bool,
    /// X becomes X / Tr X.
    pub normalise: bool,
}

/// How many matrices were repaired.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Repaired {
    /// That were not Hermitian.
    pub symmetrised: usize,
    /// Whose trace was not 1.
    pub normalised: usize,
}

/// How far matrices are from states.
#[derive(Clone, Copy, Debug)]
pub struct Validity {
    /// Matrices looked at.
    pub count: usize,
    /// Those that are states: Hermitian to the last bit, trace within 4.5e-16 of 1, no eigenvalue below 0.
    pub valid: usize,
    /// Those with an eigenvalue below −1e-12.
    pub negative: usize,
    /// Least eigenvalue.
    pub least_eigenvalue: f64,
    /// Largest |Tr X − 1|.
    pub trace_error: f64,
    /// Largest |xᵢⱼ − x̄ⱼᵢ|.
    pub hermitian_error: f64,
}

impl States {
    /// The states in `values`, `[count, dim, dim]`, where rounding is taken out.
    ///
    /// # Errors
    /// [`Error::State`] for the first matrix that is none: not finite, not Hermitian, of another trace, with a negative
    /// eigenvalue. [`Error::Shape`] for values that are not matrices of `dim` rows.
    pub fn new(dim: usize, values: Vec<c64>) -> Result<Self> {
        Self::repaired(dim, values, Repairs::default()).map(|(states, _)| states)
    }

    /// The same after `repairs`, with how many matrices needed them.
    ///
    /// # Errors
    /// As [`new`](Self::new), for what is not to be repaired.
    pub fn repaired(dim: usize, mut values: Vec<c64>, repairs: Repairs) -> Result<(Self, Repaired)> {
        require_matrices(dim, values.len())?;
        let (symmetrised, normalised) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let problems: Vec<Option<Error>> = values
            .par_chunks_exact_mut(dim * dim)
            .enumerate()
            .map(|(index, matrix)| {
                let repaired = repair(index, dim, matrix, repairs);
                let [was_symmetrised, was_normalised] = match repaired {
                    Ok(touched) => touched,
                    Err(error) => return Some(error),
                };
                symmetrised.fetch_add(usize::from(was_symmetrised), Ordering::Relaxed);
                normalised.fetch_add(usize::from(was_normalised), Ordering::Relaxed);
                None
            })
            .collect();
        if let Some(error) = problems.into_iter().flatten().next() {
            return Err(error);
        }
        let states = Self { dim, values };
        if let Some((index, least)) =
            states.least_eigenvalues().into_iter().enumerate().find(|(_, least)| *least < -ROUNDING)
        {
            let problem = format!("has the negative eigenvalue {least:.3e}, a state has none");
            let fix = "leave it out, or check how it was estimated".into();
            return Err(Error::State { index, problem, fix });
        }
        let repaired =
            Repaired { symmetrised: symmetrised.into_inner(), normalised: normalised.into_inner() };
        Ok((states, repaired))
    }

    /// States that are such by construction, `[count, dim, dim]`.
    pub(super) fn built(dim: usize, values: Vec<c64>) -> Self {
        Self { dim, values }
    }

    /// Number of states.
    pub fn count(&self) -> usize {
        self.values.len() / (self.dim * self.dim)
    }

    /// Rows of a matrix.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Number of qubits, if the dimension is a power of two.
    pub fn qubits(&self) -> Option<usize> {
        qubits_of(self.dim)
    }

    /// All entries, `[count, dim, dim]`.
    pub fn values(&self) -> &[c64] {
        &self.values
    }

    /// Matrices one by one, `[dim, dim]`.
    pub fn matrices(&self) -> std::slice::ChunksExact<'_, c64> {
        self.values.chunks_exact(self.dim * self.dim)
    }

    /// The states at `indices`.
    ///
    /// # Panics
    /// If an index is out of range.
    #[must_use]
    pub fn select(&self, indices: &[usize]) -> Self {
        let size = self.dim * self.dim;
        let values = indices.iter().flat_map(|i| &self.values[i * size..(i + 1) * size]).copied();
        Self { dim: self.dim, values: values.collect() }
    }

    /// At most the first `count` of them.
    #[must_use]
    pub fn take(&self, count: usize) -> Self {
        let size = self.dim * self.dim;
        Self { dim: self.dim, values: self.values[..self.values.len().min(count * size)].to_vec() }
    }

    /// (1 − `share`) X + `share` I/d.
    ///
    /// # Errors
    /// [`Error::Setting`] for a share outside [0, 1].
    pub fn depolarised(&self, share: f64) -> Result<Self> {
        if !(0.0..=1.0).contains(&share) {
            return Err(Error::setting("depolarise", "in [0, 1]", share, "0.001 is usual"));
        }
        let (dim, mut values) = (self.dim, self.values.clone());
        values.iter_mut().for_each(|z| *z *= 1.0 - share);
        for matrix in values.chunks_exact_mut(dim * dim) {
            (0..dim).for_each(|i| matrix[i * (dim + 1)].re += share / dim as f64);
            settle_trace(matrix, dim);
        }
        Ok(Self { dim, values })
    }

    /// Refuses states without an image under the mirror map.
    ///
    /// # Errors
    /// [`Error::State`] for the first whose least eigenvalue is below [`LEAST_EIGENVALUE`].
    pub fn require_definite(&self) -> Result<()> {
        let least = self.least_eigenvalues();
        let Some(index) = least.iter().position(|least| *least < LEAST_EIGENVALUE) else { return Ok(()) };
        let problem = format!(
            "is singular: its least eigenvalue is {:.3e}, below {LEAST_EIGENVALUE:e}, and has no logarithm",
            least[index]
        );
        let fix = format!(
            "set depolarise = {SUGGESTED_DEPOLARISING} to mix in that share of the maximally mixed state"
        );
        Err(Error::State { index, problem, fix })
    }

    /// Eigenvalues of every state, rising, `[count, dim]`.
    pub fn eigenvalues(&self) -> Vec<f64> {
        eigenvalues(&self.values, self.dim)
    }

    /// The least eigenvalue of every state, `[count]`.
    pub fn least_eigenvalues(&self) -> Vec<f64> {
        self.eigenvalues().chunks_exact(self.dim).map(|values| values[0]).collect()
    }

    /// The mean of the states, which is a state.
    #[must_use]
    pub fn mean(&self) -> Self {
        let (size, share) = (self.dim * self.dim, 1.0 / self.count() as f64);
        let mut mean = vec![c64::new(0.0, 0.0); size];
        for matrix in self.matrices() {
            mean.iter_mut().zip(matrix).for_each(|(sum, z)| *sum += *z * share);
        }
        Self { dim: self.dim, values: mean }
    }

    /// Real vectors of length 2d²: all real parts row by row, then all imaginary ones.
    ///
    /// # Errors
    /// [`Error::Transport`] for entries that are not finite.
    pub fn points(&self) -> Result<Points> {
        let row = |m: &[c64]| m.iter().map(|z| z.re).chain(m.iter().map(|z| z.im)).collect::<Vec<f64>>();
        let rows: Vec<f64> = self.matrices().flat_map(row).collect();
        Ok(Points::new(rows, 2 * self.dim * self.dim)?)
    }

    /// How far they are from states.
    pub fn validity(&self) -> Validity {
        Validity::of(&self.values, self.dim)
    }
}

impl Validity {
    /// Of any matrices, `[count, dim, dim]`; of their Hermitian parts, as far as eigenvalues go.
    pub fn of(values: &[c64], dim: usize) -> Self {
        let eigen = eigenvalues(values, dim);
        let rows = values.chunks_exact(dim * dim).zip(eigen.chunks_exact(dim));
        let nothing = Self {
            count: 0,
            valid: 0,
            negative: 0,
            least_eigenvalue: f64::INFINITY,
            trace_error: 0.0,
            hermitian_error: 0.0,
        };
        rows.fold(nothing, |all, (matrix, eigen)| {
            let (hermitian, least) = (largest_deviation(matrix, dim).2, eigen[0]);
            let trace = (trace(matrix, dim) - 1.0).abs();
            let is_valid = hermitian == 0.0 && trace <= 2.0 * f64::EPSILON && least >= 0.0;
            Self {
                count: all.count + 1,
                valid: all.valid + usize::from(is_valid),
                // A spectrum that is not a number is that of no state.
                negative: all.negative + usize::from(least.is_nan() || least < -LEAST_EIGENVALUE),
                least_eigenvalue: all.least_eigenvalue.min(least),
                trace_error: all.trace_error.max(trace),
                hermitian_error: all.hermitian_error.max(hermitian),
            }
        })
    }
}

/// log₂ of a dimension that is a power of two.
pub(super) fn qubits_of(dim: usize) -> Option<usize> {
    dim.is_power_of_two().then(|| dim.trailing_zeros() as usize)
}

/// Eigenvalues of Hermitian matrices, rising, `[count, dim]`.
pub(super) fn eigenvalues(values: &[c64], dim: usize) -> Vec<f64> {
    map_batch(values, dim, dim, |spectrum, matrix, out: &mut [f64]| {
        spectrum.eigenvalues(matrix);
        out.copy_from_slice(&spectrum.values);
    })
}

/// Refuses values that are not square matrices of `dim` rows.
pub(super) fn require_matrices(dim: usize, values: usize) -> Result<()> {
    if !(2..=MOST_ROWS).contains(&dim) {
        let requirement = format!("in [2, {MOST_ROWS}]");
        return Err(Error::setting("rows of a matrix", requirement, dim, "a qubit has 2"));
    }
    if values == 0 || !values.is_multiple_of(dim * dim) {
        let expected = format!("[count, {dim}, {dim}]");
        return Err(Error::shape("matrices", expected, format!("{values} values"), "give whole matrices"));
    }
    Ok(())
}

/// Refuses batches that are not of as many matrices of one size.
pub(super) fn require_same_size(x: &States, y: &States) -> Result<()> {
    if (x.dim, x.count()) == (y.dim, y.count()) {
        return Ok(());
    }
    let shape = |states: &States| format!("{:?}", [states.count(), states.dim, states.dim]);
    Err(Error::shape("pairs of states", shape(x), shape(y), "give as many of one size"))
}

fn trace(matrix: &[c64], dim: usize) -> f64 {
    (0..dim).map(|i| matrix[i * (dim + 1)].re).sum()
}

/// Rounds the diagonal to multiples of 2⁻⁵³ that add up to 1: their sums are exact in any order.
pub(super) fn settle_trace(matrix: &mut [c64], dim: usize) {
    let (unit, mut largest, mut rest) = (0.5 * f64::EPSILON, 0, 1.0);
    for i in 0..dim {
        let at = i * (dim + 1);
        matrix[at].re = (matrix[at].re / unit).round() * unit;
        rest -= matrix[at].re;
        if matrix[at].re > matrix[largest].re {
            largest = at;
        }
    }
    matrix[largest].re += rest;
}

/// Place and size of the largest |xᵢⱼ − x̄ⱼᵢ|.
fn largest_deviation(matrix: &[c64], dim: usize) -> (usize, usize, f64) {
    let pairs = (0..dim).flat_map(|i| (0..=i).map(move |j| (i, j)));
    pairs.fold((0, 0, 0.0), |worst, (i, j)| {
        let difference = matrix[i * dim + j] - matrix[j * dim + i].conj();
        let size = difference.re.hypot(difference.im);
        if size > worst.2 { (i, j, size) } else { worst }
    })
}

/// Checks `matrix` and takes rounding out of it; whether it was symmetrised, and normalised.
fn repair(index: usize, dim: usize, matrix: &mut [c64], repairs: Repairs) -> Result<[bool; 2]> {
    let refuse = |problem: String, fix: &str| Err(Error::State { index, problem, fix: fix.into() });
    if let Some(at) = matrix.iter().position(|z| !(z.re.is_finite() && z.im.is_finite())) {
        let (row, column) = (at / dim, at % dim);
        return refuse(format!("has {} at row {row}, column {column}", matrix[at]), "leave it out");
    }
    let scale = matrix.iter().fold(1.0_f64, |most, z| most.max(z.re.hypot(z.im)));
    let (row, column, deviation) = largest_deviation(matrix, dim);
    let is_hermitian = deviation <= ROUNDING * scale;
    if !is_hermitian && !repairs.symmetrise {
        let problem = format!(
            "is not Hermitian: entries ({row}, {column}) and ({column}, {row}) are {deviation:.3e} from being conjugate"
        );
        return refuse(problem, "--symmetrise takes the Hermitian part");
    }
    for i in 0..dim {
        for j in 0..=i {
            let mean = (matrix[i * dim + j] + matrix[j * dim + i].conj()) * 0.5;
            (matrix[i * dim + j], matrix[j * dim + i]) = (mean, mean.conj());
        }
        matrix[i * (dim + 1)].im = 0.0;
    }
    let trace = trace(matrix, dim);
    let is_normalised = (trace - 1.0).abs() <= ROUNDING;
    if !is_normalised && !repairs.normalise {
        return refuse(format!("has trace {trace:.6}, a state has 1"), "--normalise divides by it");
    }
    if trace <= 0.0 {
        return refuse(format!("has trace {trace:.3e}, which nothing can be divided by"), "leave it out");
    }
    matrix.iter_mut().for_each(|z| *z /= trace);
    settle_trace(matrix, dim);
    Ok([!is_hermitian, !is_normalised])
}
