//! `sbridge fit light-sb`, `dsbm`, …: a bridge between two data sets, or through several.

use clap::{Args, ValueEnum};
use sbridge_run::models::bridge::{PairMethod, Snapshot};

use crate::options::{EpsilonChoice, RunOptions, Setting, labels_setting, toml_string};
use crate::session::{Result, Session};

#[derive(Args, Debug)]
pub(crate) struct FitBetween {
    /// Where paths start: .npy, .npz#key, .csv, IDX(.gz), a folder of images, or builtin:NAME
    #[arg(long, value_name = "DATA", conflicts_with = "resume")]
    pub(crate) source: Option<String>,
    /// Where they end
    #[arg(long, value_name = "DATA", conflicts_with = "resume")]
    pub(crate) target: Option<String>,
    /// Keep only source samples with these labels, for example 5-9 or 1,3
    #[arg(long, value_name = "LABELS", conflicts_with_all = ["resume", "snapshots"])]
    pub(crate) source_labels: Option<String>,
    /// Keep only target samples with these labels
    #[arg(long, value_name = "LABELS", conflicts_with_all = ["resume", "snapshots"])]
    pub(crate) target_labels: Option<String>,
    /// Data at several times, instead of source and target: DATA@TIME,DATA@TIME,…, or TABLE.csv#COLUMN with a column of times
    #[arg(long, value_name = "LIST", conflicts_with_all = ["resume", "source", "target"])]
    pub(crate) snapshots: Option<String>,
    /// Times of snapshots to keep from the fit and judge it by, separated by commas
    #[arg(
        long,
        value_name = "TIMES",
        conflicts_with_all = ["resume", "source", "target"],
        value_delimiter = ',',
        allow_hyphen_values = true,
        value_parser = finite
    )]
    pub(crate) hold_out: Vec<f64>,
    /// ε of the reference, for the cost ½|x − y|²: a variance in data units, or auto; with snapshots, for a unit of time
    #[arg(long, conflicts_with = "resume", allow_negative_numbers = true)]
    pub(crate) epsilon: Option<EpsilonChoice>,
    /// Covariance of the reference: isotropic; or scaled, or covariance, for an ε that is the same share of the variance of every axis, or of every direction
    #[arg(long, value_name = "COVARIANCE", conflicts_with_all = ["resume", "latent"])]
    pub(crate) reference: Option<Reference>,
    /// Join codes of N values by an encoder and decoder trained on both sets; ε is then in units of the codes' variance
    #[arg(long, value_name = "N", conflicts_with_all = ["resume", "snapshots"], value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) latent: Option<u32>,
    #[command(flatten)]
    pub(crate) run: RunOptions,
}

impl FitBetween {
    pub(crate) fn run(&self, method: PairMethod, session: &Session) -> Result {
        self.run.fit(method.name(), || self.settings(), session)
    }

    fn settings(&self) -> Result<Vec<Setting>> {
        let epsilon = self.epsilon.map(|epsilon| format!("{:?}", epsilon.value().unwrap_or(0.0)));
        Ok(vec![
            ("source.source", self.source.as_deref().map(toml_string)),
            ("source.labels", labels_setting(self.source_labels.as_deref())?),
            ("target.source", self.target.as_deref().map(toml_string)),
            ("target.labels", labels_setting(self.target_labels.as_deref())?),
            ("snapshots", self.snapshots.as_deref().map(snapshots).transpose()?),
            ("hold_out", (!self.hold_out.is_empty()).then(|| format!("{:?}", self.hold_out))),
            ("autoencoder.net.latent_dim", self.latent.map(|n| n.to_string())),
            ("epsilon", epsilon),
            ("reference", self.reference.map(Reference::setting)),
        ])
    }
}

/// What `--reference` takes.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Reference {
    Isotropic,
    Scaled,
    Covariance,
}

impl Reference {
    fn setting(self) -> String {
        toml_string(match self {
            Self::Isotropic => "isotropic",
            Self::Scaled => "scaled",
            Self::Covariance => "covariance",
        })
    }
}

/// `a.npy@2,b.npy@3.5` or `cells.csv#day` as a TOML list of snapshots.
fn snapshots(text: &str) -> Result<String> {
    let one = |Snapshot { source, time }: &Snapshot| {
        format!("{{source = {}, time = {time:?}}}", toml_string(source))
    };
    let list: Vec<String> = Snapshot::listed(text)?.iter().map(one).collect();
    Ok(format!("[{}]", list.join(", ")))
}

/// A finite number.
fn finite(text: &str) -> std::result::Result<f64, String> {
    let value = text.trim().parse().ok().filter(|value: &f64| value.is_finite());
    value.ok_or_else(|| "must be a finite number".into())
}
