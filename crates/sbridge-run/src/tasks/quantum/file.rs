//! The codec of a run on disk, `codec.safetensors`: a description without arrays, so that nothing of it is rounded.

use std::path::Path;

use sbridge::net::Weights;
use sbridge::quantum::{CodecSettings, StateCodec};
use sbridge::tensor::Device;
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::folder::tensor_file::{self, damaged};

/// All of a codec.
#[derive(Serialize, Deserialize)]
struct Description {
    dim: usize,
    settings: CodecSettings,
    mean: Vec<f64>,
    scale: f64,
}

/// Writes `codec`, which is of these settings, to `path` in one step.
///
/// # Errors
/// [`RunError::Disk`](crate::RunError::Disk) if the disk refuses.
pub(super) fn save(path: &Path, codec: &StateCodec, settings: CodecSettings) -> Result<()> {
    let (mean, scale) = codec.units();
    let description = Description { dim: codec.dim(), settings, mean: mean.to_vec(), scale };
    tensor_file::save(path, &Weights::new(), &description)
}

/// Reads what [`save`] wrote, of codes of entries or not.
///
/// # Errors
/// [`RunError::Folder`](crate::RunError::Folder) if the file is missing or damaged.
pub(super) fn load(path: &Path, entries: bool, device: &Device) -> Result<StateCodec> {
    let (_, description): (_, Description) = tensor_file::load(path)?;
    let Description { dim, settings, mean, scale } = description;
    let settings = CodecSettings { entries, ..settings };
    StateCodec::from_parts(dim, settings, (mean, scale), device)
        .map_err(|error| damaged(path, &error.to_string()))
}
