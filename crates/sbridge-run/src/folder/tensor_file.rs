//! Named arrays with a description, as safetensors, under a checksum.
//!
//! The checksum is the SHA-256 of the whole file with zeros in the checksum's own place, in front of
//! the description. Files from before checksums have their description under another key, and are read.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use safetensors::tensor::{Dtype, SafeTensors, TensorView, serialize};
use sbridge::net::Weights;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

use super::atomic;
use crate::error::{Result, RunError};

/// The key of checksum and description among the file's metadata.
const SEALED: &str = "sbridge-sha256";

/// The key of the description in files from before checksums.
const UNSEALED: &str = "sbridge";

/// What stands in the checksum's place while it is computed.
const ZEROS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// Writes `arrays` and `description` to `path` in one step.
///
/// # Errors
/// [`RunError::Disk`] if the disk refuses.
pub fn save<T: Serialize>(path: &Path, arrays: &Weights, description: &T) -> Result<()> {
    atomic::write(path, &to_bytes(arrays, description))
}

/// The file that [`save`] writes.
pub fn to_bytes<T: Serialize>(arrays: &Weights, description: &T) -> Vec<u8> {
    let bytes: BTreeMap<&String, Vec<u8>> = arrays
        .iter()
        .map(|(name, (_, values))| (name, values.iter().flat_map(|x| x.to_le_bytes()).collect()))
        .collect();
    let views = arrays.iter().map(|(name, (shape, _))| {
        let view = TensorView::new(Dtype::F32, shape.clone(), &bytes[name]);
        (name.as_str(), view.expect("an array holds as many values as its shape says"))
    });
    let text = serde_json::to_string(description).expect("descriptions are plain data");
    // One key only: several would be written in any order.
    let metadata = HashMap::from([(SEALED.to_owned(), format!("{ZEROS}{text}"))]);
    let mut file = serialize(views, Some(metadata)).expect("names and shapes are valid");
    let sum = checksum(&file);
    put(&mut file, ZEROS, &sum).expect("the zeros were just written");
    file
}

fn checksum(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Puts `new` over the first `old`, which is as long, if there is one.
fn put(bytes: &mut [u8], old: &str, new: &str) -> Option<()> {
    let place = bytes.windows(old.len()).position(|window| window == old.as_bytes())?;
    bytes[place..place + new.len()].copy_from_slice(new.as_bytes());
    Some(())
}

/// The description in a file of this metadata, if the file is what was written.
fn description(
    mut file: Vec<u8>,
    metadata: &HashMap<String, String>,
) -> std::result::Result<&str, &'static str> {
    let Some(sealed) = metadata.get(SEALED) else {
        let unsealed = metadata.get(UNSEALED).map(String::as_str);
        return unsealed.ok_or("it was not written by sbridge");
    };
    let damaged = "its checksum does not match its content";
    let (sum, text) = sealed.split_at_checked(ZEROS.len()).ok_or(damaged)?;
    put(&mut file, sum, ZEROS).ok_or(damaged)?;
    if checksum(&file) == sum { Ok(text) } else { Err(damaged) }
}

/// Reads what [`save`] wrote.
///
/// # Errors
/// [`RunError::Folder`] if the file is missing, damaged, or of another kind.
pub fn load<T: DeserializeOwned>(path: &Path) -> Result<(Weights, T)> {
    let damaged = |what: String| RunError::folder(path, format!("cannot be read: {what}"));
    let bytes = std::fs::read(path).map_err(|e| damaged(e.to_string()))?;
    let (_, header) = SafeTensors::read_metadata(&bytes).map_err(|e| damaged(e.to_string()))?;
    let tensors = SafeTensors::deserialize(&bytes).map_err(|e| damaged(e.to_string()))?;
    let mut arrays = Weights::new();
    for (name, view) in tensors.iter() {
        if view.dtype() != Dtype::F32 {
            return Err(damaged(format!("{name} is {:?}, not F32", view.dtype())));
        }
        let values = view.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
        arrays.insert(name.to_owned(), (view.shape().to_vec(), values.collect()));
    }
    let metadata = header.metadata().clone().unwrap_or_default();
    let text = description(bytes, &metadata).map_err(|e| damaged(e.into()))?;
    let description = serde_json::from_str(text).map_err(|e| damaged(e.to_string()))?;
    Ok((arrays, description))
}

/// Adds `part` to `whole` with `prefix/` in front of every name.
pub fn insert(whole: &mut Weights, prefix: &str, part: Weights) {
    whole.extend(part.into_iter().map(|(name, array)| (format!("{prefix}/{name}"), array)));
}

/// Takes the arrays with `prefix/` in front out of `whole`, without the prefix.
pub fn extract(whole: &mut Weights, prefix: &str) -> Weights {
    let prefix = format!("{prefix}/");
    let names: Vec<String> = whole.keys().filter(|k| k.starts_with(&prefix)).cloned().collect();
    let take = |name: String| {
        let array = whole.remove(&name).expect("the name was just listed");
        (name[prefix.len()..].to_owned(), array)
    };
    names.into_iter().map(take).collect()
}

/// A shape and its values.
pub(crate) type Array = (Vec<usize>, Vec<f32>);

/// Numbers as an array.
pub(crate) fn vector(values: &[f64]) -> Array {
    (vec![values.len()], values.iter().map(|x| *x as f32).collect())
}

/// And back.
pub(crate) fn widen(values: &[f32]) -> Vec<f64> {
    values.iter().map(|x| f64::from(*x)).collect()
}

/// The file at `path` is not what it should be: `what`.
pub(crate) fn damaged(path: &Path, what: &str) -> RunError {
    RunError::folder(path, format!("{what}; it is damaged"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn arrays() -> Weights {
        let mut arrays = Weights::new();
        insert(&mut arrays, "a", Weights::from([("w".into(), (vec![2, 1], vec![1.5, -0.0]))]));
        arrays
    }

    fn read(bytes: &[u8]) -> Result<(Weights, Vec<u8>)> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.safetensors");
        std::fs::write(&path, bytes).unwrap();
        load(&path)
    }

    #[test]
    fn arrays_and_description_survive_a_round_trip() {
        let (mut loaded, description) = read(&to_bytes(&arrays(), &[3u8])).unwrap();
        assert_eq!((&loaded, description), (&arrays(), vec![3]));
        assert_eq!(extract(&mut loaded, "a")["w"].0, [2, 1]);
        assert!(loaded.is_empty());
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_noticed() {
        let file = to_bytes(&arrays(), &[3u8]);
        for place in 0..file.len() {
            let mut flipped = file.clone();
            flipped[place] ^= 1 << (place % 8);
            assert!(read(&flipped).is_err(), "bit of byte {place} of {}", file.len());
            assert!(read(&file[..place]).is_err(), "cut to {place} bytes");
        }
    }

    #[test]
    fn a_file_from_before_checksums_is_read() {
        let metadata = HashMap::from([("sbridge".to_owned(), "[3]".to_owned())]);
        let bytes: Vec<u8> = [1.5f32, -0.0].iter().flat_map(|x| x.to_le_bytes()).collect();
        let view = TensorView::new(Dtype::F32, vec![2, 1], &bytes).unwrap();
        let file = serialize([("a/w", view)], Some(metadata)).unwrap();
        assert_eq!(read(&file).unwrap(), (arrays(), vec![3]));
    }

    #[test]
    fn damaged_files_are_named_not_misread() {
        for bytes in [&b""[..], b"junk", &[255; 64]] {
            let message = read(bytes).unwrap_err().to_string();
            assert!(message.contains("x.safetensors cannot be read"), "{message}");
        }
    }
}
