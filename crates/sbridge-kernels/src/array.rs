//! Contiguous `f32` arrays that share their storage with tensors, and matrix products of them.

use std::ops::Range;

use burn::backend::flex::FlexTensor;
use burn::tensor::{DType, Shape, TensorData};

/// A contiguous array. Cloning shares the storage.
#[derive(Clone, Debug)]
pub(crate) struct Array(FlexTensor);

impl Array {
    /// The elements of `tensor`, copied only if they are not contiguous.
    pub(crate) fn of(tensor: FlexTensor) -> Self {
        debug_assert_eq!(tensor.dtype(), DType::F32);
        match tensor.as_slice::<f32>() {
            Some(_) => Self(tensor),
            None => Self(tensor.to_contiguous()),
        }
    }

    pub(crate) fn new<const D: usize>(values: Vec<f32>, dims: [usize; D]) -> Self {
        Self(FlexTensor::from_data(TensorData::new(values, Shape::new(dims))))
    }

    pub(crate) fn values(&self) -> &[f32] {
        self.0.as_slice::<f32>().expect("an array is contiguous")
    }

    /// # Panics
    /// If the array has another rank.
    pub(crate) fn dims<const D: usize>(&self) -> [usize; D] {
        self.0.layout().shape().dims()
    }

    pub(crate) fn rank(&self) -> usize {
        self.0.layout().shape().num_dims()
    }

    pub(crate) fn into_tensor(self) -> FlexTensor {
        self.0
    }
}

/// `count` floats that are written before they are read.
///
/// Zeroing a buffer that a product or a loop is about to fill costs as much as a pass over it.
#[allow(clippy::uninit_vec)]
pub(crate) fn buffer(count: usize) -> Vec<f32> {
    let mut values = Vec::with_capacity(count);
    // SAFETY: the capacity is `count`, every bit pattern is an f32, and callers only ever write to
    // the buffer before it is full: by a product with `Accum::Replace`, which does not read its
    // destination, or by assignment to every element.
    unsafe { values.set_len(count) };
    values
}

/// A matrix seen in a slice: row-major, or the transpose of one that is.
#[derive(Clone, Copy)]
pub(crate) struct Matrix<'a> {
    values: &'a [f32],
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
}

impl<'a> Matrix<'a> {
    /// # Panics
    /// If there are not `rows` times `columns` values.
    pub(crate) fn new(values: &'a [f32], rows: usize, columns: usize) -> Self {
        assert_eq!(values.len(), rows * columns, "a matrix of {rows} rows and {columns} columns");
        Self { values, rows, columns, row_stride: columns, column_stride: 1 }
    }

    /// Rows that begin `row_stride` values after one another and may overlap.
    ///
    /// # Panics
    /// If the last row reaches beyond the values.
    pub(crate) fn overlapping(values: &'a [f32], rows: usize, columns: usize, row_stride: usize) -> Self {
        let reach = rows.saturating_sub(1) * row_stride + columns;
        assert!(reach <= values.len(), "{rows} rows of {columns}, {row_stride} apart, in {}", values.len());
        Self { values, rows, columns, row_stride, column_stride: 1 }
    }

    /// Some of its columns.
    ///
    /// # Panics
    /// If they are not all its own.
    pub(crate) fn columns(self, range: Range<usize>) -> Self {
        assert!(
            range.start <= range.end && range.end <= self.columns,
            "columns {range:?} of {}",
            self.columns
        );
        // A matrix without rows may have no values either.
        let first = (range.start * self.column_stride).min(self.values.len());
        Self { values: &self.values[first..], columns: range.len(), ..self }
    }

    /// How many values it has.
    pub(crate) fn count(&self) -> usize {
        self.rows * self.columns
    }

    pub(crate) fn transposed(self) -> Self {
        Self {
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
            ..self
        }
    }
}

/// What a product does to its destination.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Accum {
    /// Overwrites it, without reading it.
    Replace,
    /// Adds to it.
    Add,
}

/// The product a b, row-major.
pub(crate) fn product(a: Matrix<'_>, b: Matrix<'_>) -> Vec<f32> {
    let mut values = buffer(a.rows * b.columns);
    multiply_into(&mut values, a, b, Accum::Replace);
    values
}

/// `out` = a b, or `out` += a b, row-major, on the calling thread.
///
/// # Panics
/// If the shapes do not fit.
pub(crate) fn multiply_into(out: &mut [f32], a: Matrix<'_>, b: Matrix<'_>, accum: Accum) {
    assert_eq!(a.columns, b.rows, "columns of the left factor, rows of the right one");
    assert_eq!(out.len(), a.rows * b.columns, "size of the product");
    let stride = |length: usize| isize::try_from(length).expect("a slice is shorter than isize::MAX");
    // SAFETY: element (i, j) of each matrix lies at i · row_stride + j · column_stride. The constructors
    // of `Matrix` checked that this stays inside `values` for all i and j, and transposing swaps the two; `out`
    // is row-major and of the size of the product. `out` is borrowed mutably, so it overlaps neither
    // factor. With `Accum::Replace`, `gemm` does not read its destination.
    unsafe {
        gemm::gemm(
            a.rows,
            b.columns,
            a.columns,
            out.as_mut_ptr(),
            1,
            stride(b.columns),
            accum == Accum::Add,
            a.values.as_ptr(),
            stride(a.column_stride),
            stride(a.row_stride),
            b.values.as_ptr(),
            stride(b.column_stride),
            stride(b.row_stride),
            1.0,
            1.0,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}
