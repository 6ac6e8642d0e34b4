//! `sbridge eval`: a run, or samples from anywhere, judged.

use std::path::PathBuf;

use clap::Args;
use sbridge_run::RunError;
use sbridge_run::quality::samples::evaluate_samples;
use sbridge_run::settings::DataConfig;

use crate::options::labels;
use crate::session::{Result, Session};

#[derive(Args, Debug)]
pub(crate) struct Eval {
    /// Folder of a finished run
    #[arg(required_unless_present = "samples", conflicts_with = "samples")]
    pub(crate) run: Option<PathBuf>,
    /// Samples from anywhere, instead of a run
    #[arg(long, value_name = "DATA", requires = "reference")]
    pub(crate) samples: Option<String>,
    /// Unseen data to compare with; for a run, the samples it set aside if not given
    #[arg(long, value_name = "DATA")]
    pub(crate) reference: Option<String>,
    /// Keep only reference samples with these labels, for example 5-9 or 1,3
    #[arg(long, value_name = "LABELS", requires = "reference")]
    pub(crate) reference_labels: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// cpu, cuda, cuda:N or wgpu
    #[arg(long)]
    pub(crate) device: Option<String>,
}

impl Eval {
    pub(crate) fn run(&self, session: &Session) -> Result {
        let labels = labels(self.reference_labels.as_deref())?.unwrap_or_default();
        let reference = self.reference.clone().map(|source| DataConfig { source, labels, limit: 0 });
        let context = session.on(self.device.as_deref());
        match (&self.run, &self.samples, &reference) {
            (Some(run), _, reference) => {
                let run = session.registry.open_to_write(run, &context)?;
                session.print_judgement(run.judge(reference.as_ref())?.as_ref(), self.json);
            }
            (None, Some(samples), Some(reference)) => {
                session.print(&evaluate_samples(samples, reference, &context)?, self.json);
            }
            _ => return Err(RunError::Input("give a run, or --samples with --reference".into()).into()),
        }
        Ok(())
    }
}
