//! What can be wrong with the input, said with the value and the fix.

use std::ops::RangeInclusive;

/// The result of a fallible call of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Wrong input, and work that came to no end. Numerics that go bad during an observed run are not errors but an
/// [`Outcome`](crate::executor::Outcome).
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A setting outside its range.
    #[error("{name} must be {requirement}, got {value} ({fix})")]
    Setting {
        /// The setting, as the user would write it.
        name: &'static str,
        /// What it must be.
        requirement: String,
        /// What it was.
        value: String,
        /// What to do about it.
        fix: String,
    },
    /// Two shapes that have to agree and do not.
    #[error("{what}: expected {expected}, got {got} ({fix})")]
    Shape {
        /// What was compared.
        what: &'static str,
        /// The shape that was needed.
        expected: String,
        /// The shape that came.
        got: String,
        /// What to do about it.
        fix: String,
    },
    /// A device this build or this machine does not have.
    #[error("device {device} cannot be used: {reason} ({fix})")]
    Device {
        /// The device as the user wrote it.
        device: String,
        /// Why it cannot be used.
        reason: String,
        /// What to do about it.
        fix: String,
    },
    /// A matrix that is no quantum state.
    #[error("matrix {index}: {problem} ({fix})")]
    State {
        /// Which, from 0.
        index: usize,
        /// What is wrong, with the value.
        problem: String,
        /// What to do about it.
        fix: String,
    },
    /// Saved weights that do not fit the model they are loaded into.
    #[error("saved weights do not fit: {0}")]
    Weights(String),
    /// Numbers that went bad where nothing was watching.
    #[error("training diverged at {0} (lower the learning rate, or check the scale of the data)")]
    Diverged(String),
    /// Work that a caller stopped: a callback returned [`ControlFlow::Break`](std::ops::ControlFlow::Break), or an
    /// [`Observer`](crate::executor::Observer) was interrupted.
    #[error("stopped before its end")]
    Interrupted,
    /// A statistic that cannot be computed from these samples.
    #[error(transparent)]
    Transport(#[from] sbridge_ot::OtError),
}

impl Error {
    /// A setting outside its range.
    pub fn setting(
        name: &'static str,
        requirement: impl Into<String>,
        value: impl std::fmt::Display,
        fix: impl Into<String>,
    ) -> Self {
        Self::Setting { name, requirement: requirement.into(), value: value.to_string(), fix: fix.into() }
    }

    /// Two shapes that have to agree and do not.
    pub fn shape(
        what: &'static str,
        expected: impl std::fmt::Display,
        got: impl std::fmt::Display,
        fix: impl Into<String>,
    ) -> Self {
        Self::Shape { what, expected: expected.to_string(), got: got.to_string(), fix: fix.into() }
    }
}

/// Gradient steps, and steps of other kinds that only take time, at most: products with a batch stay whole numbers.
pub(crate) const MAX_STEPS: usize = 1_000_000_000;

/// Checks a whole number against its range.
///
/// # Errors
/// [`Error::Setting`] if `value` is below or above `range`.
pub fn require_count(
    name: &'static str,
    value: usize,
    range: RangeInclusive<usize>,
    fix: &str,
) -> Result<()> {
    let (least, most) = range.into_inner();
    if value < least {
        return Err(Error::setting(name, format!("at least {least}"), value, fix));
    }
    if value > most {
        return Err(Error::setting(name, format!("at most {most}"), value, fix));
    }
    Ok(())
}

/// Checks that a positive, finite number is one.
///
/// # Errors
/// [`Error::Setting`] if `value` is not finite or not above zero.
pub fn require_positive(name: &'static str, value: f64, fix: &str) -> Result<()> {
    if value.is_finite() && value > 0.0 {
        return Ok(());
    }
    Err(Error::setting(name, "a finite number > 0", value, fix))
}
