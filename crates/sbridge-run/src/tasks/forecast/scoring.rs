//! Windows at the end of the series, what is drawn for them, and its scores.

use std::sync::atomic::{AtomicUsize, Ordering};

use sbridge::forecast::{Forecaster, Origin};
use sbridge::rng::Rng;
use sbridge::solver::vsdm::StartLaw;
use sbridge::tensor::Tensor;
use sbridge_ot::{Outcome, Points, crps, energy_score};
use serde::{Deserialize, Serialize};

use super::data::MAX_VALUES;
use super::naive::{Autoregression, Paths, last_value, seasonal};
use super::origin::{Starts, starts};
use super::{ForecastConfig, METHOD, SeriesData, require_finite};
use crate::context::Context;
use crate::error::{Result, RunError};
use crate::models::variational::{WHITENED, Whitening};
use crate::quality::RowKind;
use crate::watch::Progress;

/// Paths of forecasts that cost nothing, where memory holds them.
const NAIVE_PATHS: usize = 1000;

/// Such paths at least.
const LEAST_NAIVE_PATHS: usize = 50;

/// Naive forecasts, at most.
const NAIVE_FORECASTS: usize = 4;

/// Naive forecasts that are laws, and not one path.
pub(super) const NAIVE_LAWS: usize = 2;

/// Shares of a law that intervals hold.
pub(super) const SHARES: [f64; 3] = [0.5, 0.8, 0.95];

/// Bins of the ranks of what came among the draws.
const BINS: usize = 10;

/// A sum smaller than this share of its parts is rounding.
const ROUNDING: f64 = 1e-12;

/// One way to forecast.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Row {
    /// Name for people.
    pub name: String,
    /// What it stands for.
    pub kind: RowKind,
    /// Quantile loss of the sum of all series over the size of the sum; none where the sum is zero or not known.
    pub crps_sum: Option<f64>,
    /// The same in each window.
    pub windows: Vec<Option<f64>>,
    /// Quantile loss of each series over its size; none where that is zero or not known.
    pub series: Vec<Option<f64>>,
    /// Their mean, of those that have one.
    pub crps: Option<f64>,
    /// Energy score, each series in units of its own steps; none for a single path.
    pub energy: Option<f64>,
    /// Share of values within the intervals that hold half, four fifths and nineteen twentieths of a law, by the ranks of
    /// the draws.
    pub coverage: Option<[f64; 3]>,
}

/// How a row is scored.
pub(super) type Score = fn(&Row) -> Option<f64>;

impl Row {
    /// The score that rows are compared with this one by, and its name: CRPS-sum, or where this one has none, CRPS.
    pub(super) fn headline(&self) -> (&'static str, Score) {
        match self.crps_sum {
            Some(_) => ("CRPS-sum", |row| row.crps_sum),
            None => ("CRPS", |row| row.crps),
        }
    }
}

/// Row of the first time of window `k`.
pub(super) fn first_row(config: &ForecastConfig, data: &SeriesData, k: usize) -> usize {
    data.learned + k * config.horizon
}

/// What one window was forecast from, and what came.
struct Window {
    starts: Starts,
    /// Row of its first time.
    row: usize,
    /// `[horizon, dim]`, NaN where missing.
    truth: Vec<f64>,
}

/// Drawing as it is watched.
pub(super) struct Drawing<'a> {
    progress: Progress<'a>,
    done: AtomicUsize,
}

impl<'a> Drawing<'a> {
    pub(super) fn new(context: &'a Context, name: &str, total: usize) -> Self {
        Self { progress: context.progress(&format!("draw {name}"), 0, total), done: AtomicUsize::new(0) }
    }

    /// So many rows more are drawn.
    pub(super) fn went_on(&self, rows: usize) {
        let done = self.done.fetch_add(rows, Ordering::Relaxed) + rows;
        self.progress.at(done, "");
    }
}

/// A model to draw from.
pub(super) struct Candidate {
    name: &'static str,
    forecaster: Forecaster,
    start: StartLaw,
    whitening: Option<Whitening>,
}

impl Candidate {
    pub(super) fn model(forecaster: Forecaster, config: &ForecastConfig) -> Self {
        Self { name: METHOD, forecaster, start: config.sampler.start, whitening: None }
    }
}

/// What forecasts are compared with.
pub(super) struct Judge<'a> {
    pub(super) config: &'a ForecastConfig,
    pub(super) data: &'a SeriesData,
    windows: Vec<Window>,
    /// The series that are summed up: those of which something is known in the windows.
    pub(super) summed: Vec<usize>,
    context: &'a Context,
    rng: Rng,
}

impl<'a> Judge<'a> {
    /// # Errors
    /// [`RunError::Input`] for a series that ended too long ago.
    pub(super) fn new(
        config: &'a ForecastConfig,
        data: &'a SeriesData,
        context: &'a Context,
    ) -> Result<Self> {
        let (horizon, dim, values) = (config.horizon, data.series.dim(), data.series.values());
        let window = |k: usize| {
            let row = first_row(config, data, k);
            let sizes = [data.context, horizon, config.samples];
            let truth = values[row * dim..][..horizon * dim].to_vec();
            Ok(Window { starts: starts(&data.series, row, sizes, data.bounds.as_ref())?, row, truth })
        };
        let windows = (0..config.windows).map(window).collect::<Result<Vec<Window>>>()?;
        let summed = summed(&windows, dim);
        let rng = Rng::new(config.seed).fork("backtest");
        Ok(Self { config, data, windows, summed, context, rng })
    }

    /// First times of the windows.
    pub(super) fn first_times(&self) -> Vec<String> {
        self.windows.iter().map(|window| self.data.series.clock().label(window.row)).collect()
    }

    pub(super) fn drawn(&self, candidate: &Candidate) -> Result<Vec<Paths>> {
        let Candidate { name, forecaster, start, whitening } = candidate;
        let (samples, model) = (self.config.samples, &forecaster.model);
        let (flow, start) = (model.flow(self.config.sampler.steps)?, model.start(*start)?);
        let progress = Drawing::new(self.context, name, self.config.horizon * self.windows.len() * samples);
        let draw = |summary: &Tensor<2>, rng: &mut Rng| {
            let step = forecaster.step(&flow, summary, start.draw(summary.dims()[0], rng));
            whitening.as_ref().map_or_else(|| step.clone(), |whitening| whitening.undo(&step))
        };
        let rng = self.rng.fork(name);
        let simulated = |origins: &[Origin], paths: usize, rng: &Rng| {
            forecaster.simulate(origins, paths, rng, &draw, &|rows| progress.went_on(rows))
        };
        let drawn = match self.windows.iter().all(|window| window.starts.paths == samples) {
            true => {
                let origins = self.windows.iter().flat_map(|window| window.starts.origins.clone());
                simulated(&origins.collect::<Vec<_>>(), samples, &rng)
            }
            false => {
                let of = |(k, window): (usize, &Window)| {
                    simulated(&window.starts.origins, window.starts.paths, &rng.fork(&format!("window {k}")))
                };
                self.windows.iter().enumerate().flat_map(of).collect()
            }
        };
        self.split(self.data.bounded(drawn), samples)
    }

    /// Score models of the same network and training: from N(0, I), from where the noise really ends, and on whitened
    /// steps.
    pub(super) fn baseline_rows(&self, plain: Forecaster, whitened: Forecaster) -> Result<Vec<Row>> {
        let of = |name, forecaster: &Forecaster, start, whitening| {
            let candidate = Candidate { name, forecaster: forecaster.clone(), start, whitening };
            Ok::<_, RunError>(self.row(name, RowKind::Baseline, &self.drawn(&candidate)?)?.0)
        };
        Ok(vec![
            of("score model", &plain, StartLaw::Prior, None)?,
            of("score model, matched start", &plain, StartLaw::Reached, None)?,
            of("whitening, score model", &whitened, StartLaw::Prior, self.data.whitening(WHITENED)?)?,
        ])
    }

    pub(super) fn naive_rows(&self) -> Result<Vec<Row>> {
        let (dim, horizon, learned) =
            (self.data.series.dim(), self.config.horizon, self.data.history.values());
        let season = self.data.series.clock().season();
        let drawn = naive_paths(self.config, dim);
        let (progress, judged) = (self.context.progress("judge", 0, NAIVE_FORECASTS), AtomicUsize::new(0));
        let row_of = |name: &str, forecast: &mut dyn FnMut(&[f64], usize) -> Paths| {
            progress.at(judged.fetch_add(1, Ordering::Relaxed), name);
            let after = |window: &Window| {
                let paths = forecast(&window.starts.standing, horizon);
                paths.into_iter().map(|path| self.data.bounded(path)).collect()
            };
            let paths: Vec<Paths> = self.windows.iter().map(after).collect();
            Ok::<_, RunError>(self.row(name, RowKind::Baseline, &paths)?.0)
        };
        let mut rows = vec![row_of("last value", &mut |past, horizon| last_value(past, dim, horizon))?];
        if season > 1 {
            let name = format!("seasonal naive ({season})");
            rows.push(row_of(&name, &mut |past, horizon| seasonal(past, dim, horizon, season))?);
        }
        for (name, law) in [
            ("random walk", Autoregression::random_walk(learned, dim)),
            ("vector autoregression", Autoregression::fit(learned, dim)),
        ] {
            let Some(law) = law else { continue };
            let mut rng = self.rng.fork(name);
            rows.push(row_of(name, &mut |past, horizon| law.paths(past, horizon, drawn, &mut rng))?);
        }
        progress.at(NAIVE_FORECASTS, "");
        Ok(rows)
    }

    /// Draws `[windows, samples, horizon, dim]` as paths of each window.
    fn split(&self, drawn: Vec<f64>, samples: usize) -> Result<Vec<Paths>> {
        let length = self.config.horizon * self.data.series.dim();
        require_finite(&drawn, length)?;
        let paths: Paths = drawn.chunks_exact(length).map(<[f64]>::to_vec).collect();
        Ok(paths.chunks(samples).map(<[Vec<f64>]>::to_vec).collect())
    }

    /// The outcomes of `value` of all series at every time of a window where it is known.
    fn outcomes(&self, window: usize, paths: &Paths, value: &dyn Fn(&[f64]) -> f64) -> Result<Vec<Outcome>> {
        let dim = self.data.series.dim();
        let mut outcomes = Vec::new();
        for (k, came) in self.windows[window].truth.chunks_exact(dim).enumerate() {
            let truth = value(came);
            if !truth.is_nan() {
                let draws = paths.iter().map(|path| value(&path[k * dim..][..dim])).collect();
                outcomes.push(Outcome::new(draws, truth)?);
            }
        }
        Ok(outcomes)
    }

    pub(super) fn row(&self, name: &str, kind: RowKind, paths: &[Paths]) -> Result<(Row, Vec<f64>)> {
        let dim = self.data.series.dim();
        let of = |value: &dyn Fn(&[f64]) -> f64| {
            let windows = paths.iter().enumerate().map(|(k, paths)| self.outcomes(k, paths, value));
            windows.collect::<Result<Vec<_>>>()
        };
        let score = |outcomes: &[Outcome]| crps(outcomes).ok().flatten();
        let sums = of(&|x| sum_of(x, &self.summed))?;
        let singles = (0..dim).map(|j| Ok(of(&move |x| x[j])?.concat())).collect::<Result<Vec<_>>>()?;
        let series: Vec<Option<f64>> = singles.iter().map(|outcomes| score(outcomes)).collect();
        let all = singles.concat();
        let is_law = paths.iter().all(|paths| paths.len() > 1);
        let share = |within: f64| {
            all.iter().filter(|outcome| outcome.is_within(within)).count() as f64 / all.len().max(1) as f64
        };
        let row = Row {
            name: name.into(),
            kind,
            crps_sum: score(&sums.concat()),
            windows: sums.iter().map(|outcomes| score(outcomes)).collect(),
            crps: mean_of_known(&series),
            series,
            energy: if is_law { self.energy(paths)? } else { None },
            coverage: (is_law && !all.is_empty()).then(|| SHARES.map(share)),
        };
        Ok((row, ranks(&all)))
    }

    /// The mean energy score over times at which all series are known, each in units of its steps.
    fn energy(&self, paths: &[Paths]) -> Result<Option<f64>> {
        let (dim, spread) = (self.data.series.dim(), &self.data.spread);
        let mut scores = Vec::new();
        for (window, paths) in self.windows.iter().zip(paths) {
            for (k, came) in window.truth.chunks_exact(dim).enumerate() {
                if came.iter().any(|x| x.is_nan()) {
                    continue;
                }
                // From what came: a level far from zero costs no digits.
                let off = |path: &[f64]| -> Vec<f64> {
                    path.iter().zip(came).zip(spread).map(|((x, came), spread)| (x - came) / spread).collect()
                };
                let draws = paths.iter().flat_map(|path| off(&path[k * dim..][..dim])).collect();
                scores.push(energy_score(&Points::new(draws, dim)?, &vec![0.0; dim])?);
            }
        }
        Ok((!scores.is_empty()).then(|| scores.iter().sum::<f64>() / scores.len() as f64))
    }
}

/// Paths of each naive law: as many as memory holds, within reason.
pub(super) fn naive_paths(config: &ForecastConfig, dim: usize) -> usize {
    let values = config.windows.saturating_mul(config.horizon).saturating_mul(dim).max(1);
    (MAX_VALUES / values).clamp(LEAST_NAIVE_PATHS, NAIVE_PATHS)
}

/// The series whose sum is known at some time of the windows: all, or else those of which anything is known.
fn summed(windows: &[Window], dim: usize) -> Vec<usize> {
    let rows = || windows.iter().flat_map(|window| window.truth.chunks_exact(dim));
    match rows().any(|row| row.iter().all(|x| !x.is_nan())) {
        true => (0..dim).collect(),
        false => (0..dim).filter(|j| rows().any(|row| !row[*j].is_nan())).collect(),
    }
}

/// The sum of some series; zero where they cancel up to rounding.
fn sum_of(values: &[f64], summed: &[usize]) -> f64 {
    let (sum, size) =
        summed.iter().fold((0.0, 0.0), |(sum, size), j| (sum + values[*j], size + values[*j].abs()));
    if f64::abs(sum) < ROUNDING * size { 0.0 } else { sum }
}

/// The mean of the scores of series that have one.
fn mean_of_known(scores: &[Option<f64>]) -> Option<f64> {
    let known: Vec<f64> = scores.iter().copied().flatten().collect();
    (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64)
}

/// Share of the outcomes in each tenth of their draws.
fn ranks(outcomes: &[Outcome]) -> Vec<f64> {
    let mut counts = vec![0.0; BINS];
    outcomes.iter().for_each(|outcome| {
        counts[((outcome.rank() * BINS as f64) as usize).min(BINS - 1)] += 1.0 / outcomes.len() as f64;
    });
    counts
}
