//! Bridges between data sets: the methods and their settings, the data of both ends, states on the way, files, how the ends are
//! judged, runs as parts of others.

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

use std::path::Path;

use sbridge::Direction;

use crate::context::Context;
use crate::error::Result;
use crate::folder::RunFolder;
use crate::run;
use crate::task::{Run, Task};

/// A task whose runs join two data sets as they are: what a bridge through several is made of.
pub trait Leg: Task<Settings = PairConfig> {
    /// The bridge, and what stands before it.
    fn model(run: &Run<Self>) -> &PairModel;
}

/// The run in the folder `path` that is a part of another: begun there, or continued.
///
/// # Errors
/// [`RunError`](crate::RunError); also if its data have changed since.
pub fn part<L: Leg>(method: &str, settings: PairConfig, path: &Path, context: &Context) -> Result<Run<L>> {
    if path.join("manifest.json").exists() {
        run::resume::<L>(RunFolder::open_to_write(path, context)?, context)
    } else {
        run::start_part::<L>(method, settings, path, context)
    }
}

/// Name of a direction in logs and reports.
pub fn direction_name(direction: Direction) -> &'static str {
    match direction {
        Direction::Forward => "forward",
        Direction::Backward => "backward",
    }
}
