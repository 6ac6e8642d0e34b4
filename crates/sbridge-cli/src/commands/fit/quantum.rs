//! `sbridge fit quantum`: quantum states generated, or joined with others.

use std::path::Path;

use clap::{Args, ValueEnum};
use sbridge_run::folder::RunFolder;
use sbridge_run::models::bridge::PairMethod;
use sbridge_run::tasks::quantum::METHOD;

use crate::options::{EpsilonChoice, RunOptions, Setting, labels_setting, toml_string};
use crate::session::{Result, Session};

#[derive(Args, Debug)]
pub(crate) struct FitQuantum {
    /// Where paths end, or what to generate: .npy or .npz#key of complex [n, d, d], or builtin:product, pairwise, full, mixture,
    /// thermal, ghz, w, werner or haar-mixed, as builtin:full?n=10000&qubits=2&seed=0
    #[arg(long, value_name = "STATES", conflicts_with = "resume")]
    pub(crate) target: Option<String>,
    /// Where paths start; left out, states are generated
    #[arg(long, value_name = "STATES", conflicts_with = "resume")]
    pub(crate) source: Option<String>,
    /// Keep only target states with these labels: of builtin:mixture 0 product, 1 and 2 entangled
    #[arg(long, value_name = "LABELS", conflicts_with = "resume")]
    pub(crate) target_labels: Option<String>,
    /// Keep only source states with these labels
    #[arg(long, value_name = "LABELS", conflicts_with_all = ["resume"], requires = "source")]
    pub(crate) source_labels: Option<String>,
    /// The method that joins them in the dual space [default: dsbm]
    #[arg(long, value_name = "METHOD", conflicts_with = "resume")]
    pub(crate) method: Option<MethodChoice>,
    /// ε of the reference in the standardised dual space, or auto
    #[arg(long, conflicts_with = "resume", allow_negative_numbers = true)]
    pub(crate) epsilon: Option<EpsilonChoice>,
    /// Share of the maximally mixed state to mix in, for singular states, for example 0.001
    #[arg(long, value_name = "SHARE", conflicts_with = "resume", allow_negative_numbers = true)]
    pub(crate) depolarise: Option<f64>,
    /// Coordinates of the duals: isometric, the same in every basis; or raw
    #[arg(long, value_name = "COORDINATES", conflicts_with = "resume")]
    pub(crate) coordinates: Option<CoordinatesChoice>,
    /// What becomes of the trace of the duals: full keeps it, traceless takes it out
    #[arg(long, value_name = "GAUGE", conflicts_with = "resume")]
    pub(crate) gauge: Option<GaugeChoice>,
    /// Replace matrices that are not Hermitian by their Hermitian parts, and say how many
    #[arg(long, conflicts_with = "resume")]
    pub(crate) symmetrise: bool,
    /// Divide matrices of another trace by it, and say how many
    #[arg(long, conflicts_with = "resume")]
    pub(crate) normalise: bool,
    /// Qubits on one side of the cut of the negativity, for example 1,3 [default: every other one]
    #[arg(long, value_name = "QUBITS", value_delimiter = ',', conflicts_with = "resume")]
    pub(crate) partition: Vec<usize>,
    /// Do not train the same networks on entries of the matrices to compare with
    #[arg(long, conflicts_with = "resume")]
    pub(crate) no_compare: bool,
    /// Training steps of a half-bridge
    #[arg(long, value_name = "COUNT", conflicts_with = "resume")]
    pub(crate) steps: Option<usize>,
    #[command(flatten)]
    pub(crate) run: RunOptions,
}

/// What `--method` takes.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum MethodChoice {
    LightSb,
    LightSbM,
    Dsbm,
    Sf2m,
    Dsb,
    Sdsb,
    Sgm,
}

impl MethodChoice {
    fn method(self) -> PairMethod {
        match self {
            Self::LightSb => PairMethod::LightSb,
            Self::LightSbM => PairMethod::LightSbM,
            Self::Dsbm => PairMethod::Dsbm,
            Self::Sf2m => PairMethod::Sf2m,
            Self::Dsb => PairMethod::Dsb,
            Self::Sdsb => PairMethod::Sdsb,
            Self::Sgm => PairMethod::Sgm,
        }
    }
}

/// What `--coordinates` takes.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum CoordinatesChoice {
    Isometric,
    Raw,
}

/// What `--gauge` takes.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum GaugeChoice {
    Full,
    Traceless,
}

impl FitQuantum {
    pub(crate) fn run(&self, session: &Session) -> Result {
        self.run.fit(&self.method_name(), || self.settings(), session)
    }

    /// The method asked for; of a run that is continued, its own.
    fn method_name(&self) -> String {
        let own = |run: &Path| RunFolder::open(run).and_then(|folder| folder.manifest()).ok();
        let resumed = self.run.resume.as_deref().and_then(own).map(|manifest| manifest.method);
        if let Some(method) = resumed.filter(|method| method.starts_with(METHOD)) {
            return method;
        }
        match (self.method, &self.source) {
            (Some(choice), _) => format!("{METHOD}-{}", choice.method().name()),
            (None, Some(_)) => format!("{METHOD}-{}", PairMethod::Dsbm.name()),
            (None, None) => METHOD.into(),
        }
    }

    fn settings(&self) -> Result<Vec<Setting>> {
        let epsilon = self.epsilon.map(|epsilon| format!("{:?}", epsilon.value().unwrap_or(0.0)));
        let coordinates = self.coordinates.map(|choice| match choice {
            CoordinatesChoice::Isometric => toml_string("isometric"),
            CoordinatesChoice::Raw => toml_string("raw"),
        });
        let gauge = self.gauge.map(|choice| match choice {
            GaugeChoice::Full => toml_string("full"),
            GaugeChoice::Traceless => toml_string("traceless"),
        });
        let yes = |flag: bool| flag.then(|| "true".to_owned());
        let steps = match self.method {
            Some(MethodChoice::LightSb) => "light_sb.steps",
            _ => "networks.fit.steps",
        };
        Ok(vec![
            ("source.source", self.source.as_deref().map(toml_string)),
            ("source.labels", labels_setting(self.source_labels.as_deref())?),
            ("target.source", self.target.as_deref().map(toml_string)),
            ("target.labels", labels_setting(self.target_labels.as_deref())?),
            ("epsilon", epsilon),
            ("depolarise", self.depolarise.map(|share| format!("{share:?}"))),
            ("coordinates", coordinates),
            ("gauge", gauge),
            ("symmetrise", yes(self.symmetrise)),
            ("normalise", yes(self.normalise)),
            ("partition", (!self.partition.is_empty()).then(|| format!("{:?}", self.partition))),
            ("compare", self.no_compare.then(|| "false".to_owned())),
            (steps, self.steps.map(|steps| steps.to_string())),
        ])
    }
}
