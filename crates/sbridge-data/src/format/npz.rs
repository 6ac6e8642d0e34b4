//! One array of a NumPy archive, `.npz#key`.
//!
//! The archive is a ZIP file of `.npy` files. Its members are inflated one byte past the limit at
//! most, and read by the same reader as `.npy` files. An array `x` brings integer labels `y` along.

use std::io::{self, Cursor};

use zip::ZipArchive;

use super::idx::as_labels;
use super::npy;
use crate::Result;
use crate::file::expand;
use crate::layout::{Array, Contents, arrange};
use crate::reading::Reading;
use crate::shown::{listed, shown};
use crate::suggest::did_you_mean;

type Archive<'a> = ZipArchive<Cursor<&'a [u8]>>;

/// What every member's name ends in, after that of its array.
const SUFFIX: &str = ".npy";

/// Reads the array named `key`, or the only one if no key is given.
///
/// # Errors
/// When the archive or the array is not sound, or the key does not decide on one array.
pub(crate) fn read(bytes: &[u8], key: Option<&str>, reading: &Reading) -> Result<Contents> {
    let (mut archive, names) = open(bytes, reading)?;
    let name = choose(&names, key, reading)?;
    let (array, note) = npy::read_array(&unpacked(&mut archive, name, reading)?, reading)?;
    let count = array.dims.first().copied().unwrap_or(0);
    let mut contents = arrange(array, reading)?;
    contents.notes.extend(note);
    if name == "x" && names.iter().any(|name| name == "y") {
        attach_labels(&mut contents, &mut archive, count, reading);
    }
    Ok(contents)
}

/// Reads the array named `key`, or the only one, which may hold complex numbers.
///
/// # Errors
/// As [`read`], but for what is no sample.
pub(crate) fn read_any(
    bytes: &[u8],
    key: Option<&str>,
    reading: &Reading,
) -> Result<(Array, Option<String>)> {
    let (mut archive, names) = open(bytes, reading)?;
    let name = choose(&names, key, reading)?;
    npy::read_any(&unpacked(&mut archive, name, reading)?, reading)
}

/// The archive, and the names of its arrays.
fn open<'a>(bytes: &'a [u8], reading: &Reading) -> Result<(Archive<'a>, Vec<String>)> {
    let archive = Archive::new(Cursor::new(bytes)).map_err(|cause| {
        reading.malformed(format!("not a sound NumPy archive: {cause}"), "save it with numpy.savez")
    })?;
    if archive.has_duplicate_names() {
        return Err(reading.malformed("the archive has two arrays of one name", "save it with numpy.savez"));
    }
    let names = array_names(&archive);
    refuse_sparse(&names, reading)?;
    Ok((archive, names))
}

fn array_names(archive: &Archive) -> Vec<String> {
    let mut names: Vec<String> = archive
        .file_names()
        .flatten()
        .filter_map(|file| file.strip_suffix(SUFFIX).map(str::to_owned))
        .collect();
    names.sort();
    names
}

/// Refuses the parts of a sparse matrix, none of which is a list of samples.
fn refuse_sparse(names: &[String], reading: &Reading) -> Result<()> {
    let has = |wanted: &str| names.iter().any(|name| name == wanted);
    if !(["format", "shape", "data"].into_iter().all(has) && (has("indices") || has("row") || has("offsets")))
    {
        return Ok(());
    }
    let path = reading.source.rsplit_once('#').map_or(reading.source, |(path, _)| path);
    Err(reading.unsupported(
        "a sparse matrix, as scipy.sparse.save_npz writes it",
        format!("save it dense: numpy.save('x.npy', scipy.sparse.load_npz('{path}').toarray())"),
    ))
}

fn choose<'a>(names: &'a [String], key: Option<&str>, reading: &Reading) -> Result<&'a str> {
    let listed = listed(names);
    match (key, names) {
        (_, []) => Err(reading.unsupported(
            "the archive holds no arrays",
            "unpack it and give the file inside, or save arrays with numpy.savez",
        )),
        (None, [only]) => Ok(only),
        (None, [first, ..]) => Err(reading.unknown(
            format!("the archive holds {} arrays: {listed}", names.len()),
            format!("say which, for example #{}", shown(first)),
        )),
        (Some(key), _) => names.iter().find(|name| *name == key).map(String::as_str).ok_or_else(|| {
            let suggestion = did_you_mean(key, names.iter().map(String::as_str));
            reading.unknown(
                format!("the archive has no array '{}'", shown(key)),
                format!("{suggestion}It holds: {listed}"),
            )
        }),
    }
}

/// The bytes of an array.
fn unpacked(archive: &mut Archive, name: &str, reading: &Reading) -> Result<Vec<u8>> {
    // Every member lies ahead of the directory, whatever the directory claims of its size.
    let most = archive.central_directory_start();
    let what = format!("array '{}'", shown(name));
    let damaged = |cause: io::Error| {
        reading.malformed(format!("{what} cannot be unpacked: {cause}"), "save the archive again")
    };
    let member = archive.by_name(&format!("{name}{SUFFIX}")).map_err(|cause| damaged(cause.into()))?;
    let packed = member.compressed_size().min(most);
    expand(member, packed, &what, reading, damaged)
}

/// Attaches `y` if it has one whole number per sample; a note says what happened.
fn attach_labels(contents: &mut Contents, archive: &mut Archive, count: usize, reading: &Reading) {
    let array = unpacked(archive, "y", reading).and_then(|bytes| npy::read_array(&bytes, reading));
    let note = match array {
        Ok((y, _)) if y.dims == [count] => {
            contents.labels = as_labels(&y.values, y.dtype);
            match contents.labels {
                Some(_) => "labels read from array 'y'".to_owned(),
                None => format!("array 'y' ({}) is not whole numbers from 0 on: not used as labels", y.dtype),
            }
        }
        Ok((y, _)) => format!("array 'y' has shape {:?}, not [{count}]: not used as labels", y.dims),
        Err(error) => format!("array 'y' not used as labels: {error}"),
    };
    contents.notes.push(note);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io::Write;

    use npyz::WriterBuilder;
    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    use super::*;
    use crate::Limits;

    /// An archive as `numpy.savez_compressed` makes it.
    fn archive(arrays: &[(&str, &[f32])], labels: &[i64]) -> Vec<u8> {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        let mut member = |name: &str, bytes: Vec<u8>| {
            zip.start_file(format!("{name}.npy"), SimpleFileOptions::default()).unwrap();
            zip.write_all(&bytes).unwrap();
        };
        for (name, values) in arrays {
            member(name, npy_bytes(values));
        }
        if !labels.is_empty() {
            member("y", npy_bytes(labels));
        }
        zip.finish().unwrap().into_inner()
    }

    fn npy_bytes<T: npyz::AutoSerialize + Copy>(values: &[T]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let options = npyz::WriteOptions::new().default_dtype().shape(&[values.len() as u64]);
        let mut array = options.writer(&mut bytes).begin_nd().unwrap();
        array.extend(values.iter().copied()).unwrap();
        array.finish().unwrap();
        bytes
    }

    fn read_bytes(bytes: &[u8], key: Option<&str>) -> Result<Contents> {
        let limits = Limits { max_bytes: 1 << 20 };
        read(bytes, key, &Reading { source: "x.npz", limits: &limits })
    }

    #[test]
    fn the_only_array_needs_no_key() {
        let bytes = archive(&[("points", &[1.0, 2.0])], &[]);
        assert_eq!(read_bytes(&bytes, None).unwrap().values, [1.0, 2.0]);
        assert_eq!(read_bytes(&bytes, Some("points")).unwrap().values, [1.0, 2.0]);
    }

    #[test]
    fn several_arrays_need_a_key_and_the_error_lists_them() {
        let bytes = archive(&[("first", &[1.0]), ("second", &[2.0])], &[]);
        let message = |key| read_bytes(&bytes, key).map(|_| ()).unwrap_err().to_string();
        assert!(message(None).contains("first, second"));
        assert!(message(Some("secnd")).contains("did you mean second?"));
    }

    #[test]
    fn y_labels_x_when_it_fits() {
        assert_eq!(
            read_bytes(&archive(&[("x", &[5.0, 6.0])], &[1, 0]), Some("x")).unwrap().labels.unwrap(),
            [1, 0]
        );
        for misfit in [&[1, 0, 1][..], &[-1, 1]] {
            let contents = read_bytes(&archive(&[("x", &[5.0, 6.0])], misfit), Some("x")).unwrap();
            assert!(
                contents.labels.is_none() && contents.notes[0].contains("not used"),
                "{:?}",
                contents.notes
            );
        }
    }

    #[test]
    fn an_archive_without_arrays_is_refused() {
        assert!(read_bytes(&archive(&[], &[]), None).is_err());
        assert!(read_bytes(b"PK\x03\x04 and then nothing", None).is_err());
    }
}
