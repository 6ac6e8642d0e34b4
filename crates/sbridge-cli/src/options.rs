//! Options that several commands have, and what is written in them.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Instant;

use clap::Args;
use sbridge_run::{Overrides, RunError};

use crate::session::{Result, Session};

/// What every fit can be told about its run.
#[derive(Args, Debug)]
pub(crate) struct RunOptions {
    /// Settings file (TOML); options on the command line win over it
    #[arg(long, value_name = "FILE", conflicts_with = "resume")]
    pub(crate) config: Option<PathBuf>,
    /// Any setting of those in the run's config.toml, for example seed=3; may be repeated
    #[arg(long, value_name = "KEY=VALUE", conflicts_with = "resume")]
    pub(crate) set: Vec<String>,
    /// Seed of every random stream
    #[arg(long, conflicts_with = "resume")]
    pub(crate) seed: Option<u64>,
    /// Where networks are trained: cpu, cuda, cuda:N or wgpu
    #[arg(long, conflicts_with = "resume")]
    pub(crate) device: Option<String>,
    /// Folder of the run; must be new
    #[arg(long, value_name = "RUN", required_unless_present = "resume", conflicts_with = "resume")]
    pub(crate) out: Option<PathBuf>,
    /// Continue this run from where it stopped
    #[arg(long, value_name = "RUN")]
    pub(crate) resume: Option<PathBuf>,
}

impl RunOptions {
    /// Learns what `options` and the settings file say for `method`, or continues a run, and does what follows.
    pub(crate) fn fit(
        &self,
        method: &str,
        options: impl FnOnce() -> Result<Vec<Setting>>,
        session: &Session,
    ) -> Result {
        let started = Instant::now();
        let (registry, context) = (&session.registry, &session.context);
        let run = match (&self.resume, &self.out) {
            (Some(run), _) => registry.resume(method, run, context)?,
            (None, Some(out)) => registry.start(method, &self.overrides(options()?)?, out, context)?,
            (None, None) => unreachable!("clap asks for --out unless --resume is given"),
        };
        session.finish(run, started)
    }

    /// The settings file, then --set, then `options` that are given, in the order in which later ones win.
    fn overrides(&self, options: Vec<Setting>) -> Result<Overrides> {
        let device = self.device.as_deref().map(toml_string);
        let common = [("seed", self.seed.map(|seed| seed.to_string())), ("device", device)];
        let given =
            options.into_iter().chain(common).filter_map(|(key, value)| Some(format!("{key}={}", value?)));
        let assignments = self.set.iter().cloned().chain(given).collect();
        Ok(Overrides { text: settings_file(self.config.as_deref())?, assignments })
    }
}

/// The key of a setting, and its value if an option gives it.
pub(crate) type Setting = (&'static str, Option<String>);

/// The text of a settings file, if one is given.
fn settings_file(path: Option<&Path>) -> Result<String> {
    let Some(path) = path else { return Ok(String::new()) };
    let text = std::fs::read_to_string(path)
        .map_err(|e| RunError::Config(format!("cannot read {}: {e} (check --config)", path.display())))?;
    Ok(text)
}

/// A TOML string that means exactly `text`.
pub(crate) fn toml_string(text: impl AsRef<str>) -> String {
    serde_json::Value::from(text.as_ref()).to_string()
}

/// Labels in a range, at most.
const MOST_LABELS: u32 = 10_000;

/// `5-9` or `1,3` as a list.
pub(crate) fn labels(text: Option<&str>) -> Result<Option<Vec<u32>>> {
    let Some(text) = text else { return Ok(None) };
    let wrong = || {
        RunError::Input(format!(
            "labels are numbers, and ranges of up to {MOST_LABELS} such as 5-9 or 1,3, got {text:?}"
        ))
    };
    let number = |s: &str| s.trim().parse::<u32>().map_err(|_| wrong());
    let mut list: Vec<u32> = Vec::new();
    for part in text.split(',') {
        match part.split_once('-') {
            Some((first, last)) => {
                let (first, last) = (number(first)?, number(last)?);
                if last < first || last - first >= MOST_LABELS {
                    return Err(wrong().into());
                }
                list.extend(first..=last);
            }
            None => list.push(number(part)?),
        }
    }
    Ok(Some(list))
}

/// Labels as a setting.
pub(crate) fn labels_setting(text: Option<&str>) -> Result<Option<String>> {
    Ok(labels(text)?.map(|labels| format!("{labels:?}")))
}

/// A variance, or the program's own choice.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum EpsilonChoice {
    Auto,
    Value(f64),
}

impl EpsilonChoice {
    /// The variance, unless the program is to choose it.
    pub(crate) fn value(self) -> Option<f64> {
        match self {
            Self::Auto => None,
            Self::Value(value) => Some(value),
        }
    }
}

impl FromStr for EpsilonChoice {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        match text.parse() {
            _ if text == "auto" => Ok(Self::Auto),
            Ok(value) if f64::is_finite(value) && value > 0.0 => Ok(Self::Value(value)),
            _ => Err("must be a finite number > 0, or auto".into()),
        }
    }
}
