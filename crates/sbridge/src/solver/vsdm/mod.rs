//! Variational Schrödinger diffusion: a linear forward score in closed form, a backward score learned without simulation.
//!
//! The forward process is dX = −½ (D X − 2b) du + dW with D = I − 2A on the clock of a noise schedule: a linear diffusion
//! with exact kernels (see [`LinearDiffusion`](crate::reference::LinearDiffusion)). What A x + b should be is decided by
//! states of simulated backward paths (see [`Family`]). A = 0 is an ordinary score model.                   \[VSDM\]

mod flow;
mod forward_score;
mod frames;
mod model;
mod paths;
mod score_matching;
mod training;

pub use flow::BackwardFlow;
pub use forward_score::{Family, StepMoments, moment_matched};
pub use frames::{Correction, Frame};
pub use model::VariationalModel;
pub use paths::BackwardPaths;
pub use score_matching::{ScoreData, ScoreMatching};
pub use training::{Vsdm, VsdmSettings};
