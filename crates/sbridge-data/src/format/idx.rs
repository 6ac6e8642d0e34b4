//! IDX, the format of MNIST: a magic number, the sides as big-endian `u32`, then the elements.
//!
//! The magic number is two zero bytes, a type code and the rank. A file named like
//! `…images-idx3-ubyte` brings the labels of its sibling `…labels-idx1-ubyte` along.

use std::path::{Path, PathBuf};

use crate::Result;
use crate::element::{ElementType, Endian, decode};
use crate::file::read_file;
use crate::layout::{Array, Contents, Order, arrange};
use crate::reading::Reading;
use crate::values::Values;

/// Reads samples, and labels from the sibling file if there is one and it has as many.
///
/// # Errors
/// When the file is not sound IDX. A sibling that does not fit is not an error: a note says why.
pub(crate) fn read_with_labels(bytes: &[u8], path: &Path, reading: &Reading) -> Result<Contents> {
    let mut contents = read(bytes, reading)?;
    if let Some(sibling) = sibling_labels(path) {
        let count = contents.values.len() / contents.shape.size();
        match read_labels(&sibling, count, reading) {
            Ok(labels) => {
                contents.notes.push(format!("labels read from {}", sibling.display()));
                contents.labels = Some(labels);
            }
            Err(reason) => {
                contents.notes.push(format!("labels not read from {}: {reason}", sibling.display()))
            }
        }
    }
    Ok(contents)
}

/// Reads samples from the bytes of an IDX file.
///
/// # Errors
/// When the magic number, the sides or the length do not agree with the format.
pub(crate) fn read(bytes: &[u8], reading: &Reading) -> Result<Contents> {
    let (dtype, dims, data) = read_header(bytes, reading)?;
    let count = reading.admit(&dims)?;
    // In u128 no product of sides can wrap around to the length that is there.
    let expected = count as u128 * dtype.size() as u128;
    if data.len() as u128 != expected {
        return Err(reading.malformed(
            format!("shape {dims:?} of {dtype} needs {expected} bytes, but {} follow the header", data.len()),
            "the file is cut short or has been appended to: download it again",
        ));
    }
    let decoded = decode(data, dtype, Endian::Big);
    let note = decoded.note();
    let dims = dims.iter().map(|&side| side as usize).collect();
    let mut contents = arrange(Array { dims, order: Order::C, values: decoded.values, dtype }, reading)?;
    contents.notes.extend(note);
    Ok(contents)
}

fn read_header<'a>(bytes: &'a [u8], reading: &Reading) -> Result<(ElementType, Vec<u64>, &'a [u8])> {
    let (&[first, second, code, rank], rest) = bytes
        .split_first_chunk()
        .ok_or_else(|| reading.malformed("an IDX header needs 4 bytes", "download the file again"))?;
    if (first, second) != (0, 0) {
        return Err(reading.malformed(
            format!("IDX begins with two zero bytes, found {first:#04x} {second:#04x}"),
            "check that the name fits the content",
        ));
    }
    let dtype = element_type(code).ok_or_else(|| {
        reading.malformed(
            format!("unknown IDX type code {code:#04x}"),
            "known codes are 08, 09, 0b, 0c, 0d and 0e",
        )
    })?;
    let sides = usize::from(rank) * 4;
    let (sides, data) = rest.split_at_checked(sides).ok_or_else(|| {
        reading.malformed(format!("the file ends inside its header of rank {rank}"), "download it again")
    })?;
    let (sides, _) = sides.as_chunks();
    Ok((dtype, sides.iter().map(|side| u64::from(u32::from_be_bytes(*side))).collect(), data))
}

fn element_type(code: u8) -> Option<ElementType> {
    match code {
        0x08 => Some(ElementType::U8),
        0x09 => Some(ElementType::I8),
        0x0b => Some(ElementType::I16),
        0x0c => Some(ElementType::I32),
        0x0d => Some(ElementType::F32),
        0x0e => Some(ElementType::F64),
        _ => None,
    }
}

/// The file of labels next to a file of images, compressed or not.
fn sibling_labels(path: &Path) -> Option<PathBuf> {
    let name = path.file_name()?.to_str()?;
    if !(name.contains("images") && name.contains("idx3")) {
        return None;
    }
    let same = name.replace("images", "labels").replace("idx3", "idx1");
    let other = same.strip_suffix(".gz").map_or_else(|| format!("{same}.gz"), str::to_owned);
    [same, other].into_iter().map(|name| path.with_file_name(name)).find(|candidate| candidate.is_file())
}

/// The labels of a file, or why they do not fit, in words.
fn read_labels(path: &Path, count: usize, reading: &Reading) -> Result<Vec<u32>, String> {
    let contents = read_file(path, reading)
        .and_then(|file| read(&file.bytes, reading))
        .map_err(|error| error.to_string())?;
    if contents.shape.size() != 1 || contents.values.len() != count {
        return Err(format!("it holds {} values for {count} images", contents.values.len()));
    }
    as_labels(&contents.values, contents.dtype)
        .ok_or_else(|| "they are not whole numbers from 0 on".to_owned())
}

/// Values of an integer type as labels, if all of them can be.
pub(crate) fn as_labels(values: &Values, dtype: ElementType) -> Option<Vec<u32>> {
    let all_fit =
        dtype.is_integer() && values.iter().all(|value| (0.0..=f64::from(u32::MAX)).contains(&value));
    all_fit.then(|| values.iter().map(|value| value as u32).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;
    use crate::{Limits, SampleShape};

    fn idx(code: u8, dims: &[u32], data: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0, 0, code, dims.len() as u8];
        bytes.extend(dims.iter().flat_map(|side| side.to_be_bytes()));
        bytes.extend(data);
        bytes
    }

    fn read_bytes(bytes: &[u8]) -> Result<Contents> {
        let limits = Limits { max_bytes: 1 << 20 };
        read(bytes, &Reading { source: "x-idx3-ubyte", limits: &limits })
    }

    #[test]
    fn images_are_read_as_they_were_written() {
        let contents = read_bytes(&idx(8, &[2, 1, 3], &[0, 1, 2, 3, 254, 255])).unwrap();
        assert_eq!(contents.shape, SampleShape::Image { channels: 1, height: 1, width: 3 });
        assert_eq!(contents.values, [0.0, 1.0, 2.0, 3.0, 254.0, 255.0]);
    }

    #[test]
    fn every_type_code_is_big_endian() {
        let cases: [(u8, Vec<u8>); 5] = [
            (0x09, (-5i8).to_be_bytes().to_vec()),
            (0x0b, (-5i16).to_be_bytes().to_vec()),
            (0x0c, (-5i32).to_be_bytes().to_vec()),
            (0x0d, (-5f32).to_be_bytes().to_vec()),
            (0x0e, (-5f64).to_be_bytes().to_vec()),
        ];
        for (code, data) in cases {
            assert_eq!(read_bytes(&idx(code, &[1], &data)).unwrap().values, [-5.0], "code {code:#04x}");
        }
    }

    #[test]
    fn damage_is_named() {
        let message = |bytes: &[u8]| read_bytes(bytes).map(|_| ()).unwrap_err().to_string();
        assert!(message(&[0, 0]).contains("4 bytes"));
        assert!(message(&idx(7, &[1], &[0])).contains("0x07"));
        assert!(message(&[1, 0, 8, 1, 0, 0, 0, 1, 5]).contains("two zero bytes"));
        assert!(message(&idx(8, &[3], &[1, 2])).contains("needs 3 bytes, but 2"));
        assert!(message(&idx(8, &[1], &[1, 2])).contains("needs 1 bytes, but 2"));
        assert!(message(&idx(8, &[0, 28, 28], &[])).contains("no values"));
        assert!(message(&idx(14, &[u32::MAX; 4], &[])).contains("limit"));
        assert!(message(&[0, 0, 8, 200, 1]).contains("rank 200"));
    }

    proptest! {
        #[test]
        fn written_values_are_read_back(rows in 1u32..6, columns in 1u32..6, seed in any::<[i16; 25]>()) {
            let count = (rows * columns) as usize;
            let data: Vec<u8> = seed[..count].iter().flat_map(|v| v.to_be_bytes()).collect();
            let contents = read_bytes(&idx(0x0b, &[rows, columns], &data)).unwrap();
            prop_assert_eq!(contents.values, seed[..count].iter().map(|&v| f32::from(v)).collect::<Vec<_>>());
            prop_assert_eq!(contents.shape, SampleShape::Vector { dim: columns as usize });
        }
    }
}
