//! Solvers: from a problem to its bridge, one file per method.

pub mod light_sb;
mod smoothing;

pub use smoothing::SmoothingBridge;
