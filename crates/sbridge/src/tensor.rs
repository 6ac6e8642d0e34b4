//! The one place that imports Burn's tensors, and the few helpers their users share.
//!
//! A [`Tensor`] carries its device and its element type at run time: the same code computes in
//! f32 on a GPU and in f64 in a test against a closed form.

pub use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
pub use burn::tensor::{DType, Device, Gradients, Int, Slice, Tensor, TensorData, activation};

use rayon::prelude::*;
use sbridge_ot::Points;

use crate::error::{Error, Result};

/// Opens the device a user names: `cpu`, `cuda`, `cuda:n` or `wgpu`.
///
/// # Errors
/// [`Error::Device`] for an unknown name, or a device this build does not include.
pub fn open_device(name: &str) -> Result<Device> {
    match name {
        "cpu" => Ok(Device::flex()),
        "wgpu" => open_wgpu(),
        "cuda" => open_cuda(name, 0),
        _ => match name.strip_prefix("cuda:").map(str::parse) {
            Some(Ok(index)) => open_cuda(name, index),
            _ => Err(Error::Device {
                device: name.into(),
                reason: "no device has this name".into(),
                fix: "use cpu, cuda, cuda:<index> or wgpu".into(),
            }),
        },
    }
}

#[cfg(feature = "cuda")]
fn open_cuda(name: &str, index: usize) -> Result<Device> {
    probe(name, move || Device::cuda(index))
}

#[cfg(not(feature = "cuda"))]
fn open_cuda(name: &str, _index: usize) -> Result<Device> {
    Err(not_built(name, "cuda"))
}

#[cfg(feature = "wgpu")]
fn open_wgpu() -> Result<Device> {
    probe("wgpu", || Device::wgpu(burn::tensor::DeviceKind::DefaultDevice))
}

#[cfg(not(feature = "wgpu"))]
fn open_wgpu() -> Result<Device> {
    Err(not_built("wgpu", "wgpu"))
}

/// Opens a device and waits for it once: a driver tells of a missing device by a panic.
#[cfg(any(feature = "cuda", feature = "wgpu"))]
fn probe(name: &str, open: impl FnOnce() -> Device + std::panic::UnwindSafe) -> Result<Device> {
    let answered = std::panic::catch_unwind(|| {
        let device = open();
        device.sync().map(|()| device)
    });
    match answered {
        Ok(Ok(device)) => Ok(device),
        _ => Err(Error::Device {
            device: name.into(),
            reason: "this machine does not have it, or its driver does not answer".into(),
            fix: "check the driver, or use --device cpu".into(),
        }),
    }
}

#[cfg(not(all(feature = "cuda", feature = "wgpu")))]
fn not_built(device: &str, feature: &str) -> Error {
    Error::Device {
        device: device.into(),
        reason: "this build does not include it".into(),
        fix: format!("build with --features {feature}, or use --device cpu"),
    }
}

/// Puts row-major `values` on `device` as `[rows, dim]`, in f32.
///
/// # Panics
/// If `values.len()` is not a multiple of `dim`.
pub fn from_rows(values: &[f32], dim: usize, device: &Device) -> Tensor<2> {
    assert_eq!(values.len() % dim, 0, "rows of length {dim}");
    let data = TensorData::new(values.to_vec(), [values.len() / dim, dim]);
    Tensor::from_data(data, (device, DType::F32))
}

/// Puts row-major `values` on `device` as `[rows, dim]`, in f64.
///
/// # Panics
/// If `values.len()` is not a multiple of `dim`.
pub fn from_rows_f64(values: &[f64], dim: usize, device: &Device) -> Tensor<2> {
    assert_eq!(values.len() % dim, 0, "rows of length {dim}");
    let data = TensorData::new(values.to_vec(), [values.len() / dim, dim]);
    Tensor::from_data(data, (device, DType::F64))
}

/// The elements of `tensor`, row-major, as f32.
pub fn to_vec<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.try_into_vec_as::<f32>().expect("a float tensor converts to f32")
}

/// The elements of `tensor`, row-major, as f64.
pub fn to_vec_f64<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    tensor.try_into_vec_as::<f64>().expect("a float tensor converts to f64")
}

/// The rows of a tensor, `[count, dim]`, as points in f64.
///
/// # Errors
/// [`Error::Transport`] if a value is not finite.
pub fn points(rows: &Tensor<2>) -> Result<Points> {
    Ok(Points::new(to_vec_f64(rows.clone()), rows.dims()[1])?)
}

/// A column `[batch, 1]` from per-row values `[batch]`, to broadcast against states.
pub fn column(values: Tensor<1>) -> Tensor<2> {
    values.unsqueeze_dim(1)
}

/// The value `x` for every row of `state`: `[batch]`, on its device and of its type.
pub fn per_row(x: f64, state: &Tensor<2>) -> Tensor<1> {
    let [batch, _] = state.dims();
    Tensor::full([batch], x, (&state.device(), state.dtype()))
}

/// Rows `indices` of `rows`, `[count, dim]`.
pub fn select_rows(rows: &Tensor<2>, indices: &[usize]) -> Tensor<2> {
    let indices: Vec<i64> = indices.iter().map(|&i| i as i64).collect();
    let count = indices.len();
    let indices = Tensor::<1, Int>::from_data(TensorData::new(indices, [count]), &rows.device());
    rows.clone().select(0, indices)
}

/// At most the first `count` rows of `[rows, dim]`.
pub fn head(rows: &Tensor<2>, count: usize) -> Tensor<2> {
    rows.clone().narrow(0, 0, count.min(rows.dims()[0]))
}

/// Rows worked on at once by [`map_rows`], at most, and how few are not worth splitting.
const BLOCK: usize = 500;
const SMALL: usize = 64;

/// The rows in blocks to work on side by side.
pub(crate) fn row_blocks(rows: &Tensor<2>) -> Vec<Tensor<2>> {
    let [count, _] = rows.dims();
    // Decided by the number of rows alone, so that results do not depend on the machine.
    let blocks = if count < 2 * SMALL { 1 } else { count.div_ceil(BLOCK).max(2) };
    rows.clone().split(count.div_ceil(blocks).max(1), 0)
}

/// `map` of all rows, in blocks that run side by side on the processor's cores.
///
/// # Shapes
/// `map` keeps the number of rows.
pub fn map_rows(rows: &Tensor<2>, map: impl Fn(Tensor<2>) -> Tensor<2> + Send + Sync) -> Tensor<2> {
    // Inside of the pool, where the work on a single block can be shared too.
    rayon::scope(|_| Tensor::cat(row_blocks(rows).into_par_iter().map(map).collect(), 0))
}
