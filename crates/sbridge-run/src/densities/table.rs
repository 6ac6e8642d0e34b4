//! Tables that densities are made of: features with outcomes, and points of the plane.

use std::path::Path;

use sbridge_data::{Dataset, SampleShape};

use super::{DensityFile, read};
use crate::error::{Result, RunError};
use crate::sources::Sources;

/// Features and an outcome in every row.
pub(super) struct Outcomes {
    /// `[count, features]`, row by row.
    pub(super) features: Vec<f64>,
    /// Names of the features, if the table has some.
    pub(super) names: Option<Vec<String>>,
    /// Whether each outcome is the larger of the two values.
    pub(super) outcomes: Vec<bool>,
    /// Features of a row.
    pub(super) width: usize,
    /// The file.
    pub(super) file: DensityFile,
}

/// Names of columns that the reader takes for labels.
const LABELS: [&str; 5] = ["label", "labels", "class", "target", "y"];

/// Numbers in columns, with labels if the reader found some.
struct Table {
    values: Vec<f64>,
    width: usize,
    names: Option<Vec<String>>,
    labels: Option<Vec<u32>>,
    file: DensityFile,
}

/// The features and outcomes at `source`: the outcome is in the column called `label`; if none is given, in the labels that the
/// reader of tables finds, or in the last column. Of the other columns those called `wanted` are taken, or all.
///
/// # Errors
/// [`RunError::Data`] for a table that cannot be read, [`RunError::Input`] for a column that is not there and outcomes that are
/// not two.
pub(super) fn outcomes(
    source: &str,
    label: Option<&str>,
    wanted: Option<&[String]>,
    sources: &Sources,
) -> Result<Outcomes> {
    let table = Table::read(source, sources)?;
    let (raw, at) = table.outcome(label)?;
    let kept: Vec<usize> = match wanted {
        None => (0..table.width).filter(|column| Some(*column) != at).collect(),
        Some(wanted) => wanted.iter().map(|name| table.position(name)).collect::<Result<_>>()?,
    };
    if kept.is_empty() || kept.iter().any(|column| Some(*column) == at) {
        let problem = "has to have features besides the outcome (check label and features)";
        return Err(RunError::Input(format!("{source} {problem}")));
    }
    let features = table.values.chunks_exact(table.width).flat_map(|row| kept.iter().map(|&at| row[at]));
    Ok(Outcomes {
        features: features.collect(),
        names: table.names.as_ref().map(|names| kept.iter().map(|&at| names[at].clone()).collect()),
        outcomes: two_values(&raw, source)?,
        width: kept.len(),
        file: table.file,
    })
}

/// The points at `source`: a table of two columns.
///
/// # Errors
/// [`RunError::Data`] for a table that cannot be read, [`RunError::Input`] for another number of columns.
pub(super) fn points(source: &str, sources: &Sources) -> Result<(Vec<[f64; 2]>, DensityFile)> {
    let table = Table::read(source, sources)?;
    if table.width != 2 {
        return Err(RunError::Input(format!(
            "{source} has {} columns, and points of the plane have 2 coordinates (leave out the others)",
            table.width
        )));
    }
    Ok((table.values.chunks_exact(2).map(|row| [row[0], row[1]]).collect(), table.file))
}

/// Which of two values each is: the larger is true.
fn two_values(raw: &[f64], source: &str) -> Result<Vec<bool>> {
    let (low, high) =
        raw.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| (low.min(*x), high.max(*x)));
    if low == high {
        let fix = "both outcomes have to occur";
        return Err(RunError::Input(format!("every outcome in {source} is {low} ({fix})")));
    }
    match raw.iter().find(|x| **x != low && **x != high) {
        None => Ok(raw.iter().map(|x| *x == high).collect()),
        Some(x) => Err(RunError::Input(format!(
            "outcomes have two values, and in {source} there are {low}, {x} and {high} (name the column of outcomes with label)"
        ))),
    }
}

fn classes(labels: &[u32]) -> Vec<f64> {
    labels.iter().map(|label| f64::from(*label)).collect()
}

impl Table {
    fn read(source: &str, sources: &Sources) -> Result<Self> {
        let path = Path::new(source);
        // As the UCI repository calls its tables.
        if path.extension().is_some_and(|ending| ending == "data" || ending == "data-numeric") {
            return Self::of_blanks(path);
        }
        let is_archive = path.extension().is_some_and(|ending| ending == "npz");
        // The array x brings the outcomes y along.
        let data = sources.set(&if is_archive { format!("{source}#x") } else { source.to_owned() })?;
        Self::of_set(&data, source)
    }

    fn of_set(data: &Dataset, source: &str) -> Result<Self> {
        let SampleShape::Vector { dim: width } = data.shape() else {
            return Err(RunError::Input(format!(
                "{source} holds images, and a table is needed (give a table)"
            )));
        };
        Ok(Self {
            values: data.values_f64().into_owned(),
            width,
            names: data.column_names().map(<[String]>::to_vec),
            labels: data.labels().map(<[u32]>::to_vec),
            file: DensityFile { source: source.into(), sha256: data.sha256().into() },
        })
    }

    /// A table of numbers between blanks or commas, without names.
    fn of_blanks(path: &Path) -> Result<Self> {
        let (source, bytes) = (path.display().to_string(), read(path)?);
        let refused = |problem: String| RunError::Input(format!("{source} {problem}"));
        let text = str::from_utf8(&bytes).map_err(|_| refused("is no text (give a table)".into()))?;
        let (mut values, mut width) = (Vec::new(), 0);
        for (line, row) in text.lines().enumerate().filter(|(_, row)| !row.trim().is_empty()) {
            let before = values.len();
            for cell in row.split(|c: char| c.is_whitespace() || c == ',').filter(|cell| !cell.is_empty()) {
                let value = cell.parse().ok().filter(|value: &f64| value.is_finite()).ok_or_else(|| {
                    let cell: String = cell.chars().take(40).collect();
                    refused(format!("has {cell:?} in line {}, which is no number (write numbers)", line + 1))
                })?;
                values.push(value);
            }
            width = if before == 0 { values.len() } else { width };
            if values.len() - before != width {
                let found = values.len() - before;
                let problem =
                    format!("has {found} numbers in line {}, and {width} before (repair it)", line + 1);
                return Err(refused(problem));
            }
        }
        match width {
            0 => Err(refused("is empty (give a table)".into())),
            _ => {
                Ok(Self { values, width, names: None, labels: None, file: DensityFile::of(&source, &bytes) })
            }
        }
    }

    /// The column of outcomes called `name`, and where it is if it stands among the others.
    fn outcome(&self, name: Option<&str>) -> Result<(Vec<f64>, Option<usize>)> {
        let Some(labels) = &self.labels else {
            let at = name.map_or(Ok(self.width - 1), |name| self.position(name))?;
            return Ok((self.column(at), Some(at)));
        };
        let Some(name) = name else { return Ok((classes(labels), None)) };
        // The reader took the column of labels out, and its name.
        match self.position(name) {
            Ok(_) => {
                let fix = "rename the column called label, class, target or y, or take it out";
                Err(RunError::Input(format!("{} has labels besides {name} ({fix})", self.file.source)))
            }
            Err(_) if LABELS.contains(&name.to_lowercase().as_str()) => Ok((classes(labels), None)),
            Err(error) => Err(error),
        }
    }

    fn column(&self, at: usize) -> Vec<f64> {
        self.values.iter().skip(at).step_by(self.width).copied().collect()
    }

    /// The column called `name`.
    fn position(&self, name: &str) -> Result<usize> {
        let names = self.names.as_deref().unwrap_or_default();
        names.iter().position(|known| known == name).ok_or_else(|| {
            let known = match names.len() {
                0 => "its columns have no names".into(),
                1..=30 => format!("there is {}", names.join(", ")),
                count => format!("there are {count}, from {} on", names[0]),
            };
            RunError::Input(format!("{} has no column {name} ({known})", self.file.source))
        })
    }
}
