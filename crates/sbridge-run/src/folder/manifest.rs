//! What a run is: version, seed, data, device, status. Written as `manifest.json`.

use sbridge_data::{Dataset, ElementType, SampleShape};
use serde::{Deserialize, Serialize};

use crate::error::{Result, RunError};
use crate::origin::Origin;
use crate::settings::Common;

/// Version of the layout of a run folder.
pub const FORMAT: u32 = 1;

/// Version of the layout of a run whose samples are counted from elsewhere than zero, which older programs would misread.
pub const FORMAT_WITH_ORIGIN: u32 = 2;

/// The description of a run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of the layout.
    pub format: u32,
    /// Version of the program.
    pub version: String,
    /// The method, by the name of the command that fits it.
    pub method: String,
    /// Seed of every stream.
    pub seed: u64,
    /// Where it was computed.
    pub device: String,
    /// Where the paths of a bridge between two sets start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<DataRecord>,
    /// What was generated from, or where paths end.
    pub target: DataRecord,
    /// What encoder and decoder were trained on, if not the target.
    pub pretrain: Option<DataRecord>,
    /// Where samples are counted from in all that was learned, if not from zero.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// How far it got.
    pub status: RunStatus,
    /// Seconds spent per stage, over all sittings.
    pub seconds: Vec<(String, f64)>,
    /// Largest resident memory, in bytes, where the system tells.
    pub peak_memory: Option<u64>,
    /// What went otherwise than asked for while it learned, in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// The data of a run, as they were used: what must not change until it is continued.
#[derive(Clone, Debug, PartialEq)]
pub struct Records {
    /// Where the paths of a bridge between two sets start.
    pub source: Option<DataRecord>,
    /// What was generated from, or where paths end.
    pub target: DataRecord,
    /// What encoder and decoder were trained on, if not the target.
    pub pretrain: Option<DataRecord>,
}

impl Records {
    /// Of a run on one set.
    pub fn of(target: DataRecord) -> Self {
        Self { source: None, target, pretrain: None }
    }

    /// By what they are for, and in words.
    pub fn named(&self) -> impl Iterator<Item = (&'static str, &DataRecord)> {
        let named = [("source", self.source.as_ref()), ("target", Some(&self.target))];
        let named = named.into_iter().chain([("pre-training", self.pretrain.as_ref())]);
        named.filter_map(|(name, record)| Some((name, record?)))
    }
}

impl Manifest {
    /// The description of a run of `method` that begins now.
    pub fn new(method: &str, common: &Common, data: Records, origin: Option<Origin>) -> Self {
        let Records { source, target, pretrain } = data;
        Self {
            format: if origin.is_some() { FORMAT_WITH_ORIGIN } else { FORMAT },
            version: env!("CARGO_PKG_VERSION").into(),
            method: method.into(),
            seed: common.seed,
            device: common.device.clone(),
            source,
            target,
            pretrain,
            origin,
            status: RunStatus::Running,
            seconds: Vec::new(),
            peak_memory: None,
            notes: Vec::new(),
        }
    }

    /// Its data.
    pub fn records(&self) -> Records {
        let Self { source, target, pretrain, .. } = self.clone();
        Records { source, target, pretrain }
    }
}

/// How far a run got.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum RunStatus {
    /// Training, or killed while training.
    Running,
    /// Complete.
    Finished,
    /// Stopped by the user.
    Interrupted,
    /// Something else kept it from finishing.
    Failed {
        /// What, in words.
        reason: String,
    },
    /// The numbers went bad.
    Diverged {
        /// Which quantity, at which step.
        reason: String,
    },
}

impl RunStatus {
    /// How training that came to this ended.
    pub fn of(trained: &Result<()>) -> Self {
        match trained {
            Ok(()) => Self::Finished,
            Err(RunError::Diverged { reason, .. } | RunError::Library(sbridge::Error::Diverged(reason))) => {
                Self::Diverged { reason: reason.clone() }
            }
            Err(RunError::Interrupted { .. }) => Self::Interrupted,
            Err(error) => Self::Failed { reason: error.to_string() },
        }
    }
}

/// A data set as it was used.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DataRecord {
    /// As the user typed it.
    pub source: String,
    /// Digest of the file, or of the values of a built-in set.
    pub sha256: String,
    /// Samples used.
    pub count: usize,
    /// Shape of one sample.
    pub shape: SampleShape,
    /// Type of the values in the file.
    pub dtype: ElementType,
}

impl DataRecord {
    /// Describes `data`.
    pub fn of(data: &Dataset) -> Self {
        Self {
            source: data.source().to_owned(),
            sha256: data.sha256().to_owned(),
            count: data.len(),
            shape: data.shape(),
            dtype: data.dtype(),
        }
    }
}

impl Manifest {
    /// Adds `seconds` to what `stage` took.
    pub fn add_seconds(&mut self, stage: &str, seconds: f64) {
        match self.seconds.iter_mut().find(|(name, _)| name == stage) {
            Some((_, total)) => *total += seconds,
            None => self.seconds.push((stage.into(), seconds)),
        }
    }
}

/// Largest resident memory of this process so far, in bytes, where the system tells.
pub fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|l| l.starts_with("VmHWM:"))?;
    let kilobytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes * 1024)
}
