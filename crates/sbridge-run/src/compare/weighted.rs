//! Points with weights: those of a column, of an array beside the points, or equal ones.

use std::path::Path;

use sbridge::rng::Rng;
use sbridge_data::Dataset;
use sbridge_ot::Points;

use crate::context::Context;
use crate::error::{Result, RunError};

/// Names of columns that are seldom coordinates, as far as they begin with one of these.
const LIKE_WEIGHTS: [&str; 6] = ["weight", "mass", "count", "freq", "prob", "share"];

/// What has the weights of the points of either side: a column of the table, an array of the archive, or another file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WeightSources {
    /// Of the source; equal weights if absent.
    pub source: Option<String>,
    /// Of the target.
    pub target: Option<String>,
}

impl std::str::FromStr for WeightSources {
    type Err = String;

    /// `NAME` for both sides, or `NAME,NAME` for each its own, where one may be left empty.
    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let name = |name: &str| Some(name.trim().to_owned()).filter(|name| !name.is_empty());
        let (source, target) = text.split_once(',').unwrap_or((text, text));
        let sources = Self { source: name(source), target: name(target) };
        if sources == Self::default() || target.contains(',') {
            return Err(format!("one name for both sides or SOURCE,TARGET, got {text:?}"));
        }
        Ok(sources)
    }
}

/// One side of the comparison.
pub(super) struct Side {
    /// As typed.
    pub(super) name: String,
    /// All points.
    pub(super) points: Points,
    /// Their weights, with sum 1.
    pub(super) weights: Vec<f64>,
    /// What speaks against taking every column for a coordinate.
    pub(super) doubt: Option<String>,
}

impl Side {
    /// The points of `data`, with the weights that `name` says.
    pub(super) fn new(data: &Dataset, name: Option<&str>, context: &Context) -> Result<Self> {
        let size = data.shape().size();
        let values = data.values_f64();
        let source = data.source().to_owned();
        let Some(name) = name else {
            let points = Points::new(values.into_owned(), size)?;
            let weights = vec![1.0 / points.len() as f64; points.len()];
            return Ok(Self { name: source, points, weights, doubt: doubt(data) });
        };
        let column = data.column_names().and_then(|names| names.iter().position(|column| column == name));
        let Some(column) = column else {
            let weights = read(data, name, context)?;
            let points = Points::new(values.into_owned(), size)?;
            return Ok(Self { weights: shares(weights, &source, name)?, name: source, points, doubt: None });
        };
        if size == 1 {
            return Err(RunError::Input(format!(
                "column {name:?} is all that {source} has (weights belong to points: add their coordinates)"
            )));
        }
        let weights = values.iter().skip(column).step_by(size).copied().collect();
        let others = values.iter().enumerate().filter(|(at, _)| at % size != column);
        let points = Points::new(others.map(|(_, x)| *x).collect(), size - 1)?;
        Ok(Self { weights: shares(weights, &source, name)?, name: source, points, doubt: None })
    }

    /// At most `limit` of the points, a random choice of them.
    pub(super) fn part(&self, limit: usize, rng: &mut Rng) -> Result<(Points, Vec<f64>)> {
        if self.points.len() <= limit {
            return Ok((self.points.clone(), self.weights.clone()));
        }
        let chosen = &rng.permutation(self.points.len())[..limit];
        part_of(&self.points, &self.weights, chosen).ok_or_else(|| {
            RunError::Input(format!(
                "all {limit} points of {} that were drawn have weight 0 (raise --limit, or remove points without weight)",
                self.name
            ))
        })
    }
}

/// These points with their shares of the weight; nothing if they have none.
pub(super) fn part_of(points: &Points, weights: &[f64], chosen: &[usize]) -> Option<(Points, Vec<f64>)> {
    let total: f64 = chosen.iter().map(|&i| weights[i]).sum();
    let shares = chosen.iter().map(|&i| weights[i] / total).collect();
    (total > 0.0).then_some((points.subset(chosen).ok()?, shares))
}

/// Weights that are no column: another array of the archive, or a file.
fn read(data: &Dataset, name: &str, context: &Context) -> Result<Vec<f64>> {
    let in_archive = data.source().rsplit_once('#').map(|(path, _)| format!("{path}#{name}"));
    let is_file = Path::new(name.rsplit_once('#').map_or(name, |(path, _)| path)).exists();
    let found = match in_archive {
        Some(source) if !is_file => context.sources.set(&source)?,
        _ if is_file => context.sources.set(name)?,
        _ => return Err(unknown(data, name)),
    };
    if found.values_f64().len() != data.len() {
        return Err(RunError::Input(format!(
            "{} holds {} weights, {} holds {} points (give one weight for each)",
            found.source(),
            found.values_f64().len(),
            data.source(),
            data.len()
        )));
    }
    Ok(found.values_f64().into_owned())
}

fn unknown(data: &Dataset, name: &str) -> RunError {
    let columns = match data.column_names() {
        Some(names) => format!("its columns are {}", names.join(", ")),
        None => "it has no names of columns: a table needs a header, an archive is named file.npz#key".into(),
    };
    let problem = format!(
        "--weights {name}: {} has no column of this name, and there is no such file ({columns}; weights may differ by \
         side: --weights SOURCE,TARGET)",
        data.source()
    );
    RunError::Input(problem)
}

/// Weights as shares of their sum.
fn shares(weights: Vec<f64>, source: &str, name: &str) -> Result<Vec<f64>> {
    let refuse = |problem: String| Err(RunError::Input(format!("weights {name:?} of {source} {problem}")));
    if let Some(row) = weights.iter().position(|w| *w < 0.0) {
        return refuse(format!(
            "must be ≥ 0, got {} in row {} (correct it, or name another column)",
            weights[row],
            row + 1
        ));
    }
    let total: f64 = weights.iter().sum();
    if !(total > 0.0 && total.is_finite()) {
        return refuse(format!("sum to {total} (some must be above 0)"));
    }
    Ok(weights.into_iter().map(|w| w / total).collect())
}

/// The doubt that a column is weights and no coordinate, by its name.
fn doubt(data: &Dataset) -> Option<String> {
    let size = data.shape().size();
    let is_like = |name: &str| LIKE_WEIGHTS.iter().any(|begin| name.trim().to_lowercase().starts_with(begin));
    let column = data.column_names()?.iter().position(|name| is_like(name))?;
    let is_positive = data.values_f64().iter().skip(column).step_by(size).all(|x| *x >= 0.0);
    let name = &data.column_names()?[column];
    (size > 1 && is_positive).then(|| {
        format!("column `{name}` looks like weights, and was taken for a coordinate (if it is none: --weights {name})")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_name_is_for_both_sides_and_two_for_each_its_own() {
        let of = |text: &str| text.parse::<WeightSources>().map(|w| (w.source, w.target));
        let named = |name: &str| Some(name.to_owned());
        assert_eq!(of("w"), Ok((named("w"), named("w"))));
        assert_eq!(of("w, mass"), Ok((named("w"), named("mass"))));
        assert_eq!(of(",mass"), Ok((None, named("mass"))));
        assert!(of("").is_err() && of(",").is_err() && of("a,b,c").is_err());
    }
}
