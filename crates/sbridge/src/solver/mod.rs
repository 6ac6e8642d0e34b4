//! One file or folder per method. What they find implements [`Bridge`](crate::Bridge).

pub mod alternation;
mod dsb;
mod dsbm;
mod frame;
pub mod light_sb;
mod light_sb_m;
mod neural;
mod sdsb;
mod sf2m;
mod sgm;
mod smoothing;
pub mod vsdm;

pub use dsb::dsb;
pub use dsbm::dsbm;
pub use frame::Frame;
pub use light_sb_m::light_sb_m;
pub use neural::{NeuralBridge, Way};
pub use sdsb::sdsb;
pub use sf2m::sf2m;
pub use sgm::sgm;
pub use smoothing::SmoothingBridge;
