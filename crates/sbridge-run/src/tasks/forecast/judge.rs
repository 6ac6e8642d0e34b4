//! Forecasts of windows that were not learned from, scored beside what anyone can forecast.

use std::fmt;

use sbridge::forecast::Forecaster;
use serde::{Deserialize, Serialize};

use super::naive::Paths;
use super::remarks::remarks;
use super::scoring::{Candidate, Judge, Row, SHARES};
use super::{ForecastConfig, Forecasting, METHOD, SeriesData, prepared};
use crate::context::Context;
use crate::error::{Result, RunError};
use crate::models::variational::{SCORE_MODEL, WHITENED};
use crate::quality::{Headline, Judgement, RowKind};
use crate::task::Run;

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

/// Judges the forecast of `run` by the windows at the end of the series.
///
/// # Errors
/// [`RunError`] for paths that diverge, or baselines that were not learned.
pub(super) fn judge(run: &Run<Forecasting>, data: &SeriesData) -> Result<Backtest> {
    let (config, forecaster) = (&run.settings, &run.learned.forecaster);
    let judge = Judge::new(config, data, &run.context)?;
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
        origins: judge.first_times(),
        samples: config.samples,
        calls: 2 * config.sampler.steps,
        remarks: remarks(&rows, &judge, &drawn),
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
    Judge::new(&run.settings, data, &run.context)?.drawn(&candidate)
}

/// Learns the model of `config` and its baselines, keeps neither, and scores them beside naive forecasts.
///
/// # Errors
/// As a fit.
pub fn scores_without_a_folder(config: &ForecastConfig) -> Result<Vec<Row>> {
    let context = Context::default();
    let data = SeriesData::read(config, &context)?;
    let judge = Judge::new(config, &data, &context)?;
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

impl Judgement for Backtest {
    fn headline(&self) -> Option<Headline> {
        let model = self.rows.first()?;
        let (name, score) = model.headline();
        Some((name, score(model)?))
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
            let shown = |score: Option<f64>, places| score.map_or("–".into(), |x| format!("{x:.places$}"));
            write!(f, "\n{:28} {:>10} {:>10}", row.name, shown(row.crps_sum, 5), shown(row.crps, 5))?;
            write!(f, " {:>10}", shown(row.energy, 3))?;
            for k in 0..SHARES.len() {
                let share = row.coverage.map(|coverage| format!("{:.0} %", 100.0 * coverage[k]));
                write!(f, " {:>10}", share.unwrap_or("–".into()))?;
            }
        }
        self.remarks.iter().try_for_each(|remark| write!(f, "\nnote: {remark}"))
    }
}
