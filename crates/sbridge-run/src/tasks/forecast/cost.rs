//! What a forecast takes: to learn, and to draw and judge the windows.

use std::time::Instant;

use sbridge::forecast::Forecaster;
use sbridge::rng::Rng;
use sbridge_ot::{Points, energy_score};
use sbridge_report::human_time;

use super::origin::starts;
use super::scoring::{NAIVE_LAWS, naive_paths};
use super::{ForecastConfig, METHOD, SeriesData, prepared};
use crate::context::Context;
use crate::error::Result;
use crate::models::variational::{cost, models};
use crate::training::Cost;

/// Drawing and judging is said from so many seconds on.
const WORTH_A_WORD: f64 = 5.0;

/// Times that are drawn to time one.
const TRIAL_TIMES: usize = 2;

/// Rows that a past of one path takes at once.
const BLOCK: usize = 250;

/// What learning takes; what comes after is said at once.
///
/// # Errors
/// Settings that the fit itself would refuse, or a series that ended too long ago.
pub(super) fn cost(settings: &ForecastConfig, data: &SeriesData, context: &Context) -> Result<Cost> {
    let dim = data.series.dim();
    let models = models(METHOD, settings.baselines).len();
    let drawn = settings.windows * settings.samples * settings.horizon * dim;
    let naive = settings.windows * naive_paths(settings, dim) * settings.horizon * dim;
    let bytes = (4 * data.series.values().len() + 2 * drawn + 2 * naive) * size_of::<f64>();
    let learning = cost::cost(data.learns.clone(), &settings.vsdm, models, bytes)?;
    let after = drawing(settings, data)? * (2 * models - 1) as f64 + judging(settings, data)?;
    if after >= WORTH_A_WORD {
        context.info(&format!("about {} of drawing and judging the windows after it", human_time(after)));
    }
    Ok(learning)
}

/// Seconds of drawing all windows once, by a few times of an untrained network.
fn drawing(settings: &ForecastConfig, data: &SeriesData) -> Result<f64> {
    let sizes = [data.context, settings.horizon, 1];
    let mut origin = starts(&data.series, data.learned, sizes, data.bounds.as_ref())?.origins.swap_remove(0);
    let model = prepared(METHOD, settings, data)?.model().clone();
    let forecaster = Forecaster { model, spread: data.history.spread().to_vec(), context: data.context };
    let paths = settings.windows * settings.samples;
    origin.calendar.truncate(TRIAL_TIMES);
    let (count, tried) = (paths.min(BLOCK), origin.calendar.len().max(1));
    let started = Instant::now();
    forecaster.sample(&[origin], count, &settings.sampler, &Rng::new(0))?;
    let of_a_time = started.elapsed().as_secs_f64() / tried as f64;
    let rounds = paths.div_ceil(BLOCK).div_ceil(rayon::current_num_threads());
    Ok(of_a_time * (rounds * settings.horizon) as f64)
}

/// Seconds of judging naive forecasts, which are of many paths, by the energy score of one time.
fn judging(settings: &ForecastConfig, data: &SeriesData) -> Result<f64> {
    let (dim, paths) = (data.series.dim(), naive_paths(settings, data.series.dim()));
    let mut values = vec![0f32; paths * dim];
    Rng::new(0).fill_normal(&mut values);
    let draws = Points::new(values.into_iter().map(f64::from).collect(), dim)?;
    let started = Instant::now();
    energy_score(&draws, &vec![0.0; dim])?;
    let of_a_time = started.elapsed().as_secs_f64();
    Ok(of_a_time * (NAIVE_LAWS * settings.windows * settings.horizon) as f64)
}
