//! Forecasts of windows that were not learned from, scored beside what anyone can forecast.

use std::fmt;

use sbridge::forecast::{Forecaster, Origin};
use sbridge::rng::Rng;
use sbridge::solver::vsdm::StartLaw;
use sbridge_ot::{Outcome, Points, crps, energy_score};
use sbridge_report::digits;
use serde::{Deserialize, Serialize};

use super::data::origin;
use super::naive::{Autoregression, Paths, last_value, seasonal};
use super::{ForecastConfig, Forecasting, METHOD, SeriesData, prepared, require_finite};
use crate::context::Context;
use crate::error::{Result, RunError};
use crate::models::variational::{SCORE_MODEL, WHITENED, Whitening};
use crate::quality::{Headline, Judgement, RowKind};
use crate::task::Run;

/// Paths of forecasts that cost nothing.
const NAIVE_PATHS: usize = 1000;

/// Shares of the draws that intervals hold.
const SHARES: [f64; 3] = [0.5, 0.8, 0.95];

/// Bins of the ranks of what came among the draws.
const BINS: usize = 10;

/// One way to forecast.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Row {
    /// Name for people.
    pub name: String,
    /// What it stands for.
    pub kind: RowKind,
    /// Quantile loss of the sum of all series over the size of the sum.
    pub crps_sum: f64,
    /// The same in each window.
    pub windows: Vec<f64>,
    /// Quantile loss of each series over its size.
    pub series: Vec<f64>,
    /// Their mean.
    pub crps: f64,
    /// Energy score, each series in units of its own steps; none for a single path.
    pub energy: Option<f64>,
    /// Share of values within the intervals of half, four fifths and nineteen twentieths of the draws.
    pub coverage: Option<[f64; 3]>,
}

/// The judgement of a forecast by windows at the end of the series.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Backtest {
    /// Times of a window.
    pub horizon: usize,
    /// First times of the windows.
    pub origins: Vec<String>,
    /// Paths drawn for each window by the models.
    pub samples: usize,
    /// Calls of the network for one value of all series.
    pub calls: usize,
    /// The model first, then what to compare it with.
    pub rows: Vec<Row>,
    /// Share of what came in each tenth of the model's draws, from the lowest: a tenth each if the model is right.
    pub ranks: Vec<f64>,
    /// KL divergence of what the forward process ends in from N(0, I).
    pub mismatch: f64,
    /// What a reader should know.
    pub remarks: Vec<String>,
    /// Paths of the model in each window, where they were just drawn.
    #[serde(skip)]
    pub(super) drawn: Vec<Paths>,
}

/// What one window was forecast from, and what came.
struct Window {
    origin: Origin,
    /// Row of its first time.
    row: usize,
    /// `[horizon, dim]`, NaN where missing.
    truth: Vec<f64>,
}

/// Judges the forecast of `run` by the windows at the end of the series.
///
/// # Errors
/// [`RunError`] for paths that diverge, or baselines that were not learned.
pub(super) fn judge(run: &Run<Forecasting>, data: &SeriesData) -> Result<Backtest> {
    let (config, forecaster) = (&run.settings, &run.learned.forecaster);
    let judge = Judge::new(config, data);
    let drawn = judge.drawn(&Candidate::model(forecaster.clone(), config))?;
    let (first, ranks) = judge.row(METHOD, RowKind::Model, &drawn)?;
    let mut rows = vec![first];
    if config.baselines {
        let other = |name| Ok::<_, RunError>(Forecasting::load(&run.folder, name, &run.device)?.forecaster);
        rows.extend(judge.baseline_rows(other(SCORE_MODEL)?, other(WHITENED)?)?);
    }
    rows.extend(judge.naive_rows()?);
    Ok(Backtest {
        horizon: config.horizon,
        origins: judge.windows.iter().map(|window| data.series.clock().label(window.row)).collect(),
        samples: config.samples,
        calls: 2 * config.sampler.steps,
        remarks: remarks(&rows),
        rows,
        ranks,
        mismatch: forecaster.model.mismatch()?,
        drawn,
    })
}

/// Paths of the model of `run` in each window, as they are drawn to judge it.
///
/// # Errors
/// [`RunError`] for paths that diverge.
pub(super) fn drawn_again(run: &Run<Forecasting>, data: &SeriesData) -> Result<Vec<Paths>> {
    let candidate = Candidate::model(run.learned.forecaster.clone(), &run.settings);
    Judge::new(&run.settings, data).drawn(&candidate)
}

/// Learns the model of `config` and its baselines, keeps neither, and scores them beside naive forecasts.
///
/// # Errors
/// As a fit.
pub fn scores_without_a_folder(config: &ForecastConfig) -> Result<Vec<Row>> {
    let data = SeriesData::read(config, &Context::default())?;
    let judge = Judge::new(config, &data);
    let learned = |name| {
        let (spread, context) = (data.history.spread().to_vec(), data.context);
        Ok::<_, RunError>(Forecaster { model: prepared(name, config, &data)?.run()?, spread, context })
    };
    let drawn = judge.drawn(&Candidate::model(learned(METHOD)?, config))?;
    let mut rows = vec![judge.row(METHOD, RowKind::Model, &drawn)?.0];
    rows.extend(judge.baseline_rows(learned(SCORE_MODEL)?, learned(WHITENED)?)?);
    rows.extend(judge.naive_rows()?);
    Ok(rows)
}

/// Row of the first time of window `k`.
pub(super) fn first_row(config: &ForecastConfig, data: &SeriesData, k: usize) -> usize {
    data.learned + k * config.horizon
}

/// A model to draw from.
struct Candidate {
    name: &'static str,
    forecaster: Forecaster,
    start: StartLaw,
    whitening: Option<Whitening>,
}

impl Candidate {
    fn model(forecaster: Forecaster, config: &ForecastConfig) -> Self {
        Self { name: METHOD, forecaster, start: config.sampler.start, whitening: None }
    }
}

/// What forecasts are compared with.
struct Judge<'a> {
    config: &'a ForecastConfig,
    data: &'a SeriesData,
    windows: Vec<Window>,
    rng: Rng,
}

impl<'a> Judge<'a> {
    fn new(config: &'a ForecastConfig, data: &'a SeriesData) -> Self {
        let (horizon, dim) = (config.horizon, data.series.dim());
        let window = |k: usize| {
            let row = first_row(config, data, k);
            let truth = data.series.values()[row * dim..][..horizon * dim].to_vec();
            Window { origin: origin(&data.series, row, data.context, horizon), row, truth }
        };
        let windows = (0..config.windows).map(window).collect();
        Self { config, data, windows, rng: Rng::new(config.seed).fork("backtest") }
    }

    fn drawn(&self, candidate: &Candidate) -> Result<Vec<Paths>> {
        let Candidate { name, forecaster, start, whitening } = candidate;
        let (samples, model) = (self.config.samples, &forecaster.model);
        let (flow, start) = (model.flow(self.config.sampler.steps)?, model.start(*start)?);
        let origins: Vec<Origin> = self.windows.iter().map(|window| window.origin.clone()).collect();
        let drawn = forecaster.simulate(&origins, samples, &self.rng.fork(name), &|summary, rng| {
            let step = forecaster.step(&flow, summary, start.draw(summary.dims()[0], rng));
            whitening.as_ref().map_or_else(|| step.clone(), |whitening| whitening.undo(&step))
        });
        self.split(drawn, samples)
    }

    /// Score models of the same network and training: from N(0, I), from where the noise really ends, and on whitened
    /// steps.
    fn baseline_rows(&self, plain: Forecaster, whitened: Forecaster) -> Result<Vec<Row>> {
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

    fn naive_rows(&self) -> Result<Vec<Row>> {
        let (dim, horizon, learned) =
            (self.data.series.dim(), self.config.horizon, self.data.history.values());
        let season = self.data.series.clock().season();
        let row_of = |name: &str, forecast: &mut dyn FnMut(&[f64]) -> Paths| {
            let paths: Vec<Paths> = self.windows.iter().map(|window| forecast(&window.origin.past)).collect();
            Ok::<_, RunError>(self.row(name, RowKind::Baseline, &paths)?.0)
        };
        let mut rows = vec![row_of("last value", &mut |past| last_value(past, dim, horizon))?];
        if season > 1 {
            let name = format!("seasonal naive ({season})");
            rows.push(row_of(&name, &mut |past| seasonal(past, dim, horizon, season))?);
        }
        for (name, law) in [
            ("random walk", Autoregression::random_walk(learned, dim)),
            ("vector autoregression", Autoregression::fit(learned, dim)),
        ] {
            let Some(law) = law else { continue };
            let mut rng = self.rng.fork(name);
            rows.push(row_of(name, &mut |past| law.paths(past, horizon, NAIVE_PATHS, &mut rng))?);
        }
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

    fn row(&self, name: &str, kind: RowKind, paths: &[Paths]) -> Result<(Row, Vec<f64>)> {
        let dim = self.data.series.dim();
        let of = |value: &dyn Fn(&[f64]) -> f64| {
            let windows = paths.iter().enumerate().map(|(k, paths)| self.outcomes(k, paths, value));
            windows.collect::<Result<Vec<_>>>()
        };
        let score = |outcomes: &[Outcome]| crps(outcomes).unwrap_or(f64::NAN);
        let sums = of(&|x| x.iter().sum())?;
        let singles = (0..dim).map(|j| Ok(of(&move |x| x[j])?.concat())).collect::<Result<Vec<_>>>()?;
        let series: Vec<f64> = singles.iter().map(|outcomes| score(outcomes)).collect();
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
            energy: if is_law { Some(self.energy(paths)?) } else { None },
            coverage: is_law.then(|| SHARES.map(share)),
        };
        Ok((row, ranks(&all)))
    }

    /// The mean energy score over times, each series in units of its steps.
    fn energy(&self, paths: &[Paths]) -> Result<f64> {
        let (dim, spread) = (self.data.series.dim(), self.data.history.spread());
        let scaled = |x: &[f64]| x.iter().zip(spread).map(|(x, s)| x / s).collect::<Vec<f64>>();
        let mut scores = Vec::new();
        for (window, paths) in self.windows.iter().zip(paths) {
            for (k, came) in window.truth.chunks_exact(dim).enumerate() {
                if came.iter().any(|x| x.is_nan()) {
                    continue;
                }
                let draws = paths.iter().flat_map(|path| scaled(&path[k * dim..][..dim])).collect();
                scores.push(energy_score(&Points::new(draws, dim)?, &scaled(came))?);
            }
        }
        Ok(scores.iter().sum::<f64>() / scores.len() as f64)
    }
}

/// The mean of the scores of series of which something came.
fn mean_of_known(scores: &[f64]) -> f64 {
    let known: Vec<f64> = scores.iter().copied().filter(|score| score.is_finite()).collect();
    known.iter().sum::<f64>() / known.len() as f64
}

/// Share of the outcomes in each tenth of their draws.
fn ranks(outcomes: &[Outcome]) -> Vec<f64> {
    let mut counts = vec![0.0; BINS];
    outcomes.iter().for_each(|outcome| {
        counts[((outcome.rank() * BINS as f64) as usize).min(BINS - 1)] += 1.0 / outcomes.len() as f64;
    });
    counts
}

/// What does as well as the model or better, and intervals that are too narrow or too wide.
fn remarks(rows: &[Row]) -> Vec<String> {
    let model = &rows[0];
    let no_worse = rows[1..].iter().filter(|row| row.crps_sum <= model.crps_sum);
    let mut remarks: Vec<String> = no_worse
        .map(|row| {
            let [theirs, ours] = [row.crps_sum, model.crps_sum].map(digits);
            format!("{} does as well or better, by CRPS-sum ({theirs} beside {ours})", row.name)
        })
        .collect();
    if let Some([_, coverage, _]) = model.coverage
        && (coverage - 0.8).abs() > 0.15
    {
        let how = if coverage < 0.8 { "narrow" } else { "wide" };
        remarks.push(format!("intervals are too {how}: those of 80 % hold {:.0} %", 100.0 * coverage));
    }
    remarks
}

impl Judgement for Backtest {
    fn headline(&self) -> Option<Headline> {
        Some(("CRPS-sum", self.rows.first()?.crps_sum))
    }

    fn remarks(&self) -> &[String] {
        &self.remarks
    }
}

impl fmt::Display for Backtest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { horizon, samples, calls, .. } = self;
        writeln!(
            f,
            "{} windows of {horizon} times, {samples} paths, {calls} calls of the network for each time",
            self.origins.len()
        )?;
        let head = ["CRPS-sum", "CRPS", "energy", "in 50 %", "in 80 %", "in 95 %"];
        write!(f, "{:28}", "")?;
        head.iter().try_for_each(|name| write!(f, " {name:>10}"))?;
        for row in &self.rows {
            write!(f, "\n{:28} {:>10.5} {:>10.5}", row.name, row.crps_sum, row.crps)?;
            write!(f, " {:>10}", row.energy.map_or("–".into(), |energy| format!("{energy:.3}")))?;
            for k in 0..SHARES.len() {
                let share = row.coverage.map(|coverage| format!("{:.0} %", 100.0 * coverage[k]));
                write!(f, " {:>10}", share.unwrap_or("–".into()))?;
            }
        }
        self.remarks.iter().try_for_each(|remark| write!(f, "\nnote: {remark}"))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn row(name: &str, crps_sum: f64, coverage: f64) -> Row {
        Row {
            name: name.into(),
            kind: RowKind::Baseline,
            crps_sum,
            windows: vec![],
            series: vec![],
            crps: 0.0,
            energy: None,
            coverage: Some([0.5, coverage, 0.95]),
        }
    }

    #[test]
    fn what_does_as_well_is_named_and_so_are_wrong_intervals() {
        let found = remarks(&[row("model", 0.2, 0.5), row("a", 0.1, 0.8), row("b", 0.3, 0.8)]);
        assert!(found[0].starts_with("a does as well or better") && found.len() == 2);
        assert!(found[1].contains("too narrow: those of 80 % hold 50 %"));
        assert!(remarks(&[row("model", 0.1, 0.8), row("b", 0.3, 0.8)]).is_empty());
    }
}
