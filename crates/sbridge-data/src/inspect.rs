//! A description of a data set: what it is, its statistics, and what looks wrong with it.
//!
//! Mean and standard deviation are those of all finite values together, the latter with divisor n.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::hash::{Hash, Hasher};

use serde::Serialize;

use crate::shown::shown;
use crate::{Dataset, ElementType, SampleShape, SourceKind};

/// How many constant columns are listed.
const LISTED_COLUMNS: usize = 8;
/// Steps of f32 within the range of a column, below which it says that digits are lost: about three digits.
const ENOUGH_STEPS: f64 = 2000.0;
/// How many classes are listed on the screen; all of them are in the data.
const LISTED_CLASSES: usize = 40;

/// What a source holds. Prints as an aligned screen, serialises for machines.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Inspection {
    /// The source as the user typed it.
    pub source: String,
    /// What it was read as.
    pub kind: SourceKind,
    /// SHA-256, see [`Dataset::sha256`].
    pub sha256: String,
    /// Number of samples.
    pub count: usize,
    /// Shape of one sample.
    pub shape: SampleShape,
    /// Element type in the source.
    pub dtype: ElementType,
    /// Least finite value; NaN, in JSON null, if there are no finite values.
    pub min: f64,
    /// Greatest finite value; NaN, in JSON null, if there are no finite values.
    pub max: f64,
    /// Mean of the finite values.
    pub mean: f64,
    /// Standard deviation of the finite values.
    pub std: f64,
    /// Values that are NaN or infinite, if there are any.
    pub non_finite: Option<NonFinite>,
    /// Number of columns that hold one value only.
    pub constant_columns: usize,
    /// The first few of them, counting from 0.
    pub first_constant_columns: Vec<usize>,
    /// Number of rows that repeat an earlier row.
    pub duplicate_rows: usize,
    /// Samples per class, if there are labels.
    pub classes: Option<Vec<ClassCount>>,
    /// Names of the columns, if the source names them.
    pub column_names: Option<Vec<String>>,
    /// What was understood or repaired while reading.
    pub notes: Vec<String>,
    /// What may spoil training, with the fix.
    pub warnings: Vec<String>,
}

/// Where values are NaN or infinite.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct NonFinite {
    /// How many there are.
    pub count: usize,
    /// Row of the first, counting from 0.
    pub row: usize,
    /// Column of the first, counting from 0.
    pub column: usize,
}

/// The number of samples of one class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ClassCount {
    /// The label.
    pub label: u32,
    /// Its name, if it has one.
    pub name: Option<String>,
    /// Samples with this label.
    pub count: usize,
}

impl Inspection {
    /// Describes a data set.
    #[must_use]
    pub fn of(data: &Dataset) -> Self {
        let columns = Columns::of(data);
        let (mean, std) = mean_and_std(data);
        let (min, max) = columns.range();
        let constant = columns.constant();
        let mut inspection = Self {
            source: data.source().to_owned(),
            kind: data.kind(),
            sha256: data.sha256().to_owned(),
            count: data.len(),
            shape: data.shape(),
            dtype: data.dtype(),
            min,
            max,
            mean,
            std,
            non_finite: non_finite(data),
            constant_columns: constant.len(),
            first_constant_columns: constant.into_iter().take(LISTED_COLUMNS).collect(),
            duplicate_rows: duplicate_rows(data),
            classes: class_counts(data),
            column_names: data.column_names().map(<[String]>::to_vec),
            notes: data.notes().to_vec(),
            warnings: Vec::new(),
        };
        inspection.warnings = warnings(&inspection, &columns, data.first_gap());
        inspection.warnings.extend_from_slice(data.doubts());
        inspection
    }
}

/// Least and greatest finite value of every column.
struct Columns {
    min: Vec<f64>,
    max: Vec<f64>,
}

impl Columns {
    fn of(data: &Dataset) -> Self {
        let size = data.shape().size();
        let mut columns = Self { min: vec![f64::INFINITY; size], max: vec![f64::NEG_INFINITY; size] };
        for (i, value) in data.iter_f64().enumerate().filter(|(_, value)| value.is_finite()) {
            let column = i % size;
            columns.min[column] = columns.min[column].min(value);
            columns.max[column] = columns.max[column].max(value);
        }
        columns
    }

    fn range(&self) -> (f64, f64) {
        let min = self.min.iter().copied().fold(f64::INFINITY, f64::min);
        let max = self.max.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        if min <= max { (min, max) } else { (f64::NAN, f64::NAN) }
    }

    fn constant(&self) -> Vec<usize> {
        (0..self.min.len()).filter(|&column| self.min[column] >= self.max[column]).collect()
    }

    /// The widest and the narrowest column that is not constant, by range.
    fn widest_and_narrowest(&self) -> Option<(f64, f64)> {
        let widths = self.min.iter().zip(&self.max).map(|(min, max)| max - min).filter(|&width| width > 0.0);
        widths.fold(None, |found, width| {
            let (widest, narrowest) = found.unwrap_or((width, width));
            Some((f64::max(widest, width), f64::min(narrowest, width)))
        })
    }

    /// The column that f32 keeps least of: the steps of f32 at its values beside its width, if they are too coarse.
    fn coarsest_in_f32(&self) -> Option<(usize, f64)> {
        let steps = |column: usize| {
            let (min, max) = (self.min[column], self.max[column]);
            let step = f64::from(f32::EPSILON) * min.abs().max(max.abs());
            (max - min) / step
        };
        let coarse = (0..self.min.len()).filter(|&column| self.max[column] > self.min[column]);
        let coarse = coarse.map(|column| (column, steps(column))).filter(|(_, steps)| *steps < ENOUGH_STEPS);
        coarse.min_by(|a, b| a.1.total_cmp(&b.1))
    }
}

fn mean_and_std(data: &Dataset) -> (f64, f64) {
    let finite = || data.iter_f64().filter(|value| value.is_finite());
    let count = finite().count() as f64;
    let mean = finite().sum::<f64>() / count;
    let variance = finite().map(|value| (value - mean).powi(2)).sum::<f64>() / count;
    (mean, variance.sqrt())
}

fn non_finite(data: &Dataset) -> Option<NonFinite> {
    let first = data.iter_f64().position(|value| !value.is_finite())?;
    let size = data.shape().size();
    let count = data.iter_f64().filter(|value| !value.is_finite()).count();
    Some(NonFinite { count, row: first / size, column: first % size })
}

/// A row compared bit by bit, so that NaN equals itself.
struct Bits<'a, T> {
    row: &'a [T],
    bits: fn(&T) -> u64,
}

impl<T> Hash for Bits<'_, T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.row.iter().for_each(|value| state.write_u64((self.bits)(value)));
    }
}

impl<T> PartialEq for Bits<'_, T> {
    fn eq(&self, other: &Self) -> bool {
        self.row.iter().map(self.bits).eq(other.row.iter().map(other.bits))
    }
}

impl<T> Eq for Bits<'_, T> {}

fn distinct_rows<T>(values: &[T], size: usize, bits: fn(&T) -> u64) -> usize {
    values.chunks_exact(size).map(|row| Bits { row, bits }).collect::<HashSet<_>>().len()
}

fn duplicate_rows(data: &Dataset) -> usize {
    let size = data.shape().size();
    let distinct = match data.exceeds_f32() {
        true => distinct_rows(&data.values_f64(), size, |value| value.to_bits()),
        false => distinct_rows(data.values(), size, |value| value.to_bits().into()),
    };
    data.len() - distinct
}

fn class_counts(data: &Dataset) -> Option<Vec<ClassCount>> {
    let mut counts = BTreeMap::new();
    for &label in data.labels()? {
        *counts.entry(label).or_insert(0) += 1;
    }
    let name = |label: u32| data.label_names().and_then(|names| names.get(label as usize).cloned());
    Some(counts.into_iter().map(|(label, count)| ClassCount { label, name: name(label), count }).collect())
}

fn warnings(inspection: &Inspection, columns: &Columns, first_gap: Option<&str>) -> Vec<String> {
    let is_vector = !inspection.shape.is_image();
    let mut warnings = Vec::new();
    if let Some(NonFinite { count, .. }) = inspection.non_finite {
        let first = first_gap.map(|first| format!(", the first on {first}")).unwrap_or_default();
        warnings.push(format!(
            "{count} values are NaN or infinite{first}: loading refuses them, remove or fill them first"
        ));
    }
    // The border of an image is often constant, and harmlessly so.
    if is_vector && inspection.constant_columns > 0 {
        warnings.push(format!(
            "{} columns are constant: they carry nothing and cannot be scaled, drop them",
            inspection.constant_columns
        ));
    }
    if inspection.duplicate_rows * 10 > inspection.count {
        warnings
            .push(format!("{} of {} rows repeat earlier ones", inspection.duplicate_rows, inspection.count));
    }
    match columns.widest_and_narrowest() {
        Some((widest, narrowest)) if is_vector && widest > 1000.0 * narrowest => {
            warnings
                .push(format!("columns range over {widest:.3e} down to {narrowest:.3e}: standardise them"));
        }
        _ => {}
    }
    if let Some((column, steps)) = columns.coarsest_in_f32().filter(|_| is_vector) {
        warnings.push(format!(
            "column {} lies within {:.3e} of {:.6e}, where f32 has {steps:.0} steps only: keep the file in f64; fits count such \
             columns from their mean, other programs that train in f32 lose the digits",
            inspection.column(column),
            columns.max[column] - columns.min[column],
            columns.min[column],
        ));
    }
    warnings
}

impl fmt::Display for Inspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        line(f, "source", &self.source)?;
        line(f, "kind", self.kind)?;
        line(f, "samples", self.count)?;
        line(f, "shape", format_args!("{} ({} values each)", self.shape, self.shape.size()))?;
        line(f, "dtype", self.dtype)?;
        let [min, max, mean, std] = [self.min, self.max, self.mean, self.std].map(number);
        line(f, "values", format_args!("min {min}   max {max}   mean {mean}   std {std}"))?;
        self.write_faults(f)?;
        if let Some(classes) = &self.classes {
            write_classes(f, classes)?;
        }
        line(f, "sha256", &self.sha256)?;
        write_list(f, "notes", &self.notes)?;
        write_list(f, "warnings", &self.warnings)
    }
}

impl Inspection {
    fn write_faults(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.non_finite {
            None => line(f, "non-finite", "none")?,
            Some(NonFinite { count, row, column }) => {
                line(
                    f,
                    "non-finite",
                    format_args!("{count}, the first at row {row}, column {column} (from 0)"),
                )?;
            }
        }
        match self.constant_columns {
            0 => line(f, "constant", "none")?,
            count => {
                let listed: Vec<String> =
                    self.first_constant_columns.iter().map(|&column| self.column(column)).collect();
                let more = if count > listed.len() { ", …" } else { "" };
                line(f, "constant", format_args!("{count} columns: {}{more}", listed.join(", ")))?;
            }
        }
        match self.duplicate_rows {
            0 => line(f, "duplicates", "none"),
            count => line(f, "duplicates", format_args!("{count} rows repeat earlier ones")),
        }
    }

    fn column(&self, column: usize) -> String {
        let name = self.column_names.as_ref().and_then(|names| names.get(column));
        name.map_or_else(|| column.to_string(), |name| shown(name))
    }
}

/// A number with six digits behind the point, or with an exponent where those would not show it.
pub(crate) fn number(value: f64) -> String {
    let is_plain = value == 0.0 || !value.is_finite() || (1e-4..1e12).contains(&value.abs());
    if is_plain { format!("{value:.6}") } else { format!("{value:.6e}") }
}

pub(crate) fn line(f: &mut fmt::Formatter<'_>, name: &str, value: impl fmt::Display) -> fmt::Result {
    writeln!(f, "{name:<12}{value}")
}

pub(crate) fn write_list(f: &mut fmt::Formatter<'_>, name: &str, items: &[String]) -> fmt::Result {
    for (k, item) in items.iter().enumerate() {
        line(f, if k == 0 { name } else { "" }, item)?;
    }
    Ok(())
}

fn write_classes(f: &mut fmt::Formatter<'_>, classes: &[ClassCount]) -> fmt::Result {
    line(f, "labels", format_args!("{} classes", classes.len()))?;
    let title = |class: &ClassCount| class.name.as_deref().map_or_else(|| class.label.to_string(), shown);
    let width = classes.iter().map(|class| title(class).chars().count()).max().unwrap_or(0);
    for class in classes.iter().take(LISTED_CLASSES) {
        line(f, "", format_args!("{:<width$}  {:>8}", title(class), class.count))?;
    }
    if classes.len() > LISTED_CLASSES {
        line(f, "", format_args!("… and {} more", classes.len() - LISTED_CLASSES))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn points(values: Vec<f32>) -> Dataset {
        Dataset::from_values("points", values, SampleShape::Vector { dim: 2 }).unwrap()
    }

    #[test]
    fn statistics_agree_with_hand_calculation() {
        let inspection = Inspection::of(&points(vec![1.0, 5.0, 3.0, 5.0, 1.0, 5.0]));
        assert_eq!((inspection.min, inspection.max), (1.0, 5.0));
        // Mean 20/6; mean of squares 86/6; f64 rounding only.
        assert!((inspection.mean - 20.0 / 6.0).abs() < 1e-12);
        assert!((inspection.std - (86.0f64 / 6.0 - (20.0f64 / 6.0).powi(2)).sqrt()).abs() < 1e-12);
        assert_eq!(inspection.first_constant_columns, [1]);
        assert_eq!(inspection.duplicate_rows, 1);
    }

    #[test]
    fn non_finite_values_are_located_and_left_out_of_the_statistics() {
        let inspection = Inspection::of(&points(vec![1.0, f32::NAN, 3.0, f32::INFINITY]));
        assert_eq!(inspection.non_finite, Some(NonFinite { count: 2, row: 0, column: 1 }));
        assert_eq!((inspection.min, inspection.max, inspection.mean), (1.0, 3.0, 2.0));
        assert!(inspection.warnings[0].contains("NaN or infinite"));
    }

    #[test]
    fn classes_are_counted_and_printed() {
        let labelled = points(vec![0.0; 6]).with_labels(vec![7, 2, 7]).unwrap();
        let inspection = Inspection::of(&labelled);
        let counts: Vec<_> =
            inspection.classes.as_ref().unwrap().iter().map(|class| (class.label, class.count)).collect();
        assert_eq!(counts, [(2, 1), (7, 2)]);
        let screen = inspection.to_string();
        assert!(
            screen.contains("labels      2 classes\n            2         1\n            7         2\n"),
            "{screen}"
        );
    }

    #[test]
    fn columns_of_very_different_scale_are_warned_about() {
        let inspection = Inspection::of(&points(vec![0.0, 0.0, 1.0, 5000.0]));
        assert!(inspection.warnings.iter().any(|warning| warning.contains("standardise")));
    }

    #[test]
    fn a_set_without_finite_values_is_still_described() {
        let inspection = Inspection::of(&points(vec![f32::NAN; 4]));
        assert!(inspection.min.is_nan());
        assert!(serde_json::to_string(&inspection).unwrap().contains("\"min\":null"));
    }
}
