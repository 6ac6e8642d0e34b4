//! `sbridge forecast`: series in time, learned, forecast and judged.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use sbridge_run::forecasts::check_output;
use sbridge_run::task::Ahead;
use sbridge_run::tasks::forecast::METHOD;

use crate::options::{RunOptions, Setting, toml_string};
use crate::session::{Result, Session};

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
    /// Series, or columns of words, to leave out, separated by commas
    #[arg(long, value_name = "NAMES", value_delimiter = ',', conflicts_with_all = ["keep", "resume"])]
    pub(crate) drop: Vec<String>,
    /// Words and numbers that stand for a missing value, such as -999, separated by commas
    #[arg(
        long,
        value_name = "VALUES",
        value_delimiter = ',',
        allow_hyphen_values = true,
        conflicts_with = "resume"
    )]
    pub(crate) missing: Vec<String>,
    /// The step in time: H, 15min, D, B, W, M, Q or Y; seen in the file if not given
    #[arg(long, value_name = "STEP", conflicts_with = "resume")]
    pub(crate) every: Option<String>,
    /// Order of dates such as 01/02/2024: day-first, month-first or year-first; seen in the file if it tells
    #[arg(long, value_name = "ORDER", conflicts_with = "resume")]
    pub(crate) dates: Option<String>,
    /// Where the clock of the times stands, such as Europe/Berlin or UTC
    #[arg(long, value_name = "PLACE", conflicts_with = "resume")]
    pub(crate) zone: Option<String>,
    /// What no series is ever below, such as 0 for sales: no draw is either
    #[arg(long, value_name = "X", allow_negative_numbers = true, conflicts_with = "resume")]
    pub(crate) at_least: Option<f64>,
    /// What no series is ever above: no draw is either
    #[arg(long, value_name = "X", allow_negative_numbers = true, conflicts_with = "resume")]
    pub(crate) at_most: Option<f64>,
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
    /// Times to forecast; as many as it was fitted for if not given
    #[arg(long, value_name = "N")]
    pub(crate) horizon: Option<usize>,
    /// Write these quantiles instead of paths, such as 0.1,0.5,0.9: a column for each
    #[arg(long, value_name = "LEVELS", value_delimiter = ',')]
    pub(crate) quantiles: Vec<f64>,
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

impl ForecastAction {
    pub(crate) fn run(&self, session: &Session) -> Result {
        match self {
            Self::Fit(fit) => fit.run.fit(METHOD, || Ok(fit.settings()), session),
            Self::Predict(predict) => predict.run(session),
            Self::Eval(eval) => eval.run(session),
        }
    }
}

impl ForecastFit {
    fn settings(&self) -> Vec<Setting> {
        vec![
            ("series.source", self.source.as_deref().map(toml_string)),
            ("series.time", self.time.as_deref().map(toml_string)),
            ("series.series", self.series.as_deref().map(toml_string)),
            ("series.value", self.value.as_deref().map(toml_string)),
            ("series.keep", (!self.keep.is_empty()).then(|| format!("{:?}", self.keep))),
            ("series.drop", (!self.drop.is_empty()).then(|| format!("{:?}", self.drop))),
            ("series.missing", (!self.missing.is_empty()).then(|| format!("{:?}", self.missing))),
            ("series.every", self.every.as_deref().map(toml_string)),
            ("series.dates", self.dates.as_deref().map(toml_string)),
            ("series.zone", self.zone.as_deref().map(toml_string)),
            ("at_least", self.at_least.map(|bound| format!("{bound:?}"))),
            ("at_most", self.at_most.map(|bound| format!("{bound:?}"))),
            ("horizon", self.horizon.map(|n| n.to_string())),
            ("context", self.context.map(|n| n.to_string())),
            ("windows", self.windows.map(|n| n.to_string())),
            ("baselines", self.baselines.then(|| "true".into())),
        ]
    }
}

impl ForecastPredict {
    fn run(&self, session: &Session) -> Result {
        let run = session.registry.open(&self.run, &session.context)?;
        let forecaster = run.forecaster()?;
        let seed = self.seed.unwrap_or(run.manifest().seed);
        let read = self.input.as_deref().unwrap_or(&run.manifest().target.source);
        check_output(&self.out, read, &self.quantiles, self.samples)?;
        let (input, horizon, samples) = (self.input.as_deref(), self.horizon, self.samples);
        let predicted = forecaster.forecast(&Ahead { input, horizon, samples, seed })?;
        let (first, last) = (&predicted.times[0], &predicted.times[predicted.times.len() - 1]);
        let what = match self.quantiles.len() {
            0 => {
                predicted.write(&self.out)?;
                format!("{samples} paths")
            }
            count => {
                predicted.at_levels(&self.quantiles)?.write(&self.out)?;
                format!("{count} quantile{} of {samples} paths", if count == 1 { "" } else { "s" })
            }
        };
        println!("{what} from {first} to {last}: {}", self.out.display());
        Ok(())
    }
}

impl ForecastEval {
    fn run(&self, session: &Session) -> Result {
        let run = session.registry.open_to_write(&self.run, &session.context)?;
        run.forecaster()?;
        session.print_judgement(run.judge(None)?.as_ref(), self.json);
        Ok(())
    }
}
