//! Series with what is learned from, and what is kept to judge by.

use std::sync::Arc;

use sbridge::forecast::{History, Origin, Pasts, interpolate_gaps};
use sbridge::solver::vsdm::{Family, ScoreData as _};
use sbridge::tensor::Device;
use sbridge_data::{ElementType, SampleShape, Series};

use super::ForecastConfig;
use crate::context::Context;
use crate::error::{Result, RunError};
use crate::folder::manifest::DataRecord;
use crate::models::variational::{MAX_DIM, WHITENED, Whitening};

/// Times to learn from, at least.
const LEAST_STEPS: usize = 50;

/// The longest past that is taken if none is asked for.
const LONGEST_CONTEXT: usize = 512;

/// Share of the steps, the last ones, that training is watched on.
const WATCHED: f64 = 0.1;

/// Series with what is learned from and what is kept to judge by.
pub struct SeriesData {
    /// As read.
    pub series: Series,
    /// Times that are learned from; the windows to judge by come after.
    pub learned: usize,
    /// Times of a past.
    pub context: usize,
    /// What is learned from, as filled and scaled.
    pub(super) history: Arc<History>,
    pub(super) learns: Pasts,
    pub(super) watches: Option<Pasts>,
}

impl SeriesData {
    /// Reads what `config` asks for.
    ///
    /// # Errors
    /// [`RunError::Data`] or [`RunError::Input`] for series that cannot be learned from.
    pub(super) fn read(config: &ForecastConfig, surroundings: &Context) -> Result<Self> {
        if config.series.source.is_empty() {
            return Err(RunError::Input("no series (give a file: .csv, or JSON lines)".into()));
        }
        let series = surroundings.sources.series(&config.series.source, &config.series.layout()?)?;
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
        let device = surroundings.open_device(&config.device)?;
        Self::split(series, (learned, context), config, &device)
    }

    fn split(
        series: Series,
        (learned, context): (usize, usize),
        config: &ForecastConfig,
        device: &Device,
    ) -> Result<Self> {
        let dim = series.dim();
        let values = interpolate_gaps(&series.values()[..learned * dim], dim);
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
        let pasts = |times: &[usize]| {
            Pasts::new(history.clone(), context, times.to_vec(), config.past.clone(), device)
        };
        let watched = (times.len() as f64 * WATCHED) as usize;
        let (learns, watches) = match watched >= LEAST_STEPS {
            true => (pasts(&times[..times.len() - watched]), Some(pasts(&times[times.len() - watched..]))),
            false => (pasts(&times), None),
        };
        Ok(Self { series, learned, context, history, learns, watches })
    }

    /// What is learned from, in words.
    pub(super) fn described(&self, config: &ForecastConfig) -> String {
        let (series, learned) = (&self.series, self.learned);
        format!(
            "{} series at {} times from {} to {}; {learned} are learned from, {} windows of {} judged, by pasts of {}",
            series.dim(),
            series.len(),
            series.clock().label(0),
            series.clock().label(series.len() - 1),
            config.windows,
            config.horizon,
            self.context
        )
    }

    /// What the model of this name sees the steps through.
    pub(super) fn whitening(&self, name: &str) -> Result<Option<Whitening>> {
        (name == WHITENED).then(|| Whitening::of(&self.learns.states())).transpose()
    }

    /// What must not change until the run is continued.
    pub(super) fn record(&self) -> DataRecord {
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
pub(super) fn origin(series: &Series, row: usize, context: usize, horizon: usize) -> Origin {
    let dim = series.dim();
    let whole = interpolate_gaps(&series.values()[..row * dim], dim);
    Origin {
        past: whole[(row - context) * dim..].to_vec(),
        calendar: (row..row + horizon).map(|row| series.clock().calendar(row).to_vec()).collect(),
    }
}
