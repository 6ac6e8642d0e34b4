//! From an array of any rank and order to samples, one per row, images channel by channel.
//!
//! | rank | samples                                                                    |
//! |------|----------------------------------------------------------------------------|
//! | 1    | numbers                                                                    |
//! | 2    | vectors                                                                    |
//! | 3    | images of one channel                                                      |
//! | 4    | `[n, c, h, w]` if the second side is 1, 3 or 4; else `[n, h, w, c]` if the last is |

use crate::element::ElementType;
use crate::reading::Reading;
use crate::values::{Arrangement, Values};
use crate::{Result, SampleShape};

/// Which index runs fastest in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// The last, as in C.
    C,
    /// The first, as in Fortran.
    Fortran,
}

/// A decoded array: `values.len()` is the product of `dims`, and no side is 0.
pub(crate) struct Array {
    pub(crate) dims: Vec<usize>,
    pub(crate) order: Order,
    pub(crate) values: Values,
    pub(crate) dtype: ElementType,
}

/// What a reader hands over: rows of one shape, and what was understood on the way.
pub(crate) struct Contents {
    pub(crate) shape: SampleShape,
    pub(crate) values: Values,
    pub(crate) labels: Option<Vec<u32>>,
    pub(crate) label_names: Option<Vec<String>>,
    pub(crate) column_names: Option<Vec<String>>,
    pub(crate) dtype: ElementType,
    pub(crate) notes: Vec<String>,
    /// What may have been misunderstood.
    pub(crate) doubts: Vec<String>,
    /// The first value that is missing or infinite, in words.
    pub(crate) first_gap: Option<String>,
}

impl Contents {
    /// Values alone, without labels, names or notes.
    pub(crate) fn new(shape: SampleShape, values: impl Into<Values>, dtype: ElementType) -> Self {
        let values = values.into();
        Self {
            shape,
            values,
            labels: None,
            label_names: None,
            column_names: None,
            dtype,
            notes: Vec::new(),
            doubts: Vec::new(),
            first_gap: None,
        }
    }
}

/// Arranges an array as samples.
///
/// # Errors
/// When the rank has no reading as samples, or values that need f64 pass the limits.
pub(crate) fn arrange(array: Array, reading: &Reading) -> Result<Contents> {
    reading.admit_values(&array.values)?;
    let (shape, axes, note) = interpret(&array.dims, reading)?;
    let dtype = array.dtype;
    let values = in_row_order(array, &axes);
    let mut contents = Contents::new(shape, values, dtype);
    contents.notes.extend(note);
    Ok(contents)
}

/// The shape of a sample, the order of axes that makes it channel-major, and a word on the choice.
fn interpret(dims: &[usize], reading: &Reading) -> Result<(SampleShape, Vec<usize>, Option<String>)> {
    let image = |channels, height, width| SampleShape::Image { channels, height, width };
    match *dims {
        [_] => Ok((SampleShape::Vector { dim: 1 }, vec![0], None)),
        [_, dim] => Ok((SampleShape::Vector { dim }, vec![0, 1], None)),
        [_, h, w] => Ok((
            image(1, h, w),
            vec![0, 1, 2],
            Some(format!("rank 3 read as images of {h}×{w} with one channel")),
        )),
        [_, c, h, w] if is_channel_count(c) => Ok((
            image(c, h, w),
            vec![0, 1, 2, 3],
            Some(format!("rank 4 read as [n, channels, height, width] with {c} channels")),
        )),
        [_, h, w, c] if is_channel_count(c) => Ok((
            image(c, h, w),
            vec![0, 3, 1, 2],
            Some(format!("rank 4 read as [n, height, width, channels] with {c} channels")),
        )),
        [_, _, _, _] => Err(reading.unsupported(
            format!("shape {dims:?} has no side of 1, 3 or 4 channels in second or last place"),
            "transpose to [n, channels, height, width]",
        )),
        _ => Err(reading.unsupported_rank(dims.len())),
    }
}

fn is_channel_count(side: usize) -> bool {
    matches!(side, 1 | 3 | 4)
}

/// The values in row-major order of the permuted axes.
fn in_row_order(array: Array, axes: &[usize]) -> Values {
    if array.order == Order::C && axes.is_sorted() {
        return array.values;
    }
    let strides = strides(&array.dims, array.order);
    array.values.arranged(&Walk {
        dims: axes.iter().map(|&axis| array.dims[axis]).collect(),
        strides: axes.iter().map(|&axis| strides[axis]).collect(),
    })
}

fn strides(dims: &[usize], order: Order) -> Vec<usize> {
    let product_of = |sides: &[usize]| sides.iter().product();
    (0..dims.len())
        .map(|axis| match order {
            Order::C => product_of(&dims[axis + 1..]),
            Order::Fortran => product_of(&dims[..axis]),
        })
        .collect()
}

/// A walk through every index of `dims`, the last running fastest, to the values that the strides point to.
struct Walk {
    dims: Vec<usize>,
    strides: Vec<usize>,
}

impl Arrangement for Walk {
    fn of<T: Copy>(&self, values: Vec<T>) -> Vec<T> {
        let Self { dims, strides } = self;
        let mut index = vec![0; dims.len()];
        let mut offset = 0;
        let mut gathered = Vec::with_capacity(values.len());
        for _ in 0..values.len() {
            gathered.push(values[offset]);
            for axis in (0..dims.len()).rev() {
                index[axis] += 1;
                offset += strides[axis];
                if index[axis] < dims[axis] {
                    break;
                }
                offset -= index[axis] * strides[axis];
                index[axis] = 0;
            }
        }
        gathered
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::Limits;

    fn arranged(dims: &[usize], order: Order) -> Result<Contents> {
        let limits = Limits::default();
        let count: usize = dims.iter().product();
        let values = (0..count).map(|v| v as f32).collect::<Vec<f32>>().into();
        let array = Array { dims: dims.to_vec(), order, values, dtype: ElementType::F32 };
        arrange(array, &Reading { source: "x", limits: &limits })
    }

    #[test]
    fn fortran_order_is_transposed() {
        assert_eq!(arranged(&[2, 3], Order::Fortran).unwrap().values, [0.0, 2.0, 4.0, 1.0, 3.0, 5.0]);
    }

    #[test]
    fn channels_last_becomes_channels_first() {
        let contents = arranged(&[1, 2, 2, 3], Order::C).unwrap();
        assert_eq!(contents.shape, SampleShape::Image { channels: 3, height: 2, width: 2 });
        assert_eq!(contents.values, [0.0, 3.0, 6.0, 9.0, 1.0, 4.0, 7.0, 10.0, 2.0, 5.0, 8.0, 11.0]);
        assert!(contents.notes[0].contains("[n, height, width, channels]"));
    }

    #[test]
    fn channels_first_wins_when_both_could_be() {
        let contents = arranged(&[2, 3, 5, 3], Order::C).unwrap();
        assert_eq!(contents.shape, SampleShape::Image { channels: 3, height: 5, width: 3 });
    }

    #[test]
    fn ranks_without_a_reading_are_refused() {
        assert!(arranged(&[2, 5, 5, 5], Order::C).is_err());
        assert!(arranged(&[1, 1, 1, 1, 1], Order::C).is_err());
        assert!(arranged(&[], Order::C).is_err());
    }
}
