//! What a user can type.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::{Args, Parser, Subcommand, ValueEnum};
use sbridge_run::PairMethod;

/// Schrödinger bridges: generate from your data, and know how good it is.
#[derive(Parser, Debug)]
#[command(name = "sbridge", version, max_term_width = 100)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Train, generate and evaluate on built-in data, in a few minutes
    Demo(Demo),
    /// Train a bridge on your data
    Fit {
        #[command(subcommand)]
        method: Method,
    },
    /// Draw samples from a trained run
    Sample(Sample),
    /// Carry samples along a bridge between two data sets
    Transport(Transport),
    /// Judge samples against a reference, beside floors and baselines
    Eval(Eval),
    /// Write the report of a run again
    Report(Report),
    /// Forecast series in time, with paths that show how sure it is
    Forecast {
        #[command(subcommand)]
        action: ForecastAction,
    },
    /// Say what a data set is and what is wrong with it
    Inspect(Inspect),
    /// Compare two data sets by optimal transport
    Ot(Ot),
    /// Judge solvers on problems with a known answer
    Bench {
        #[command(subcommand)]
        benchmark: Benchmark,
    },
    /// Repeat experiments whose outcome is known: measured beside expected
    Reproduce(Reproduce),
}

#[derive(Subcommand, Debug)]
pub(crate) enum Method {
    /// Latent Schrödinger bridge: encode, bridge smoothed codes to codes, decode
    Latent(Box<FitLatent>),
    /// Bridge between two data sets, by Gaussian-mixture potentials: seconds, no networks
    LightSb(FitPair),
    /// The same by bridge matching with mixture potentials, on any pairs
    LightSbM(FitPair),
    /// The same by bridge matching: networks, both ways in turn (iterative Markovian fitting)
    Dsbm(FitPair),
    /// The same by score and flow matching on pairs of an entropic plan: networks, each trained once
    Sf2m(FitPair),
    /// The same by iterative proportional fitting, mean matching
    Dsb(FitPair),
    /// The same by iterative proportional fitting, state matching
    Sdsb(FitPair),
    /// Score-based model: the first half-bridge of dsb, from target back to source
    Sgm(FitPair),
    /// Variational Schrödinger diffusion: generates one set from noise; the noising is fitted to its scales and correlations
    Vsdm(FitVsdm),
}

#[derive(Args, Debug)]
pub(crate) struct Demo {
    /// Folder of the run
    #[arg(long, default_value = "runs/demo")]
    pub(crate) out: PathBuf,
    /// Seed of every random stream
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
}

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
    /// `options` that are given as settings, over those of --set.
    pub(crate) fn settings(&self, options: Vec<(&str, Option<String>)>) -> Vec<String> {
        let device = self.device.as_deref().map(toml_string);
        let common = [("seed", self.seed.map(|seed| seed.to_string())), ("device", device)];
        let given =
            options.into_iter().chain(common).filter_map(|(key, value)| Some(format!("{key}={}", value?)));
        self.set.iter().cloned().chain(given).collect()
    }

    /// Where a new run is made.
    pub(crate) fn out(&self) -> &Path {
        self.out.as_ref().expect("clap asks for --out unless --resume is given")
    }
}

/// A TOML string that means exactly `text`.
pub(crate) fn toml_string(text: impl AsRef<str>) -> String {
    serde_json::Value::from(text.as_ref()).to_string()
}

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

#[derive(Args, Debug)]
pub(crate) struct FitVsdm {
    /// What to generate: vectors in .npy, .npz#key or .csv, or builtin:NAME
    #[arg(long, value_name = "DATA", conflicts_with = "resume")]
    pub(crate) target: Option<String>,
    /// Fit score models of the same network and training beside it, and compare
    #[arg(long, conflicts_with = "resume")]
    pub(crate) baselines: bool,
    #[command(flatten)]
    pub(crate) run: RunOptions,
}

#[derive(Subcommand, Debug)]
pub(crate) enum ForecastAction {
    /// Learn the series, and judge forecasts of the windows at their end
    Fit(Box<ForecastFit>),
    /// Draw paths of the times after the end
    Predict(ForecastPredict),
    /// Judge the forecasts of the windows at the end again
    Eval(ForecastEval),
}

#[derive(Args, Debug)]
pub(crate) struct ForecastFit {
    /// A table (.csv, .tsv) with a column of times, or JSON lines with start and target
    #[arg(value_name = "SERIES")]
    pub(crate) source: Option<String>,
    /// Times to forecast at once
    #[arg(long, value_name = "N", conflicts_with = "resume")]
    pub(crate) horizon: Option<usize>,
    /// Times of the past to look at; three horizons, or a week if that is more, if not given
    #[arg(long, value_name = "N", conflicts_with = "resume")]
    pub(crate) context: Option<usize>,
    /// Windows at the end to judge by; 5 if not given
    #[arg(long, value_name = "N", conflicts_with = "resume")]
    pub(crate) windows: Option<usize>,
    /// Column of the times; the first that holds dates if not given
    #[arg(long, value_name = "COLUMN", conflicts_with = "resume")]
    pub(crate) time: Option<String>,
    /// Column that names the series: the table has a line for every time and series
    #[arg(long, value_name = "COLUMN", conflicts_with = "resume")]
    pub(crate) series: Option<String>,
    /// Column of the values, beside --series
    #[arg(long, value_name = "COLUMN", requires = "series", conflicts_with = "resume")]
    pub(crate) value: Option<String>,
    /// Series to keep, separated by commas
    #[arg(long, value_name = "NAMES", value_delimiter = ',', conflicts_with = "resume")]
    pub(crate) keep: Vec<String>,
    /// The step in time: H, 15min, D, B, W, M, Q or Y; seen in the file if not given
    #[arg(long, value_name = "STEP", conflicts_with = "resume")]
    pub(crate) every: Option<String>,
    /// Fit score models of the same network and training beside it, and compare
    #[arg(long, conflicts_with = "resume")]
    pub(crate) baselines: bool,
    #[command(flatten)]
    pub(crate) run: RunOptions,
}

#[derive(Args, Debug)]
pub(crate) struct ForecastPredict {
    /// Folder of a finished forecast
    pub(crate) run: PathBuf,
    /// Number of paths
    #[arg(long, value_name = "N", default_value_t = 200)]
    pub(crate) samples: usize,
    /// Where to write them: .csv or .parquet (time, series, path, value), or .npy of [paths, times, series]
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// Newer values of the same series, to go on from their end
    #[arg(long, value_name = "SERIES")]
    pub(crate) input: Option<String>,
    /// Seed of the noise; the run's own if not given
    #[arg(long)]
    pub(crate) seed: Option<u64>,
}

#[derive(Args, Debug)]
pub(crate) struct ForecastEval {
    /// Folder of a finished forecast
    pub(crate) run: PathBuf,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Sample {
    /// Folder of a finished run
    pub(crate) run: PathBuf,
    /// Number of samples
    #[arg(short = 'n', long, default_value_t = 1000)]
    pub(crate) count: usize,
    /// Where to write them: .npy, .csv, or .png for a grid of images
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// Seed of the noise; the run's own if not given
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    /// A sampler setting, for example sampler.steps=50; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// cpu, cuda, cuda:N or wgpu; where the run was trained if not given
    #[arg(long)]
    pub(crate) device: Option<String>,
}

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

#[derive(Args, Debug)]
pub(crate) struct Report {
    /// Folder of a finished run
    pub(crate) run: PathBuf,
}

#[derive(Args, Debug)]
pub(crate) struct Inspect {
    /// A file, a folder or builtin:NAME
    pub(crate) data: String,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Subcommand, Debug)]
pub(crate) enum Benchmark {
    /// Entropic transport from a Gaussian to mixtures whose plan is known in closed form
    Eot(BenchEot),
}

#[derive(Args, Debug)]
pub(crate) struct BenchEot {
    /// Dimensions, separated by commas
    #[arg(long, value_name = "LIST", default_value = "2,16,64,128", value_delimiter = ',')]
    pub(crate) dim: Vec<usize>,
    /// Values of ε, separated by commas
    #[arg(long, value_name = "LIST", default_value = "0.1,1,10", value_delimiter = ',')]
    pub(crate) epsilon: Vec<f64>,
    /// What the plan is made of: gaussians, which light-sb can match exactly, or boxes, which no solver here can
    #[arg(long, value_enum, default_value = "gaussians")]
    pub(crate) potential: PotentialChoice,
    /// Which solvers, separated by commas: light-sb, light-sb-m, dsbm, sf2m, dsb, sdsb, sgm
    #[arg(long, value_name = "LIST", default_value = "light-sb", value_delimiter = ',')]
    pub(crate) solver: Vec<SolverChoice>,
    /// Samples of either law that a solver learns from
    #[arg(long, default_value_t = 400_000)]
    pub(crate) samples: usize,
    /// Source points at which plans are compared, by a thousand draws at each where a plan's moments are not known; fewer
    /// are drawn at beyond 16 dimensions
    #[arg(long, default_value_t = 1000)]
    pub(crate) points: usize,
    /// A setting of the solvers, for example light_sb.steps=20000; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// Seed of data and fit; the instances are the same for all seeds
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum PotentialChoice {
    Gaussians,
    Boxes,
}

/// A solver by its name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SolverChoice(pub(crate) PairMethod);

impl FromStr for SolverChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let names = PairMethod::ALL.map(PairMethod::name).join(", ");
        PairMethod::of_name(text).map(Self).ok_or_else(|| format!("there is {names}"))
    }
}

#[derive(Args, Debug)]
pub(crate) struct Reproduce {
    /// Which experiment
    #[arg(value_enum)]
    pub(crate) experiment: ExperimentChoice,
    /// Folder of the data of cite; file of JSON lines of vsdm-exchange
    #[arg(long, value_name = "PATH", required_if_eq_any([("experiment", "cite"), ("experiment", "vsdm-exchange")]))]
    pub(crate) data: Option<PathBuf>,
    /// Fewer sizes and repeats: a few minutes on two cores
    #[arg(long)]
    pub(crate) quick: bool,
    /// One study alone, by its name; a name that is none is answered with those there are
    #[arg(long, value_name = "STUDY")]
    pub(crate) only: Option<String>,
    /// Folder of the report; must be new
    #[arg(long, value_name = "RUN")]
    pub(crate) out: PathBuf,
    /// Seed of every random stream
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum ExperimentChoice {
    /// Latent Schrödinger bridge diffusion
    Lsbdm,
    /// Proportional fitting (DSB, S-DSB) between Gaussians
    DsbGaussian,
    /// Markovian fitting (DSBM) and [SF]²M between Gaussians
    DsbmGaussian,
    /// Every solver between Gaussians in 1 to 20 dimensions, ε from 0.1 to 4; takes hours
    Conformance,
    /// All of them between laws of the plane
    #[value(name = "dsb-2d")]
    Dsb2d,
    /// Cells of a day left out (CITE-seq, 50 principal components): files *day_2.npy, … in the folder --data
    Cite,
    /// A variational diffusion of a Gaussian
    VsdmGaussian,
    /// A spiral stretched eightfold, beside score models
    VsdmSpiral,
    /// A checkerboard stretched sixfold, beside score models
    VsdmCheckerboard,
    /// Forecasts of eight exchange rates, beside naive ones: JSON lines in the file --data
    VsdmExchange,
}

#[derive(Args, Debug)]
pub(crate) struct Ot {
    /// One data set: a file, a folder or builtin:NAME
    pub(crate) source: String,
    /// The other
    pub(crate) target: String,
    /// Regularisation for the cost ½|x − y|²: a variance in data units, or auto
    #[arg(long, default_value = "auto", allow_negative_numbers = true)]
    pub(crate) epsilon: EpsilonChoice,
    /// Match as many points exactly as can be matched (10000, see --limit), however long it takes
    #[arg(long)]
    pub(crate) exact: bool,
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

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse() {
            _ if text == "auto" => Ok(Self::Auto),
            Ok(value) if f64::is_finite(value) && value > 0.0 => Ok(Self::Value(value)),
            _ => Err("must be a finite number > 0, or auto".into()),
        }
    }
}

/// A finite number.
fn finite(text: &str) -> Result<f64, String> {
    let value = text.trim().parse().ok().filter(|value: &f64| value.is_finite());
    value.ok_or_else(|| "must be a finite number".into())
}

#[derive(Args, Debug)]
pub(crate) struct FitPair {
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
    /// Data at several times, instead of source and target: DATA@TIME,DATA@TIME,…
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
    /// Join codes of N values by an encoder and decoder trained on both sets; ε is then in units of the codes' variance
    #[arg(long, value_name = "N", conflicts_with_all = ["resume", "snapshots"], value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) latent: Option<u32>,
    #[command(flatten)]
    pub(crate) run: RunOptions,
}

#[derive(Args, Debug)]
pub(crate) struct Transport {
    /// Folder of a finished bridge between two data sets
    pub(crate) run: PathBuf,
    /// What to carry
    #[arg(long, value_name = "DATA")]
    pub(crate) input: String,
    /// From source to target, or back
    #[arg(long, value_enum, default_value = "forward")]
    pub(crate) direction: DirectionChoice,
    /// Where to write the ends: .npy, .csv, or .png for a grid of images
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// Stop on the way: 0 is the source, 1 the target; with snapshots, a time of theirs
    #[arg(long, value_name = "T", allow_negative_numbers = true)]
    pub(crate) time: Option<f64>,
    /// The snapshot the input belongs to, by its time; the first, or the last if backward
    #[arg(long, value_name = "T", allow_negative_numbers = true)]
    pub(crate) from: Option<f64>,
    /// Simulate paths and write their states: .npy of [times, count, dim], at equally spaced times, leg by leg through snapshots
    #[arg(long, value_name = "FILE")]
    pub(crate) paths: Option<PathBuf>,
    /// Follow the probability flow: the laws of the bridge at every time, without noise
    #[arg(long, conflicts_with = "draws")]
    pub(crate) flow: bool,
    /// Write the mean of all paths from each sample: the best guess in the mean square, of less spread than the samples
    #[arg(long, conflicts_with_all = ["draws", "flow", "paths"])]
    pub(crate) mean: bool,
    /// Draws for every sample: all samples once, then again
    #[arg(long, value_name = "K", default_value_t = 1, allow_negative_numbers = true)]
    pub(crate) draws: usize,
    /// Seed of the noise; the run's own if not given
    #[arg(long)]
    pub(crate) seed: Option<u64>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum DirectionChoice {
    Forward,
    Backward,
}
