//! `sbridge ot`: two data sets compared by optimal transport.

use std::path::PathBuf;

use clap::Args;
use sbridge_run::compare::{OtSettings, WeightSources, compare};

use crate::options::EpsilonChoice;
use crate::session::{Result, Session};

#[derive(Args, Debug)]
pub(crate) struct Ot {
    /// One data set: a file, a folder or builtin:NAME
    pub(crate) source: String,
    /// The other
    pub(crate) target: String,
    /// Regularisation for the cost ½|x − y|²: a variance in data units, or auto
    #[arg(long, default_value = "auto", allow_negative_numbers = true)]
    pub(crate) epsilon: EpsilonChoice,
    /// Exact W1 and W2 on as many points as can be (10000 of each, see --limit), however long it takes
    #[arg(long)]
    pub(crate) exact: bool,
    /// Weights of the points: a column of both tables, or an array of the .npz, or a file; SOURCE,TARGET if they differ
    #[arg(long, value_name = "COLUMN")]
    pub(crate) weights: Option<WeightSources>,
    /// Write the entropic plan and its potentials: an .npz file with plan, f and g
    #[arg(long, value_name = "FILE")]
    pub(crate) plan: Option<PathBuf>,
    /// Use at most N random samples of each set; time grows with the square
    #[arg(long, value_name = "N", default_value_t = 5000)]
    pub(crate) limit: usize,
    /// Seed of that choice
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

impl Ot {
    pub(crate) fn run(&self, session: &Session) -> Result {
        let Self { exact, limit, seed, .. } = *self;
        let (epsilon, weights) = (self.epsilon.value(), self.weights.clone().unwrap_or_default());
        let settings = OtSettings { epsilon, exact, weights, limit, seed };
        let found = compare(&self.source, &self.target, &settings, self.plan.as_deref(), &session.context)?;
        session.print(&found, self.json);
        Ok(())
    }
}
