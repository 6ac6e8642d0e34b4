//! `sbridge fit density`: draw from an unnormalised density by a learned diffusion.

use clap::{Args, ValueEnum};
use sbridge_run::tasks::density::METHOD;

use crate::options::{RunOptions, toml_string};
use crate::session::{Result, Session};

#[derive(Args, Debug)]
pub(crate) struct FitDensity {
    /// What to sample: builtin:NAME, a TOML file, or a Stan model compiled by BridgeStan (.so)
    #[arg(long, value_name = "TARGET", conflicts_with = "resume")]
    pub(crate) target: Option<String>,
    /// Its data, where it takes some: JSON for a Stan model, a table for some built-in ones
    #[arg(long, value_name = "FILE", conflicts_with = "resume")]
    pub(crate) data: Option<String>,
    /// The diffusion that is controlled [default: dds]
    #[arg(long, value_enum, conflicts_with = "resume")]
    pub(crate) method: Option<SamplerMethod>,
    /// What its controls are trained by [default: lv]
    #[arg(long, value_enum, conflicts_with = "resume")]
    pub(crate) loss: Option<LossChoice>,
    /// Baselines to run beside it, of laplace, gauss-vi, smc and nuts [default: smc]
    #[arg(long, value_name = "LIST", value_delimiter = ',', conflicts_with = "resume")]
    pub(crate) compare: Option<Vec<String>>,
    /// Standard deviation about the origin for which the law is taken; if not given, centre and covariance are measured by smc
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true, conflicts_with = "resume")]
    pub(crate) spread: Option<f64>,
    /// Training steps
    #[arg(long, value_name = "COUNT", conflicts_with = "resume")]
    pub(crate) steps: Option<usize>,
    #[command(flatten)]
    pub(crate) run: RunOptions,
}

/// The diffusions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SamplerMethod {
    /// Denoising diffusion sampler, exponential scheme
    Dds,
    /// Time-reversed diffusion sampler
    Dis,
    /// Path integral sampler, from the origin
    Pis,
    /// Both directions learned
    Bridge,
}

/// The losses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LossChoice {
    /// Variance of the log-weights
    Lv,
    /// The same among paths from each start
    LvTraj,
    /// Trajectory balance
    Tb,
    /// Reverse divergence, by the score of the law of paths
    Rkl,
    /// Reverse divergence, by the derivative of the path
    Kl,
}

/// The name that is typed.
fn name_of(value: &impl ValueEnum) -> String {
    value.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
}

impl FitDensity {
    pub(crate) fn run(&self, session: &Session) -> Result {
        let settings = || {
            let text = |value: Option<&str>| value.map(toml_string);
            Ok(vec![
                ("target.source", text(self.target.as_deref())),
                ("target.data", text(self.data.as_deref())),
                ("sampler.method", self.method.as_ref().map(name_of).map(toml_string)),
                ("objective.loss", self.loss.as_ref().map(name_of).map(toml_string)),
                ("compare", self.compare.as_ref().map(|names| format!("{names:?}"))),
                ("sampler.spread", self.spread.map(|spread| spread.to_string())),
                ("fit.steps", self.steps.map(|steps| steps.to_string())),
            ])
        };
        self.run.fit(METHOD, settings, session)
    }
}
