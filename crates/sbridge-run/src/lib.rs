//! Runs: settings and data in, a folder with what was learned, how good it is, and a report out.
//!
//! A [`Task`](task::Task) is a kind of question. A [`Run`](task::Run) is a task's settings, data and what was learned, in
//! a folder. What is true of every run is written once, in [`run`]; what is a task's own lies in its folder in [`tasks`];
//! and the [`Registry`] is the one place that knows which tasks there are.
//!
//! # Layers
//!
//! Modules use only what stands above them: `error`, `watch`, `settings`, `origin`, `sources`, `context`, `densities`, `folder`,
//! `columns`, `data`, `samples`, `forecasts`, `epsilon`, `quality`, `training`, `task`, `carry`, `restore`, `page`, `run`, `models`, `tasks`,
//! `registry`, `runs`, `compare`.

mod carry;
mod columns;
pub mod compare;
pub mod context;
pub mod data;
pub mod densities;
pub mod epsilon;
pub mod error;
pub mod folder;
pub mod forecasts;
pub mod models;
pub mod origin;
mod page;
pub mod quality;
pub mod registry;
mod restore;
pub mod run;
pub mod runs;
pub mod samples;
pub mod settings;
pub mod sources;
pub mod task;
pub mod tasks;
pub mod training;
pub mod watch;

pub use context::Context;
pub use error::{Result, RunError};
pub use origin::Origin;
pub use registry::Registry;
pub use restore::Restoring;
pub use run::{AnyJudgement, AnyRun};
pub use settings::Overrides;
pub use sources::Sources;

/// The examples of the README, compiled and run as tests of the documentation.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
