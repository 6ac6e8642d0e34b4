//! `sbridge fit vsdm`: generate samples like those of one set, by a variational diffusion.

use clap::Args;
use sbridge_run::tasks::variational::METHOD;

use crate::options::{RunOptions, toml_string};
use crate::session::{Result, Session};

#[derive(Args, Debug)]
pub(crate) struct FitVariational {
    /// What to generate: vectors in .npy, .npz#key or .csv, or builtin:NAME
    #[arg(long, value_name = "DATA", conflicts_with = "resume")]
    pub(crate) target: Option<String>,
    /// Fit score models of the same network and training beside it, and compare
    #[arg(long, conflicts_with = "resume")]
    pub(crate) baselines: bool,
    #[command(flatten)]
    pub(crate) run: RunOptions,
}

impl FitVariational {
    pub(crate) fn run(&self, session: &Session) -> Result {
        let settings = || {
            Ok(vec![
                ("target.source", self.target.as_deref().map(toml_string)),
                ("baselines", self.baselines.then(|| "true".into())),
            ])
        };
        self.run.fit(METHOD, settings, session)
    }
}
