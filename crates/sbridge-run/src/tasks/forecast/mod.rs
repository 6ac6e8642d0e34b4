//! Forecast series in time, with paths that show how sure it is.

mod data;
pub mod file;
mod judge;
mod naive;
mod page;
mod settings;

pub use data::SeriesData;
pub use judge::{Backtest, Row, scores_without_a_folder};
pub use settings::{ForecastConfig, SeriesConfig};

use sbridge::forecast::{self, Pasts};
use sbridge::rng::Rng;
use sbridge::solver::vsdm::{ScoreData as _, Vsdm};
use sbridge::tensor::Device;
use sbridge_data::{Dataset, Series};

use crate::context::Context;
use crate::error::{Result, RunError};
use crate::folder::RunFolder;
use crate::folder::manifest::Records;
use crate::forecasts::Predicted;
use crate::models::variational::{self, Models, cost, models};
use crate::task::{Forecast, Forecaster, Page, Run, SavedRun, Task};
use crate::training::{Cost, Learning};
use data::origin;

/// The one method, and the name of its model.
pub const METHOD: &str = "forecast";

/// Values drawn at once, at most: a gigabyte.
const MAX_VALUES: usize = 1 << 27;

/// A forecast.
pub struct Forecasting {
    /// The model of the next step.
    pub forecaster: forecast::Forecaster,
    /// Names of the series.
    pub names: Vec<String>,
}

impl Task for Forecasting {
    const NAME: &'static str = "forecast";
    const METHODS: &'static [&'static str] = &[METHOD];
    type Settings = ForecastConfig;
    type Data = SeriesData;
    type Judgement = Backtest;

    fn command(_method: &str) -> String {
        "forecast fit".into()
    }

    fn read(settings: &mut ForecastConfig, context: &Context) -> Result<SeriesData> {
        SeriesData::read(settings, context)
    }

    fn records(data: &SeriesData) -> Records {
        Records::of(data.record())
    }

    fn prepare(settings: &mut ForecastConfig, data: &SeriesData, context: &Context) -> Result<()> {
        data.series.notes().iter().for_each(|note| context.note(note));
        context.info(&data.described(settings));
        Ok(())
    }

    fn cost(settings: &ForecastConfig, data: &SeriesData, _context: &Context) -> Result<Option<Cost>> {
        let bytes = 4 * data.series.values().len() * size_of::<f64>();
        let models = models(METHOD, settings.baselines).len();
        cost::cost(data.learns.clone(), &settings.vsdm, models, bytes).map(Some)
    }

    /// The model of the run; and beside it, if they are asked for, score models of the steps and of whitened steps.
    fn learn(run: &mut Learning<'_, ForecastConfig>, data: &SeriesData) -> Result<()> {
        let (device, settings) = (run.device.clone(), run.settings.clone());
        let past = file::described(data, &settings);
        let files = Models {
            load: &|path| file::load(path, &device).map(|(model, learned, _)| (model, learned)),
            save: &|path, model, learned| {
                let network = (&settings.vsdm.net, Some(&past));
                variational::file::save(path, METHOD, model, network, learned)
            },
        };
        for name in models(METHOD, settings.baselines) {
            files.learn(run, name, prepared(name, &settings, data)?)?;
        }
        Ok(())
    }

    fn open(run: &SavedRun<'_, ForecastConfig>) -> Result<Self> {
        Self::load(run.folder, METHOD, run.device)
    }

    fn judge(run: &Run<Self>, data: &SeriesData, _reference: Option<&Dataset>) -> Result<Backtest> {
        judge::judge(run, data)
    }

    fn page(run: &Run<Self>, data: &SeriesData, found: &Backtest) -> Result<Page> {
        page::page(run, data, found)
    }

    fn forecaster(run: &Run<Self>) -> Option<&dyn Forecaster> {
        Some(run)
    }
}

/// The model of this name before its first stage.
fn prepared(name: &str, config: &ForecastConfig, data: &SeriesData) -> Result<Vsdm<Pasts>> {
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
        Some(watches) => vsdm.with_held_out(of(watches)),
    })
}

/// Refuses paths of `length` values each that left the finite numbers.
fn require_finite(paths: &[f64], length: usize) -> Result<()> {
    let diverged = paths.chunks(length).filter(|path| path.iter().any(|x| !x.is_finite())).count();
    match diverged {
        0 => Ok(()),
        _ => Err(RunError::PathsDiverged { diverged, count: paths.len() / length }),
    }
}

impl Forecasting {
    /// The model called `name` of the run in `folder`.
    fn load(folder: &RunFolder, name: &str, device: &Device) -> Result<Self> {
        let (model, _, past) = file::load(&folder.model_file(name)?, device)?;
        Ok(Self {
            forecaster: forecast::Forecaster { model, spread: past.spread, context: past.context },
            names: past.names,
        })
    }

    fn require_learned(&self, series: &Series) -> Result<()> {
        let context = self.forecaster.context;
        if series.names() != self.names {
            return Err(RunError::Input(format!(
                "{} holds the series {}, the forecast is of {}",
                series.source(),
                series.names().join(", "),
                self.names.join(", ")
            )));
        }
        if series.len() < context {
            let found = format!("{} has {} times", series.source(), series.len());
            return Err(RunError::Input(format!("{found}, and a forecast looks at the last {context}")));
        }
        Ok(())
    }
}

impl Forecast for Forecasting {
    fn forecast(run: &Run<Self>, input: Option<&str>, samples: usize, seed: u64) -> Result<Predicted> {
        if samples == 0 {
            return Err(RunError::Input("--samples must be at least 1, got 0".into()));
        }
        let source = input.unwrap_or(&run.settings.series.source);
        let series = run.context.sources.series(source, &run.settings.series.layout()?)?;
        run.learned.require_learned(&series)?;
        series.notes().iter().for_each(|note| run.context.note(note));
        let horizon = run.settings.horizon;
        let values = samples.saturating_mul(horizon).saturating_mul(series.dim());
        if values > MAX_VALUES {
            let found =
                format!("{samples} paths of {horizon} times of {} series are {values} values", series.dim());
            return Err(RunError::Input(format!(
                "{found}, at most {MAX_VALUES} are drawn (lower --samples)"
            )));
        }
        let forecaster = &run.learned.forecaster;
        let from = origin(&series, series.len(), forecaster.context, horizon);
        let rng = Rng::new(seed).fork("predict");
        let values = forecaster.sample(&[from], samples, &run.settings.sampler, &rng)?;
        require_finite(&values, horizon * series.dim())?;
        let times = (0..horizon).map(|k| series.clock().label(series.len() + k)).collect();
        Ok(Predicted { times, names: series.names().to_vec(), samples, values })
    }
}
