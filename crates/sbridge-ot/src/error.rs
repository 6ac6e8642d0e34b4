//! What can be wrong with the input of a transport problem: what, the value, the fix.

use thiserror::Error;

/// An input that no method of this crate can work with.
///
/// Every variant is raised where the object is built or the function is entered; past that point inputs are valid.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum OtError {
    /// A cloud without points.
    #[error("the cloud holds no points (pass at least one row)")]
    NoPoints,
    /// A cloud of dimension zero.
    #[error("dim must be at least 1, got 0 (pass the number of coordinates per point)")]
    ZeroDim,
    /// A buffer that does not divide into rows.
    #[error("{len} values do not divide into rows of dim {dim} (pass n × dim values, row by row)")]
    Ragged {
        /// Number of values received.
        len: usize,
        /// Dimension asked for.
        dim: usize,
    },
    /// A coordinate that is NaN or infinite.
    #[error("{what}[{row}, {column}] is {value} (remove or replace values that are not finite)")]
    NotFinite {
        /// Name of the array.
        what: &'static str,
        /// Row of the first such value.
        row: usize,
        /// Column of the first such value.
        column: usize,
        /// The value.
        value: f64,
    },
    /// Two objects of different dimension.
    #[error("dimensions differ: {left} and {right} (both sides must live in the same space)")]
    DimMismatch {
        /// Dimension of the first argument.
        left: usize,
        /// Dimension of the second argument.
        right: usize,
    },
    /// Two clouds of different size where a matching needs equal sizes.
    #[error(
        "sizes differ: {left} and {right} points (a matching needs equal sizes: subsample, or use sliced_wasserstein2)"
    )]
    SizeMismatch {
        /// Points in the first cloud.
        left: usize,
        /// Points in the second cloud.
        right: usize,
    },
    /// More points than the exact assignment accepts.
    #[error(
        "exact assignment of {n} points exceeds the limit of {max} (subsample, or use sliced_wasserstein2)"
    )]
    TooManyPoints {
        /// Points received.
        n: usize,
        /// Largest size accepted.
        max: usize,
    },
    /// More costs than exact transport accepts.
    #[error(
        "exact transport between {n} and {m} points needs {n} × {m} costs, more than the limit of {max} (subsample, or use sliced_wasserstein2)"
    )]
    TooManyCosts {
        /// Points on the first side.
        n: usize,
        /// Points on the second side.
        m: usize,
        /// Largest number of costs accepted.
        max: usize,
    },
    /// An exact method that rounding keeps from its end.
    #[error(
        "no optimal plan after {pivots} pivots: costs differ by more digits than numbers have (leave out points that are far from all others)"
    )]
    NotOptimal {
        /// Pivots made.
        pivots: usize,
    },
    /// Fewer points than the estimator needs.
    #[error("{what} needs at least {needed} points, got {got} (pass more points)")]
    TooFewPoints {
        /// The quantity asked for.
        what: &'static str,
        /// Smallest size accepted.
        needed: usize,
        /// Points received.
        got: usize,
    },
    /// An array whose length does not fit the problem.
    #[error("{what} must hold {expected} values, got {got}")]
    Length {
        /// Name of the array.
        what: &'static str,
        /// Length required.
        expected: usize,
        /// Length received.
        got: usize,
    },
    /// A matrix of the wrong shape.
    #[error("{what} must be {rows} × {columns}, got {got_rows} × {got_columns}")]
    Shape {
        /// Name of the matrix.
        what: &'static str,
        /// Rows required.
        rows: usize,
        /// Columns required.
        columns: usize,
        /// Rows received.
        got_rows: usize,
        /// Columns received.
        got_columns: usize,
    },
    /// A matrix that should be symmetric.
    #[error(
        "{what} must be symmetric, but entries ({row}, {column}) and ({column}, {row}) differ by {difference:e} (use (A + Aᵀ)/2)"
    )]
    NotSymmetric {
        /// Name of the matrix.
        what: &'static str,
        /// Row of the worst entry.
        row: usize,
        /// Column of the worst entry.
        column: usize,
        /// Absolute difference of the two entries.
        difference: f64,
    },
    /// A matrix with a negative eigenvalue beyond rounding.
    #[error(
        "{what} must be positive semi-definite, but has eigenvalue {eigenvalue:e} (check how it was estimated)"
    )]
    NotPositiveSemidefinite {
        /// Name of the matrix.
        what: &'static str,
        /// Smallest eigenvalue.
        eigenvalue: f64,
    },
    /// A singular matrix where an inverse is needed.
    #[error(
        "{what} must be positive definite, but has eigenvalue {eigenvalue:e} (add a small multiple of I)"
    )]
    NotPositiveDefinite {
        /// Name of the matrix.
        what: &'static str,
        /// Smallest eigenvalue.
        eigenvalue: f64,
    },
    /// A problem too large for the method.
    #[error("{what} is limited to {max} dimensions, got {got} (reduce the dimension)")]
    TooLarge {
        /// The problem.
        what: &'static str,
        /// Largest dimension accepted.
        max: usize,
        /// Dimension received.
        got: usize,
    },
    /// A linear system without a unique solution.
    #[error("{what} has no unique solution: eigenvalues λ and −λ meet (shift the matrix)")]
    Singular {
        /// The equation.
        what: &'static str,
    },
    /// An eigenvalue iteration that did not converge.
    #[error("the eigenvalues of {what} did not converge (check it for extreme entries)")]
    Eigenvalues {
        /// Name of the matrix.
        what: &'static str,
    },
    /// A setting out of range.
    #[error("{name} must be {requirement}, got {}{fix}", plain(*value))]
    Setting {
        /// Name of the setting.
        name: &'static str,
        /// The range, in words.
        requirement: &'static str,
        /// The value received.
        value: f64,
        /// What to do, in parentheses with a leading space; may be empty.
        fix: &'static str,
    },
    /// Weights that are not a probability vector.
    #[error("weights {what} must be ≥ 0 and sum to 1, {problem} (divide by their sum)")]
    Weights {
        /// Name of the weight vector.
        what: &'static str,
        /// What is wrong with them.
        problem: String,
    },
}

/// Result of this crate.
pub type Result<T> = std::result::Result<T, OtError>;

/// Check that a setting is finite and positive.
pub(crate) fn require_positive(name: &'static str, value: f64, fix: &'static str) -> Result<()> {
    if value.is_finite() && value > 0.0 {
        return Ok(());
    }
    Err(OtError::Setting { name, requirement: "finite and > 0", value, fix })
}

/// Check that two objects live in the same space.
pub(crate) fn require_same_dim(left: usize, right: usize) -> Result<()> {
    if left == right {
        return Ok(());
    }
    Err(OtError::DimMismatch { left, right })
}

/// A number, with an exponent where it would be mostly zeros.
fn plain(value: f64) -> String {
    let is_plain = value == 0.0 || !value.is_finite() || (1e-4..1e15).contains(&value.abs());
    if is_plain { value.to_string() } else { format!("{value:e}") }
}
