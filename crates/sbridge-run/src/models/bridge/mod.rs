//! Bridges between data sets: the methods and their settings, the data of both ends, states on the way, files, and how the
//! ends are judged.

mod carry;
mod data;
mod end;
pub mod file;
mod model;
mod settings;

pub use data::{Ends, MIN_COMPARED, PairData};
pub use end::{End, Sides};
pub use model::PairModel;
pub use settings::{PairConfig, PairMethod, PairOutput, Snapshot};

use sbridge::Direction;

use crate::task::{Run, Task};

/// A task whose runs join two data sets as they are: what a bridge through several is made of.
pub trait Leg: Task<Settings = PairConfig> {
    /// The bridge, and what stands before it.
    fn model(run: &Run<Self>) -> &PairModel;
}

/// Name of a direction in logs and reports.
pub fn direction_name(direction: Direction) -> &'static str {
    match direction {
        Direction::Forward => "forward",
        Direction::Backward => "backward",
    }
}
