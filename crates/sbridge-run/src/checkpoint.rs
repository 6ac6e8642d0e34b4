//! Checkpoints of a training stage: everything a trainer needs to continue exactly.

use std::path::Path;

use sbridge::fit::{AdamState, Best, TrainerState};
use sbridge::net::Weights;
use serde::{Deserialize, Serialize};

use crate::error::{Result, RunError};
use crate::tensor_file;

#[derive(Serialize, Deserialize)]
struct Description {
    step: usize,
    /// As text: JSON numbers end at 2⁵³ in many readers.
    rng_position: String,
    /// Loss and step of the best weights, where kept.
    best: Option<(f64, usize)>,
}

/// Writes `state` to `path` in one step.
///
/// # Errors
/// [`RunError::Disk`] if the disk refuses.
pub fn save(path: &Path, state: TrainerState) -> Result<()> {
    let description = Description {
        step: state.step,
        rng_position: state.rng_position.to_string(),
        best: state.best.as_ref().map(|best| (best.loss, best.step)),
    };
    let mut arrays = Weights::new();
    tensor_file::insert(&mut arrays, "weights", state.weights);
    tensor_file::insert(&mut arrays, "first", numbered(state.adam.first));
    tensor_file::insert(&mut arrays, "second", numbered(state.adam.second));
    tensor_file::insert(&mut arrays, "average", numbered(state.adam.average));
    if let Some(best) = state.best {
        tensor_file::insert(&mut arrays, "best", best.weights);
    }
    tensor_file::save(path, &arrays, &description)
}

/// Reads what [`save`] wrote.
///
/// # Errors
/// [`RunError::Folder`] if the file is damaged.
pub fn load(path: &Path) -> Result<TrainerState> {
    let (mut arrays, description): (_, Description) = tensor_file::load(path)?;
    let rng_position = description.rng_position.parse().map_err(|_| {
        RunError::folder(
            path,
            format!("holds the stream position {:?}, not a number", description.rng_position),
        )
    })?;
    let mut vectors = |prefix| unnumbered(tensor_file::extract(&mut arrays, prefix));
    let adam = AdamState { first: vectors("first"), second: vectors("second"), average: vectors("average") };
    let best = description.best.map(|(loss, step)| Best {
        loss,
        step,
        weights: tensor_file::extract(&mut arrays, "best"),
    });
    let weights = tensor_file::extract(&mut arrays, "weights");
    Ok(TrainerState { weights, adam, step: description.step, rng_position, best })
}

/// Names that sort in the order of the vectors.
fn numbered(vectors: Vec<Vec<f32>>) -> Weights {
    let named = vectors.into_iter().enumerate();
    named.map(|(i, values)| (format!("{i:05}"), (vec![values.len()], values))).collect()
}

fn unnumbered(arrays: Weights) -> Vec<Vec<f32>> {
    arrays.into_values().map(|(_, values)| values).collect()
}
