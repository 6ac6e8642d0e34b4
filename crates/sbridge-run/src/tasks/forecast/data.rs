//! Series with what is learned from, and what is kept to judge by.

use std::sync::Arc;

use sbridge::forecast::{Bounds, History, Pasts, step_spread};
use sbridge::rng::Rng;
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

/// Times of a past, at least.
const LEAST_CONTEXT: usize = 2;

/// The longest past that is taken if none is asked for.
const LONGEST_CONTEXT: usize = 512;

/// Share of the steps, the last ones, that training is watched on.
const WATCHED: f64 = 0.1;

/// Steps that it is watched on, at least; where they would be more than a quarter, nothing is watched.
const LEAST_WATCHED: usize = 30;

/// Values drawn at once, at most: a gigabyte.
pub(super) const MAX_VALUES: usize = 1 << 27;

/// Series with what is learned from and what is kept to judge by.
pub struct SeriesData {
    /// As read, without those that never move.
    pub series: Series,
    /// Times that are learned from; the windows to judge by come after.
    pub learned: usize,
    /// Times of a past.
    pub context: usize,
    /// What no value leaves, if anything.
    pub(super) bounds: Option<Bounds>,
    /// Root mean square of the steps of each series, as read.
    pub(super) spread: Vec<f64>,
    /// What is learned from, as filled and scaled, and on the whole line where there are bounds.
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
        let (learned, context) = parts(&series, config)?;
        let series = moving(series, learned)?;
        require_drawable(&series, config)?;
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
        let values = &series.values()[..learned * dim];
        let spread = step_spread(values, dim);
        let bounds = config.bounds(spread.clone())?;
        let which = "--at-least or --at-most (change the bound, or leave the series out with --drop)";
        require_within(&series, bounds.as_ref(), which)?;
        let on_the_line = bounds.as_ref().map_or_else(|| values.to_vec(), |bounds| bounds.unbounded(values));
        let calendar = (0..learned).flat_map(|row| series.clock().calendar(row)).collect();
        let history =
            Arc::new(History::new(dim, on_the_line, calendar, &Rng::new(config.seed).fork("gaps"))?);
        let times = learned_times(&series, context, learned)?;
        let pasts = |times: &[usize]| {
            Pasts::new(history.clone(), context, times.to_vec(), config.past.clone(), device)
        };
        let watched = ((times.len() as f64 * WATCHED) as usize).max(LEAST_WATCHED);
        let (learns, watches) = match 4 * watched <= times.len() {
            true => (pasts(&times[..times.len() - watched]), Some(pasts(&times[times.len() - watched..]))),
            false => (pasts(&times), None),
        };
        Ok(Self { series, learned, context, bounds, spread, history, learns, watches })
    }

    /// `values`, rows of all series on the line that the model draws on, within the bounds.
    pub(super) fn bounded(&self, values: Vec<f64>) -> Vec<f64> {
        self.bounds.as_ref().map_or_else(|| values.clone(), |bounds| bounds.bounded(&values))
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
    horizon.saturating_mul(3).max(week).clamp(LEAST_CONTEXT, LONGEST_CONTEXT)
}

/// Times that are learned from, and those of a past.
fn parts(series: &Series, config: &ForecastConfig) -> Result<(usize, usize)> {
    let kept = config.windows.saturating_mul(config.horizon);
    let learned = series.len().saturating_sub(kept);
    let context = match config.context {
        0 => usual_context(series, config.horizon)
            .min(learned / 4)
            .min(learned.saturating_sub(LEAST_STEPS))
            .max(LEAST_CONTEXT),
        context => context.max(LEAST_CONTEXT),
    };
    if learned >= context.saturating_add(LEAST_STEPS) {
        return Ok((learned, context));
    }
    let least = if config.context == 0 { LEAST_CONTEXT } else { context };
    let (len, ForecastConfig { windows, horizon, .. }) = (series.len(), config);
    let needed = kept.saturating_add(least).saturating_add(LEAST_STEPS);
    Err(RunError::Input(format!(
        "{} has {len} times and {needed} are needed: {windows} windows of {horizon} times are kept to judge by, a past has \
         {least}, and {LEAST_STEPS} are learned from ({})",
        series.source(),
        way_out(len, least, config)
    )))
}

/// What to lower, and how far.
fn way_out(len: usize, context: usize, config: &ForecastConfig) -> String {
    let left = len.saturating_sub(context + LEAST_STEPS);
    let mut ways = Vec::new();
    if left >= config.windows {
        ways.push(format!("--horizon to at most {}", left / config.windows));
    }
    if left >= config.horizon && config.windows > 1 {
        ways.push(format!("--windows to at most {}", left / config.horizon));
    }
    let without_past = len.saturating_sub(config.windows.saturating_mul(config.horizon) + LEAST_STEPS);
    if config.context > LEAST_CONTEXT && without_past >= LEAST_CONTEXT {
        ways.push(format!("--context to at most {without_past}"));
    }
    match ways.is_empty() {
        false => format!("lower {}", ways.join(", or ")),
        true => format!(
            "give more times: with --horizon 1 --windows 1 --context {LEAST_CONTEXT} it takes {}",
            LEAST_CONTEXT + LEAST_STEPS + 1
        ),
    }
}

/// Refuses more paths than memory holds, before anything is learned.
fn require_drawable(series: &Series, config: &ForecastConfig) -> Result<()> {
    let values = [config.windows, config.samples, config.horizon]
        .into_iter()
        .fold(series.dim(), usize::saturating_mul);
    if values <= MAX_VALUES {
        return Ok(());
    }
    Err(RunError::Input(format!(
        "{} paths of {} windows of {} times of {} series are {values} values, at most {MAX_VALUES} are drawn (lower \
         --windows, --horizon or --set samples)",
        config.samples,
        config.windows,
        config.horizon,
        series.dim()
    )))
}

/// The series without those that never move in what is learned from, which is noted.
fn moving(series: Series, learned: usize) -> Result<Series> {
    let dim = series.dim();
    let spread = step_spread(&series.values()[..learned * dim], dim);
    let still: Vec<usize> = (0..dim).filter(|j| spread[*j] == 0.0).collect();
    if still.is_empty() {
        return Ok(series);
    }
    let why = |j: usize| {
        let name = &series.names()[j];
        let known = (0..learned).map(|row| series.values()[row * dim + j]).find(|x| !x.is_nan());
        let last = series.clock().label(learned - 1);
        match known {
            Some(value) => {
                format!("series '{name}' is {value} at all times until {last}, which are learned from")
            }
            None => format!("series '{name}' has no values until {last}, which are learned from"),
        }
    };
    if still.len() == dim {
        let none = if dim == 1 { String::new() } else { format!("none of {dim} series moves, ") };
        return Err(RunError::Input(format!(
            "{}: {none}{}: there is nothing to learn (give series that move)",
            series.source(),
            why(still[0])
        )));
    }
    let moves: Vec<usize> = (0..dim).filter(|j| !still.contains(j)).collect();
    let notes =
        still.iter().map(|j| format!("{}: left out, as there is nothing to learn", why(*j))).collect();
    Ok(series.only(&moves, notes))
}

/// Refuses values beyond `bounds`; `which` says which these are, and what to do.
pub(super) fn require_within(series: &Series, bounds: Option<&Bounds>, which: &str) -> Result<()> {
    let Some(bounds) = bounds else { return Ok(()) };
    let out = series.values().iter().position(|x| !x.is_nan() && !bounds.hold(*x));
    out.map_or(Ok(()), |at| {
        Err(RunError::Input(format!(
            "series '{}' of {} is {} at {}, beyond {which}",
            series.names()[at % series.dim()],
            series.source(),
            series.values()[at],
            series.clock().label(at / series.dim())
        )))
    })
}

/// Times whose steps are learned: those between which no series has a gap, or with half of them known where those are few.
///
/// Before a series begins and after it ends its steps are its own, drawn again; within a gap they are a straight line's.
fn learned_times(series: &Series, context: usize, learned: usize) -> Result<Vec<usize>> {
    let dim = series.dim();
    let is_known = |row: usize, j: usize| !series.values()[row * dim + j].is_nan();
    let span = |j: usize| {
        let first = (0..learned).find(|row| is_known(*row, j)).unwrap_or(learned);
        first..(first..learned).rev().find(|row| is_known(*row, j)).map_or(first, |last| last + 1)
    };
    let spans: Vec<_> = (0..dim).map(span).collect();
    let is_gap = |row: usize, j: usize| spans[j].contains(&row) && !is_known(row, j);
    let of_both = |row: usize, holds: &dyn Fn(usize) -> bool| holds(row) && holds(row - 1);
    let half_is_known = |row: usize| 2 * (0..dim).filter(|j| is_known(row, *j)).count() >= dim;
    let has_no_gap = |row: usize| half_is_known(row) && !(0..dim).any(|j| is_gap(row, j));
    let whole: Vec<usize> = (context..learned).filter(|row| of_both(*row, &has_no_gap)).collect();
    let half: Vec<usize> = (context..learned).filter(|row| of_both(*row, &half_is_known)).collect();
    if whole.len() >= LEAST_STEPS.max(half.len() / 2) {
        return Ok(whole);
    }
    if half.len() >= LEAST_STEPS {
        return Ok(half);
    }
    Err(RunError::Input(format!(
        "of {} steps only {} have values for half of the series, at least {LEAST_STEPS} are needed (leave out gappy series \
         with --drop)",
        learned - context,
        half.len()
    )))
}
