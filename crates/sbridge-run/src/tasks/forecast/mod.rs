//! Forecast series in time, with paths that show how sure it is.

mod cost;
mod data;
pub mod file;
mod judge;
mod naive;
mod newer;
mod origin;
mod page;
mod remarks;
mod scoring;
mod settings;

pub use data::SeriesData;
pub use judge::{Backtest, Row, scores_without_a_folder};
pub use settings::{ForecastConfig, SeriesConfig};

use sbridge::forecast::{self, Bounds, Pasts};
use sbridge::rng::Rng;
use sbridge::solver::vsdm::{ScoreData as _, Vsdm};
use sbridge::tensor::Device;
use sbridge_data::{Dataset, Step};

use crate::context::Context;
use crate::error::{Result, RunError};
use crate::folder::RunFolder;
use crate::folder::manifest::Records;
use crate::forecasts::Predicted;
use crate::models::variational::{self, Models, models};
use crate::task::{Ahead, Forecast, Forecaster, Page, Run, SavedRun, Task};
use crate::training::{Cost, Learning};
use data::MAX_VALUES;
use scoring::Drawing;

/// The one method, and the name of its model.
pub const METHOD: &str = "forecast";

/// A forecast.
pub struct Forecasting {
    /// The model of the next step.
    pub forecaster: forecast::Forecaster,
    /// Names of the series.
    pub names: Vec<String>,
    /// The step in time; not known of runs of older programs.
    pub step: Option<Step>,
    /// What no draw leaves.
    pub bounds: Option<Bounds>,
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
        origin::endings(&data.series).iter().for_each(|note| context.note(note));
        origin::stillness(&data.series).iter().for_each(|note| context.note(note));
        context.info(&data.described(settings));
        Ok(())
    }

    fn cost(settings: &ForecastConfig, data: &SeriesData, context: &Context) -> Result<Option<Cost>> {
        cost::cost(settings, data, context).map(Some)
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
            step: past.step,
            bounds: past.bounds,
        })
    }
}

impl Forecast for Forecasting {
    fn forecast(run: &Run<Self>, ahead: &Ahead<'_>) -> Result<Predicted> {
        let horizon = ahead.horizon.unwrap_or(run.settings.horizon);
        for (name, value) in [("--samples", ahead.samples), ("--horizon", horizon)] {
            if value == 0 {
                return Err(RunError::Input(format!("{name} must be at least 1, got 0")));
            }
        }
        let (samples, learned) = (ahead.samples, &run.learned);
        let values = samples.saturating_mul(horizon).saturating_mul(learned.names.len());
        if values > MAX_VALUES {
            let found = format!(
                "{samples} paths of {horizon} times of {} series are {values} values",
                learned.names.len()
            );
            return Err(RunError::Input(format!(
                "{found}, at most {MAX_VALUES} are drawn (lower --samples or --horizon)"
            )));
        }
        let series = newer::read(run, ahead.input)?;
        let forecaster = &learned.forecaster;
        let sizes = [forecaster.context, horizon];
        let origins = origin::origins(&series, &[series.len()], sizes, learned.bounds.as_ref())?;
        let drawing = Drawing::new(&run.context, METHOD, samples * origins[0].calendar.len());
        let rng = Rng::new(ahead.seed).fork("predict");
        let values = forecaster
            .sample_watched(&origins, samples, &run.settings.sampler, &rng, &|rows| drawing.went_on(rows))?;
        require_finite(&values, horizon * series.dim())?;
        let values = learned.bounds.as_ref().map_or_else(|| values.clone(), |bounds| bounds.bounded(&values));
        let times = (0..horizon).map(|k| series.clock().label(series.len() + k)).collect();
        Ok(Predicted { times, names: series.names().to_vec(), samples, values })
    }
}
