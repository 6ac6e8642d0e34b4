//! Forecasts of several series at once: the next values by a variational diffusion given the past, one step after
//! the other.
//!
//! What is drawn is the step from the last values to the next, in units of how much the series moved lately. So a model
//! that has learned nothing from the past is a random walk, a level never seen before is nothing new, and one model serves
//! every horizon with matrices of the size of one time only.                                   \[VSDM; TIMEGRAD\]
//!
//! A series that ended before the others is drawn from its own end on, beside what is known of the others since; so its
//! forecast is as wide as the time since makes it.

mod bounds;
mod forecaster;
mod gaps;
mod history;
mod pasts;

pub use bounds::Bounds;
pub use forecaster::{Forecaster, Origin};
pub use gaps::{end_of_known, fill_gaps, step_spread};
pub use history::History;
pub use pasts::{ForecastNet, ForecastNetSettings, Pasts};
