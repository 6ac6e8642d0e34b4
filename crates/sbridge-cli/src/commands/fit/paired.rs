//! `sbridge fit paired`: a bridge between the members of pairs.

use clap::Args;
use sbridge_run::tasks::paired::METHOD;

use crate::options::{RunOptions, labels_setting, toml_string};
use crate::session::{Result, Session};

#[derive(Args, Debug)]
pub(crate) struct FitPaired {
    /// What is to come out: .npy, .npz#key, .csv, IDX(.gz), a folder of images, or builtin:NAME
    #[arg(long, value_name = "DATA", conflicts_with = "resume")]
    pub(crate) clean: Option<String>,
    /// What goes in: as many samples, without --latent of the same shape, paired row by row, or in two folders by file name
    #[arg(long, value_name = "DATA", conflicts_with = "resume")]
    pub(crate) degraded: Option<String>,
    /// Make the pairs instead, by blur, blur-gaussian, pool-4, bicubic-4, jpeg-10, hole, free-form or noise
    #[arg(long, value_name = "NAME", conflicts_with_all = ["resume", "degraded"])]
    pub(crate) degrade: Option<String>,
    /// Keep only clean samples with these labels, for example 5-9 or 1,3; with --degrade only
    #[arg(long, value_name = "LABELS", conflicts_with_all = ["resume", "degraded"])]
    pub(crate) labels: Option<String>,
    /// Means alone instead of random paths: nearer in the mean square, of one draw and less detail
    #[arg(long, conflicts_with = "resume")]
    pub(crate) ode: bool,
    /// Networks of the same size and training to compare with, of regression and, for images, diffusion [default: both]
    #[arg(long, value_name = "LIST", value_delimiter = ',', conflicts_with = "resume")]
    pub(crate) compare: Option<Vec<String>>,
    /// Join codes of N values by encoders and decoders; clean and degraded samples may then differ in shape
    #[arg(long, value_name = "N", conflicts_with = "resume", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) latent: Option<u32>,
    /// Calls of the network for a draw [default: 10]
    #[arg(long, value_name = "COUNT", conflicts_with = "resume")]
    pub(crate) nfe: Option<usize>,
    /// Training steps
    #[arg(long, value_name = "COUNT", conflicts_with = "resume")]
    pub(crate) steps: Option<usize>,
    #[command(flatten)]
    pub(crate) run: RunOptions,
}

impl FitPaired {
    pub(crate) fn run(&self, session: &Session) -> Result {
        let settings = || {
            let text = |value: Option<&str>| value.map(toml_string);
            Ok(vec![
                ("clean.source", text(self.clean.as_deref())),
                ("clean.labels", labels_setting(self.labels.as_deref())?),
                ("degraded.source", text(self.degraded.as_deref())),
                ("degrade", text(self.degrade.as_deref())),
                ("bridge.paths", self.ode.then(|| toml_string("ode"))),
                ("compare", self.compare.as_ref().map(|names| format!("{names:?}"))),
                ("autoencoder.net.latent_dim", self.latent.map(|n| n.to_string())),
                ("sampler.nfe", self.nfe.map(|nfe| nfe.to_string())),
                ("bridge.fit.steps", self.steps.map(|steps| steps.to_string())),
            ])
        };
        self.run.fit(METHOD, settings, session)
    }
}
