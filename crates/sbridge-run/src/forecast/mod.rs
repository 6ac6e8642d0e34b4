//! A run that forecasts series: read, learned, judged by windows at the end that it did not see, reported.

mod backtest;
mod config;
mod naive;
mod predict;
mod report;

pub(crate) use backtest::scores_without_a_folder;
pub use backtest::{Backtest, Row};
pub use config::{ForecastConfig, SeriesConfig};

use std::path::Path;
use std::sync::Arc;

use sbridge::forecast::{ForecastNet, ForecastNetSettings, Forecaster, History, Origin, Pasts, filled};
use sbridge::rng::Rng;
use sbridge::solver::vsdm::{Family, Learned, ScoreData as _, VariationalModel, Vsdm};
use sbridge::tensor::{Device, open_device};
use sbridge_data::{CALENDAR, ElementType, SampleShape, Series, load_series};
use serde::{Deserialize, Serialize};

use crate::atomic;
use crate::codec_file::require_weights;
use crate::error::{Result, RunError};
use crate::folder::RunFolder;
use crate::manifest::{DataRecord, Manifest, RunStatus};
use crate::vsdm::estimate;
use crate::vsdm::file::{self, Description};
use crate::vsdm::stages::Stages;
use crate::vsdm::{SCORE_MODEL, WHITENED, Whitening};

/// The method's name, and that of its model.
pub const METHOD: &str = "forecast";

/// Series at once, at most, where matrices of as many rows and columns are kept for every node.
const MAX_DIM: usize = 256;

/// Times to learn from, at least.
const LEAST_STEPS: usize = 50;

/// The longest past that is taken if none is asked for.
const LONGEST_CONTEXT: usize = 512;

/// Times of a past in a file, at most: more than a table may have.
const MAX_CONTEXT: usize = 1 << 30;

/// Share of the steps, the last ones, that training is watched on.
const WATCHED: f64 = 0.1;

/// Series with what is learned from and what is kept to judge by.
pub(crate) struct RunData {
    /// As read.
    pub(crate) series: Series,
    /// Times that are learned from; the windows to judge by come after.
    pub(crate) learned: usize,
    /// Times of a past.
    pub(crate) context: usize,
    history: Arc<History>,
    learns: Pasts,
    watches: Option<Pasts>,
}

impl RunData {
    fn load(config: &ForecastConfig) -> Result<Self> {
        if config.series.source.is_empty() {
            return Err(RunError::Input("no series (give a file: .csv, or JSON lines)".into()));
        }
        let series = load_series(&config.series.source, &config.series.layout()?)?;
        if series.dim() > MAX_DIM && config.vsdm.family != Family::Diagonal {
            let found = format!("{} holds {} series", series.source(), series.dim());
            return Err(RunError::Input(format!(
                "{found}, at most {MAX_DIM} are forecast at once with full matrices (use --set vsdm.family=diagonal, or \
                 --keep)"
            )));
        }
        let kept = config.windows.saturating_mul(config.horizon);
        let learned = series.len().saturating_sub(kept);
        let context = match config.context {
            0 => usual_context(&series, config.horizon).min((learned / 4).max(2)),
            context => context.max(2),
        };
        if learned < context.saturating_add(LEAST_STEPS) {
            return Err(RunError::Input(format!(
                "{} has {} times; {} windows of {} times are kept to judge by, and pasts of {context} times leave {} to \
                 learn from, at least {LEAST_STEPS} are needed (lower --horizon, --context or --set windows)",
                series.source(),
                series.len(),
                config.windows,
                config.horizon,
                learned.saturating_sub(context),
            )));
        }
        Self::split(series, learned, context, config)
    }

    fn split(series: Series, learned: usize, context: usize, config: &ForecastConfig) -> Result<Self> {
        let dim = series.dim();
        let values = filled(&series.values()[..learned * dim], dim);
        require_movement(&series, &values)?;
        let calendar = (0..learned).flat_map(|row| series.clock().calendar(row)).collect();
        let history = Arc::new(History::new(dim, values, calendar)?);
        let known = |row: usize| series.values()[row * dim..][..dim].iter().filter(|x| !x.is_nan()).count();
        let is_known = |row: usize| 2 * known(row) >= dim;
        let times: Vec<usize> =
            (context..learned).filter(|row| is_known(*row) && is_known(row - 1)).collect();
        if times.len() < LEAST_STEPS {
            let found = format!(
                "of {} steps only {} have values for half of the series",
                learned - context,
                times.len()
            );
            return Err(RunError::Input(format!(
                "{found}, at least {LEAST_STEPS} are needed (leave out gappy series)"
            )));
        }
        let device = open_device(&config.device)?;
        let pasts = |times: &[usize]| {
            Pasts::new(history.clone(), context, times.to_vec(), config.past.clone(), &device)
        };
        let watched = (times.len() as f64 * WATCHED) as usize;
        let (learns, watches) = match watched >= LEAST_STEPS {
            true => (pasts(&times[..times.len() - watched]), Some(pasts(&times[times.len() - watched..]))),
            false => (pasts(&times), None),
        };
        Ok(Self { series, learned, context, history, learns, watches })
    }

    /// Tells what is learned from, and what was assumed and repaired.
    fn say(&self, config: &ForecastConfig) {
        let (series, learned) = (&self.series, self.learned);
        series.notes().iter().for_each(|note| eprintln!("note: {note}"));
        eprintln!(
            "{} series at {} times from {} to {}; {learned} are learned from, {} windows of {} judged, by pasts of {}",
            series.dim(),
            series.len(),
            series.clock().label(0),
            series.clock().label(series.len() - 1),
            config.windows,
            config.horizon,
            self.context
        );
    }

    /// What the model of this name sees the steps through.
    fn whitening(&self, name: &str) -> Result<Option<Whitening>> {
        (name == WHITENED).then(|| Whitening::of(&self.learns.states())).transpose()
    }

    fn record(&self) -> DataRecord {
        DataRecord {
            source: self.series.source().into(),
            sha256: self.series.sha256().into(),
            count: self.series.len(),
            shape: SampleShape::Vector { dim: self.series.dim() },
            dtype: ElementType::Text,
        }
    }
}

/// Three horizons, or a week if that is more and not too long.
fn usual_context(series: &Series, horizon: usize) -> usize {
    let week = Some(series.clock().rows_of_a_week()).filter(|rows| *rows <= LONGEST_CONTEXT).unwrap_or(1);
    horizon.saturating_mul(3).max(week).clamp(2, LONGEST_CONTEXT)
}

/// Refuses series that never move in what is learned from.
fn require_movement(series: &Series, values: &[f64]) -> Result<()> {
    let dim = series.dim();
    let is_still = |j: &usize| values.iter().skip(*j).step_by(dim).all(|x| *x == values[*j] || x.is_nan());
    match (0..dim).find(is_still) {
        None => Ok(()),
        Some(j) => Err(RunError::Input(format!(
            "series '{}' of {} is {} at all times that are learned from (leave it out with --keep)",
            series.names()[j],
            series.source(),
            values[j]
        ))),
    }
}

/// Where a forecast from row `row` of `series` on starts, for `horizon` times.
fn origin(series: &Series, row: usize, context: usize, horizon: usize) -> Origin {
    let dim = series.dim();
    let whole = filled(&series.values()[..row * dim], dim);
    Origin {
        past: whole[(row - context) * dim..].to_vec(),
        calendar: (row..row + horizon).map(|row| series.clock().calendar(row).to_vec()).collect(),
    }
}

/// Refuses paths of `length` values each that left the finite numbers.
fn require_finite(paths: &[f64], length: usize) -> Result<()> {
    let diverged = paths.chunks(length).filter(|path| path.iter().any(|x| !x.is_finite())).count();
    match diverged {
        0 => Ok(()),
        _ => Err(RunError::PathsDiverged { diverged, count: paths.len() / length }),
    }
}

/// Learns what `config` asks for into the new folder `out`. Nothing is written before data and settings are known to be
/// usable.
///
/// # Errors
/// [`RunError`], with the exit code the command should end with.
pub fn start(config: ForecastConfig, out: &Path) -> Result<RunFolder> {
    RunFolder::check_free(out)?;
    let data = RunData::load(&config)?;
    data.say(&config);
    let bytes = 4 * data.series.values().len() * size_of::<f64>();
    let trial = estimate::trial(data.learns.clone(), &config.vsdm)?;
    estimate::announce(trial, &config.vsdm, models(&config).len(), bytes)?;
    let folder = RunFolder::create(out)?;
    atomic::write(&folder.file("config.toml"), config.to_toml().as_bytes())?;
    let manifest =
        Manifest { device: config.device.clone(), ..Manifest::new(METHOD, config.seed, data.record()) };
    folder.complete(manifest, |folder, manifest| fit_all(&config, folder, manifest, &data))
}

/// Continues the run in `path` from its last stage and checkpoint.
///
/// # Errors
/// [`RunError`]; also if the data have changed since.
pub fn resume(path: &Path) -> Result<RunFolder> {
    let folder = RunFolder::open_to_write(path)?;
    folder.require_method(METHOD)?;
    let config = ForecastConfig::from_toml(&folder.read("config.toml")?, &[])?;
    let data = RunData::load(&config)?;
    let manifest = Manifest { status: RunStatus::Running, ..folder.manifest()? };
    if data.record() != manifest.target {
        return Err(RunError::other_data(path, "the series"));
    }
    folder.complete(manifest, |folder, manifest| fit_all(&config, folder, manifest, &data))
}

/// The model of the run; and beside it, if they are asked for, score models of the steps and of whitened steps.
fn fit_all(
    config: &ForecastConfig,
    folder: &RunFolder,
    manifest: &mut Manifest,
    data: &RunData,
) -> Result<()> {
    let device = open_device(&config.device)?;
    for name in models(config) {
        let stages = Stages { folder, name, checkpoint_seconds: config.checkpoint_seconds };
        let vsdm = prepared(name, config, data)?;
        stages.learn(
            vsdm,
            manifest,
            &|path| load(path, &device).map(|(model, learned, _)| (model, learned)),
            &|path, model, learned| {
                let network = (&config.vsdm.net, Some(told(data, config)));
                file::save(path, METHOD, model, network, learned)
            },
        )?;
    }
    Ok(())
}

/// Names of the models there will be.
fn models(config: &ForecastConfig) -> &'static [&'static str] {
    if config.baselines { &[METHOD, SCORE_MODEL, WHITENED] } else { &[METHOD] }
}

/// The model of this name before its first stage.
fn prepared(name: &str, config: &ForecastConfig, data: &RunData) -> Result<Vsdm<Pasts>> {
    let whitening = data.whitening(name)?;
    let of = |pasts: &Pasts| match &whitening {
        None => pasts.clone(),
        Some(whitening) => pasts.with_states(whitening.apply(&pasts.states())),
    };
    let (learns, rng) = (of(&data.learns), Rng::new(config.seed).fork(name));
    let vsdm = match name {
        METHOD => Vsdm::new(learns, config.vsdm.clone(), rng)?,
        _ => Vsdm::score_model(learns, config.vsdm.clone(), rng)?,
    };
    Ok(match &data.watches {
        None => vsdm,
        Some(watches) => vsdm.watched_on(of(watches)),
    })
}

/// What a forecast's network is made from, besides its head.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct PastDescription {
    context: usize,
    features: usize,
    net: ForecastNetSettings,
    /// Names of the series.
    names: Vec<String>,
    /// Root mean square of their steps.
    spread: Vec<f64>,
}

fn told(data: &RunData, config: &ForecastConfig) -> PastDescription {
    PastDescription {
        context: data.context,
        features: CALENDAR,
        net: config.past.clone(),
        names: data.series.names().to_vec(),
        spread: data.history.spread().to_vec(),
    }
}

/// The model in the file at `path`, what is known beside it, and what its network is told.
fn load(path: &Path, device: &Device) -> Result<(VariationalModel<ForecastNet>, Learned, PastDescription)> {
    let (model, learned, description) =
        file::load(path, |dim, description: &Description<Option<PastDescription>>, values| {
            let wrong = |what: &str| sbridge::Error::Weights(what.into());
            let past =
                description.told.as_ref().ok_or_else(|| wrong("there is no description of the past"))?;
            past.net.check()?;
            let has_context = (2..=MAX_CONTEXT).contains(&past.context);
            if past.spread.len() != dim
                || past.names.len() != dim
                || past.features != CALENDAR
                || !has_context
            {
                return Err(wrong(&format!("the description does not fit {dim} series")));
            }
            let levels = past.context.ilog2() as usize;
            require_weights(
                values,
                [
                    [past.net.width, past.net.width, levels.saturating_sub(1)],
                    [past.net.width, past.net.summary, levels],
                    [past.features, past.net.summary, 1],
                ],
            )?;
            // Initial weights are overwritten, so any stream will do.
            let sizes = [dim, past.context, past.features];
            Ok(ForecastNet::new(sizes, &past.net, &description.net, &mut Rng::new(0), device))
        })?;
    let past = description.told.expect("checked above");
    Ok((model, learned, past))
}

/// A finished forecast, opened.
pub struct OpenForecast {
    /// Where it lies.
    pub folder: RunFolder,
    /// Its settings.
    pub config: ForecastConfig,
    /// Its description.
    pub manifest: Manifest,
    forecaster: Forecaster,
    names: Vec<String>,
}

impl OpenForecast {
    /// Opens what `folder` holds.
    ///
    /// # Errors
    /// [`RunError::Folder`] if it is of another method, or was not finished.
    pub fn of(folder: RunFolder) -> Result<Self> {
        folder.require_method(METHOD)?;
        let manifest = folder.manifest()?;
        let config = ForecastConfig::from_toml(&folder.read("config.toml")?, &[])?;
        let (forecaster, names) = Self::forecaster(&folder, &config, METHOD)?;
        Ok(Self { folder, config, manifest, forecaster, names })
    }

    fn forecaster(
        folder: &RunFolder,
        config: &ForecastConfig,
        name: &str,
    ) -> Result<(Forecaster, Vec<String>)> {
        let path = folder.model_file(name)?;
        let (model, _, past) = load(&path, &open_device(&config.device)?)?;
        Ok((Forecaster { model, spread: past.spread, context: past.context }, past.names))
    }

    /// The data of the run, as they were.
    fn data(&self) -> Result<RunData> {
        let data = RunData::load(&self.config)?;
        if data.record() != self.manifest.target {
            return Err(RunError::other_data(self.folder.path(), "the series"));
        }
        Ok(data)
    }
}
