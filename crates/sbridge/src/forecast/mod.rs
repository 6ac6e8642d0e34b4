//! Forecasts of several series at once: the next values by a variational diffusion given the past, one step after
//! the other.
//!
//! What is drawn is the step from the last values to the next, in units of how much the series moved lately. So a model
//! that has learned nothing from the past is a random walk, a level never seen before is nothing new, and one model serves
//! every horizon with matrices of the size of one time only.                                   \[VSDM; TIMEGRAD\]

mod forecaster;
mod history;
mod pasts;

pub use forecaster::{Forecaster, Origin};
pub use history::{History, interpolate_gaps};
pub use pasts::{ForecastNet, ForecastNetSettings, Pasts};
