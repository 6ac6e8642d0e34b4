//! Simulation: variance grids, and the steps that carry a smoothed law to the clean one.

mod denoise;
mod grid;

pub use denoise::{Denoiser, EndRule, Noise, StepRule};
pub use grid::VarGrid;
