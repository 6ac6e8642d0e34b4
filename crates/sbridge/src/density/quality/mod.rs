//! How good draws of a density are, and whether their weights can be trusted: judges in f64 that share no code with samplers.
//!
//! | file | what |
//! |-|-|
//! | `spread` | standard deviations along the axes beside the exact ones |
//! | `transport` | the distance to exact draws, beside that of exact draws among themselves |
//! | `shares` | how much lies at every mode |
//! | `pareto` | how heavy the tail of the weights is |
//!
//! Weights see what draws reach; modes that draws never reach are seen by shares and distances alone.

mod pareto;
mod shares;
mod spread;
mod transport;

pub use pareto::pareto_shape;
pub use shares::ModeShares;
pub use spread::{SpreadError, spreads};
pub use transport::{MAX_DRAWS, TransportError, distance_to_exact};
