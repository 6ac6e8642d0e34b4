//! One folder per task, with the same file names in each; none imports another.

pub mod between;
pub mod crowd;
pub mod density;
pub mod forecast;
pub mod latent;
pub mod paired;
pub mod plan;
pub mod quantum;
pub mod snapshots;
pub mod variational;
