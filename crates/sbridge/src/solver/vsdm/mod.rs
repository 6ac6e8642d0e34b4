//! Variational Schrödinger diffusion: a linear forward score in closed form, a backward score learned without simulation.
//!
//! The forward process is dX = −½ (D X − 2b) du + dW with D = I − 2A on the clock of a noise schedule: a linear diffusion
//! with exact kernels (see [`LinearDiffusion`](crate::reference::LinearDiffusion)). What A x + b should be is decided by
//! states of simulated backward paths (see [`Family`]). A = 0 is an ordinary score model.                   \[VSDM\]

mod flow;
mod forward_score;
mod forward_step;
mod frames;
mod initial;
mod likelihood;
mod model;
mod parts;
mod paths;
mod score_matching;
mod settings;
mod training;

pub use flow::ProbabilityFlow;
pub use forward_score::{Family, StepMoments, ZetaOn};
pub use forward_step::{Curvatures, StageRecord};
pub use frames::{Correction, Frame};
pub use initial::moment_matched;
pub use likelihood::MAX_DIM;
pub use model::{Start, StartLaw, VariationalModel};
pub use parts::Part;
pub use paths::BackwardPaths;
pub use score_matching::{ScoreData, ScoreMatching};
pub use settings::{FlowSettings, Initial, Update, VsdmSettings};
pub use training::{Learned, Next, Vsdm};
