//! Solvers: from a problem to its bridge, one file per method.

mod smoothing;

pub use smoothing::SmoothingBridge;
