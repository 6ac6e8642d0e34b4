//! How good samples are: what a table's rows stand for, distances, and samples judged by a classifier's features.

pub mod distances;
pub mod samples;

use std::fmt::{self, Display};

use sbridge_report::Emphasis;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// What a run was found to be: a table beside floors and baselines, as `evaluation.json` keeps it.
pub trait Judgement: Display + Serialize + DeserializeOwned {
    /// The one number to compare runs of a task by, with its name; nothing where there is none.
    fn headline(&self) -> Option<Headline>;

    /// What is not as it should be, in words, with what to do about it.
    fn remarks(&self) -> &[String] {
        &[]
    }
}

/// The name of a number, and the number.
pub type Headline = (&'static str, f64);

/// What kind of samples a run is judged by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum JudgedBy {
    /// Samples that nothing else has seen.
    #[default]
    HeldOut,
    /// Halves of those trained on, one beside the other, where none were held out.
    Training,
}

impl JudgedBy {
    /// Held-out samples, if there are any.
    pub fn of(has_held_out: bool) -> Self {
        if has_held_out { Self::HeldOut } else { Self::Training }
    }
}

impl Display for JudgedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::HeldOut => "held-out",
            Self::Training => "training",
        })
    }
}

/// What a row of a table stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RowKind {
    /// The samples in question.
    Model,
    /// What nothing can beat: real data, or real data through the autoencoder.
    Floor,
    /// What a model should beat, or must not resemble.
    Baseline,
}

impl From<RowKind> for Emphasis {
    fn from(kind: RowKind) -> Self {
        match kind {
            RowKind::Model => Self::Model,
            RowKind::Floor => Self::Floor,
            RowKind::Baseline => Self::Baseline,
        }
    }
}
