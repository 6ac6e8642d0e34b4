//! `sbridge demo`: train, generate and evaluate on built-in data.

use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use sbridge_run::Overrides;
use sbridge_run::tasks::latent::METHOD;

use crate::session::{Result, Session};

/// Settings of the demonstration: letters teach the autoencoder, digits are generated.
const SETTINGS: &str = include_str!("../../../../configs/demo.toml");

#[derive(Args, Debug)]
pub(crate) struct Demo {
    /// Folder of the run
    #[arg(long, default_value = "runs/demo")]
    pub(crate) out: PathBuf,
    /// Seed of every random stream
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
}

impl Demo {
    pub(crate) fn run(&self, session: &Session) -> Result {
        let started = Instant::now();
        let assignments = vec![format!("seed={}", self.seed)];
        let overrides = Overrides { text: SETTINGS.into(), assignments };
        let run = session.registry.start(METHOD, &overrides, &self.out, &session.context)?;
        session.finish(run, started)
    }
}
