//! Values to go on from: those a run learned, or newer ones, which must be of the same series and the same step.

use sbridge_data::{Series, SeriesLayout, Step};

use super::data::require_within;
use super::{Forecasting, origin};
use crate::error::{Result, RunError};
use crate::task::Run;

/// Share of the times that are there, at least, for times to be taken as lying on the learned step with gaps.
const LEAST_THERE: f64 = 0.75;

/// The series of `run`, or those at `input`, by the names that were learned and in their order.
///
/// # Errors
/// [`RunError`] if one is missing, the step is another, a value lies beyond the bounds, or they are shorter than a past.
pub(super) fn read(run: &Run<Forecasting>, input: Option<&str>) -> Result<Series> {
    let learned = &run.learned;
    let source = input.unwrap_or(&run.settings.series.source);
    let layout =
        SeriesLayout { keep: learned.names.clone(), drop: Vec::new(), ..run.settings.series.layout()? };
    let series = on_the_step(run, source, &layout)?;
    let series = by_name(series, &learned.names)?;
    let which =
        "the bounds that the forecast was made with (correct the value, or fit again with other bounds)";
    require_within(&series, learned.bounds.as_ref(), which)?;
    series.notes().iter().for_each(|note| run.context.note(note));
    origin::endings(&series).iter().for_each(|note| run.context.note(note));
    let context = learned.forecaster.context;
    if series.len() < context {
        let found = format!("{} has {} times", series.source(), series.len());
        return Err(RunError::Input(format!(
            "{found}, and a forecast looks at the last {context} (give the times before them as well)"
        )));
    }
    Ok(series)
}

/// The series on the step that was learned. Few times may not tell it, and lie on it with gaps.
fn on_the_step(run: &Run<Forecasting>, source: &str, layout: &SeriesLayout) -> Result<Series> {
    let sources = &run.context.sources;
    let found = sources.series(source, layout);
    let Some(step) = &run.learned.step else { return found };
    if found.as_ref().is_ok_and(|series| series.clock().step() == step) {
        return found;
    }
    let again = sources.series(source, &SeriesLayout { every: Some(step.clone()), ..layout.clone() });
    match (found, again) {
        (_, Ok(again)) if again.clock().step() == step && is_mostly_there(&again) => Ok(again),
        (Err(error), _) => Err(error),
        (Ok(found), _) => Err(other_step(&found, step)),
    }
}

fn is_mostly_there(series: &Series) -> bool {
    let there = series.values().chunks(series.dim()).filter(|row| row.iter().any(|x| !x.is_nan())).count();
    there as f64 >= LEAST_THERE * series.len() as f64
}

fn other_step(found: &Series, step: &Step) -> RunError {
    RunError::Input(format!(
        "{} has steps of {}, and the forecast has learned steps of {step} (give values at these, or fit a forecast of the \
         other step)",
        found.source(),
        found.clock().step()
    ))
}

/// The series called `names`, in this order.
fn by_name(series: Series, names: &[String]) -> Result<Series> {
    if series.names() == names {
        return Ok(series);
    }
    let place = |name: &String| {
        series.names().iter().position(|known| known == name).ok_or_else(|| {
            RunError::Input(format!(
                "{} holds the series {}, the forecast is of {}",
                series.source(),
                series.names().join(", "),
                names.join(", ")
            ))
        })
    };
    let columns = names.iter().map(place).collect::<Result<Vec<usize>>>()?;
    Ok(series.only(&columns, Vec::new()))
}
