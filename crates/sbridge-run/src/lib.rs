//! One run: settings, run folder, checkpoints, observers and report.

pub mod atomic;
pub mod checkpoint;
pub mod config;
mod config_keys;
pub mod data;
pub mod eot_benchmark;
pub mod error;
pub mod estimate;
pub mod evaluate;
pub mod finish;
pub mod fit_latent;
pub mod fit_pair;
pub mod folder;
pub mod lock;
pub mod manifest;
pub(crate) mod metrics;
pub mod model_file;
pub mod ot;
pub mod pair_config;
pub mod pair_evaluation;
pub mod pair_file;
pub mod pair_report;
mod plane;
pub mod report;
pub mod reproduce;
pub mod run_report;
pub mod sample;
mod shown;
pub mod tensor_file;
pub mod tensorboard;
pub mod transport;
pub mod watch;

pub use config::Config;
pub use error::{Result, RunError};
pub use folder::RunFolder;
pub use pair_config::PairConfig;
