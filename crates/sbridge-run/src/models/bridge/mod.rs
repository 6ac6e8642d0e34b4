//! Bridges between data sets: the methods and their settings, the data of both ends, states on the way.

mod data;
mod settings;

pub use data::{Ends, MIN_COMPARED, PairData};
pub use settings::{PairConfig, PairMethod, PairOutput, Snapshot};

use std::sync::Arc;

use sbridge::{Direction, PairBridge};

use crate::task::{Run, Task};

/// A task whose runs join two data sets as they are: what a bridge through several is made of.
pub trait Leg: Task<Settings = PairConfig> {
    /// The bridge.
    fn bridge(run: &Run<Self>) -> &Arc<dyn PairBridge>;
}

/// Name of a direction in logs and reports.
pub fn direction_name(direction: Direction) -> &'static str {
    match direction {
        Direction::Forward => "forward",
        Direction::Backward => "backward",
    }
}
