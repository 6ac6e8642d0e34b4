//! Simulation: paths of a bridge, their mean and its probability flow; variance grids, and the steps that carry a
//! smoothed law to the clean one.

mod between;
mod denoise;
mod euler;
mod exact;
mod flow;
mod grid;
mod mean;

pub use between::{fill_path, state_at};
pub use denoise::{Denoiser, EndRule, Noise, StepRule};
pub use euler::{Step, endpoints, integrate, paths};
pub(crate) use euler::{in_blocks, side_by_side};
pub use exact::exact_output_variance;
pub use flow::Flow;
pub use grid::VarGrid;
pub use mean::mean_state;
