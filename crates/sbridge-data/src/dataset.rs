//! Samples in memory: rows of one shape, with labels and the story of where they came from.

use std::borrow::Cow;

use sha2::{Digest, Sha256};

use crate::layout::Contents;
use crate::values::Values;
use crate::{DataError, ElementType, Result, SampleShape, SourceKind};

/// Samples of one shape, in the units and the precision of their source.
///
/// Networks take [`values`](Dataset::values), which are f32. Distances and moments take
/// [`values_f64`](Dataset::values_f64), which are those of the source.
///
/// # Shapes
/// `values` is row-major `[len, shape.size()]`; an image is stored as `[channels, height, width]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Dataset {
    shape: SampleShape,
    values: Values,
    labels: Option<Vec<u32>>,
    label_names: Option<Vec<String>>,
    column_names: Option<Vec<String>>,
    source: String,
    kind: SourceKind,
    dtype: ElementType,
    sha256: String,
    notes: Vec<String>,
    doubts: Vec<String>,
    first_gap: Option<String>,
}

impl Dataset {
    /// A data set from values already in memory.
    ///
    /// # Errors
    /// When `values` is not a positive multiple of `shape.size()`.
    pub fn from_values(name: &str, values: Vec<f32>, shape: SampleShape) -> Result<Self> {
        check_whole_rows(values.len(), shape)?;
        let sha256 = digest_of_values(&values);
        Ok(Self::assemble(Contents::new(shape, values, ElementType::F32), name, SourceKind::Memory, sha256))
    }

    /// The same from double-precision values, which keep their digits.
    ///
    /// # Errors
    /// As [`Dataset::from_values`].
    pub fn from_values_f64(name: &str, values: Vec<f64>, shape: SampleShape) -> Result<Self> {
        check_whole_rows(values.len(), shape)?;
        let sha256 = digest_of_blocks(&values, |value| value.to_le_bytes());
        let contents = Contents::new(shape, Values::of_f64(values), ElementType::F64);
        Ok(Self::assemble(contents, name, SourceKind::Memory, sha256))
    }

    /// The same under another name in place of its source.
    #[must_use]
    pub fn named(self, source: &str) -> Self {
        Self { source: source.to_owned(), ..self }
    }

    /// Joins what a reader found with where it found it.
    pub(crate) fn assemble(contents: Contents, source: &str, kind: SourceKind, sha256: String) -> Self {
        Self {
            shape: contents.shape,
            values: contents.values,
            labels: contents.labels,
            label_names: contents.label_names,
            column_names: contents.column_names,
            source: source.to_owned(),
            kind,
            dtype: contents.dtype,
            sha256,
            notes: contents.notes,
            doubts: contents.doubts,
            first_gap: contents.first_gap,
        }
    }

    /// The same with more doubts.
    #[must_use]
    pub(crate) fn doubted(mut self, doubts: Vec<String>) -> Self {
        self.doubts.extend(doubts);
        self
    }

    /// Number of samples.
    #[must_use]
    pub fn len(&self) -> usize {
        self.values.len() / self.shape.size()
    }

    /// Whether there are no samples, which happens only after an empty [`Dataset::select`].
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.len() == 0
    }

    /// The shape of one sample.
    #[must_use]
    pub fn shape(&self) -> SampleShape {
        self.shape
    }

    /// All values as f32, row-major `[len, shape.size()]`.
    #[must_use]
    pub fn values(&self) -> &[f32] {
        self.values.as_f32()
    }

    /// All values as the source has them, row-major `[len, shape.size()]`.
    #[must_use]
    pub fn values_f64(&self) -> Cow<'_, [f64]> {
        self.values.as_f64()
    }

    /// Whether the source has values that f32 does not hold, so that [`values`](Dataset::values) are rounded.
    #[must_use]
    pub fn exceeds_f32(&self) -> bool {
        self.values.is_double()
    }

    /// All values as the source has them, one by one.
    pub fn iter_f64(&self) -> impl ExactSizeIterator<Item = f64> + '_ {
        self.values.iter()
    }

    /// The values of sample `i` as f32.
    ///
    /// # Panics
    /// When `i` is not below [`Dataset::len`].
    #[must_use]
    pub fn row(&self, i: usize) -> &[f32] {
        let size = self.shape.size();
        &self.values()[i * size..(i + 1) * size]
    }

    /// The samples as f32, in order.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &[f32]> {
        self.values().chunks_exact(self.shape.size())
    }

    /// The class of every sample, if the source has classes.
    #[must_use]
    pub fn labels(&self) -> Option<&[u32]> {
        self.labels.as_deref()
    }

    /// Names of the classes by label, if they have names (folders, text cells, letters).
    #[must_use]
    pub fn label_names(&self) -> Option<&[String]> {
        self.label_names.as_deref()
    }

    /// Names of the columns, if the source names them.
    #[must_use]
    pub fn column_names(&self) -> Option<&[String]> {
        self.column_names.as_deref()
    }

    /// The source as the user typed it.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// What the source was read as.
    #[must_use]
    pub fn kind(&self) -> SourceKind {
        self.kind
    }

    /// The element type of the source.
    #[must_use]
    pub fn dtype(&self) -> ElementType {
        self.dtype
    }

    /// SHA-256 in hexadecimal of the file as it lies on disk; of a folder: of the sorted names with
    /// the digests of their files; of a built-in set: of its values as little-endian `f32`.
    ///
    /// Subsets keep the digest of the whole.
    #[must_use]
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// What was understood or repaired while reading, in words.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// What may have been misunderstood while reading, in words.
    #[must_use]
    pub fn doubts(&self) -> &[String] {
        &self.doubts
    }

    /// The first value that is missing or infinite as its file has it, in words, if the file is text.
    pub(crate) fn first_gap(&self) -> Option<&str> {
        self.first_gap.as_deref()
    }

    /// The samples at `indices`, in that order; repeats are allowed.
    ///
    /// # Panics
    /// When an index is not below [`Dataset::len`].
    #[must_use]
    pub fn select(&self, indices: &[usize]) -> Self {
        let values = self.values.select(indices, self.shape.size());
        let labels = self.labels.as_ref().map(|labels| indices.iter().map(|&i| labels[i]).collect());
        self.with_rows(values, labels)
    }

    /// The first `n` samples, or all of them if there are fewer.
    #[must_use]
    pub fn take(&self, n: usize) -> Self {
        let n = n.min(self.len());
        let labels = self.labels.as_ref().map(|labels| labels[..n].to_vec());
        self.with_rows(self.values.slice(0..n * self.shape.size()), labels)
    }

    /// The same samples counted from `origin`, which is subtracted from each in f64.
    ///
    /// # Panics
    /// When `origin` is not of the size of a sample.
    #[must_use]
    pub fn counted_from(&self, origin: &[f64]) -> Self {
        assert_eq!(origin.len(), self.shape.size(), "an origin is a sample");
        let values =
            self.values.iter().zip(origin.iter().cycle()).map(|(value, origin)| value - origin).collect();
        self.with_rows(Values::of_f64(values), self.labels.clone())
    }

    /// The samples whose label is one of `wanted`, in their order.
    ///
    /// # Errors
    /// When the data has no labels, or a wanted label does not occur.
    pub fn with_labels_in(&self, wanted: &[u32]) -> Result<Self> {
        let labels = self.labels.as_ref().ok_or_else(|| DataError::Argument {
            what: format!("{} has no labels to choose by", self.source),
            fix: "use a source with classes, or drop the choice of labels".to_owned(),
        })?;
        if let Some(missing) = wanted.iter().find(|label| !labels.contains(label)) {
            return Err(DataError::Argument {
                what: format!("label {missing} does not occur in {}", self.source),
                fix: format!("choose among {}", self.listed_labels(labels)),
            });
        }
        let indices: Vec<usize> = (0..labels.len()).filter(|&i| wanted.contains(&labels[i])).collect();
        Ok(self.select(&indices))
    }

    /// The same samples with these labels.
    ///
    /// # Errors
    /// When there is not one label per sample.
    pub fn with_labels(mut self, labels: Vec<u32>) -> Result<Self> {
        if labels.len() != self.len() {
            return Err(DataError::Argument {
                what: format!("{} labels for {} samples", labels.len(), self.len()),
                fix: "give one label per sample".to_owned(),
            });
        }
        self.labels = Some(labels);
        self.label_names = None;
        Ok(self)
    }

    /// The least and the greatest value; `(inf, -inf)` when there are no samples.
    #[must_use]
    pub fn value_range(&self) -> (f32, f32) {
        let limits = (f32::INFINITY, f32::NEG_INFINITY);
        self.values().iter().fold(limits, |(low, high), &value| (low.min(value), high.max(value)))
    }

    /// Refuses NaN and infinite values.
    ///
    /// # Errors
    /// Names the first such value, its row and its column.
    pub(crate) fn check_finite(&self) -> Result<()> {
        let is_lost = |value: &f64| !(*value as f32).is_finite();
        let Some(at) = self.values.iter().position(|value| is_lost(&value)) else {
            return Ok(());
        };
        let (row, column) = (at / self.shape.size(), at % self.shape.size());
        let place = format!("{:e} at row {row}, column {column}, counting from 0", self.values.get(at));
        let (what, fix) = match self.values.get(at).is_finite() {
            true => {
                (place + ", is beyond f32, in which networks are trained", "scale the values to below 3.4e38")
            }
            false => (
                self.first_gap.clone().unwrap_or(place),
                "remove such rows or columns, or fill them in; `sbridge inspect` describes the rest",
            ),
        };
        Err(DataError::NonFinite {
            source_name: self.source.clone(),
            what,
            row,
            column,
            count: self.values.iter().filter(is_lost).count(),
            fix: fix.to_owned(),
        })
    }

    fn with_rows(&self, values: Values, labels: Option<Vec<u32>>) -> Self {
        Self {
            shape: self.shape,
            values,
            labels,
            label_names: self.label_names.clone(),
            column_names: self.column_names.clone(),
            source: self.source.clone(),
            kind: self.kind,
            dtype: self.dtype,
            sha256: self.sha256.clone(),
            notes: self.notes.clone(),
            doubts: self.doubts.clone(),
            first_gap: None,
        }
    }

    fn listed_labels(&self, labels: &[u32]) -> String {
        let present: std::collections::BTreeSet<u32> = labels.iter().copied().collect();
        present.iter().map(u32::to_string).collect::<Vec<_>>().join(", ")
    }
}

/// SHA-256 in hexadecimal of values as little-endian `f32`.
pub(crate) fn digest_of_values(values: &[f32]) -> String {
    digest_of_blocks(values, |value| value.to_le_bytes())
}

/// SHA-256 in hexadecimal of the bytes of all values, a block of them at a time.
pub(crate) fn digest_of_blocks<T: Copy, const N: usize>(
    values: &[T],
    bytes: impl Fn(T) -> [u8; N],
) -> String {
    let mut hasher = Sha256::new();
    for block in values.chunks(4096) {
        hasher.update(block.iter().flat_map(|value| bytes(*value)).collect::<Vec<u8>>());
    }
    hexadecimal(&hasher.finalize())
}

fn check_whole_rows(count: usize, shape: SampleShape) -> Result<()> {
    if count > 0 && shape.size() > 0 && count.is_multiple_of(shape.size()) {
        return Ok(());
    }
    Err(DataError::Argument {
        what: format!("{count} values are not rows of {shape} ({} values each)", shape.size()),
        fix: "give len × shape.size() values, at least one row".to_owned(),
    })
}

/// SHA-256 in hexadecimal of bytes.
pub(crate) fn digest_of_bytes(bytes: &[u8]) -> String {
    hexadecimal(&Sha256::digest(bytes))
}

fn hexadecimal(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn four_points() -> Dataset {
        let values = vec![0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0];
        let points = Dataset::from_values("points", values, SampleShape::Vector { dim: 2 }).unwrap();
        points.with_labels(vec![0, 1, 0, 2]).unwrap()
    }

    #[test]
    fn select_keeps_rows_with_their_labels() {
        let chosen = four_points().select(&[3, 0, 3]);
        assert_eq!(chosen.values(), [6.0, 7.0, 0.0, 1.0, 6.0, 7.0]);
        assert_eq!(chosen.labels().unwrap(), [2, 0, 2]);
    }

    #[test]
    fn take_stops_at_the_end() {
        assert_eq!(four_points().take(2).values(), [0.0, 1.0, 2.0, 3.0]);
        assert_eq!(four_points().take(99), four_points());
    }

    #[test]
    fn labels_are_chosen_or_the_error_lists_them() {
        assert_eq!(four_points().with_labels_in(&[0]).unwrap().len(), 2);
        let error = four_points().with_labels_in(&[7]).unwrap_err().to_string();
        assert!(error.contains("label 7") && error.contains("0, 1, 2"), "{error}");
    }

    #[test]
    fn rows_must_be_whole() {
        assert!(Dataset::from_values("x", vec![1.0; 5], SampleShape::Vector { dim: 2 }).is_err());
        assert!(Dataset::from_values("x", vec![], SampleShape::Vector { dim: 2 }).is_err());
        assert!(four_points().with_labels(vec![1]).is_err());
    }

    #[test]
    fn the_first_non_finite_value_is_named() {
        let points =
            Dataset::from_values("x", vec![0.0, 1.0, 2.0, f32::NAN], SampleShape::Vector { dim: 2 }).unwrap();
        let error = points.check_finite().unwrap_err().to_string();
        assert!(error.contains("NaN at row 1, column 1"), "{error}");
    }

    #[test]
    fn digest_agrees_with_the_published_test_vector() {
        // FIPS 180-2, appendix B.1.
        assert_eq!(
            digest_of_bytes(b"abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
