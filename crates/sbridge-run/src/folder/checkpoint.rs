//! Checkpoints of a training stage: everything a trainer needs to continue exactly.
//!
//! The last two are kept. If the newest is damaged or missing, the one before it is used, and costs no
//! more than the time between them.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use sbridge::fit::{AdamState, Best, TrainerState};
use sbridge::net::Weights;
use serde::{Deserialize, Serialize};

use super::{atomic, tensor_file};
use crate::context::Context;
use crate::error::{Result, RunError};

#[derive(Serialize, Deserialize)]
struct Description {
    step: usize,
    /// As text: JSON numbers end at 2⁵³ in many readers.
    rng_position: String,
    /// Loss and step of the best weights, where kept.
    best: Option<(f64, usize)>,
    /// The same loss as text, since reading a number from JSON may change its last digit. Absent in
    /// files from before checksums.
    best_loss: Option<String>,
    /// Absent in files from before recoveries.
    #[serde(default = "full_rate")]
    rate_factor: f64,
}

fn full_rate() -> f64 {
    1.0
}

/// Where the checkpoint before the one at `path` is kept.
fn previous_of(path: &Path) -> PathBuf {
    path.with_extension("previous.safetensors")
}

/// Writes `state` to `path` in one step, and keeps what was there as the previous checkpoint.
///
/// # Errors
/// [`RunError::Disk`] if the disk refuses.
pub fn save(path: &Path, state: TrainerState) -> Result<()> {
    let description = Description {
        step: state.step,
        rng_position: state.rng_position.to_string(),
        best: state.best.as_ref().map(|best| (best.loss, best.step)),
        best_loss: state.best.as_ref().map(|best| best.loss.to_string()),
        rate_factor: state.rate_factor,
    };
    let mut arrays = Weights::new();
    tensor_file::insert(&mut arrays, "weights", state.weights);
    tensor_file::insert(&mut arrays, "first", numbered(state.adam.first));
    tensor_file::insert(&mut arrays, "second", numbered(state.adam.second));
    tensor_file::insert(&mut arrays, "average", numbered(state.adam.average));
    if let Some(best) = state.best {
        tensor_file::insert(&mut arrays, "best", best.weights);
    }
    atomic::write_keeping(path, &previous_of(path), &tensor_file::to_bytes(&arrays, &description))
}

/// Reads what [`save`] wrote: the newest checkpoint that can be read, or none if none was written.
/// A newest one that cannot be read is named in a warning, and replaced by the previous one.
///
/// # Errors
/// [`RunError::Input`] if there are checkpoints and none can be read, [`RunError::Disk`] if the
/// previous one cannot be moved.
pub fn load(path: &Path, context: &Context) -> Result<Option<TrainerState>> {
    let previous = previous_of(path);
    if !path.exists() && !previous.exists() {
        return Ok(None);
    }
    let problem = match read(path) {
        Ok(state) => return Ok(Some(state)),
        Err(problem) => problem,
    };
    let state = read(&previous).map_err(|also| {
        RunError::Input(format!(
            "{problem}; {also} (restore one of the two, or delete both to train this network again)"
        ))
    })?;
    context.warn(&format!("{problem}; continuing from the checkpoint before it, of step {}", state.step));
    // In its place, so that the next checkpoint does not put the damaged one over it.
    fs::rename(&previous, path).map_err(|e| RunError::disk("rename", &previous, e))?;
    Ok(Some(state))
}

/// Removes what [`save`] wrote.
///
/// # Errors
/// [`RunError::Disk`] if the disk refuses.
pub fn remove(path: &Path) -> Result<()> {
    for path in [previous_of(path), path.to_owned()] {
        match fs::remove_file(&path) {
            Err(e) if e.kind() != ErrorKind::NotFound => return Err(RunError::disk("remove", path, e)),
            _ => {}
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<TrainerState> {
    let (mut arrays, description): (_, Description) = tensor_file::load(path)?;
    let rng_position = description.rng_position.parse().map_err(|_| {
        RunError::folder(
            path,
            format!("holds the stream position {:?}, not a number", description.rng_position),
        )
    })?;
    let mut vectors = |prefix| unnumbered(tensor_file::extract(&mut arrays, prefix));
    let adam = AdamState { first: vectors("first"), second: vectors("second"), average: vectors("average") };
    let exact_loss = description.best_loss.and_then(|text| text.parse().ok());
    let best = description.best.map(|(loss, step)| Best {
        loss: exact_loss.unwrap_or(loss),
        step,
        weights: tensor_file::extract(&mut arrays, "best"),
    });
    let weights = tensor_file::extract(&mut arrays, "weights");
    let Description { step, rate_factor, .. } = description;
    Ok(TrainerState { weights, adam, step, rng_position, best, rate_factor })
}

/// Names that sort in the order of the vectors.
fn numbered(vectors: Vec<Vec<f32>>) -> Weights {
    let named = vectors.into_iter().enumerate();
    named.map(|(i, values)| (format!("{i:05}"), (vec![values.len()], values))).collect()
}

fn unnumbered(arrays: Weights) -> Vec<Vec<f32>> {
    arrays.into_values().map(|(_, values)| values).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// A state that no other step has, with every field in use.
    fn state(step: usize) -> TrainerState {
        let array = |x: f32| Weights::from([("w".to_owned(), (vec![2], vec![x, -x]))]);
        let x = step as f32;
        TrainerState {
            weights: array(x),
            adam: AdamState {
                first: vec![vec![x], vec![0.5]],
                second: vec![vec![x + 1.0], vec![0.25]],
                average: vec![vec![x + 2.0], vec![0.125]],
            },
            step,
            rng_position: u128::MAX - step as u128,
            best: Some(Best { loss: 0.1 + f64::from(x), step: step / 2, weights: array(x / 2.0) }),
            rate_factor: 0.5,
        }
    }

    /// A folder with the checkpoints of steps 100, 200 and 300, and the path of the newest.
    fn written() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("score.safetensors");
        for step in [100, 200, 300] {
            save(&path, state(step)).unwrap();
        }
        (folder, path)
    }

    #[test]
    fn the_newest_checkpoint_is_read_exactly() {
        let (_folder, path) = written();
        assert_eq!(load(&path, &Context::default()).unwrap(), Some(state(300)));
        assert_eq!(read(&previous_of(&path)).unwrap(), state(200));
        assert_eq!(load(&path.with_file_name("ratio.safetensors"), &Context::default()).unwrap(), None);
    }

    #[test]
    fn no_digit_of_the_best_loss_is_lost() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("score.safetensors");
        for k in 1..50 {
            let mut state = state(100);
            state.best.as_mut().unwrap().loss = f64::from(k).ln();
            save(&path, state.clone()).unwrap();
            assert_eq!(read(&path).unwrap().best, state.best);
        }
    }

    #[test]
    fn a_damaged_truncated_or_missing_one_gives_way_to_the_previous_one() {
        let damages: [fn(&Path); 3] = [
            |path| {
                let mut bytes = fs::read(path).unwrap();
                *bytes.last_mut().unwrap() ^= 1;
                fs::write(path, bytes).unwrap();
            },
            |path| fs::write(path, &fs::read(path).unwrap()[..50]).unwrap(),
            |path| fs::remove_file(path).unwrap(),
        ];
        for damage in damages {
            let (_folder, path) = written();
            damage(&path);
            assert_eq!(load(&path, &Context::default()).unwrap(), Some(state(200)));
            // The next checkpoint has a whole one before it again.
            save(&path, state(400)).unwrap();
            assert_eq!(read(&previous_of(&path)).unwrap(), state(200));
        }
    }

    #[test]
    fn two_that_cannot_be_read_are_both_named_with_the_fix() {
        let (_folder, path) = written();
        fs::write(&path, "junk").unwrap();
        fs::write(previous_of(&path), "junk").unwrap();
        let error = load(&path, &Context::default()).unwrap_err();
        let message = error.to_string();
        for part in ["score.safetensors cannot be read", "score.previous.safetensors", "delete both"] {
            assert!(message.contains(part), "{message}");
        }
        assert_eq!(error.exit_code(), 2);
    }
}
