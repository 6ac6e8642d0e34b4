//! Named arrays with a description, as safetensors.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use safetensors::tensor::{Dtype, SafeTensors, TensorView, serialize};
use sbridge::net::Weights;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::atomic;
use crate::error::{Result, RunError};

/// The key of the description among the file's metadata.
const DESCRIPTION: &str = "sbridge";

/// Writes `arrays` and `description` to `path` in one step.
///
/// # Errors
/// [`RunError::Disk`] if the disk refuses.
pub fn save<T: Serialize>(path: &Path, arrays: &Weights, description: &T) -> Result<()> {
    let bytes: BTreeMap<&String, Vec<u8>> = arrays
        .iter()
        .map(|(name, (_, values))| (name, values.iter().flat_map(|x| x.to_le_bytes()).collect()))
        .collect();
    let views = arrays.iter().map(|(name, (shape, _))| {
        let view = TensorView::new(Dtype::F32, shape.clone(), &bytes[name]);
        (name.as_str(), view.expect("an array holds as many values as its shape says"))
    });
    let text = serde_json::to_string(description).expect("descriptions are plain data");
    let metadata = HashMap::from([(DESCRIPTION.to_owned(), text)]);
    let file = serialize(views, Some(metadata)).expect("names and shapes are valid");
    atomic::write(path, &file)
}

/// Reads what [`save`] wrote.
///
/// # Errors
/// [`RunError::Folder`] if the file is missing, damaged, or of another kind.
pub fn load<T: DeserializeOwned>(path: &Path) -> Result<(Weights, T)> {
    let damaged = |what: String| RunError::folder(path, format!("cannot be read: {what}"));
    let bytes = std::fs::read(path).map_err(|e| damaged(e.to_string()))?;
    let (_, header) = SafeTensors::read_metadata(&bytes).map_err(|e| damaged(e.to_string()))?;
    let description = header
        .metadata()
        .as_ref()
        .and_then(|m| m.get(DESCRIPTION))
        .ok_or_else(|| damaged("it was not written by sbridge".into()))?;
    let description = serde_json::from_str(description).map_err(|e| damaged(e.to_string()))?;
    let tensors = SafeTensors::deserialize(&bytes).map_err(|e| damaged(e.to_string()))?;
    let mut arrays = Weights::new();
    for (name, view) in tensors.iter() {
        if view.dtype() != Dtype::F32 {
            return Err(damaged(format!("{name} is {:?}, not F32", view.dtype())));
        }
        let values = view.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
        arrays.insert(name.to_owned(), (view.shape().to_vec(), values.collect()));
    }
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn arrays_and_description_survive_a_round_trip() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.safetensors");
        let mut arrays = Weights::new();
        insert(&mut arrays, "a", Weights::from([("w".into(), (vec![2, 1], vec![1.5, -0.0]))]));
        save(&path, &arrays, &vec![3u8]).unwrap();
        let (mut loaded, description): (_, Vec<u8>) = load(&path).unwrap();
        assert_eq!((&loaded, description), (&arrays, vec![3]));
        assert_eq!(extract(&mut loaded, "a")["w"].0, [2, 1]);
        assert!(loaded.is_empty());
    }

    #[test]
    fn damaged_files_are_named_not_misread() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.safetensors");
        for bytes in [&b""[..], b"junk", &[255; 64]] {
            std::fs::write(&path, bytes).unwrap();
            let message = load::<()>(&path).unwrap_err().to_string();
            assert!(message.contains("x.safetensors cannot be read"), "{message}");
        }
    }
}
