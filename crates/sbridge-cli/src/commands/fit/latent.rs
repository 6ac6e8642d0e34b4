//! `sbridge fit latent`: generate samples like those of one set.

use clap::{Args, ValueEnum};
use sbridge_run::tasks::latent::METHOD;

use crate::options::{RunOptions, Setting, labels_setting, toml_string};
use crate::session::{Result, Session};

#[derive(Args, Debug)]
pub(crate) struct FitLatent {
    /// What to generate: .npy, .npz#key, .csv, IDX(.gz), a folder of images, or builtin:NAME
    #[arg(long, value_name = "DATA", conflicts_with = "resume")]
    pub(crate) target: Option<String>,
    /// Keep only target samples with these labels, for example 5-9 or 1,3
    #[arg(long, value_name = "LABELS", conflicts_with = "resume")]
    pub(crate) target_labels: Option<String>,
    /// Keep only the first N of them
    #[arg(long, value_name = "N", conflicts_with = "resume")]
    pub(crate) target_limit: Option<usize>,
    /// Other data to train encoder and decoder on
    #[arg(long, value_name = "DATA", conflicts_with = "resume")]
    pub(crate) pretrain: Option<String>,
    /// Keep only pre-training samples with these labels
    #[arg(long, value_name = "LABELS", conflicts_with = "resume")]
    pub(crate) pretrain_labels: Option<String>,
    /// Keep only the first N of them
    #[arg(long, value_name = "N", conflicts_with = "resume")]
    pub(crate) pretrain_limit: Option<usize>,
    /// Train an encoder, or take vectors as codes
    #[arg(long, value_enum, conflicts_with = "resume")]
    pub(crate) encoder: Option<EncoderChoice>,
    /// Dimension of the codes
    #[arg(long, value_name = "D", conflicts_with = "resume")]
    pub(crate) latent_dim: Option<usize>,
    #[command(flatten)]
    pub(crate) run: RunOptions,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum EncoderChoice {
    Trained,
    Identity,
}

impl FitLatent {
    pub(crate) fn run(&self, session: &Session) -> Result {
        self.run.fit(METHOD, || self.settings(), session)
    }

    fn settings(&self) -> Result<Vec<Setting>> {
        let quoted = |value: &Option<String>| value.as_ref().map(toml_string);
        let encoder = self.encoder.map(|encoder| match encoder {
            EncoderChoice::Trained => toml_string("trained"),
            EncoderChoice::Identity => toml_string("identity"),
        });
        Ok(vec![
            ("target.source", quoted(&self.target)),
            ("target.labels", labels_setting(self.target_labels.as_deref())?),
            ("target.limit", self.target_limit.map(|n| n.to_string())),
            ("pretrain.source", quoted(&self.pretrain)),
            ("pretrain.labels", labels_setting(self.pretrain_labels.as_deref())?),
            ("pretrain.limit", self.pretrain_limit.map(|n| n.to_string())),
            ("autoencoder.net.latent_dim", self.latent_dim.map(|n| n.to_string())),
            ("autoencoder.encoder", encoder),
        ])
    }
}
