//! Stan models that BridgeStan compiled to a shared library: loaded, given data, evaluated.                        \[RWCSA23\]
//!
//! A model is evaluated where its parameters have no bounds, with the Jacobian of the way there, and with all constants of its
//! densities: ρ is the joint density of parameters and data, so that Z is the evidence, if every prior is normalised.
//!
//! To load a library is to run it: what it does when it is opened, and whether it keeps to the interface whose version it claims,
//! cannot be checked from here. Load models that you compiled. Libraries stay loaded until the program ends.
//!
//! The module `abi` is the border: everything `unsafe` is there.

mod abi;

use std::path::{Path, PathBuf};

pub use abi::Model;

/// Why a model was not loaded, or not evaluated.
#[derive(Debug, thiserror::Error)]
pub enum StanError {
    /// The file is no library of this machine.
    #[error("{path} cannot be loaded as a shared library: {reason}", path = .path.display())]
    NoLibrary {
        /// The file.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// A library, but not of a Stan model, or of one for another interface.
    #[error("{path} is no Stan model that can be used here: {reason}", path = .path.display())]
    NoModel {
        /// The file.
        path: PathBuf,
        /// What is missing.
        reason: String,
    },
    /// The model does not take the data.
    #[error("the Stan model {path} does not take its data: {reason}", path = .path.display())]
    Data {
        /// The library.
        path: PathBuf,
        /// What Stan says.
        reason: String,
    },
    /// The model has no density here: Stan rejects the parameters.
    #[error("Stan rejects: {0}")]
    Rejected(String),
    /// The model is wrong: an index out of range, sizes that do not fit.
    #[error("Stan fails: {0}")]
    Failed(String),
}

impl StanError {
    /// Tells a rejection from a fault by the words of `message`, which are all that comes across the interface.
    ///
    /// Stan throws domain errors for `reject` and for parameters outside of a function's domain, and others for indices and
    /// sizes; samplers of Stan go on after the first and end at the others.
    fn of_evaluation(message: &str) -> Self {
        const FAULTS: [&str; 6] = [
            "out of range",
            "size mismatch",
            "must match in size",
            "mismatch in number",
            "bad_alloc",
            "unknown exception",
        ];
        let message = one_line(message);
        match FAULTS.iter().any(|fault| message.contains(fault)) {
            true => Self::Failed(message),
            false => Self::Rejected(message),
        }
    }

    fn no_model(path: &Path, reason: impl Into<String>) -> Self {
        Self::NoModel { path: path.into(), reason: reason.into() }
    }
}

/// Letters of a message of Stan that are kept.
const MOST_LETTERS: usize = 400;

/// A message without line breaks, and no longer than a message should be.
fn one_line(message: &str) -> String {
    let line = message.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(MOST_LETTERS) {
        Some((end, _)) => format!("{} …", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rejections_are_told_from_faults() {
        let is_rejection = |message| matches!(StanError::of_evaluation(message), StanError::Rejected(_));
        assert!(is_rejection("normal_lpdf: Scale parameter is 0, but must be positive!"));
        assert!(is_rejection("Exception: the user's own words (in 'm.stan', line 9)"));
        assert!(!is_rejection(
            "accessing element out of range. index 4 out of range; expecting index 1 to 3"
        ));
        assert!(!is_rejection("multiply: Columns of m1 (2) and Rows of m2 (3) must match in size"));
    }

    #[test]
    fn messages_are_one_line_and_not_endless() {
        assert_eq!(one_line("a\n  b\tc\n"), "a b c");
        assert_eq!(one_line(&"é".repeat(1000)).chars().count(), MOST_LETTERS + 2);
    }
}
