//! Values in the precision of their source: f32, or f64 where f32 would change one of them.
//!
//! Networks are given f32 and distances f64. What f32 holds is stored as f32 and takes 4 bytes a value; anything else takes
//! 8, and 4 more once it has been asked for as f32.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::OnceLock;

/// Many values, all f32 or all f64.
#[derive(Debug, Clone)]
pub(crate) enum Values {
    /// What f32 holds.
    Single(Vec<f32>),
    /// What only f64 holds.
    Double(Double),
}

/// f64 values, and the same rounded to f32 once somebody has asked.
#[derive(Debug, Clone)]
pub(crate) struct Double {
    wide: Vec<f64>,
    narrow: OnceLock<Vec<f32>>,
}

/// Whether f32 holds this value, or that it is none.
pub(crate) fn fits_single(value: f64) -> bool {
    value.is_nan() || f64::from(value as f32) == value
}

impl Values {
    /// No values, which are f32 until one is added that f32 does not hold.
    pub(crate) fn new() -> Self {
        Self::Single(Vec::new())
    }

    /// These values, as f32 if it holds them all.
    pub(crate) fn of_f64(wide: Vec<f64>) -> Self {
        if wide.iter().all(|&value| fits_single(value)) {
            return Self::Single(wide.into_iter().map(|value| value as f32).collect());
        }
        Self::double(wide)
    }

    pub(crate) fn double(wide: Vec<f64>) -> Self {
        Self::Double(Double { wide, narrow: OnceLock::new() })
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Single(values) => values.len(),
            Self::Double(double) => double.wide.len(),
        }
    }

    /// Whether f32 would change some of them.
    pub(crate) fn is_double(&self) -> bool {
        matches!(self, Self::Double(_))
    }

    /// Bytes of one of them.
    pub(crate) fn bytes_each(&self) -> u64 {
        if self.is_double() { 8 } else { 4 }
    }

    /// Adds a value, and goes over to f64 if f32 does not hold it.
    pub(crate) fn push(&mut self, value: f64) {
        match self {
            Self::Single(values) if fits_single(value) => values.push(value as f32),
            Self::Single(values) => {
                let mut wide: Vec<f64> = values.drain(..).map(f64::from).collect();
                wide.push(value);
                *self = Self::double(wide);
            }
            Self::Double(double) => {
                double.wide.push(value);
                double.narrow.take();
            }
        }
    }

    /// Takes away the first `count`.
    pub(crate) fn drop_front(&mut self, count: usize) {
        match self {
            Self::Single(values) => drop(values.drain(..count)),
            Self::Double(double) => {
                double.wide.drain(..count);
                double.narrow.take();
            }
        }
    }

    /// Value `i`.
    pub(crate) fn get(&self, i: usize) -> f64 {
        match self {
            Self::Single(values) => values[i].into(),
            Self::Double(double) => double.wide[i],
        }
    }

    /// All of them, exactly.
    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = f64> + '_ {
        (0..self.len()).map(|i| self.get(i))
    }

    /// Rounded to f32.
    pub(crate) fn as_f32(&self) -> &[f32] {
        match self {
            Self::Single(values) => values,
            Self::Double(double) => {
                double.narrow.get_or_init(|| double.wide.iter().map(|&value| value as f32).collect())
            }
        }
    }

    /// Exactly.
    pub(crate) fn as_f64(&self) -> Cow<'_, [f64]> {
        match self {
            Self::Single(values) => Cow::Owned(values.iter().map(|&value| value.into()).collect()),
            Self::Double(double) => Cow::Borrowed(&double.wide),
        }
    }

    /// Those at `range`.
    pub(crate) fn slice(&self, range: Range<usize>) -> Self {
        match self {
            Self::Single(values) => Self::Single(values[range].to_vec()),
            Self::Double(double) => Self::double(double.wide[range].to_vec()),
        }
    }

    /// Of rows of `size` values, those at `rows`, in that order.
    pub(crate) fn select(&self, rows: &[usize], size: usize) -> Self {
        match self {
            Self::Single(values) => Self::Single(selected(values, rows, size)),
            Self::Double(double) => Self::double(selected(&double.wide, rows, size)),
        }
    }

    /// The same values in another order or number, as `arrange` makes them of either kind.
    pub(crate) fn arranged(self, arrangement: &impl Arrangement) -> Self {
        match self {
            Self::Single(values) => Self::Single(arrangement.of(values)),
            Self::Double(double) => Self::double(arrangement.of(double.wide)),
        }
    }
}

/// What puts values in another order, or leaves some out, whatever they are.
pub(crate) trait Arrangement {
    fn of<T: Copy>(&self, values: Vec<T>) -> Vec<T>;
}

fn selected<T: Copy>(values: &[T], rows: &[usize], size: usize) -> Vec<T> {
    let mut chosen = Vec::with_capacity(rows.len() * size);
    rows.iter().for_each(|&row| chosen.extend_from_slice(&values[row * size..(row + 1) * size]));
    chosen
}

impl From<Vec<f32>> for Values {
    fn from(values: Vec<f32>) -> Self {
        Self::Single(values)
    }
}

impl PartialEq for Values {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().eq(other.iter())
    }
}

#[cfg(test)]
impl<const N: usize> PartialEq<[f32; N]> for Values {
    fn eq(&self, other: &[f32; N]) -> bool {
        self.as_f32() == other
    }
}

#[cfg(test)]
impl PartialEq<Vec<f32>> for Values {
    fn eq(&self, other: &Vec<f32>) -> bool {
        self.as_f32() == other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_f32_until_one_is_not() {
        let mut values = Values::new();
        [0.5, f64::NAN, 3.0].into_iter().for_each(|value| values.push(value));
        assert!(!values.is_double() && values.get(1).is_nan());
        values.push(1_000_000.01);
        values.push(0.25);
        assert!(values.is_double());
        assert_eq!((values.get(0), values.get(3), values.get(4)), (0.5, 1_000_000.01, 0.25));
        assert_eq!(values.as_f32()[3], 1_000_000.0);
    }

    #[test]
    fn what_f32_holds_is_kept_as_f32() {
        assert!(!Values::of_f64(vec![0.5, -3.0, f64::INFINITY, 16_777_216.0]).is_double());
        assert!(Values::of_f64(vec![16_777_217.0]).is_double());
        assert!(Values::of_f64(vec![0.1]).is_double());
        assert!(Values::of_f64(vec![1e-300]).is_double());
    }

    #[test]
    fn rows_are_chosen_of_either_kind() {
        for values in [Values::from(vec![0.0, 1.0, 2.0, 3.0]), Values::double(vec![0.0, 1.0, 2.0, 3.0])] {
            assert_eq!(values.select(&[1, 0], 2).as_f64().as_ref(), [2.0, 3.0, 0.0, 1.0]);
            assert_eq!(values.slice(0..2).as_f32(), [0.0, 1.0]);
        }
    }
}
