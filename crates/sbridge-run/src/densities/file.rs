//! A density from a TOML file: a posterior of the user's data, or a mixture. Every key is known and every value checked.

use std::path::Path;

use sbridge::density::targets::{Design, Field, LogGaussianCox, LogisticRegression, Mixture, Prior};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use toml::{Table, Value};

use super::{DensityFile, OpenDensity, read, table};
use crate::error::{Result, RunError};
use crate::sources::Sources;

/// What a file may say it is.
const KINDS: [&str; 3] = ["logistic-regression", "log-gaussian-cox", "gaussian-mixture"];

/// y ~ Bernoulli(σ(x·w)).
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Logistic {
    /// A table, beside this file.
    data: Option<String>,
    /// The column of outcomes. Default: the labels that the reader of tables finds, or the last column.
    label: Option<String>,
    /// Columns to regress on. Default: all others.
    features: Option<Vec<String>>,
    /// Standard deviation of the normal prior of every weight. One of this and `prior` is needed.
    prior_sd: Option<f64>,
    /// `"flat"`.
    prior: Option<String>,
    /// Whether columns are divided by their standard deviation. Default true.
    #[serde(default = "yes")]
    standardise: bool,
    /// Whether their means are subtracted. Default as `standardise`.
    centre: Option<bool>,
    /// Whether there is a weight without a feature. Default true.
    #[serde(default = "yes")]
    intercept: bool,
}

/// Counts of points in cells, whose rate is the exponential of a Gaussian field.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Cox {
    /// A table of two coordinates in the unit square, beside this file.
    points: Option<String>,
    /// Cells on a side, 2 to 64. Default 40.
    grid: Option<usize>,
    /// Mean of the field. Default: ln of the number of points, less half the variance.
    mean: Option<f64>,
    /// Variance of the field. Default 1.91.
    variance: Option<f64>,
    /// Distance at which the correlation is 1/e. Default 1/33.
    length_scale: Option<f64>,
}

/// Gaussians with weights.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Gaussians {
    /// A list of points.
    means: Vec<Vec<f64>>,
    /// A standard deviation for all, or a list of one for each. One of this and `covariances` is needed.
    sd: Option<Value>,
    /// A matrix for each.
    covariances: Option<Vec<Vec<Vec<f64>>>>,
    /// Default: equal. They are divided by their sum.
    weights: Option<Vec<f64>>,
}

fn yes() -> bool {
    true
}

/// Of which file messages speak.
struct Source<'a> {
    path: &'a Path,
    sources: &'a Sources,
}

/// The density that the file at `path` describes; its data are at `data`, unless the file says where.
///
/// # Errors
/// [`RunError::Config`] for a file that does not say what it should; those of data that cannot be used.
pub(super) fn open(path: &Path, data: Option<&str>, sources: &Sources) -> Result<OpenDensity> {
    let source = Source { path, sources };
    let bytes = read(path)?;
    let text = str::from_utf8(&bytes).map_err(|_| source.wrong("is no text (write TOML)"))?;
    let mut table: Table = text.parse().map_err(|error: toml::de::Error| source.unreadable(&error, text))?;
    let kind = table.remove("kind");
    let kind = kind.as_ref().and_then(Value::as_str).unwrap_or_default();
    let opened = match kind {
        "logistic-regression" => source.typed::<Logistic>(table)?.open(data, &source),
        "log-gaussian-cox" => source.typed::<Cox>(table)?.open(data, &source),
        "gaussian-mixture" => source.typed::<Gaussians>(table)?.open(data, &source),
        other => {
            let kinds = KINDS.map(|kind| format!("{kind:?}")).join(", ");
            return Err(source.wrong(&format!("has to say kind = one of {kinds}, got {other:?}")));
        }
    }?;
    Ok(opened.made_from([DensityFile::of(&path.display().to_string(), &bytes)]))
}

impl Source<'_> {
    fn wrong(&self, problem: &str) -> RunError {
        RunError::Config(format!("{} {problem}", self.path.display()))
    }

    /// A refusal of the library that speaks of a key of this file.
    fn refused(&self, error: &sbridge::Error) -> RunError {
        RunError::Config(format!("{}: {error}", self.path.display()))
    }

    fn unreadable(&self, error: &toml::de::Error, text: &str) -> RunError {
        let line = error.span().map(|span| text[..span.start.min(text.len())].matches('\n').count() + 1);
        let place = line.map(|line| format!(" in line {line}")).unwrap_or_default();
        let reason = error.message().split_whitespace().collect::<Vec<_>>().join(" ");
        self.wrong(&format!("does not parse as TOML{place}: {reason} (text needs quotes)"))
    }

    fn typed<T: DeserializeOwned>(&self, table: Table) -> Result<T> {
        table.try_into().map_err(|error: toml::de::Error| {
            let reason = error.message().split_whitespace().collect::<Vec<_>>().join(" ");
            self.wrong(&format!("cannot be used: {reason} (keys and values have to be those of its kind)"))
        })
    }

    /// Where the data lie: what `key` of the file says, from the folder of the file, or what was given beside it.
    fn data(&self, key: &str, written: Option<String>, given: Option<&str>) -> Result<String> {
        match (written, given) {
            (None, Some(given)) => Ok(given.into()),
            (Some(written), Some(given)) => Err(self
                .wrong(&format!("says {key} = {written:?}, and --data is {given} (leave one of them out)"))),
            (None, None) => {
                Err(self.wrong(&format!("has to say {key} = the path of a table, or give --data")))
            }
            (Some(written), None) if written.contains(':') => Ok(written),
            (Some(written), None) => {
                let folder = self.path.parent().unwrap_or(Path::new(""));
                Ok(folder.join(written).display().to_string())
            }
        }
    }
}

impl Logistic {
    fn prior(&self, source: &Source) -> Result<Prior> {
        match (self.prior_sd, self.prior.as_deref()) {
            (Some(sd), None) if sd > 0.0 && (sd * sd).is_finite() => Ok(Prior::Normal(sd * sd)),
            (Some(sd), None) => {
                Err(source.wrong(&format!("says prior_sd = {sd}, which has to be above zero (10 is weak)")))
            }
            (None, Some("flat")) => Ok(Prior::Flat),
            (None, Some(other)) => Err(source.wrong(&format!(
                "says prior = {other:?}, which can be \"flat\" (for a normal prior write prior_sd = 10)"
            ))),
            (Some(_), Some(_)) => Err(source.wrong("says prior and prior_sd (leave one of them out)")),
            (None, None) => {
                Err(source.wrong("has to say prior_sd = a standard deviation, or prior = \"flat\""))
            }
        }
    }

    fn open(self, data: Option<&str>, source: &Source) -> Result<OpenDensity> {
        let prior = self.prior(source)?;
        let data = source.data("data", self.data, data)?;
        let read = table::outcomes(&data, self.label.as_deref(), self.features.as_deref(), source.sources)?;
        let design = Design {
            centred: self.centre.unwrap_or(self.standardise),
            scaled: self.standardise,
            intercept: self.intercept,
        };
        let count = read.outcomes.len();
        let regression = LogisticRegression::designed(&read.features, read.outcomes, design, prior)?;
        let features = read.names.unwrap_or_else(|| (1..=read.width).map(|k| format!("w{k}")).collect());
        let intercept = self.intercept.then(|| "intercept".to_owned());
        let regression = regression.named(intercept.into_iter().chain(features).collect())?;
        let prior = match prior {
            Prior::Flat => "a flat prior".into(),
            Prior::Normal(var) => format!("prior N(0, {var})"),
        };
        let title = format!("logistic regression of {count} rows, {} features, {prior}", read.width);
        Ok(OpenDensity::new(regression, title).made_from([read.file]))
    }
}

impl Cox {
    fn open(self, data: Option<&str>, source: &Source) -> Result<OpenDensity> {
        let path = source.data("points", self.points, data)?;
        let (points, file) = table::points(&path, source.sources)?;
        let usual = Field::default();
        let var = self.variance.unwrap_or(usual.var);
        let field = Field {
            side: self.grid.unwrap_or(usual.side),
            mean: self.mean.unwrap_or((points.len() as f64).ln() - 0.5 * var),
            var,
            length: self.length_scale.unwrap_or(usual.length),
        };
        let process = LogGaussianCox::new(&points, field).map_err(|error| source.refused(&error))?;
        let title = format!(
            "log-Gaussian Cox process of {} points on {} × {} cells",
            points.len(),
            field.side,
            field.side
        );
        Ok(OpenDensity::new(process, title).made_from([file]))
    }
}

/// Coordinates of a mixture, at most: its matrices have the square of them in numbers.
const MOST_COORDINATES: usize = 1000;

impl Gaussians {
    fn open(self, data: Option<&str>, source: &Source) -> Result<OpenDensity> {
        if let Some(data) = data {
            let problem = format!("describes a mixture, which takes no data, got {data} (leave --data out)");
            return Err(source.wrong(&problem));
        }
        let (count, dim) = (self.means.len(), self.means.first().map_or(0, Vec::len));
        if dim > MOST_COORDINATES {
            let problem = format!("has means of {dim} numbers, and at most {MOST_COORDINATES} can be used");
            return Err(source.wrong(&problem));
        }
        let covariances = self.covariances(source)?;
        let weights = self.weights.unwrap_or_else(|| vec![1.0; count]);
        let mixture = Mixture::new(self.means, &covariances, &weights);
        let mixture = mixture.map_err(|error| source.refused(&error))?;
        Ok(OpenDensity::new(mixture, format!("{count} Gaussians in {dim} dimensions")))
    }

    /// A matrix for each mean, row by row.
    fn covariances(&self, source: &Source) -> Result<Vec<Vec<f64>>> {
        let (count, dim) = (self.means.len(), self.means.first().map_or(0, Vec::len));
        let deviations = match (&self.sd, &self.covariances) {
            (Some(_), Some(_)) => return Err(source.wrong("says sd and covariances (leave one of them out)")),
            (None, None) => return Err(source.wrong("has to say sd = a standard deviation, or covariances")),
            (None, Some(matrices)) => {
                if let Some(row) = matrices.iter().flatten().find(|row| row.len() != dim) {
                    let problem = format!("has covariances with a row {row:?}, and means of {dim} numbers");
                    return Err(source.wrong(&format!("{problem} (give a row and a column for each)")));
                }
                return Ok(matrices.iter().map(|rows| rows.concat()).collect());
            }
            (Some(Value::Array(list)), None) => list.iter().map(number).collect(),
            (Some(one), None) => number(one).map(|sd| vec![sd; count]),
        };
        let usable = |sd: &f64| *sd > 0.0 && (sd * sd).is_finite() && sd * sd > 0.0;
        let deviations = deviations.filter(|list: &Vec<f64>| list.len() == count && list.iter().all(usable));
        let deviations = deviations.ok_or_else(|| {
            let said = self.sd.as_ref().map(Value::to_string).unwrap_or_default();
            source.wrong(&format!("says sd = {said}: it has to be a number above zero, or {count} of them"))
        })?;
        let diagonal =
            |sd: f64| (0..dim * dim).map(move |at| if at / dim == at % dim { sd * sd } else { 0.0 });
        Ok(deviations.into_iter().map(|sd| diagonal(sd).collect()).collect())
    }
}

fn number(value: &Value) -> Option<f64> {
    value.as_float().or_else(|| value.as_integer().map(|whole| whole as f64))
}
