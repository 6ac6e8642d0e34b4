//! A bridge between two data sets on disk, `bridge.safetensors`: one file here for every kind.

pub mod light_sb;
pub mod neural;

use std::path::Path;
use std::sync::Arc;

use sbridge::PairBridge;
use sbridge::net::Weights;
use sbridge::tensor::Device;
use serde::Deserialize;

use crate::error::Result;
use crate::folder::tensor_file::{self, damaged, widen};

/// What every description says.
#[derive(Deserialize)]
struct Kind {
    method: String,
}

/// Reads the bridge at `path`, with its networks, if it has any, on `device`.
///
/// # Errors
/// [`RunError::Folder`](crate::RunError::Folder) if the file is missing or damaged.
pub fn load(path: &Path, device: &Device) -> Result<Arc<dyn PairBridge>> {
    let (_, Kind { method }) = tensor_file::load(path)?;
    Ok(match method.as_str() {
        light_sb::METHOD => Arc::new(light_sb::load(path)?),
        _ => Arc::new(neural::load(path, device)?.0),
    })
}

/// The means of both ends, of one length.
fn means(arrays: &mut Weights, path: &Path) -> Result<[Vec<f64>; 2]> {
    let mut mean = |name: &str| match arrays.remove(name) {
        Some((shape, values)) if shape.len() == 1 && !values.is_empty() => Ok(widen(&values)),
        _ => Err(damaged(path, &format!("lacks {name}"))),
    };
    let means = [mean("mean/source")?, mean("mean/target")?];
    if means[0].len() != means[1].len() {
        return Err(damaged(path, "has means of different length"));
    }
    Ok(means)
}

/// Checks that `value` is finite and positive.
fn require_positive(name: &str, value: f64, path: &Path) -> Result<f64> {
    if value.is_finite() && value > 0.0 {
        return Ok(value);
    }
    Err(damaged(path, &format!("has {name} {value}")))
}
