//! Simulation: variance grids, and the steps that carry a smoothed law to the clean one.

mod denoise;
mod euler;
mod exact;
mod flow;
mod grid;

pub use denoise::{Denoiser, EndRule, Noise, StepRule};
pub use euler::{ends_of_walks, paths, walk};
pub use exact::exact_output_variance;
pub use flow::Flow;
pub use grid::VarGrid;
