//! `sbridge fit crowd`: a bridge that pays for where it goes.

use clap::Args;
use sbridge_run::tasks::crowd::METHOD;

use crate::options::{EpsilonChoice, RunOptions, toml_string};
use crate::session::{Result, Session};

#[derive(Args, Debug)]
pub(crate) struct FitCrowd {
    /// Where paths start: .npy, .npz#key, .csv, or builtin:NAME; if not given, what the built-in cost has
    #[arg(long, value_name = "DATA", conflicts_with = "resume")]
    pub(crate) source: Option<String>,
    /// Where they end
    #[arg(long, value_name = "DATA", conflicts_with = "resume")]
    pub(crate) target: Option<String>,
    /// What places cost: builtin:stunnel, vneck, gmm, spider, lidar, opinion or opinion-2; or a TOML file of terms
    #[arg(long, value_name = "COST", conflicts_with = "resume")]
    pub(crate) cost: Option<String>,
    /// ε = σ² of the reference: a variance in data units, or auto [default: that of a built-in cost, or auto]
    #[arg(long, conflicts_with = "resume", allow_negative_numbers = true)]
    pub(crate) epsilon: Option<EpsilonChoice>,
    #[command(flatten)]
    pub(crate) run: RunOptions,
}

impl FitCrowd {
    pub(crate) fn run(&self, session: &Session) -> Result {
        let settings = || {
            let text = |value: Option<&str>| value.map(toml_string);
            let epsilon = self.epsilon.map(|epsilon| format!("{:?}", epsilon.value().unwrap_or(0.0)));
            Ok(vec![
                ("source.source", text(self.source.as_deref())),
                ("target.source", text(self.target.as_deref())),
                ("cost", text(self.cost.as_deref())),
                ("epsilon", epsilon),
            ])
        };
        self.run.fit(METHOD, settings, session)
    }
}
