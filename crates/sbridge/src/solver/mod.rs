//! One file or folder per method. What they find implements [`Bridge`](crate::Bridge).

pub mod alternation;
mod ddpm;
pub mod density;
mod dsb;
mod dsbm;
mod frame;
mod gsbm;
pub mod light_sb;
mod light_sb_m;
mod neural;
pub mod paired;
pub mod planner;
mod sdsb;
mod sf2m;
mod sgm;
mod smoothing;
pub mod vsdm;

pub use ddpm::{Ddpm, Pins};
pub use dsb::Dsb;
pub use dsbm::Dsbm;
pub use frame::Frame;
pub use gsbm::Gsbm;
pub use light_sb_m::LightSbM;
pub use neural::{NeuralBridge, Way};
pub use sdsb::Sdsb;
pub use sf2m::Sf2m;
pub use sgm::Sgm;
pub use smoothing::SmoothingBridge;

use alternation::AlternationMethod;

/// The methods that learn half-bridges one after the other.
pub const ALTERNATION_METHODS: [&dyn AlternationMethod; 7] =
    [&LightSbM, &Dsbm, &Sf2m, &Dsb, &Sdsb, &Sgm, &Gsbm];
